"""Drives `fdw_regs`: cocotbext-axi's AXI-Lite master on the bus, pins by hand, rules checked every cycle."""

import os
import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from pymodel.regs import FEATURES_OFFERED, Reg, Stat, Status
from tb.block import run_block

SOURCES = ["regs/fdw_regs.v", "regs/fdw_regs_queue.v", "regs/fdw_stats.v"]
OTHER = {"MAC_ADDRESS": "48'hfe0102030405", "MTU": 9000, "QUEUE_NUM_MAX": 32768, "QUEUES": 4}
SETTLE = 7
OK = int(Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK)
RUNNING = OK | int(Status.DRIVER_OK)
INPUTS = (
    "device_idle",
    "queue_idle",
    "used_interrupt",
    "fatal",
    "link_up",
    "stat_rx_valid",
    "stat_rx_status",
    "stat_rx_bytes",
    "stat_rx_multicast",
    "stat_rx_broadcast",
    "stat_rx_fcs_wrong",
    "stat_rx_truncated",
    "stat_tx_valid",
    "stat_tx_bytes",
    "stat_tx_multicast",
    "stat_tx_broadcast",
    "stat_tx_oversize",
    "stat_tx_bad_offload",
    "stat_tx_tso",
    "stat_tx_underflow",
)
OUTPUTS = (
    "s_axil_awready",
    "s_axil_wready",
    "s_axil_bvalid",
    "s_axil_bresp",
    "s_axil_arready",
    "s_axil_rvalid",
    "s_axil_rresp",
    "s_axil_rdata",
    "device_reset",
    "queue_enable",
    "queue_size",
    "desc_addr",
    "driver_addr",
    "device_addr",
    "kick",
    "irq",
)
RING_OUTPUTS = {"queue_size": 16, "desc_addr": 64, "driver_addr": 64, "device_addr": 64}


@dataclass
class Ring:
    """What a driver writes for one queue."""

    num: int
    desc: int
    driver: int
    device: int


RINGS = (
    Ring(5, 0x1_2345_6780, 0x8765_4321_0FED_CBA4, 0xFFFF_FFFF_FFFF_FFFC),
    Ring(256, 0xFEDC_BA98_7654_3210, 0x4, 0x1_0000_0008),
)


def seeded() -> random.Random:
    """A generator from FDWIRE_SEED (or a fresh seed), which is printed."""
    seed = int(os.environ.get("FDWIRE_SEED") or random.SystemRandom().randrange(1 << 32))
    cocotb.log.info("FDWIRE_SEED=%d", seed)
    return random.Random(seed)


@dataclass
class Bench:
    """The block under test after `start`: out of reset, link up, everything idle.

    `kicks[q]` counts kick pulses. With `watched` the rules of the header comment are checked each cycle.
    """

    dut: Any
    watched: bool = True
    kicks: list[int] = field(default_factory=list)

    async def start(self) -> None:
        """Reset the block and start the watch."""
        dut = self.dut
        Clock(dut.clk, 6400, unit="ps").start()
        for name in INPUTS:
            getattr(dut, name).value = 0
        self.queues = len(dut.queue_enable)
        self.kicks = [0] * self.queues
        dut.device_idle.value = 1
        dut.queue_idle.value = (1 << self.queues) - 1
        dut.link_up.value = 1
        dut.rst.value = 1
        self.axil = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        for part in (self.axil.write_if, self.axil.read_if):
            part.log.setLevel("WARNING")
        await self.cycles(3)
        dut.rst.value = 0
        await self.cycles(1)
        if self.watched:
            cocotb.start_soon(self._watch())

    async def cycles(self, count: int) -> None:
        """Wait for `count` rising edges."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def read(self, offset: int, size: int = 4) -> int:
        """An aligned read of `size` bytes; 8 means low word, then high word."""
        data = await self.axil.read(offset, size)
        return int.from_bytes(data.data, "little")

    async def write(self, offset: int, value: int, size: int = 4) -> None:
        """An aligned write of `size` bytes, with the strobes of these bytes only."""
        await self.axil.write(offset, value.to_bytes(size, "little"))

    async def pulse(self, name: str, value: int = 1) -> None:
        """`value` on an input for one cycle."""
        pin = getattr(self.dut, name)
        pin.value = value
        await RisingEdge(self.dut.clk)
        pin.value = 0

    def slice(self, name: str, queue: int, width: int) -> int:
        """Queue `queue`'s part of a flat output."""
        return (int(getattr(self.dut, name).value) >> (queue * width)) & ((1 << width) - 1)

    def enabled(self, queue: int) -> bool:
        """The output queue_enable of one queue."""
        return bool(self.slice("queue_enable", queue, 1))

    async def accept(self, features: int) -> None:
        """Write all 64 bits of accepted features."""
        for window in (0, 1):
            await self.write(Reg.DRIVER_FEATURES_SEL, window)
            await self.write(Reg.DRIVER_FEATURES, (features >> (32 * window)) & 0xFFFF_FFFF)

    async def negotiate(self, features: int = FEATURES_OFFERED) -> int:
        """§3.1.1 up to step 6; the status read back."""
        await self.write(Reg.STATUS, Status.ACKNOWLEDGE)
        await self.write(Reg.STATUS, Status.ACKNOWLEDGE | Status.DRIVER)
        await self.accept(features)
        await self.write(Reg.STATUS, OK)
        return await self.read(Reg.STATUS)

    async def configure(self, queue: int, ring: Ring) -> int:
        """§4.2.3.2: set up one queue; QUEUE_READY read back."""
        await self.write(Reg.QUEUE_SEL, queue)
        await self.write(Reg.QUEUE_NUM, ring.num)
        for low, value in (
            (Reg.QUEUE_DESC_LOW, ring.desc),
            (Reg.QUEUE_DRIVER_LOW, ring.driver),
            (Reg.QUEUE_DEVICE_LOW, ring.device),
        ):
            await self.write(low, value & 0xFFFF_FFFF)
            await self.write(low + 4, value >> 32)
        await self.write(Reg.QUEUE_READY, 1)
        return await self.read(Reg.QUEUE_READY)

    async def initialise(self, features: int = FEATURES_OFFERED) -> None:
        """All of §3.1.1 with both queues, and time for the queues to start."""
        assert await self.negotiate(features) == OK
        for queue, ring in enumerate(RINGS):
            assert await self.configure(queue, ring) == 1
        await self.write(Reg.STATUS, RUNNING)
        assert await self.read(Reg.STATUS) == RUNNING
        await self.cycles(SETTLE + 3)

    async def reset_device(self) -> None:
        """Write 0 to STATUS and poll until it reads 0 (§2.4)."""
        await self.write(Reg.STATUS, 0)
        for _ in range(50):
            if await self.read(Reg.STATUS) == 0:
                return
        raise AssertionError("STATUS does not read 0 after a reset")

    async def counters(self) -> dict[str, int]:
        """All statistics."""
        return {stat.name: await self.read(stat, 8) for stat in Stat}

    async def _watch(self) -> None:
        dut = self.dut
        before: dict[str, int] = {}
        idle_before = 0
        low_for = [SETTLE] * self.queues
        while True:
            await RisingEdge(dut.clk)
            if dut.rst.value:
                before, low_for = {}, [SETTLE] * self.queues
                continue
            for name in OUTPUTS:
                assert getattr(dut, name).value.is_resolvable, f"{name} is {getattr(dut, name).value}"
            now = {name: int(getattr(dut, name).value) for name in OUTPUTS}
            assert now["s_axil_bresp"] == 0 and now["s_axil_rresp"] == 0
            if before:
                if before["s_axil_bvalid"] and not before["bready"]:
                    assert now["s_axil_bvalid"], "BVALID fell without BREADY"
                if before["s_axil_rvalid"] and not before["rready"]:
                    assert now["s_axil_rvalid"], "RVALID fell without RREADY"
                    assert now["s_axil_rdata"] == before["s_axil_rdata"], "RDATA changed without RREADY"
            enable = now["queue_enable"]
            assert not now["kick"] & ~enable, "kick of a queue that is not enabled"
            assert not (now["device_reset"] and enable), "queue enabled during reset"
            for q in range(self.queues):
                self.kicks[q] += now["kick"] >> q & 1
                if not enable >> q & 1:
                    low_for[q] += 1
                    continue
                if before and before["queue_enable"] >> q & 1:
                    for name, width in RING_OUTPUTS.items():
                        changed = (now[name] ^ before[name]) >> (q * width) & ((1 << width) - 1)
                        assert not changed, f"{name} of queue {q} changed while it is enabled"
                else:
                    assert idle_before >> q & 1, f"queue {q} enabled while its ring was not idle"
                    assert low_for[q] >= SETTLE, f"queue {q} enabled after {low_for[q]} cycles"
                low_for[q] = 0
            before = now | {"bready": int(dut.s_axil_bready.value), "rready": int(dut.s_axil_rready.value)}
            idle_before = int(dut.queue_idle.value)


async def started(dut: Any) -> Bench:
    """The bench of a block that is out of reset."""
    bench = Bench(dut)
    await bench.start()
    return bench


def shape() -> tuple[int, int, int, int]:
    """Parameters of the build under test: MAC_ADDRESS, MTU, QUEUE_NUM_MAX, QUEUES."""
    if os.environ.get("FDWIRE_REGS_SHAPE") == "other":
        return 0xFE01_0203_0405, 9000, 32768, 4
    return 0x0200_0000_0001, 1500, 256, 2


def run_shape(module: str, simulator: str, parameters: dict[str, object]) -> None:
    """Run `module`'s cocotb tests on `fdw_regs` with `parameters`: none, or OTHER."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FDWIRE_REGS_SHAPE", "other" if parameters else "default")
        run_block("fdw_regs", SOURCES, module, parameters, simulator)


SHAPES = pytest.mark.parametrize(
    "parameters",
    [pytest.param({}, id="default"), pytest.param(OTHER, id="other", marks=pytest.mark.slow)],
)
