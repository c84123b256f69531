"""The golden NIC's DMA port: transfers to and from host memory that take time and complete in order.

A transfer takes `latency` and then its bytes at `bytes_per_cycle`; reads and writes each complete in the
order in which they were asked, as on one AXI ID. Memory is touched at the completion, all at once.
"""

from collections.abc import Callable
from functools import partial

from pymodel.golden.observer import Observer
from pymodel.hostmem import DmaFault, HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE


class Dma:
    """One DMA port. `observer` is told of each request and of how it ended.

    `on_error()` is called for a transfer outside the memory, or not mapped by its IOMMU, instead of its
    completion.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        memory: HostMemory,
        *,
        latency: int,
        bytes_per_cycle: int = 16,
        on_error: Callable[[], None],
    ) -> None:
        self.inflight = 0
        self.on_idle: Callable[[], None] | None = None
        """To be called once, when the last transfer in flight has ended."""
        self.observer: Observer | None = None
        self._scheduler = scheduler
        self._memory = memory
        self._latency = latency
        self._bytes_per_cycle = bytes_per_cycle
        self._on_error = on_error
        self._read_end = 0
        self._write_end = 0
        self._epoch = 0

    def read(self, channel: "Channel", address: int, length: int, done: Callable[[bytes], None]) -> None:
        """Read `length` bytes for `channel`; `done(data)` at completion, unless there is an error."""
        self.inflight += 1
        channel.inflight += 1
        if self.observer is not None:
            self.observer.dma_request(address, False)
        epoch = self._epoch

        def complete() -> None:
            if epoch != self._epoch:
                return
            try:
                if self._memory.iommu is not None:
                    self._memory.admit(address, length, write=False, now=self._scheduler.now)
                data = self._memory.read(address, length)
            except DmaFault:
                self._failed(address, length, write=False)
            else:
                if self.observer is not None:
                    self.observer.dma_read(address, data)
                done(data)
            self._ended(channel)

        end = self._scheduler.now + self._latency
        if end < self._read_end:
            end = self._read_end
        self._read_end = end = end - length // -self._bytes_per_cycle * CYCLE
        self._scheduler.at(end, complete)

    def write(
        self, channel: "Channel", address: int, data: bytes, done: Callable[[], None] | None = None
    ) -> None:
        """Write `data` for `channel`; `done()` when it is visible in memory (the B response), unless there is
        an error."""
        self.inflight += 1
        channel.inflight += 1
        if self.observer is not None:
            self.observer.dma_request(address, True)
        epoch = self._epoch

        def complete() -> None:
            if epoch != self._epoch:
                return
            try:
                if self._memory.iommu is not None:
                    self._memory.admit(address, len(data), write=True, now=self._scheduler.now)
                self._memory.write(address, data)
            except DmaFault:
                self._failed(address, len(data), write=True)
            else:
                if self.observer is not None:
                    self.observer.dma_write(address, data)
                if done is not None:
                    done()
            self._ended(channel)

        end = self._scheduler.now + self._latency
        if end < self._write_end:
            end = self._write_end
        self._write_end = end = end - len(data) // -self._bytes_per_cycle * CYCLE
        self._scheduler.at(end, complete)

    def _failed(self, address: int, length: int, *, write: bool) -> None:
        if self.observer is not None:
            self.observer.dma_error(address, length, write)
        self._on_error()

    def _ended(self, channel: "Channel") -> None:
        channel.inflight -= 1
        self.inflight -= 1
        if channel.on_idle is not None and not channel.inflight:
            then, channel.on_idle = channel.on_idle, None
            then()
        if self.on_idle is not None and not self.inflight:
            then, self.on_idle = self.on_idle, None
            then()

    def abandon(self) -> None:
        """Hardware reset: transfers in flight never complete."""
        self._epoch += 1
        self.inflight = 0
        self.on_idle = None
        self._read_end = 0
        self._write_end = 0


class Channel:
    """One queue's share of the port: what of it is in flight can be asked.

    `read(address, length, done)` and `write(address, data, done)`: as those of `Dma`; `on_idle`, too.
    """

    def __init__(self, dma: Dma) -> None:
        self.inflight = 0
        self.on_idle: Callable[[], None] | None = None
        self.read = partial(dma.read, self)
        self.write = partial(dma.write, self)
