"""The records of what happened at the NIC's ports (layout: tb/cpp/event_log.h), as calls and events."""

from collections.abc import Callable
from struct import Struct

from pymodel.iommu import IommuFault
from pymodel.ports import Frame
from tb.lockstep import events as ev

_HEADER = Struct("<BBHIQQ")
(_MMIO_WRITE, _MMIO_READ, _DMA_READ, _DMA_WRITE, _WIRE_OUT, _WIRE_IN) = range(1, 7)
(_RX_DECISION, _IRQ, _RESET, _REQUEST, _LINK, _IOMMU_FAULT) = range(7, 13)

Observer = Callable[[ev.Event], None]


class LogReader:
    """Give it records (`take`). `observer` gets every event, in order; the others what they are named for:
    frames that left the NIC, levels of the interrupt line, words that were read, the IOMMU's faults."""

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.frame: Callable[[Frame], None] = lambda frame: None
        self.interrupt: Callable[[bool], None] = lambda level: None
        self.read: Callable[[int], None] = lambda word: None
        self.fault: Callable[[IommuFault], None] = lambda fault: None

    def take(self, log: bytes) -> None:
        """Turn the records of `log` into calls and events."""
        at, size = 0, len(log)
        observer = self.observer
        while at < size:
            kind, a, b, length, time, c = _HEADER.unpack_from(log, at)
            payload = at + _HEADER.size
            at = payload + ((length + 7) & ~7)
            if kind == _DMA_READ:
                if observer is not None:
                    observer(ev.DmaRead(time, c, log[payload : payload + length], b, a))
            elif kind == _DMA_WRITE:
                if observer is not None:
                    data_length = length * 8 // 9
                    data = log[payload : payload + data_length]
                    strobes = log[payload + data_length : payload + length]
                    for run_address, run in _runs(c, data, strobes):
                        observer(ev.DmaWrite(time, run_address, run, b, a))
            elif kind == _WIRE_OUT:
                frame = Frame(log[payload : payload + length], c, time, bool(a))
                if observer is not None:
                    observer(ev.WireOut(time, frame))
                self.frame(frame)
            elif kind == _WIRE_IN:
                if observer is not None:
                    frame = Frame(log[payload : payload + length], c, time, bool(a))
                    observer(ev.WireIn(time, frame, bool(b)))
            elif kind == _IRQ:
                if observer is not None:
                    observer(ev.Irq(time, bool(a)))
                self.interrupt(bool(a))
            elif kind == _MMIO_READ:
                if observer is not None:
                    observer(ev.MmioRead(time, b, c))
                self.read(c)
            elif kind == _MMIO_WRITE:
                if observer is not None:
                    size_, lane = _narrow(a)
                    observer(ev.MmioWrite(time, b + lane, c >> (8 * lane), size_))
            elif kind == _IOMMU_FAULT:
                self.fault(IommuFault(time, c, bool(a)))
            elif observer is not None:
                if kind == _RX_DECISION:
                    observer(ev.RxDecision(time, a))
                elif kind == _RESET:
                    observer(ev.Reset(time))
                elif kind == _REQUEST:
                    observer(ev.DmaRequest(time, c, bool(a), b))
                elif kind == _LINK:
                    observer(ev.Link(time, bool(a)))


def _narrow(strobes: int) -> tuple[int, int]:
    """Size in bytes and first lane of a write with `strobes`."""
    lane = (strobes & -strobes).bit_length() - 1
    return strobes.bit_count(), lane


def _runs(address: int, data: bytes, strobes: bytes) -> list[tuple[int, bytes]]:
    """The contiguous runs of bytes that a burst writes."""
    enabled = int.from_bytes(strobes, "little")
    if enabled == (1 << len(data)) - 1:
        return [(address, data)]
    runs: list[tuple[int, bytes]] = []
    at = 0
    while enabled:
        skip = (enabled & -enabled).bit_length() - 1
        enabled >>= skip
        at += skip
        length = (~enabled & enabled + 1).bit_length() - 1
        runs.append((address + at, data[at : at + length]))
        enabled >>= length
        at += length
    return runs
