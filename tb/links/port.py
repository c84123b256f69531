"""The TAP as a `WirePort`: the end of the wire behind which the kernel's stack is.

Towards the NIC one frame at a time is on the wire; the next is taken out of the TAP when it has gone, and
never before: what the NIC has no time for waits in the kernel's queue, nothing is dropped here. Towards the
kernel frames lose their FCS as in any NIC, and those whose FCS is wrong are dropped, as in any NIC.
"""

from collections.abc import Callable
from typing import Protocol

from pymodel.golden import mac
from pymodel.link import GAP
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler


class Frames(Protocol):
    """`tb.links.tap.Tap`."""

    def read(self) -> bytes | None:
        """The next frame, or None."""

    def write(self, frame: bytes) -> bool:
        """Hand over a frame; False if it was not taken."""


class TapPort:
    """`refused`: frames that the kernel did not take; `bad`: frames with an FCS that was wrong."""

    def __init__(self, scheduler: Scheduler, tap: Frames) -> None:
        self.refused = self.bad = 0
        self.sending = False
        """A frame of the kernel's is on the wire: the next must wait."""
        self._scheduler = scheduler
        self._tap = tap
        self._handler: Callable[[Frame], None] = lambda frame: None

    def set_wire_handler(self, handler: Callable[[Frame], None]) -> None:
        """`handler(frame)` for each frame of the kernel's, at its end."""
        self._handler = handler

    def set_link(self, up: bool) -> None:
        """The kernel is not told: as with a switch between."""

    def poll(self) -> None:
        """Take the next frame from the kernel, if the wire is free."""
        if self.sending:
            return
        data = self._tap.read()
        if data is None:
            return
        sealed = mac.seal(data)
        start = self._scheduler.now
        frame = Frame(sealed, start, start + mac.duration(len(sealed)))
        self.sending = True
        self._scheduler.at(frame.end, lambda: self._handler(frame))
        self._scheduler.at(frame.end + GAP, self._sent)

    def _sent(self) -> None:
        self.sending = False
        self.poll()

    def deliver(self, frame: Frame) -> None:
        """A frame of the NIC's arrives: the kernel has it at its end."""
        self._scheduler.at(frame.end, lambda: self._arrive(frame))

    def _arrive(self, frame: Frame) -> None:
        if frame.error or mac.fcs_wrong(frame.data):
            self.bad += 1
        elif not self._tap.write(frame.data[: -mac.FCS_SIZE]):
            self.refused += 1
