"""The RTL NIC as a `DevicePort` and a `WirePort`, over the C++ attachment.

Everything the NIC did since the last look is one buffer of records (`tb.cosim.event_log`). `drain`
turns what the seams need into calls, and everything into events for an observer (the lockstep checker).
"""

import ctypes
from array import array
from collections import deque
from collections.abc import Callable, Sequence

from pymodel.hostmem import HostMemory
from pymodel.iommu import IommuFault
from pymodel.ports import Frame
from pymodel.regionmem import Region, RegionMemory
from pymodel.scheduler import Scheduler
from tb.cosim.event_log import LogReader, Observer
from tb.cosim.library import load
from tb.cosim.recorder import FlightRecorder, Recording
from tb.memory_settings import MemorySettings

RESET_CYCLES = 8

SLVERR, DECERR = 2, 3
"""AXI4's error responses (A3.4.4)."""

BUGS = ("used length", "used twice", "swapped byte", "interrupt")
"""What `RtlNic.plant` knows, in the order of fdw_plant (tb/cpp/cosim.cpp)."""


class ProtocolViolation(Exception):
    """The NIC broke the rules of AXI4, XGMII or the packed ring (tb/cpp/ring_rules.h): a bug in the RTL."""


class RtlNic:
    """One per simulation: the C++ side is a singleton. `observer` gets every event, in order."""

    def __init__(self, scheduler: Scheduler, memory: HostMemory) -> None:
        self.memory = memory
        self._scheduler = scheduler
        self._lib = load()
        self._lib.fdw_memory_attach(memory.pointer, memory.base, memory.size)
        if isinstance(memory, RegionMemory):
            memory.on_change = self._lend
        self._lib.fdw_memory_translate(memory.iommu.pointer if memory.iommu is not None else None)
        self._lib.fdw_wire_slack(0)
        self._lib.fdw_rules_clear()
        self._reads: deque[tuple[int, int, Callable[[int], None]]] = deque()
        self._reader = LogReader()
        self._reader.read, self._reader.fault = self._was_read, self._faulted
        self.recorder = FlightRecorder(lambda: scheduler.now, self.ring_place)
        """What happened last, should somebody want to know."""

    def _lend(self, regions: tuple[Region, ...]) -> None:
        words = [word for region in regions for word in (region.base, region.view.nbytes, region.pointer)]
        self._lib.fdw_memory_regions((ctypes.c_uint64 * len(words))(*words), len(regions))

    # ---- DevicePort ----

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """Post a register write; a narrow one becomes byte strobes."""
        self.recorder.register(offset, value, size)
        lane = offset & 3
        self._lib.fdw_mmio_write(offset & ~3, value << (8 * lane) & 0xFFFFFFFF, ((1 << size) - 1) << lane)

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        """Start a register read; AXI-Lite has no narrow reads, so the lane is taken from the word."""
        self._reads.append((8 * (offset & 3), (1 << (8 * size)) - 1, done))
        self._lib.fdw_mmio_read(offset & ~3)

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        """`handler(level)` at each change of the interrupt line."""
        self._reader.interrupt = handler

    def reset(self) -> None:
        """Pulse the reset pin. Register accesses not yet done are forgotten, reads with them."""
        self._reads.clear()
        self.recorder.reset()
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
        self._reader.frame = handler

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
        self._reader.observer = observer
        self._lib.fdw_log_all(0 if observer is None else 2 if registers_only else 1)

    def ring_place(self, queue: int) -> tuple[int, int] | None:
        """Positions, counted from the ring's start without end: of the oldest chain that the NIC has read and
        not used, and of the descriptor that it reads next. None: not known (tb/cpp/ring_rules.h)."""
        oldest, following = ctypes.c_uint64(), ctypes.c_uint64()
        known = self._lib.fdw_ring_place(queue, ctypes.byref(oldest), ctypes.byref(following))
        return (oldest.value, following.value) if known else None

    def ring_used(self, queue: int) -> int:
        """Slots of `queue`'s ring that the NIC has given back since it was started last.

        As long as its life was plain (tb/cpp/ring_rules.h), until its next one begins.
        """
        return int(self._lib.fdw_ring_used(queue))

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

    def recording(self) -> Recording:
        """What happened last, with what nobody has heard of yet (and does not hear of by this)."""
        if size := self._lib.fdw_log_size():
            self.recorder.log(ctypes.string_at(self._lib.fdw_log_bytes(), size))
        return self.recorder.recording()

    def take(self, log: bytes) -> None:
        """Turn the records of `log` into calls and events."""
        self.recorder.log(log)
        self._reader.take(log)

    def _was_read(self, word: int) -> None:
        if self._reads:
            shift, mask, done = self._reads.popleft()
            done(word >> shift & mask)

    def _faulted(self, fault: IommuFault) -> None:
        if self.memory.iommu is not None:
            self.memory.iommu.faults.append(fault)
