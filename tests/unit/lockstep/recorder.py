"""Turns what a golden NIC does into the events that the checkers take, and replays them."""

from collections.abc import Iterable

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.regs import RxStatus
from pymodel.scheduler import Scheduler
from tb.lockstep import events as ev
from tb.lockstep.checker import Checker


class Recorder:
    """An `Observer` that keeps everything as events."""

    def __init__(self, scheduler: Scheduler, nic: GoldenNic) -> None:
        self.events: list[ev.Event] = []
        self._scheduler = scheduler
        self._nic = nic
        nic.observe(self)

    def mmio_write(self, offset: int, value: int, size: int) -> None:
        self.events.append(ev.MmioWrite(self._scheduler.now, offset, value, size))

    def mmio_read(self, offset: int, size: int, value: int) -> None:
        if size == 4:
            self.events.append(ev.MmioRead(self._scheduler.now, offset, value))

    def dma_request(self, address: int, write: bool) -> None:
        self.events.append(ev.DmaRequest(self._scheduler.now, address, write, 0))

    def dma_read(self, address: int, data: bytes) -> None:
        self.events.append(ev.DmaRead(self._scheduler.now, address, data, 0, 0))

    def dma_write(self, address: int, data: bytes) -> None:
        self.events.append(ev.DmaWrite(self._scheduler.now, address, data, 0, 0))

    def dma_error(self, address: int, length: int, write: bool) -> None:
        kind = ev.DmaWrite if write else ev.DmaRead
        self.events.append(kind(self._scheduler.now, address, bytes(length), 0, 3))

    def wire_out(self, frame: Frame) -> None:
        self.events.append(ev.WireOut(self._scheduler.now, frame))

    def wire_in(self, frame: Frame) -> None:
        self.events.append(ev.WireIn(self._scheduler.now, frame))

    def rx_decision(self, status: RxStatus) -> None:
        self.events.append(ev.RxDecision(self._scheduler.now, int(status)))

    def irq(self, level: bool) -> None:
        self.events.append(ev.Irq(self._scheduler.now, level))

    def link(self, up: bool) -> None:
        self.events.append(ev.Link(self._scheduler.now, up))

    def reset(self) -> None:
        self.events.append(ev.Reset(self._scheduler.now))


def replay(events: Iterable[ev.Event], memory: HostMemory, **parameters: object) -> Checker:
    """Feed `events` to a new checker and finish it."""
    checker = Checker(memory, **parameters)  # type: ignore[arg-type]
    for event in events:
        checker.observe(event)
    checker.finish()
    return checker
