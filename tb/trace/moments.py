"""What a trace is made of: moments, which may last, and samples of counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Track = tuple[str, ...]
"""Names from the outermost group to the line, e.g. ("host A", "TCP", "10.0.0.1:5 → 10.0.0.2:80")."""

Value = str | int | dict[str, str | int]
"""One that has parts of its own is a dictionary: a descriptor's fields."""


@dataclass(slots=True)
class Moment:
    """Something on `track` that began at `time` (ps) and lasted `duration` ps; None: it was at once over.

    `flows`: the segments that it was about, by number; arrows join the moments of one flow in order of time.
    `frames`: where it was about some of a segment's frames only, these, by number in the capture.
    """

    time: int
    track: Track
    name: str
    flows: list[int] = field(default_factory=list)
    details: dict[str, Value] = field(default_factory=dict)
    duration: int | None = None
    frames: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of a counter from `time` (ps) on."""

    time: int
    track: Track
    value: int


class Trace:
    """Moments and samples of one run, in any order. A counter that has not changed is not sampled again.

    `frames`: the flows of each frame on the wire, in the capture's order, whose first is number 1.
    """

    def __init__(self) -> None:
        self.frames: list[list[int]] = []
        self.moments: list[Moment] = []
        self.samples: list[Sample] = []
        self._last: dict[Track, int] = {}

    def say(
        self,
        time: int,
        track: Track,
        name: str,
        flows: Sequence[int] = (),
        *,
        end: int | None = None,
        details: Mapping[str, Value] | None = None,
        frames: Sequence[int] = (),
    ) -> Moment:
        """Add a moment, which lasted until `end` if that is given."""
        duration = None if end is None else end - time
        moment = Moment(time, track, name, list(flows), dict(details or {}), duration, list(frames))
        self.moments.append(moment)
        return moment

    def sample(self, time: int, track: Track, value: int) -> None:
        """The counter `track` is `value` now."""
        if self._last.get(track) != value:
            self._last[track] = value
            self.samples.append(Sample(time, track, value))
