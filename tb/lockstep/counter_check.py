"""Counters read from registers against those of the golden core.

A counter steps some cycles before or after the event that is seen outside, so a value read at t must lie
between the golden values at t - `WINDOW` and t + `WINDOW`: exact when nothing happened meanwhile. The
comparison waits until t + `WINDOW` has passed.
"""

from collections import deque
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
    """A word that was read; `least` is None for a high word, which the low word read before it decides."""

    deadline: int
    name: str
    value: int
    least: int | None


def _capped(snapshot: tuple[int, ...], at: int, most: int) -> tuple[int, ...]:
    return (*snapshot[:at], min(snapshot[at], most), *snapshot[at + 1 :])


class CounterChecker:
    """Call `about_to_count` before `counters` change. `slack(name)`: how many more may be counted already
    because they are counted before their effect is seen outside."""

    def __init__(self, tally: Tally, counters: Counters, slack: Callable[[str], int]) -> None:
        self.waiting: deque[_Read] = deque()
        self.blind = False
        """What was counted before is not known: nothing is compared until the next hardware reset."""
        self._tally = tally
        self._counters = counters
        self._slack = slack
        self._high: dict[str, int | None] = {}
        self.reset()

    def reset(self) -> None:
        """The hardware reset has cleared the counters."""
        self.blind = False
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

    def take_back(self, name: str) -> None:
        """The last count of `name`, not long ago, may not have happened; `slack` allows for it from now."""
        value = getattr(self._counters, name) - 1
        setattr(self._counters, name, value)
        at = _INDEX[name]
        self._older = _capped(self._older, at, value)
        self._newer = _capped(self._newer, at, value)
        self.waiting = deque(
            read._replace(least=min(read.least, value)) if read.name == name and read.least else read
            for read in self.waiting
        )

    def _least(self, time: int, name: str) -> int:
        if self._changed_at + WINDOW <= time:
            value: int = getattr(self._counters, name)
            return value
        snapshot = self._newer if self._newer_at + WINDOW <= time else self._older
        return int(snapshot[_INDEX[name]])

    def read(self, time: int, offset: int, value: int) -> None:
        """The word at `offset`, half of a counter, was read as `value`."""
        if self.blind:
            return
        self._tally.counts["counters"] += 1
        name = COUNTER_AT.get(offset)
        if name is not None:
            self.waiting.append(_Read(time + WINDOW, name, value, self._least(time, name)))
            return
        self.waiting.append(_Read(time + WINDOW, COUNTER_AT[offset - 4], value, None))

    def advance(self, time: int) -> None:
        """Time has come to `time`: compare what has waited long enough, in the order of the reads."""
        waiting = self.waiting
        while waiting and waiting[0].deadline < time:
            read = waiting.popleft()
            if read.least is None:
                self._compare_high(read)
            else:
                self._compare(read, read.least)

    def _compare_high(self, read: _Read) -> None:
        high = self._high.get(read.name, 0)
        if high is not None and read.value != high:
            text = f"{read.name}: high word {read.value:#x}, {high:#x} expected"
            self._tally.mismatch(read.deadline - WINDOW, "counter", text)

    def _compare(self, read: _Read, least: int) -> None:
        most = getattr(self._counters, read.name) + self._slack(read.name)
        ahead = (read.value - least) & _LOW
        if ahead > most - least:
            self._high[read.name] = None
            expected = str(most) if most == least else f"{least}..{most}"
            self._tally.mismatch(
                read.deadline - WINDOW, "counter", f"{read.name}: low word {read.value}, {expected} expected"
            )
        else:
            self._high[read.name] = (least + ahead) >> 32

    def finish(self) -> None:
        """Compare what still waits."""
        self.advance(1 << 62)
