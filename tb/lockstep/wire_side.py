"""Frames that must appear on the wire, in order, and frames that may; and those that break off.

A frame that was broken off with /E/ (its data came too late, IEEE 802.3 §46.3.3.1) must be the beginning
of the next one, which comes whole. What must be there of a frame before it begins doubles each time, and
halves after a number of good frames. Of how much that is only the least is known, a beat at first.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pymodel.ports import Frame
from tb.lockstep.tally import Tally, difference

_LOOK_AHEAD = 8
_BEAT = 16
_FORGIVEN_AFTER = 1024


@dataclass(slots=True)
class _Must:
    """A frame (DA…FCS). `plain`: it may start before it was read whole; `optional`: or be dropped."""

    data: bytes
    plain: bool
    optional: bool = False

    def matches(self, data: bytes) -> bool:
        """Is it `data`?"""
        return self.data == data

    def consume(self) -> bool:
        """It has come; True when nothing more of it can."""
        return True


@dataclass(slots=True)
class _May:
    """The frames of a chain whose ring was stopped: some from the first on, or none.

    They are worked out at once and, because data may still come in, again at each look.
    """

    frames: Callable[[], list[bytes]]
    early: list[bytes] = field(init=False)
    taken: int = 0
    optional: bool = True
    plain: bool = True

    def __post_init__(self) -> None:
        self.early = self.frames()

    def freeze(self) -> None:
        """The memory is somebody else's from now on: what has come in of these frames is all."""
        frames = self.frames()
        self.frames = lambda: frames

    def matches(self, data: bytes) -> bool:
        """Is the next frame `data`?"""
        at = self.taken
        return self.early[at : at + 1] == [data] or self.frames()[at : at + 1] == [data]

    def consume(self) -> bool:
        """The next frame has come; True when nothing more can."""
        self.taken += 1
        return self.taken >= max(len(self.early), len(self.frames()))


class WireSide:
    """The transmit wire: `expect` what the golden core sends, `sent` what the NIC sent."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.required = 0
        """Frames that must still come."""
        self.broken: bytes | None = None
        """What was sent of a frame that broke off, and has not come again yet."""
        self._due: deque[_Must | _May] = deque()
        self._last = b""
        self._doubled = 0
        self._good = 0  # frames since that changed
        self._excused = False

    def expect(self, data: bytes, *, plain: bool = True) -> None:
        """A frame (DA…FCS) must appear, after those before it."""
        self._due.append(_Must(data, plain))
        self.required += 1

    def allow(self, frames: Callable[[], list[bytes]]) -> None:
        """Those of `frames()` may appear, without a gap from the first on."""
        self._due.append(_May(frames))

    def freeze(self) -> None:
        """Another life of the ring begins: its data may lie where those of stopped chains were."""
        for due in self._due:
            if isinstance(due, _May):
                due.freeze()

    def excuse(self) -> None:
        """The ring was stopped or an error found: what has begun may break off and not come again."""
        self._excused = True

    def release(self) -> None:
        """The device was reset: what is in flight may be dropped, or still be sent whole."""
        for due in self._due:
            due.optional = True
        self.required = 0
        self._doubled = 0
        self.excuse()

    def clear(self) -> None:
        """Hardware reset: nothing is due any more."""
        self._due.clear()
        self.required = 0
        self.broken = None
        self._doubled = 0
        self._excused = False

    def foresees(self, data: bytes) -> bool:
        """Is a frame due that must come next, or is `data` one that may?"""
        return self.required > 0 or any(due.matches(data) for due in self._due)

    def sent(self, time: int, frame: Frame) -> None:
        """The NIC has sent `frame` whole: every byte must be as predicted."""
        counts = self._tally.counts
        counts["frames"] += 1
        counts["frame bytes"] += len(frame.data)
        self._good += 1
        if self._good == _FORGIVEN_AFTER:
            self._doubled, self._good = max(0, self._doubled - 1), 0
        self._match(time, frame.data)
        self._last = frame.data

    def broke_off(self, time: int, frame: Frame) -> None:
        """The NIC has sent the beginning of a frame, and /E/."""
        self._tally.counts["frames broken off"] += 1
        if self.broken is not None and not self._excused:
            self._tally.mismatch(time, "frame sent", "two frames broke off, one behind the other")
        elif not self._excused:
            least = _BEAT << self._doubled if self._doubled else 0
            if len(frame.data) < least:
                text = (
                    f"a frame broke off after {len(frame.data)} bytes, and began when {least} had to be there"
                )
                self._tally.mismatch(time, "frame sent", text)
            self._doubled, self._good = self._doubled + 1, 0
        self.broken = frame.data

    def finish(self, time: int) -> None:
        """The run has ended at `time`: nothing may be missing."""
        if self.required:
            first = next((due.data for due in self._due if isinstance(due, _Must) and not due.optional), b"")
            text = f"{self.required} frames were never sent"
            self._tally.mismatch(time, "frame sent", text, expected=first)
        if self.broken is not None and not self._excused:
            self._tally.mismatch(time, "frame sent", "a frame broke off and never came again")

    def _match(self, time: int, data: bytes) -> None:
        due = self._due
        if not (due and due[0].matches(data)) and not self._skip_to(time, data):
            self._check_repetition(time, data, plain=True)
            return
        self._check_repetition(time, data, plain=due[0].plain)
        self.required -= not due[0].optional
        if due[0].consume():
            due.popleft()

    def _check_repetition(self, time: int, data: bytes, *, plain: bool) -> None:
        broken, self.broken = self.broken, None
        if broken is None:
            return
        if data.startswith(broken):
            self._excused = False
            if not plain:
                text = "a frame that had a checksum to get, or to be cut up, began before it was whole"
                self._tally.mismatch(time, "frame sent", text)
        elif self._excused:
            self._excused = False
        else:
            text = f"{len(broken)} bytes of a frame had been sent, which did not come again"
            self._tally.mismatch(time, "frame sent", text)

    def _skip_to(self, time: int, data: bytes) -> bool:
        """Drop what may be missing, up to the entry that is `data`. If there is none, something is wrong:
        say what, go on with the next frame, and return False."""
        due = self._due
        skipped = 0
        ahead = 0
        for i in range(1, len(due)):
            ahead += not due[i - 1].optional
            if ahead > _LOOK_AHEAD:
                break
            if due[i].matches(data):
                for _ in range(i):
                    skipped += not due.popleft().optional
                self.required -= skipped
                if skipped:
                    self._tally.mismatch(time, "frame sent", f"{skipped} frames before this one are missing")
                return True
        while due and due[0].optional:
            due.popleft()
        if data == self._last:
            text = f"a frame of {len(data)} bytes was sent twice"
            self._tally.mismatch(time, "frame sent", text, came=data)
        elif not due:
            text = f"{len(data)} bytes that no chain asked for"
            self._tally.mismatch(time, "frame sent", text, came=data)
        else:
            self.required -= 1
            expected = due.popleft()
            assert isinstance(expected, _Must)
            text = difference(expected.data, data)
            self._tally.mismatch(time, "frame sent", text, expected=expected.data, came=data)
        return False
