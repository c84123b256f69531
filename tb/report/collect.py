"""What the page needs of a run beside summary.json, noted while it runs and left as report.json."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pymodel.link import Direction, Link
from pymodel.ports import Frame

FILE = "report.json"
KEPT = 6000
"""Frames that are kept one by one; the sizes of all are counted."""
HEAD = 14 + 60 + 60
"""Bytes kept of a frame: Ethernet, IPv4 and TCP with all options that fit."""


class Collector:
    """Give it each frame that `link` takes (`frame`), then ask for the `document`.

    The link draws a frame's fate after it has shown it, so that is read off its counters at the next one.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._frames: list[list[Any]] = []
        self._sizes: dict[Direction, Counter[int]] = {way: Counter() for way in Direction}
        self._last: dict[Direction, tuple[list[Any], int, int]] = {}
        self._total = 0

    def frame(self, direction: Direction, frame: Frame) -> None:
        """One frame, at its end."""
        self._total += 1
        self._sizes[direction][len(frame.data)] += 1
        self._settle(direction)
        if len(self._frames) < KEPT:
            a_to_b = direction is Direction.A_TO_B
            entry = [a_to_b, frame.start, frame.end, len(frame.data), "", frame.data[:HEAD].hex()]
            self._frames.append(entry)
            counters = self._link.counters(direction)
            self._last[direction] = (entry, counters.lost + counters.unplugged, counters.corrupted)

    def document(self, asked: Mapping[str, Any], compared: Mapping[str, int]) -> dict[str, Any]:
        """For JSON. `asked`: the run's options; `compared`: the lockstep tally by kind.

        `frames` are [A to B?, start ps, end ps, bytes, "" or "lost" or "corrupted", first bytes in hex].
        """
        for direction in Direction:
            self._settle(direction)
        return {
            "asked": dict(asked),
            "compared": dict(compared),
            "total": self._total,
            "sizes": [sorted(self._sizes[way].items()) for way in Direction],
            "frames": self._frames,
        }

    def _settle(self, direction: Direction) -> None:
        entry, lost, corrupted = self._last.pop(direction, (None, 0, 0))
        if entry is None:
            return
        counters = self._link.counters(direction)
        if counters.lost + counters.unplugged > lost:
            entry[4] = "lost"
        elif counters.corrupted > corrupted:
            entry[4] = "corrupted"
