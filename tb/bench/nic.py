"""Throughput of the NIC itself, in simulated cycles: exact, the same on every machine.

Both rings are kept full and host memory answers after a fixed time; the bare loop drives it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from pymodel import regs
from pymodel.simtime import CYCLE, NS
from tb.bench import bare, latency

CYCLES = 40_000
FRAMES = 120
"""A measurement lasts so many cycles, or so many frames if that is longer."""
SIZES = (
    64, 65, 66, 67, 68, 71, 72, 73, 79, 80, 96, 127, 128, 129, 192, 256, 257, 384, 511, 512, 513, 768,
    1023, 1024, 1025, 1280, 1499, 1500, 1514, 1517, 1518, 4096, 9018,
)  # fmt: skip
"""Frame sizes, bytes with FCS: round ones, those with each number of bytes in the last word, and
neighbours of powers of two."""
LATENCIES = (0, 100, 1000)
"""Latency of host memory, ns; the sweep over the sizes uses the last."""
OVERHEAD = 8 + 12
"""Preamble and inter-frame gap: bytes on the wire beside the frame."""
WAYS = {"tx": ("tx",), "rx": ("rx",), "both": ("tx", "rx")}

PLAIN = 0
ALL = regs.FEATURES_OFFERED & ~regs.FEATURES_REQUIRED
FEATURE_SETS = {"off": PLAIN, "on": ALL}
"""By name: what the driver accepts beside the required features; `on` is all that the device offers."""


@dataclass(frozen=True)
class Record:
    """`cycles_per_frame` as measured, the slower way's; `line_rate_ratio`: 1 is 10 Gb/s with minimum gaps.

    `lost`: frames that the NIC dropped on receive or broke off on transmit; `bus_bytes_per_frame`: what goes
    over the memory bus beside the frames' own bytes, by purpose.
    """

    name: str
    direction: str
    frame_bytes: int
    memory_latency_ns: int
    cycles_per_frame: float
    line_rate_ratio: float
    features: str = "off"
    lost: int = 0
    bus_bytes_per_frame: dict[str, float] = field(default_factory=dict)
    kind: str = "rate"


def _bus(result: dict[str, float], way: str, size: int) -> dict[str, float]:
    """Bytes per frame beside the payload."""
    frames = result[f"frames_{way}"]
    names = {
        "descriptors": (f"{way} descriptor read", f"{way} table read"),
        "used entries": (f"{way} descriptor written",),
        "event suppression": (f"{way} driver event read", f"{way} device event written"),
        "header and alignment": (f"{way} buffer read", f"{way} buffer written"),
    }
    bytes_each = {purpose: sum(result[key] for key in keys) / frames for purpose, keys in names.items()}
    bytes_each["header and alignment"] -= size - 4
    return {f"{way} {purpose}": round(count, 2) for purpose, count in bytes_each.items()}


def record(
    direction: str,
    size: int,
    latency_ns: int,
    features: str = "off",
    *,
    indirect: bool = False,
    tso: bool = False,
) -> Record:
    """One measurement: frames of `size` bytes with FCS, memory `latency_ns` away, `features` of FEATURE_SETS.

    With features on transmitted frames ask for their checksum.
    """
    setup = bare.Setup(
        size,
        direction,
        latency_ns * NS // CYCLE,
        features=FEATURE_SETS[features],
        offload=features == "on",
        indirect=indirect,
        tso=tso,
    )
    line = (size + OVERHEAD) / 8
    result = bare.rate(setup, max(CYCLES, round(FRAMES * line)))
    ways = WAYS[direction]
    cycles = max(result[f"cycles_per_frame_{way}"] for way in ways)
    bus: dict[str, float] = {}
    for way in ways:
        bus |= _bus(result, way, size)
    extras = f"{', indirect' if indirect else ''}{', TSO' if tso else ''}"
    return Record(
        f"{direction} {size} B, {latency_ns} ns, features {features}{extras}",
        direction,
        size,
        latency_ns,
        round(cycles, 3),
        round(line / cycles, 4),
        features,
        int(result["lost_rx"] + result["broken_tx"]),
        bus,
    )


def measure(say: Callable[[str], None]) -> list[Record]:
    """The sweep in each direction with features off and on, and the smallest frames at every latency."""
    records = []
    for features in FEATURE_SETS:
        for direction in WAYS:
            say(f"NIC throughput: {direction}, features {features}")
            records += [record(direction, size, LATENCIES[-1], features) for size in SIZES]
            records += [record(direction, SIZES[0], ns, features) for ns in LATENCIES[:-1]]
    records += [record("tx", size, LATENCIES[-1], "on", indirect=True) for size in (64, 1518)]
    records += [record("tx", size, LATENCIES[-1], "on", tso=True) for size in (578, 1518)]
    return records


def measure_latency(say: Callable[[str], None]) -> list[latency.Record]:
    """Every path of a single frame, features off and on, and with indirect tables."""
    return latency.measure(FEATURE_SETS, {"on": ALL}, say)


def to_json(records: Sequence[Record | latency.Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([asdict(record) for record in records], indent=2) + "\n"
