"""Which used entries have been followed by a look at the driver's event suppression, and must it interrupt?

The NIC reads the structure after used entries, one read serving several. When it decided how many, the NIC
alone knows: at the latest when the memory accepted the request, as is taken here. With EVENT_IDX that
matters: a slot that became visible shortly before the request may be served by this read or the next.
"""

from collections import deque
from typing import Final, NamedTuple

from pymodel.golden.suppression import wants_interrupt
from pymodel.regs import EVENT_BYTES
from pymodel.simtime import US
from tb.lockstep.interrupts import InterruptChecker
from tb.lockstep.ring_protocol import QueueProtocol
from tb.lockstep.tally import Tally

RESPONSE: Final = 12 * US
"""How long (ps) the response of a used entry may take after it is seen here, and the request after that: a
slow memory's latency, behind as many responses as it keeps, one in ten cycles."""


class _Asked(NamedTuple):
    """What was visible when a read was asked for: slots passed, entries written; `sure`: slots passed long
    enough before."""

    passed: int
    entries: int
    sure: int


class _Doubt(NamedTuple):
    """A slot that the driver wants to hear of, which the read at `time` may have served or not."""

    position: int
    time: int


class EventReads:
    """The reads of one life's driver event suppression."""

    def __init__(
        self, tally: Tally, interrupts: InterruptChecker, protocol: QueueProtocol, *, event_idx: bool
    ) -> None:
        self._tally = tally
        self._interrupts = interrupts
        self._protocol = protocol
        self._event_idx = event_idx
        self._served = 0
        self._visible: deque[tuple[int, int]] = deque()
        """(time, slots passed) of the used entries of not long ago."""
        self._sure = 0
        self._sure_before = 0
        self._asked: deque[_Asked] = deque()
        self._doubt: _Doubt | None = None

    def join(self, position: int) -> None:
        """All slots before `position` have been served."""
        self._served = self._sure = self._sure_before = position

    def used(self, time: int) -> None:
        """A used entry has become visible."""
        if self._event_idx:
            self._visible.append((time, self._protocol.passed))

    def asked(self, time: int) -> None:
        """The memory has accepted a request for the structure."""
        visible = self._visible
        while visible and visible[0][0] + RESPONSE < time:
            self._sure = visible.popleft()[1]
        self._asked.append(_Asked(self._protocol.passed, self._protocol.entries, self._sure))

    def read(self, time: int, raw: bytes, *, failed: bool, uncertain: bool) -> None:
        """The structure was read as `raw`. `uncertain`: whether it was in time for the queue's stop, or an
        error, the NIC alone knows."""
        protocol = self._protocol
        asked = (
            self._asked.popleft() if self._asked else _Asked(protocol.passed, protocol.entries, self._sure)
        )
        if failed or uncertain:
            if asked.entries and not failed:
                self._interrupts.allow(time)
            return
        passed = asked.passed - self._served
        wanted, named = self._wants(raw[:EVENT_BYTES], passed)
        self._settle_doubt(time, raw[:EVENT_BYTES], asked.sure)
        if wanted and passed:
            if named is not None and named >= asked.sure:
                self._doubt = self._doubt or _Doubt(named, time)
                self._interrupts.allow(time)
            else:
                self._interrupts.used(time)
        elif (wanted and asked.entries) or self._may_serve_late(raw[:EVENT_BYTES]):
            self._interrupts.allow(time)
        elif passed:
            self._tally.counts["interrupts"] += 1
        self._served = max(self._served, asked.passed)
        self._sure_before = asked.sure

    def _wants(self, raw: bytes, passed: int) -> tuple[bool, int | None]:
        """Does `raw` ask for an interrupt for `passed` slots from `_served` on, and for which one if so?"""
        if not self._event_idx:
            return self._asks(raw, self._served, passed), None
        if self._asks(raw, self._served, 0):  # ENABLE
            return True, None
        for position in range(self._served, self._served + passed):
            if self._asks(raw, position, 1):
                return True, position
        return False, None

    def _asks(self, raw: bytes, position: int, passed: int) -> bool:
        size = self._protocol.size
        wrap = position // size % 2 == 0
        return wants_interrupt(raw, position % size, wrap, passed, size, event_idx=self._event_idx)

    def _may_serve_late(self, raw: bytes) -> bool:
        """Does `raw` name a slot that the read before may not have served yet, although it was visible?"""
        late = range(self._sure_before, self._served) if self._event_idx else ()
        return any(self._asks(raw, position, 1) for position in late)

    def _settle_doubt(self, time: int, raw: bytes, sure: int) -> None:
        """Another read after the doubtful one: has it surely served the slot, and did all in between want it?

        If one did not, that may have been the one that served it.
        """
        doubt = self._doubt
        if doubt is None:
            return
        if self._interrupts.high_since(doubt.time) or not self._asks(raw, doubt.position, 1):
            self._doubt = None
        elif doubt.position >= sure:
            self._interrupts.allow(time)
        else:
            self._doubt = None
            self._interrupts.used(time)

    def finish(self, time: int) -> None:
        """Everything is done: no entry may be left without a look, no doubt without its interrupt."""
        if self._protocol.passed > self._served:
            text = "event suppression was not read after the last used entry"
            self._tally.mismatch(time, "lost interrupt", text)
        elif self._doubt is not None and not self._interrupts.high_since(self._doubt.time):
            text = f"none came for the slot at position {self._doubt.position}, which the driver named"
            self._tally.mismatch(self._doubt.time, "lost interrupt", text)
