"""How often the processor moves a byte on its way to the wire, and what that saves or costs on the bus."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tb import toolchain
from tb.cosim import errand


@dataclass(frozen=True)
class Record:
    """One way of sending. Bytes that the NIC read by DMA, rings and headers included, per byte sent; DMA read
    bursts, and cycles from the first call to the last byte, per frame."""

    way: str
    copies_per_byte: float
    bus_bytes_per_byte: float
    bursts_per_frame: float
    cycles_per_frame: float | None = None


def measure(say: Callable[[str], None]) -> list[Record]:
    """Every way through the RTL; lwIP's only where it is installed.

    Raises ToolMissing, BuildFailed, EndedEarly.
    """
    say("copies: every way of sending, through the RTL")
    found = errand.run("tb.bench.copies_job", None, where=toolchain.BUILD / "bench" / "copies", seed=1)
    return [
        Record(way, **{name: round(value, 3) for name, value in figures.items()})
        for way, figures in found.items()
    ]


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([asdict(record) for record in records], indent=2) + "\n"
