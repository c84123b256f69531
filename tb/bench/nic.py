"""Throughput of the NIC itself, in simulated cycles: exact, the same on every machine.

Both rings are kept full and host memory answers after a fixed time; the bare loop drives it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from pymodel.simtime import CYCLE, NS
from tb.bench import bare

CYCLES = 60_000
SIZES = (64, 128, 256, 512, 1024, 1518)
"""Frame sizes, bytes with FCS."""
LATENCIES = (0, 100, 1000)
"""Latency of host memory, ns; the sweep over the sizes uses the last."""
OVERHEAD = 8 + 12
"""Preamble and inter-frame gap: bytes on the wire beside the frame."""


@dataclass(frozen=True)
class Record:
    """`cycles_per_frame` as measured; `line_rate_ratio`: 1 is 10 Gb/s with minimum gaps."""

    name: str
    direction: str
    frame_bytes: int
    memory_latency_ns: int
    cycles_per_frame: float
    line_rate_ratio: float


def record(direction: str, size: int, latency: int) -> Record:
    """One measurement: frames of `size` bytes with FCS, memory `latency` ns away."""
    result = bare.run(size, CYCLES, direction, latency * NS // CYCLE)
    counts = [result[f"frames_{way}"] for way in (("tx", "rx") if direction == "both" else (direction,))]
    cycles = result["cycles"] / min(counts)
    line = (size + OVERHEAD) / 8
    name = f"{direction} {size} B, {latency} ns"
    return Record(name, direction, size, latency, round(cycles, 3), round(line / cycles, 4))


def measure(say: Callable[[str], None]) -> list[Record]:
    """Every size in each direction at the longest latency, and the smallest at every latency."""
    records = []
    for direction in ("tx", "rx", "both"):
        say(f"NIC throughput: {direction}")
        records += [record(direction, size, LATENCIES[-1]) for size in SIZES]
        records += [record(direction, SIZES[0], latency) for latency in LATENCIES[:-1]]
    return records


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([asdict(record) for record in records], indent=2) + "\n"
