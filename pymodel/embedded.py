"""A host within a byte budget: the `embedded` profile, fixed pools, nothing allocated after the start.

What the budget pays for: everything that the device can reach (rings, receive buffers, headers, the bytes
that wait to be sent) is blocks of one `PoolMemory`; on top come, for each of so many connections, a receive
buffer and a control block. Who wants more gets ENOBUFS, or has to wait, and the others go on.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from pymodel.host import Host
from pymodel.poolmem import PoolMemory
from pymodel.ports import DevicePort
from pymodel.regs import Feature
from pymodel.scheduler import Scheduler
from pymodel.task import Blocking
from pymodel.tcp.profile import EMBEDDED, Profile
from pymodel.tcp.sndpages import SMALL_PAGE

__all__ = ["EmbeddedHost", "OverBudget", "Plan", "Usage"]

_FRAME: Final = 1664
"""A block for a whole frame with its headroom."""
_HEADERS: Final = 256
"""A block for a segment's headers, or a small packet."""
_RINGS: Final = 1024
"""Of one ring of up to 8 descriptors and what belongs to it: room for both of them."""
CONTROL_BLOCK: Final = 512
"""Bytes of a connection's variables in a stack in C: some 120 words, and its timers."""


class OverBudget(ValueError):
    """A plan needs more than its budget; the text says how much."""


@dataclass(frozen=True)
class Plan:
    """How `budget` bytes are divided.

    `connections`: so many at a time, TIME-WAIT included (the oldest of these makes room). `ring`: descriptors
    in each ring, and receive buffers. `frames`, `headers`, `pages`: blocks for whole frames to be sent, for
    headers, and for bytes that wait in send buffers; with three pages a connection none can starve another.
    """

    budget: int = 64 << 10
    connections: int = 4
    ring: int = 8
    frames: int = 2
    headers: int = 16
    pages: int = 12
    profile: Profile = field(default_factory=lambda: replace(EMBEDDED))

    @property
    def pools(self) -> int:
        """Bytes of DMA memory."""
        blocks = (self.ring + self.frames) * _FRAME + self.headers * _HEADERS + self.pages * SMALL_PAGE
        return blocks + _RINGS * -(-self.ring // 8)

    @property
    def each(self) -> int:
        """Bytes that a connection takes beside the pools."""
        return self.profile.rcvbuf + CONTROL_BLOCK

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return self.pools + self.connections * self.each

    def memory(self) -> PoolMemory:
        """The memory for the NIC of a host with this plan. Raises OverBudget."""
        if self.total > self.budget:
            raise OverBudget(
                f"{self.connections} connections of {self.each} bytes and pools of {self.pools} need "
                f"{self.total} bytes; the budget is {self.budget}"
            )
        return PoolMemory(self.pools)


@dataclass(frozen=True)
class Usage:
    """What a host has in use, in bytes. `pools_made`: blocks; of these `pools_peak` were in use at a time."""

    budget: int
    pools_made: int
    pools_peak: int
    refused: int
    """Allocations for which no block was left."""
    connections: int
    control_blocks: int
    received: int
    """Bytes that wait to be read, or for what is missing before them."""

    @property
    def total(self) -> int:
        """All of it, with every block counted, free or not."""
        return self.pools_made + self.control_blocks + self.received


class EmbeddedHost(Host):
    """A host over the NIC at `port`, whose memory is `plan.memory()`."""

    def __init__(
        self, name: str, scheduler: Scheduler, port: DevicePort, *, plan: Plan, address: str, **more: Any
    ) -> None:
        if not isinstance(port.memory, PoolMemory):
            raise TypeError("the NIC's memory must be the plan's: GoldenNic(scheduler, plan.memory())")
        self.plan = plan
        self.pools = port.memory
        profile = replace(plan.profile, scatter_gather=True, max_connections=plan.connections)
        super().__init__(
            name,
            scheduler,
            port,
            address=address,
            profile=profile,
            queue_size=plan.ring,
            without=(Feature.MRG_RXBUF, Feature.INDIRECT_DESC),  # a page for each frame, and tables
            **more,
        )

    def bring_up(self) -> Blocking[None]:
        """As `Host.bring_up`; then the pools are made and the memory is sealed. ProbeError, MemoryError."""
        yield from super().bring_up()
        plan = self.plan
        for size, count in ((_HEADERS, plan.headers), (SMALL_PAGE, plan.pages), (_FRAME, plan.frames)):
            self.pools.make_blocks(size, count)
        self.pools.seal()

    def usage(self) -> Usage:
        """What is in use now."""
        connections = self.tcp.connections.values()
        return Usage(
            budget=self.plan.budget,
            pools_made=self.pools.made,
            pools_peak=self.pools.peak,
            refused=self.pools.refused,
            connections=len(connections),
            control_blocks=len(connections) * CONTROL_BLOCK,
            received=sum(each.readable + each.reassembly.held for each in connections),
        )
