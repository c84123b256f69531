"""The golden NIC's DMA port: transfers to and from host memory that take time and complete in order.

A transfer takes `latency` and then its bytes at `bytes_per_cycle`; reads and writes each complete in the
order in which they were asked, as on one AXI ID. Memory is touched at the completion, all at once.
"""

from collections.abc import Callable

from pymodel.golden.observer import Observer
from pymodel.hostmem import DmaFault, HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE


class Dma:
    """One DMA port. `observer` is told of each request and of how it ended.

    `on_error()` is called for a transfer outside the memory, instead of its completion;
    `on_idle()` when the last transfer in flight has ended.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        memory: HostMemory,
        *,
        latency: int,
        bytes_per_cycle: int = 16,
        on_error: Callable[[], None],
        on_idle: Callable[[], None],
    ) -> None:
        self.inflight = 0
        self.observer: Observer | None = None
        self._scheduler = scheduler
        self._memory = memory
        self._latency = latency
        self._bytes_per_cycle = bytes_per_cycle
        self._on_error = on_error
        self._on_idle = on_idle
        self._read_end = 0
        self._write_end = 0
        self._epoch = 0

    def _completion(self, channel_end: int, length: int) -> int:
        beats = -(-length // self._bytes_per_cycle)
        return max(self._scheduler.now + self._latency, channel_end) + beats * CYCLE

    def read(
        self, address: int, length: int, done: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        """Read `length` bytes; `done(data)` at completion, and then, or after an error, `ended()`."""
        self._asked(address, write=False)
        epoch = self._epoch

        def complete() -> None:
            if epoch != self._epoch:
                return
            try:
                data = self._memory.read(address, length)
            except DmaFault:
                self._failed(address, length, write=False)
            else:
                if self.observer is not None:
                    self.observer.dma_read(address, data)
                done(data)
            ended()
            self._ended()

        self._read_end = self._completion(self._read_end, length)
        self._scheduler.at(self._read_end, complete)

    def write(
        self, address: int, data: bytes, done: Callable[[], None] | None, ended: Callable[[], None]
    ) -> None:
        """Write `data`; `done()` when it is visible in memory (the B response), and then, or after an
        error, `ended()`."""
        self._asked(address, write=True)
        epoch = self._epoch

        def complete() -> None:
            if epoch != self._epoch:
                return
            try:
                self._memory.write(address, data)
            except DmaFault:
                self._failed(address, len(data), write=True)
            else:
                if self.observer is not None:
                    self.observer.dma_write(address, data)
                if done is not None:
                    done()
            ended()
            self._ended()

        self._write_end = self._completion(self._write_end, len(data))
        self._scheduler.at(self._write_end, complete)

    def _asked(self, address: int, *, write: bool) -> None:
        self.inflight += 1
        if self.observer is not None:
            self.observer.dma_request(address, write)

    def _failed(self, address: int, length: int, *, write: bool) -> None:
        if self.observer is not None:
            self.observer.dma_error(address, length, write)
        self._on_error()

    def _ended(self) -> None:
        self.inflight -= 1
        if self.inflight == 0:
            self._on_idle()

    def abandon(self) -> None:
        """Hardware reset: transfers in flight never complete."""
        self._epoch += 1
        self.inflight = 0
        self._read_end = 0
        self._write_end = 0


class Channel:
    """One queue's share of the port: what of it is in flight can be asked.

    `on_idle()` when the last of its transfers has ended.
    """

    def __init__(self, dma: Dma, on_idle: Callable[[], None]) -> None:
        self.inflight = 0
        self._dma = dma
        self._on_idle = on_idle

    def read(self, address: int, length: int, done: Callable[[bytes], None]) -> None:
        """As `Dma.read`."""
        self.inflight += 1
        self._dma.read(address, length, done, self._ended)

    def write(self, address: int, data: bytes, done: Callable[[], None] | None = None) -> None:
        """As `Dma.write`."""
        self.inflight += 1
        self._dma.write(address, data, done, self._ended)

    def _ended(self) -> None:
        self.inflight -= 1
        if self.inflight == 0:
            self._on_idle()
