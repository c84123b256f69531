"""Counters read from registers against those of the golden core.

A counter steps some cycles before or after the event that is seen outside, so a value read at t must lie
between the golden values at t - `WINDOW` and t + `WINDOW`: exact when nothing happened meanwhile. The
comparison waits until t + `WINDOW` has passed.
"""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Final, NamedTuple

from pymodel.golden.counters import COUNTER_AT, Counters
from pymodel.simtime import CYCLE
from tb.lockstep.tally import Tally

WINDOW: Final = 256 * CYCLE
"""How far (ps) a counter may be from the event it counts: more than a frame's way through a FIFO's end."""

_LOW: Final = 0xFFFF_FFFF
_NAMES: Final = [field.name for field in fields(Counters)]
_INDEX: Final = {name: i for i, name in enumerate(_NAMES)}
_SNAPSHOT: Final[Callable[[Counters], tuple[int, ...]]] = attrgetter(*_NAMES)
_NEVER: Final = -(1 << 62)


class _Read(NamedTuple):
    deadline: int
    name: str
    value: int
    least: int


class CounterChecker:
    """Call `about_to_count` before `counters` change. `slack(name)`: how many more may be counted already
    because they are counted before their effect is seen outside."""

    def __init__(self, tally: Tally, counters: Counters, slack: Callable[[str], int]) -> None:
        self.waiting: list[_Read] = []
        self._tally = tally
        self._counters = counters
        self._slack = slack
        self._high: dict[str, int | None] = {}
        self.reset()

    def reset(self) -> None:
        """The hardware reset has cleared the counters."""
        zeros = _SNAPSHOT(self._counters)
        self.waiting.clear()
        self._high.clear()
        self._changed_at = _NEVER
        self._older = zeros
        self._newer = zeros
        self._newer_at = _NEVER

    def about_to_count(self, time: int) -> None:
        """The golden counters change at `time`."""
        self._changed_at = time
        if time - self._newer_at >= WINDOW:
            self._older = self._newer
            self._newer = _SNAPSHOT(self._counters)
            self._newer_at = time

    def _least(self, time: int, name: str) -> int:
        if self._changed_at + WINDOW <= time:
            value: int = getattr(self._counters, name)
            return value
        snapshot = self._newer if self._newer_at + WINDOW <= time else self._older
        return int(snapshot[_INDEX[name]])

    def read(self, time: int, offset: int, value: int) -> None:
        """The word at `offset`, half of a counter, was read as `value`."""
        self._tally.counts["counters"] += 1
        name = COUNTER_AT.get(offset)
        if name is not None:
            self.waiting.append(_Read(time + WINDOW, name, value, self._least(time, name)))
            return
        name = COUNTER_AT[offset - 4]
        self.advance(_NEVER, all_of=name)
        high = self._high.get(name, 0)
        if high is not None and value != high:
            self._tally.mismatch(time, "counter", f"{name}: high word {value:#x}, {high:#x} expected")

    def advance(self, time: int, *, all_of: str = "") -> None:
        """Time has come to `time`: compare what has waited long enough, and all reads of `all_of`."""
        for read in list(self.waiting):
            if read.deadline < time or read.name == all_of:
                self.waiting.remove(read)
                self._compare(read)

    def _compare(self, read: _Read) -> None:
        most = getattr(self._counters, read.name) + self._slack(read.name)
        ahead = (read.value - read.least) & _LOW
        if ahead > most - read.least:
            self._high[read.name] = None
            expected = str(most) if most == read.least else f"{read.least}..{most}"
            self._tally.mismatch(
                read.deadline - WINDOW, "counter", f"{read.name}: low word {read.value}, {expected} expected"
            )
        else:
            self._high[read.name] = (read.least + ahead) >> 32

    def finish(self) -> None:
        """Compare what still waits."""
        self.advance(1 << 62)
