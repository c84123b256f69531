"""What a checker has found: comparisons made, and each mismatch with its time, in words."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pymodel.simtime import NS


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The NIC did not do what it should: `kind` is a short fixed name, `text` says what happened.

    `expected`, `came`: a frame, a used entry, a buffer's content, where whole ones were compared.
    """

    time: int
    kind: str
    text: str
    expected: bytes = b""
    came: bytes = b""

    def __str__(self) -> str:
        return f"{self.time / NS:.1f} ns: {self.kind}: {self.text}"


class Tally:
    """Shared by all checkers of one run. `counts`: comparisons by what was compared."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.mismatches: list[Mismatch] = []
        self.on_first: Callable[[], object] | None = None
        """Called at the first mismatch, after it is noted."""

    @property
    def comparisons(self) -> int:
        """Comparisons made: frames, buffers, used entries, interrupts, registers, counters, ring rules."""
        return sum(n for kind, n in self.counts.items() if not kind.endswith("bytes"))

    def mismatch(self, time: int, kind: str, text: str, *, expected: bytes = b"", came: bytes = b"") -> None:
        """Note one mismatch."""
        self.mismatches.append(Mismatch(time, kind, text, expected, came))
        if len(self.mismatches) == 1 and self.on_first is not None:
            self.on_first()


def difference(expected: bytes, got: bytes) -> str:
    """Where two byte strings differ, in words."""
    if len(expected) != len(got):
        return f"{len(got)} bytes, {len(expected)} expected"
    at = next(i for i, (a, b) in enumerate(zip(expected, got, strict=True)) if a != b)
    return f"byte {at} of {len(got)} is {got[at]:#04x}, {expected[at]:#04x} expected"
