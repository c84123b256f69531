"""One running lwIP: its arena of DMA memory, its timers on the scheduler, and where its events go.

lwIP is entered by the scheduler, by frames and by programs' calls. Its callbacks only take notes and wake
programs, which the scheduler runs afterwards: nobody enters it from inside.
"""

from collections.abc import Callable
from typing import Final

from pymodel.hostmem import HostMemory
from pymodel.lwip.library import EVENT, OUTPUT, RELEASED, Event, Figures, Library
from pymodel.scheduler import Scheduler, Timer
from pymodel.simtime import MS

__all__ = ["Endpoint", "LwipStack", "address_word"]

_NO_TIMER: Final = 0xFFFF_FFFF

Endpoint = Callable[[Event, int, int, int], None]
"""Takes what, address and number of an event (see the calls of `event` in shim.c)."""


def address_word(address: bytes) -> int:
    """An IPv4 address as lwIP keeps it: the bytes of the wire, in a word of this machine."""
    return int.from_bytes(address, "little")


class LwipStack:
    """lwIP with `heap` bytes of `memory` for everything it allocates, pbufs included.

    `rx_buffers`: so many received pieces it may hold at a time. `seed` decides sequence numbers and ports.
    Raises MemoryError for a heap too small.
    """

    def __init__(
        self,
        library: Library,
        scheduler: Scheduler,
        memory: HostMemory,
        *,
        heap: int,
        rx_buffers: int,
        seed: int = 0,
    ) -> None:
        self.library = library
        self.memory = memory
        self.scheduler = scheduler
        self.output: Callable[[int], bool] = lambda chain: False
        self.released: Callable[[int], None] = lambda token: None
        self._endpoints: dict[int, Endpoint] = {}
        self._next_id = 1
        self._error: BaseException | None = None
        self.arena = memory.alloc(heap)
        """Bus address of lwIP's memory."""
        # ctypes keeps no reference to a callback that C holds.
        self._callbacks = OUTPUT(self._output), RELEASED(self._released), EVENT(self._event)
        arena = self.pointer(self.arena)
        self._handle: int = library.fdl_new(arena, heap, rx_buffers, seed & 0xFFFF_FFFF, *self._callbacks)
        if not self._handle:
            memory.free(self.arena)
            raise MemoryError(f"lwIP does not start with {heap} bytes and {rx_buffers} receive buffers")
        self._timer: Timer | None = None
        self._tick()

    @property
    def handle(self) -> int:
        """What the shim's functions want first. Raises RuntimeError after `close`."""
        if not self._handle:
            raise RuntimeError("this lwIP was switched off")
        return self._handle

    @property
    def running(self) -> bool:
        """False after `close`."""
        return bool(self._handle)

    @property
    def now(self) -> int:
        """Simulated time in lwIP's unit, milliseconds."""
        return self.scheduler.now // MS & 0xFFFF_FFFF

    def pointer(self, address: int) -> int:
        """The bus address `address` as a pointer in this process."""
        return self.memory.pointer + address - self.memory.base

    def bus(self, pointer: int) -> int:
        """The reverse of `pointer`."""
        return pointer - self.memory.pointer + self.memory.base

    def figures(self) -> Figures:
        """A copy of its counters."""
        figures = Figures()
        self.library.fdl_figures(self.handle, figures)
        return figures

    def check(self) -> None:
        """Raise what a callback raised since the last call: it cannot pass through C."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def register(self, endpoint: Endpoint) -> int:
        """An id for `endpoint`, under which its events come."""
        ident = self._next_id
        self._next_id += 1
        self._endpoints[ident] = endpoint
        return ident

    def forget(self, ident: int) -> None:
        """No more events for `ident`."""
        self._endpoints.pop(ident, None)

    def free(self, chain: int) -> None:
        """Give up one reference to a pbuf chain; after `close` nothing happens."""
        if not self.running:
            return
        self.library.fdl_pbuf_free(self.handle, self.now, chain)
        self.check()

    def close(self) -> None:
        """Switch it off: no packet is sent. Its arena stays allocated: the device may still read it."""
        if self._timer is not None:
            self._timer.cancel()
        self.library.fdl_delete(self.handle)
        self._handle = 0

    def _tick(self) -> None:
        # The shortest of lwIP's cyclic timers (IGMP, 100 ms) always runs, and one that is started in between
        # is at least as long: so it is enough to look again when the next one is due.
        wait = self.library.fdl_timers(self.handle, self.now)
        if wait != _NO_TIMER:
            self._timer = self.scheduler.at((self.scheduler.now // MS + max(wait, 1)) * MS, self._tick)
        self.check()

    def _output(self, chain: int) -> int:
        try:
            return 0 if self.output(chain) else 1
        except BaseException as error:
            self._error = error
            return 1

    def _released(self, token: int) -> None:
        try:
            self.released(token)
        except BaseException as error:
            self._error = error

    def _event(self, kind: int, ident: int, what: int, address: int, number: int) -> None:
        endpoint = self._endpoints.get(ident)
        try:
            if endpoint is not None:
                endpoint(Event(kind), what, address, number)
            elif kind in (Event.RECEIVED, Event.DATAGRAM):
                self.free(what)  # nobody is left who would read it
        except BaseException as error:
            self._error = error
