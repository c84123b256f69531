"""The golden NIC behind the campaign's bench: it is watched by the checker as the RTL would be."""

from campaign_bench import Bench

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.regs import RxStatus
from pymodel.scheduler import Scheduler
from tb.lockstep import events as ev
from tb.lockstep.checker import Checker
from tb.memory_settings import MemorySettings


class Watch:
    """An observer of a golden NIC that feeds `checker`."""

    def __init__(self, scheduler: Scheduler, checker: Checker) -> None:
        self._scheduler = scheduler
        self._see = checker.observe

    def mmio_write(self, offset: int, value: int, size: int) -> None:
        self._see(ev.MmioWrite(self._scheduler.now, offset, value, size))

    def mmio_read(self, offset: int, size: int, value: int) -> None:
        self._see(ev.MmioRead(self._scheduler.now, offset, value))

    def dma_request(self, address: int, write: bool) -> None:
        self._see(ev.DmaRequest(self._scheduler.now, address, write, 0))

    def dma_read(self, address: int, data: bytes) -> None:
        self._see(ev.DmaRead(self._scheduler.now, address, data, 0, 0))

    def dma_write(self, address: int, data: bytes) -> None:
        self._see(ev.DmaWrite(self._scheduler.now, address, data, 0, 0))

    def dma_error(self, address: int, length: int, write: bool) -> None:
        kind = ev.DmaWrite if write else ev.DmaRead
        self._see(kind(self._scheduler.now, address, bytes(min(length, 16)), 0, 3))

    def wire_out(self, frame: Frame) -> None:
        self._see(ev.WireOut(self._scheduler.now, frame))

    def wire_in(self, frame: Frame) -> None:
        self._see(ev.WireIn(self._scheduler.now, frame))

    def rx_decision(self, status: RxStatus) -> None:
        self._see(ev.RxDecision(self._scheduler.now, int(status)))

    def irq(self, level: bool) -> None:
        self._see(ev.Irq(self._scheduler.now, level))

    def link(self, up: bool) -> None:
        self._see(ev.Link(self._scheduler.now, up))

    def reset(self) -> None:
        self._see(ev.Reset(self._scheduler.now))


class Fixed:
    """The surroundings of a golden NIC, which cannot be changed."""

    any_mtu = True
    blind: frozenset[str] = frozenset()

    def rough(self, memory: MemorySettings, gap: int) -> None:
        pass

    def fail_nth(self, nth: int, *, write: bool, response: int) -> bool:
        return False

    def play_words(self, words: list[tuple[int, int]]) -> bool:
        return False

    def check(self) -> None:
        pass


def golden_bench(offered: int) -> Bench:
    """A bench around a golden NIC with these feature bits."""
    scheduler = Scheduler()
    nic = GoldenNic(scheduler, HostMemory(256 << 20), offered=offered)
    checker = Checker(nic.memory, offered=offered)
    nic.observe(Watch(scheduler, checker))
    nic.reset()
    return Bench(scheduler, nic, checker, Fixed())
