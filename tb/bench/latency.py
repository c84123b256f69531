"""Latency of one frame through a NIC at rest, and where it goes, hop by hop.

Every hop begins and ends at a port, at the clock edge at which a handshake happens or a word is sampled. A
path contains as many round trips to host memory as its hops marked `memory` say; what it takes beyond their
nominal time is the NIC's own share, waiting behind its own other transfers included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymodel.simtime import CYCLE, NS
from tb.bench import bare

FRAMES = 16
"""Frames per measurement; the slowest one is reported."""
SIZES = (64, 1518)
LATENCIES = (0, 100, 1000)
"""Of host memory, ns."""
FIRST, LAST = 0, -1


@dataclass(frozen=True)
class Hop:
    """One point of a path: a moment's name (see tb/cpp/bench_bus.h), which one of several after the point
    before it, and whether it is memory that was waited for."""

    label: str
    moment: str
    which: int = FIRST
    memory: bool = False


def _data_read(table: bool) -> tuple[Hop, ...]:
    indirect = (
        Hop("table AR", "tx table AR last"),
        Hop("table R", "tx table R*", memory=True),
    )
    return (
        Hop("descriptor AR", "tx descriptor AR*"),
        Hop("descriptor R", "tx descriptor R*", memory=True),
        *(indirect if table else ()),
        Hop("data AR", "tx buffer AR*"),
        Hop("data R", "tx buffer R*", memory=True),
        Hop("first XGMII word", "wire start"),
    )


def _used(queue: str) -> tuple[Hop, ...]:
    return (
        Hop("used entry in memory", f"{queue} descriptor W last"),
        Hop("used B", f"{queue} descriptor B last", memory=True),
        Hop("event AR", f"{queue} driver event AR last"),
        Hop("event R", f"{queue} driver event R last", memory=True),
        Hop("irq", "irq"),
    )


PATHS: dict[str, tuple[str, str, tuple[Hop, ...]]] = {
    "doorbell to wire": ("tx", "doorbell", _data_read(False)),
    "doorbell to wire, indirect": ("tx", "doorbell", _data_read(True)),
    "data read to irq": ("tx", "tx buffer R last", _used("tx")),
    "wire to irq": (
        "rx",
        "wire end",
        (
            Hop("data in memory", "rx buffer W last", LAST),
            Hop("data B", "rx buffer B last", LAST, memory=True),
            *_used("rx"),
        ),
    ),
}
"""Path: its direction, the moment at which it begins (the last of that name), and its points."""


@dataclass(frozen=True)
class Record:
    """One path: `cycles` in all, `memory_cycles` of them round trips to memory, `own_cycles` the NIC's.

    `hops`: name and cycles since the hop before; `memory_hops`: the names of those that are memory's.
    """

    name: str
    direction: str
    frame_bytes: int
    memory_latency_ns: int
    features: str
    path: str
    cycles: int
    memory_cycles: int
    own_cycles: int
    hops: dict[str, int] = field(default_factory=dict)
    memory_hops: tuple[str, ...] = ()
    kind: str = "latency"


def _edges(moments: Sequence[tuple[str, int]], name: str) -> list[int]:
    """Edges of the moments `name`; a trailing * stands for first or last beat alike."""
    wanted = {name.rstrip("*"), f"{name.rstrip('*')} last"} if name.endswith("*") else {name}
    return sorted(edge for moment, edge in moments if moment in wanted)


def breakdown(moments: Sequence[tuple[str, int]], start: str, hops: Sequence[Hop]) -> dict[str, int]:
    """Cycles from each point to the next; a point lies at or after the one before it.

    Raises RuntimeError when a point is missing.
    """
    found = _edges(moments, start)
    if not found:
        raise RuntimeError(f"the NIC's ports showed no {start}")
    now = found[LAST]
    result: dict[str, int] = {}
    for hop in hops:
        later = [edge for edge in _edges(moments, hop.moment) if edge >= now]
        if not later:
            raise RuntimeError(f"the NIC's ports showed no {hop.moment} after {now}")
        edge = later[hop.which]
        result[hop.label] = edge - now
        now = edge
    return result


def round_trip(latency: int) -> int:
    """Cycles from an accepted request to its answer, when memory is `latency` ns away."""
    return max(1, latency * NS // CYCLE)


def record(path: str, size: int, latency: int, features: str, bits: int) -> Record:
    """The slowest of some frames of `size` bytes with FCS over `path`, memory `latency` ns away."""
    direction, start, hops = PATHS[path]
    setup = bare.Setup(
        size, direction, latency * NS // CYCLE, features=bits, indirect=path.endswith("indirect")
    )
    frames: list[dict[str, Any]] = bare.latency(setup, FRAMES)
    slowest = max((breakdown(f["moments"], start, hops) for f in frames), key=lambda b: sum(b.values()))
    memory = tuple(hop.label for hop in hops if hop.memory)
    total = sum(slowest.values())
    waited = len(memory) * round_trip(latency)
    name = f"{path}, {size} B, {latency} ns, features {features}"
    return Record(
        name, direction, size, latency, features, path, total, waited, total - waited, slowest, memory
    )


def measure(
    feature_sets: dict[str, int], indirect: dict[str, int], say: Callable[[str], None]
) -> list[Record]:
    """Every path at every size and latency; `feature_sets`: name and accepted bits, `indirect`: those of them
    with which tables of descriptors may be used."""
    records = []
    for path in PATHS:
        for features, bits in (indirect if path.endswith("indirect") else feature_sets).items():
            say(f"NIC latency: {path}, features {features}")
            records += [
                record(path, size, latency, features, bits) for size in SIZES for latency in LATENCIES
            ]
    return records
