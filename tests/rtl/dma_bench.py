"""What the DMA and AXI tests share: watchers of AXI4 rules, memories with latency and faults.

The memories are cocotbext-axi's `AxiRamRead` and `AxiRamWrite`; they know nothing of the design. The
watchers look at every clock edge and fail the test where a rule of the AXI4 specification is broken.
"""

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

BASE = 0xFEDC_BA98_7640_0000
"""Upper address bits in every test, so that a lost one shows. The memories alias modulo their size."""

SIZE = 1 << 18
LATENCY_1US = 156
"""One microsecond in clock cycles."""


class Watch:
    """Counts cycles and checks, at every rising edge outside reset, what subclasses check."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.cycle = 0
        self._held: dict[str, tuple[int, ...]] = {}
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            self.cycle += 1
            if self.dut.rst.value == 1:
                self._held.clear()
                self.in_reset()
            else:
                self.step()

    def in_reset(self) -> None:
        """Forget what is in flight."""

    def step(self) -> None:
        raise NotImplementedError

    def sample(self, valid: str, ready: str, payload: tuple[str, ...]) -> tuple[tuple[int, ...] | None, bool]:
        """One channel: (payload offered or None, accepted). AXI4 A3.2.1: an offer stays until taken."""
        dut = self.dut
        offered = None
        if getattr(dut, valid).value == 1:
            offered = tuple(int(getattr(dut, name).value) for name in payload)
        held = self._held.pop(valid, None)
        assert held is None or held == offered, f"{valid}: {held} was not taken and became {offered}"
        accepted = offered is not None and getattr(dut, ready).value == 1
        if offered is not None and not accepted:
            self._held[valid] = offered
        return offered, accepted


def check_burst(address: int, length: int, size: int, burst: int, limit: int) -> None:
    """AXI4 A3.4.1: INCR of whole beats, at most `limit` of them, not across 4 KiB."""
    beats = length + 1
    assert burst == 1 and size == 4, f"burst type {burst}, size {size}"
    assert beats <= limit, f"{beats} beats"
    first = address & ~15
    assert first >> 12 == (first + 16 * beats - 1) >> 12, f"{beats} beats at {address:#x} cross 4 KiB"


class ReadWatch(Watch):
    """AR rules; `bursts` holds (cycle, address, beats) of each accepted AR, `pending` those unanswered,
    `offers` the number of ARs offered so far."""

    def __init__(self, dut: Any) -> None:
        self.limit = int(dut.MAX_BURST.value)
        self.most_allowed = int(dut.OUTSTANDING.value)
        self.bursts: list[tuple[int, int, int]] = []
        self.pending = 0
        self.most_pending = 0
        self.offers = 0
        self._new_offer = True
        super().__init__(dut)

    def in_reset(self) -> None:
        self.pending = 0
        self._new_offer = True

    def step(self) -> None:
        offered, accepted = self.sample(
            "m_axi_arvalid",
            "m_axi_arready",
            ("m_axi_araddr", "m_axi_arlen", "m_axi_arsize", "m_axi_arburst", "m_axi_arid"),
        )
        if offered is not None:
            self.offers += self._new_offer
            self._new_offer = accepted
        if offered is not None and accepted:
            address, length, size, burst, _ = offered
            check_burst(address, length, size, burst, self.limit)
            assert address >> 32 == BASE >> 32, f"{address:#x}"
            self.bursts.append((self.cycle, address, length + 1))
            self.pending += 1
            self.most_pending = max(self.most_pending, self.pending)
            assert self.pending <= self.most_allowed, "more bursts in flight than OUTSTANDING"
        assert self.dut.m_axi_rready.value == 1, "R was blocked"
        if self.dut.m_axi_rvalid.value == 1 and self.dut.m_axi_rlast.value == 1:
            self.pending -= 1


class WriteWatch(Watch):
    """AW, W rules; `bursts` of (address, beats), `strobes` of each burst, `offers` of AW so far.

    A burst whose AW is offered must have its data ready: W pauses of the design are at most two cycles.
    """

    def __init__(self, dut: Any) -> None:
        self.limit = int(dut.MAX_BURST.value)
        self.bursts: list[tuple[int, int]] = []
        self.strobes: list[list[int]] = []
        self.cycles_of_w: list[int] = []
        self.responses = 0
        self.offers = 0
        self.in_reset()
        super().__init__(dut)

    def in_reset(self) -> None:
        self._offered: deque[int] = deque()
        self._new_offer = True
        self._beats: list[int] = []
        self._waited = 0

    @property
    def pending(self) -> int:
        """Bursts whose B has not come."""
        return len(self.bursts) - self.responses

    def step(self) -> None:
        offered, accepted = self.sample(
            "m_axi_awvalid",
            "m_axi_awready",
            ("m_axi_awaddr", "m_axi_awlen", "m_axi_awsize", "m_axi_awburst", "m_axi_awid"),
        )
        if offered is not None:
            address, length, size, burst, _ = offered
            if self._new_offer:
                self.offers += 1
                check_burst(address, length, size, burst, self.limit)
                assert address >> 32 == BASE >> 32, f"{address:#x}"
                self._offered.append(length + 1)
            self._new_offer = accepted
            if accepted:
                self.bursts.append((address, length + 1))
        beat, taken = self.sample(
            "m_axi_wvalid", "m_axi_wready", ("m_axi_wdata", "m_axi_wstrb", "m_axi_wlast")
        )
        if beat is not None:
            assert self._offered, "W before the AW it belongs to was offered"
            self._waited = 0
        elif self._offered:
            self._waited += 1
            assert self._waited <= 2, "an AW was offered before its data was there"
        if beat is not None and taken:
            self.cycles_of_w.append(self.cycle)
            self._beats.append(beat[1])
            assert beat[2] == (len(self._beats) == self._offered[0]), "WLAST in the wrong place"
            if beat[2]:
                self.strobes.append(self._beats)
                self._beats = []
                self._offered.popleft()
        if self.dut.m_axi_bvalid.value == 1 and self.dut.m_axi_bready.value == 1:
            self.responses += 1
            assert self.responses <= len(self.strobes), "more B than bursts"


class ReadMemory(AxiRamRead):  # type: ignore[misc]
    """AxiRamRead whose first beat comes `latency` cycles after the AR, however many are in flight.

    Reads of addresses in `faults` (offsets) answer SLVERR. `allowed`: so many beats are given in all, then
    it rests until there are to be more; `given`: so many were.
    """

    def __init__(self, dut: Any, watch: ReadWatch, latency: int = 0, memory: bytes | None = None) -> None:
        self.latency = latency
        self.faults = range(0)
        self.allowed = float("inf")
        self.given = 0
        self._watch = watch
        self._served = 0
        self._left = 0
        super().__init__(
            AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, mem=memory or random.randbytes(SIZE)
        )
        if latency:
            self.ar_channel.queue_occupancy_limit = -1
        self.r_channel.queue_occupancy_limit = 4
        for channel in (self.ar_channel, self.r_channel, self):
            channel.log.setLevel("ERROR")

    async def _read(self, address: int, length: int) -> bytes:
        if self._left == 0:
            cycle, _, self._left = self._watch.bursts[self._served]
            self._served += 1
            wait = cycle + self.latency - self._watch.cycle
            if wait > 0:
                await ClockCycles(self.clock, wait)
        self._left -= 1
        while self.given >= self.allowed:
            await RisingEdge(self.clock)
        self.given += 1
        offset = address % SIZE
        if offset in self.faults:
            raise ValueError("injected fault")
        return bytes(self.mem[offset : offset + length])

    def in_reset(self) -> None:
        """Call after a reset in the middle: what was asked for before is forgotten."""
        self._served = len(self._watch.bursts)
        self._left = 0


class WriteMemory(AxiRamWrite):  # type: ignore[misc]
    """AxiRamWrite whose B comes `latency` cycles after the last data, however many are in flight.

    Writes to addresses in `faults` (offsets) answer SLVERR.
    """

    def __init__(self, dut: Any, latency: int = 0) -> None:
        self.latency = latency
        self.faults = range(0)
        super().__init__(
            AxiWriteBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, mem=bytearray(random.randbytes(SIZE))
        )
        self.aw_channel.queue_occupancy_limit = 4
        self.w_channel.queue_occupancy_limit = 4
        self.b_channel.queue_occupancy_limit = -1
        if latency:
            self._send_b = self.b_channel.send
            self.b_channel.send = self._delay
        for channel in (self.aw_channel, self.w_channel, self.b_channel, self):
            channel.log.setLevel("ERROR")

    async def _delay(self, response: Any) -> None:
        cocotb.start_soon(self._later(response))

    async def _later(self, response: Any) -> None:
        await ClockCycles(self.clock, self.latency)
        await self._send_b(response)

    async def _write(self, address: int, data: bytes) -> None:
        offset = address % SIZE
        if offset in self.faults:
            raise ValueError("injected fault")
        self.mem[offset : offset + len(data)] = data
