"""The NIC between Python bus models, as a `DevicePort` and a `WirePort` (pymodel/ports.py)."""

from collections.abc import Callable, Sequence
from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotb.triggers import ClockCycles, Event, RisingEdge, ValueChange
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from cocotbext.eth import XgmiiFrame, XgmiiSink, XgmiiSource

from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from tb.buses.memory import HostBus
from tb.memory_settings import MemorySettings

RESET_CYCLES = 8
PREAMBLE = bytes([0x55] * 7 + [0xD5])
"""With the start frame delimiter (IEEE 802.3 §3.1.1)."""
ERROR = 0xFE
"""/E/ (IEEE 802.3 §46.3.3.4)"""

_Access = tuple[int, int, int, Callable[[int], None] | None]
"""Offset, size, value, and who wants the value that is read."""


class _Dma:
    """Host memory as a bus target: what is outside of it, or not mapped, is answered with an error."""

    def __init__(self, memory: HostMemory) -> None:
        self._memory = memory

    async def read(self, address: int, length: int) -> bytes:
        self._memory.admit(address, length, write=False, now=int(get_sim_time("ps")))
        return self._memory.read(address, length)

    async def write(self, address: int, data: bytes) -> None:
        self._memory.admit(address, len(data), write=True, now=int(get_sim_time("ps")))
        self._memory.write(address, data)


class BusNic:
    """`dut` has the ports of `fdw_nic`, a running clock, `rst` high. What it does is at the scheduler's time.

    `on_event`: called after each call that the NIC has made, for the loop (`tb.buses.loop`) to look again.
    """

    def __init__(self, dut: Any, scheduler: Scheduler, memory: HostMemory) -> None:
        self.memory = memory
        self.bus = HostBus(dut, _Dma(memory))
        self.on_event: Callable[[], None] = lambda: None
        self._dut = dut
        self._scheduler = scheduler
        self._registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self._source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)
        self._sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
        for model in (self._registers.write_if, self._registers.read_if, self._source, self._sink):
            model.log.setLevel("ERROR")
        self._accesses: Queue[_Access] = Queue()
        self._links: Queue[bool] = Queue()
        self._life = 0
        self._awake = Event()
        self._awake.set()
        self._interrupt: Callable[[bool], None] = lambda level: None
        self._frame: Callable[[Frame], None] = lambda frame: None
        for task in (self._access(), self._drive_link(), self._watch_interrupt(), self._watch_wire()):
            cocotb.start_soon(task)

    # ---- DevicePort ----

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """Post a register write; a narrow one becomes byte strobes."""
        self._accesses.put_nowait((offset, size, value, None))

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        """Start a register read."""
        self._accesses.put_nowait((offset, size, 0, done))

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        """`handler(level)` at each change of the interrupt line."""
        self._interrupt = handler

    def reset(self) -> None:
        """Pulse the reset pin. Register accesses not yet done are forgotten, reads with them."""
        self._life += 1
        self._awake.clear()
        while not self._accesses.empty():
            self._accesses.get_nowait()
        cocotb.start_soon(self._pulse())

    # ---- WirePort ----

    def deliver(self, frame: Frame) -> None:
        """Play `frame` on XGMII, not before `frame.start`; of one in error the last byte is /E/."""
        data = bytearray(PREAMBLE + frame.data)
        control = [0] * len(data)
        if frame.error:
            data[-1], control[-1] = ERROR, 1
        self._scheduler.at(frame.start, lambda: self._source.send_nowait(XgmiiFrame(data, control)))

    def set_wire_handler(self, handler: Callable[[Frame], None]) -> None:
        """`handler(frame)` for each frame that left the NIC."""
        self._frame = handler

    def set_link(self, up: bool) -> None:
        """Drive the PHY's link signal, from the next clock on."""
        self._links.put_nowait(up)

    def deliver_many(self, frames: Sequence[bytes], start: int) -> None:
        """Play `frames` (DA..FCS) from `start` (ps) on, as close to each other as the gap allows."""
        for frame in frames:
            self.deliver(Frame(frame, start, start))

    def wire_slack(self, slack: int) -> None:
        """How late (ps) the wire's handler may hear of a frame: here it never is."""

    # ---- for tests ----

    def configure_memory(self, settings: MemorySettings) -> None:
        """From now on host memory behaves so. Its IOMMU is an option of `HostMemory`."""
        self.bus.configure(settings)

    # ---- what runs in the simulator ----

    def _happen(self, call: Callable[[], None]) -> None:
        """`call` at the simulator's time."""
        self._scheduler.run_until(int(get_sim_time("ps")))
        call()
        self.on_event()

    async def _drive_link(self) -> None:
        # What changes in the very moment of a clock edge is half of it seen before, half of it after.
        while True:
            up = await self._links.get()
            await RisingEdge(self._dut.clk)
            self._dut.link_up.value = int(up)

    async def _pulse(self) -> None:
        await RisingEdge(self._dut.clk)
        self._dut.rst.value = 1
        await ClockCycles(self._dut.clk, RESET_CYCLES)
        self._dut.rst.value = 0
        self._awake.set()

    async def _access(self) -> None:
        while True:
            offset, size, value, done = await self._accesses.get()
            await self._awake.wait()
            life = self._life
            if done is None:
                await self._registers.write(offset, value.to_bytes(size, "little"))
                continue
            answer = await self._registers.read(offset, size)
            if answer is not None and life == self._life:
                got = int.from_bytes(answer.data, "little")
                self._happen(lambda done=done, got=got: done(got))  # type: ignore[misc]

    async def _watch_interrupt(self) -> None:
        while True:
            await ValueChange(self._dut.irq)
            if self._dut.irq.value.is_resolvable:
                level = bool(self._dut.irq.value)
                self._happen(lambda level=level: self._interrupt(level))  # type: ignore[misc]

    async def _watch_wire(self) -> None:
        while True:
            got = await self._sink.recv()
            frame = Frame(
                bytes(got.get_payload(strip_fcs=False)),
                int(got.sim_time_start),
                int(got.sim_time_end),
                got.ctrl is not None and any(got.ctrl),
            )
            self._happen(lambda frame=frame: self._frame(frame))  # type: ignore[misc]
