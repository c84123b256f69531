"""Traffic for long runs, in rounds behind which nothing must be left.

A round is a new TCP connection with bulk both ways, and some UDP, with simulated time enough behind it for
the connection to be forgotten (TIME-WAIT). Then nothing is on its way, and a `Sample` says what is in use.
"""

import gc
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymodel.host import World
from pymodel.link import Direction
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket.constants import SOCK_DGRAM

STREAM: Final = 12_000_000
"""Bytes each way in one round."""
DATAGRAMS: Final = 50
_FORGOTTEN: Final = 61.0
"""Seconds: TIME-WAIT is over."""


@dataclass(frozen=True)
class Sample:
    """What was in use after so many `frames` (both ways).

    `resident`: bytes of the process. `blocks`: Python's objects. `dma`, `dma_made`: bytes of host
    memory handed out, and ever touched. `events`: what the event queue holds.
    """

    frames: int
    resident: int
    blocks: int
    dma: int
    dma_made: int
    events: int


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Rounds:
    """Rounds of traffic between the hosts of `world`, which are up, until its link has carried `frames`.

    `hear(sample)`: after each round. `client`: the program that is done at the end.
    """

    def __init__(self, world: World, frames: int, hear: Callable[[Sample], None]) -> None:
        self._world = world
        self._frames = frames
        self._hear = hear
        self._stream = bytes(STREAM)  # once: whether a sample finds it still in use would be chance
        world.b.spawn(self._echo)
        world.b.spawn(self._server)
        self.client = world.a.spawn(self._client)

    def _sent(self) -> int:
        return sum(self._world.link.counters(direction).sent for direction in Direction)

    async def _server(self) -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        while True:
            sock, _ = await listener.accept()
            async with sock:
                await self._drain(sock)
                await sock.sendall(self._stream)

    async def _echo(self) -> None:
        sock = AsyncSocket(type=SOCK_DGRAM)
        sock.bind(("b", 9))
        while True:
            data, sender = await sock.recvfrom(65536)
            assert sender is not None
            await sock.sendto(data, sender)

    async def _client(self) -> None:
        while self._sent() < self._frames:
            async with AsyncSocket() as sock:
                await sock.connect(("b", 7))
                await sock.sendall(self._stream)
                await self._drain(sock)
            async with AsyncSocket(type=SOCK_DGRAM) as sock:
                for number in range(DATAGRAMS):
                    await sock.sendto(bytes(18 + number), ("b", 9))
                    await sock.recvfrom(65536)
            await sleep(_FORGOTTEN)
            self._hear(self._sample())

    @staticmethod
    async def _drain(sock: AsyncSocket) -> None:
        left = STREAM
        while left:
            data = await sock.recv(1 << 18)
            assert data, "the stream ended early"
            left -= len(data)

    def _sample(self) -> Sample:
        gc.collect()
        memories = self._world.a.memory, self._world.b.memory
        return Sample(
            self._sent(),
            resident(),
            sys.getallocatedblocks(),
            sum(memory.allocated for memory in memories),
            sum(memory.made for memory in memories),
            self._world.scheduler.pending,
        )
