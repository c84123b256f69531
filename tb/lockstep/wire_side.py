"""Frames that must appear on the wire, in order, and frames that may."""

from collections import deque
from dataclasses import dataclass

from pymodel.ports import Frame
from tb.lockstep.tally import Tally, difference

_LOOK_AHEAD = 8


@dataclass(slots=True)
class _Due:
    """One frame (DA…FCS). `optional`: its ring was stopped, so it may go out or be dropped."""

    data: bytes
    optional: bool = False


class WireSide:
    """The transmit wire: `expect` what the golden core sends, `sent` what the NIC sent."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.required = 0
        """Frames that must still come."""
        self._due: deque[_Due] = deque()
        self._last = b""

    def expect(self, data: bytes, *, optional: bool = False) -> None:
        """A frame (DA…FCS) must (or may) appear, after those before it."""
        self._due.append(_Due(data, optional))
        self.required += not optional

    def release(self) -> None:
        """The device was reset: what is in flight may be dropped, or still be sent whole."""
        for due in self._due:
            due.optional = True
        self.required = 0

    def clear(self) -> None:
        """Hardware reset: nothing is due any more."""
        self._due.clear()
        self.required = 0

    def foresees(self, data: bytes) -> bool:
        """Is a frame due that must come next, or is `data` one that may?"""
        return self.required > 0 or any(due.data == data for due in self._due)

    def sent(self, time: int, frame: Frame) -> None:
        """The NIC has sent `frame`: every byte must be as predicted."""
        counts = self._tally.counts
        counts["frames"] += 1
        counts["frame bytes"] += len(frame.data)
        if frame.error:
            self._tally.mismatch(time, "frame sent", "a frame was broken off or has a code error")
        due = self._due
        if due and due[0].data == frame.data:
            self.required -= not due.popleft().optional
        else:
            self._resynchronise(time, frame.data)
        self._last = frame.data

    def _resynchronise(self, time: int, data: bytes) -> None:
        """Something is wrong: say what, and go on with the next frame."""
        due = self._due
        skipped = 0
        for i in range(min(len(due), _LOOK_AHEAD + sum(d.optional for d in due))):
            if due[i].data == data:
                for _ in range(i):
                    skipped += not due.popleft().optional
                self.required -= skipped + (not due.popleft().optional)
                if skipped:
                    self._tally.mismatch(time, "frame sent", f"{skipped} frames before this one are missing")
                return
        while due and due[0].optional:
            due.popleft()
        if data == self._last:
            self._tally.mismatch(time, "frame sent", f"a frame of {len(data)} bytes was sent twice")
        elif not due:
            self._tally.mismatch(time, "frame sent", f"{len(data)} bytes that no chain asked for")
        else:
            self.required -= 1
            self._tally.mismatch(time, "frame sent", difference(due.popleft().data, data))
