"""The RTL NIC as a `DevicePort` and a `WirePort`, over the C++ attachment.

Everything the NIC did since the last look is one buffer of records (layout: tb/cpp/event_log.h). `drain`
turns what the seams need into calls, and everything into events for an observer (the lockstep checker).
"""

import ctypes
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct

from pymodel.hostmem import HostMemory
from pymodel.iommu import IommuFault
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from tb.cosim.library import load
from tb.lockstep import events as ev
from tb.memory_settings import MemorySettings

_HEADER = Struct("<BBHIQQ")
(_MMIO_WRITE, _MMIO_READ, _DMA_READ, _DMA_WRITE, _WIRE_OUT, _WIRE_IN) = range(1, 7)
(_RX_DECISION, _IRQ, _RESET, _REQUEST, _LINK, _IOMMU_FAULT) = range(7, 13)

RESET_CYCLES = 8

SLVERR, DECERR = 2, 3
"""AXI4's error responses (A3.4.4)."""

BUGS = ("used length", "used twice", "swapped byte", "interrupt")
"""What `RtlNic.plant` knows, in the order of fdw_plant (tb/cpp/cosim.cpp)."""

Observer = Callable[[ev.Event], None]


class ProtocolViolation(Exception):
    """The NIC broke the rules of AXI4, XGMII or the packed ring (tb/cpp/ring_rules.h): a bug in the RTL."""


class RtlNic:
    """One per simulation: the C++ side is a singleton. `observer` gets every event, in order."""

    def __init__(self, scheduler: Scheduler, memory: HostMemory) -> None:
        self.memory = memory
        self._scheduler = scheduler
        self._lib = load()
        self._lib.fdw_memory_attach(memory.pointer, memory.base, memory.size)
        self._lib.fdw_memory_translate(memory.iommu.pointer if memory.iommu is not None else None)
        self._lib.fdw_wire_slack(0)
        self._lib.fdw_rules_clear()
        self._reads: deque[tuple[int, int, Callable[[int], None]]] = deque()
        self._interrupt: Callable[[bool], None] = lambda level: None
        self._frame: Callable[[Frame], None] = lambda frame: None
        self._observer: Observer | None = None

    # ---- DevicePort ----

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """Post a register write; a narrow one becomes byte strobes."""
        lane = offset & 3
        self._lib.fdw_mmio_write(offset & ~3, value << (8 * lane) & 0xFFFFFFFF, ((1 << size) - 1) << lane)

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        """Start a register read; AXI-Lite has no narrow reads, so the lane is taken from the word."""
        self._reads.append((8 * (offset & 3), (1 << (8 * size)) - 1, done))
        self._lib.fdw_mmio_read(offset & ~3)

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        """`handler(level)` at each change of the interrupt line."""
        self._interrupt = handler

    def reset(self) -> None:
        """Pulse the reset pin. Register accesses not yet done are forgotten, reads with them."""
        self._reads.clear()
        self._lib.fdw_reset(RESET_CYCLES)

    # ---- WirePort ----

    def deliver(self, frame: Frame) -> None:
        """Play `frame` on XGMII, its preamble at or after `frame.start`."""
        self._lib.fdw_wire_send(frame.data, len(frame.data), frame.start, frame.error)

    def deliver_many(self, frames: Sequence[bytes], start: int) -> None:
        """Play `frames` (DA..FCS) from `start` (ps) on, as close to each other as the gap allows."""
        lengths = array("I", map(len, frames))
        self._lib.fdw_wire_send_many(b"".join(frames), lengths.buffer_info()[0], len(frames), start)

    def set_wire_handler(self, handler: Callable[[Frame], None]) -> None:
        """`handler(frame)` for each frame that left the NIC."""
        self._frame = handler

    def wire_slack(self, slack: int) -> None:
        """How late (ps) the wire's handler may hear of a frame: several then come together."""
        self._lib.fdw_wire_slack(slack)

    def set_link(self, up: bool) -> None:
        """Drive the PHY's link signal."""
        self._lib.fdw_link(up)

    # ---- for tests and the checker ----

    def observe(self, observer: Observer | None, *, registers_only: bool = False) -> None:
        """Send every event at the NIC's ports to `observer`, DMA transfers included (None: stop).

        `registers_only`: only what is done to the registers, the reset pin, interrupt and link: next to free.
        """
        self._observer = observer
        self._lib.fdw_log_all(0 if observer is None else 2 if registers_only else 1)

    def ring_place(self, queue: int) -> tuple[int, int] | None:
        """Positions, counted from the ring's start without end: of the oldest chain that the NIC has read and
        not used, and of the descriptor that it reads next. None: not known (tb/cpp/ring_rules.h)."""
        oldest, following = ctypes.c_uint64(), ctypes.c_uint64()
        known = self._lib.fdw_ring_place(queue, ctypes.byref(oldest), ctypes.byref(following))
        return (oldest.value, following.value) if known else None

    def configure_memory(self, settings: MemorySettings) -> None:
        """From now on host memory behaves so. Its IOMMU is an option of `HostMemory`."""
        self._lib.fdw_memory_configure(settings.packed())

    def fail_nth(self, nth: int, *, write: bool, response: int = SLVERR) -> None:
        """The `nth` DMA burst from now on (0: the next) that reads, or writes, is answered with `response`.

        The hardware reset takes it back.
        """
        self._lib.fdw_memory_fail_nth(write, nth, response)

    def wire_gap(self, size: int) -> None:
        """Idle bytes that received frames keep on average: 12, or what a clock difference left of it."""
        self._lib.fdw_wire_gap(size)

    def plant(self, bug: str) -> None:
        """Spoil what is seen of the NIC, once, to see whether a checker notices.

        `bug`: "used length" (a flipped bit), "used twice", "swapped byte" (in a frame sent), or "interrupt"
        (the line is stuck low from its next rise on). `reset` takes the bug out again.
        """
        self._lib.fdw_plant(BUGS.index(bug))

    def play_words(self, words: list[tuple[int, int]]) -> None:
        """Play raw XGMII words (data, control): what no well-formed frame can do.

        They come after the frame that is being played, before those that wait.
        """
        flat = [x for word in words for x in word]
        self._lib.fdw_wire_send_raw((ctypes.c_uint64 * len(flat))(*flat), len(words))

    def figures(self) -> dict[str, int]:
        """Counters of the C++ side: AXI bursts and beats, frames, protocol violations, shortest gap.

        `overtakes`: bursts answered before an older one of another id; `most_reads`, `most_writes`:
        outstanding at once since `configure_memory`.
        """
        names = (
            "dma_reads", "dma_writes", "dma_read_beats", "dma_write_beats",
            "axi_violations", "frames_out", "xgmii_violations", "shortest_gap", "ring_violations",
            "overtakes", "most_reads", "most_writes",
        )  # fmt: skip
        return {name: self._lib.fdw_figure(i) for i, name in enumerate(names)}

    def now(self) -> int:
        """The simulator's time (ps)."""
        return int(self._lib.fdw_now())

    def cycles(self) -> int:
        """Clock cycles simulated so far; quiet stretches that were left out do not count."""
        return int(self._lib.fdw_cycles())

    def check_protocols(self) -> None:
        """Raise ProtocolViolation if rules of AXI4, XGMII or the packed ring were broken so far."""
        figures = self.figures()
        for name in ("axi_violations", "xgmii_violations"):
            if figures[name]:
                raise ProtocolViolation(f"{name}: {figures[name]}")
        if figures["ring_violations"]:
            first = self._lib.fdw_first_breach().decode()
            raise ProtocolViolation(f"ring_violations: {figures['ring_violations']}, first {first}")

    def drain(self) -> None:
        """Take everything that happened since the last call, in simulated-time order."""
        lib = self._lib
        if size := lib.fdw_log_size():
            log = ctypes.string_at(lib.fdw_log_bytes(), size)
            lib.fdw_log_clear()
            self.take(log)

    def take(self, log: bytes) -> None:
        """Turn the records of `log` into calls and events."""
        at, size = 0, len(log)
        observer = self._observer
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
                self._frame(frame)
            elif kind == _WIRE_IN:
                if observer is not None:
                    frame = Frame(log[payload : payload + length], c, time, bool(a))
                    observer(ev.WireIn(time, frame, bool(b)))
            elif kind == _IRQ:
                if observer is not None:
                    observer(ev.Irq(time, bool(a)))
                self._interrupt(bool(a))
            elif kind == _MMIO_READ:
                if observer is not None:
                    observer(ev.MmioRead(time, b, c))
                if self._reads:
                    shift, mask, done = self._reads.popleft()
                    done(c >> shift & mask)
            elif kind == _MMIO_WRITE:
                if observer is not None:
                    size_, lane = _narrow(a)
                    observer(ev.MmioWrite(time, b + lane, c >> (8 * lane), size_))
            elif kind == _IOMMU_FAULT:
                if self.memory.iommu is not None:
                    self.memory.iommu.faults.append(IommuFault(time, c, bool(a)))
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
