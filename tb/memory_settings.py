"""How host memory behaves, as one object that both attachments of the RTL take (docs/memory.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

CHANNELS: Final = ("ar", "r", "aw", "w", "b")
"""The AXI4 channels."""

BUS_BYTES: Final = 16
"""What one beat carries: more cannot pass in a cycle."""

_WORDS = Struct("<14I")
_RATE_UNIT = 256


@dataclass(frozen=True)
class MemorySettings:
    """Latencies are in clock cycles, shares in per cent; the default is near memory without bad habits.

    `read_latency`: from a burst's address to its first data; `write_latency`: from its last data to its
    response; up to `jitter` more of both. `stall_percent`: of cycles in which each channel withholds ready or
    valid; `stalls`: that share for single channels (`CHANNELS`) where it is another.

    `read_bandwidth`, `write_bandwidth`: bytes a cycle, whole beats of 16 counted; 0: what the bus can. One
    for each direction, as a PCI Express link has lanes for each (PCIe base 5.0 §1.2). What is not used is
    not saved up.

    `read_limit`, `write_limit`: bursts that are accepted and not answered, at most; 0: as many as the model
    holds. `reorder_percent`: of bursts that wait until a younger one of another AXI id has been answered
    before them, or for a while if there is none; within an id the order is kept (AXI4 A5.3). Writes then
    become visible with their response, no earlier.

    `seed` decides all that is random. Raises ValueError for what cannot be.
    """

    read_latency: int = 32
    write_latency: int = 16
    jitter: int = 0
    stall_percent: int = 0
    stalls: Mapping[str, int] = field(default_factory=dict)
    read_bandwidth: float = 0
    write_bandwidth: float = 0
    read_limit: int = 0
    write_limit: int = 0
    reorder_percent: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if not set(self.stalls) <= set(CHANNELS):
            raise ValueError(f"stalls: {', '.join(CHANNELS)} expected, got {', '.join(self.stalls)}")
        for name in ("read_latency", "write_latency", "jitter", "read_limit", "write_limit", "seed"):
            if not 0 <= getattr(self, name) < 1 << 32:
                raise ValueError(f"{name}: 0 or more expected, got {getattr(self, name)}")
        for name in ("read_bandwidth", "write_bandwidth"):
            value = getattr(self, name)
            if value and not 1 / _RATE_UNIT <= value <= BUS_BYTES:
                raise ValueError(f"{name}: up to {BUS_BYTES} bytes a cycle, or 0 for no limit, got {value}")
        shares = (self.stall_percent, self.reorder_percent, *self.stalls.values())
        if not all(0 <= share <= 100 for share in shares):
            raise ValueError(f"a share of {max(shares)} per cent")

    def stall(self, channel: str) -> int:
        """Per cent of cycles in which `channel` withholds ready or valid."""
        return self.stalls.get(channel, self.stall_percent)

    def packed(self) -> bytes:
        """As the C++ side takes it (struct MemoryConfig, tb/cpp/axi_memory.h)."""
        return _WORDS.pack(
            self.read_latency,
            self.write_latency,
            self.jitter,
            *map(self.stall, CHANNELS),
            self.seed,
            round(self.read_bandwidth * _RATE_UNIT),
            round(self.write_bandwidth * _RATE_UNIT),
            self.read_limit,
            self.write_limit,
            self.reorder_percent,
        )
