"""The knobs of host memory in cocotb's bus models, seen at the AXI4 port of a NIC with raw traffic.

What the port does is watched here, clock by clock, apart from the bus models.
"""

import random
import zlib
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time
from nic_bench import SOURCES

from pymodel.hostmem import HostMemory
from pymodel.iommu import DmaDirection
from pymodel.ports import Frame
from pymodel.regs import Reg, Status
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from pymodel.task import Task
from tb.block import run_block
from tb.buses.loop import BusLoop
from tb.buses.memory import PERIOD_PS
from tb.buses.nic import BusNic
from tb.memory_settings import MemorySettings
from tb.rawframes import RawFrames


class Port:
    """What passed at the AXI4 port: beats of each data channel, bursts outstanding, ids in both orders."""

    def __init__(self, dut: Any) -> None:
        self.cycles = self.read_beats = self.write_beats = 0
        self.reads = self.writes = self.most_reads = self.most_writes = 0
        self.asked: list[int] = []
        self.answered: list[int] = []
        self.responses: list[int] = []
        self._dut = dut
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut, edge = self._dut, RisingEdge(self._dut.clk)

        def passed(channel: str) -> bool:
            valid, ready = getattr(dut, f"m_axi_{channel}valid"), getattr(dut, f"m_axi_{channel}ready")
            return bool(valid.value) and bool(ready.value)

        while True:
            await edge
            self.cycles += 1
            self.write_beats += passed("w")
            if passed("ar"):
                self.reads += 1
                self.asked.append(int(dut.m_axi_arid.value))
            if passed("aw"):
                self.writes += 1
            self.most_reads, self.most_writes = (
                max(self.most_reads, self.reads),
                max(self.most_writes, self.writes),
            )
            if passed("r"):
                self.read_beats += 1
                if dut.m_axi_rlast.value:
                    self.reads -= 1
                    self.answered.append(int(dut.m_axi_rid.value))
                    self.responses.append(int(dut.m_axi_rresp.value))
            if passed("b"):
                self.writes -= 1
                self.responses.append(int(dut.m_axi_bresp.value))

    def overtakes(self) -> int:
        """Reads answered before an older one of another id."""
        left, count = list(self.asked), 0
        for ident in self.answered:
            at = left.index(ident)
            count += at > 0
            del left[at]
        return count


class Bench:
    """A NIC with frames of its own going out and coming in."""

    def __init__(self, dut: Any, settings: MemorySettings, *, iommu: bool = False) -> None:
        self.scheduler = Scheduler()
        self.scheduler.run_until(int(get_sim_time("ps")))
        self.nic = BusNic(dut, self.scheduler, HostMemory(iommu=iommu))
        self.driver = RawFrames(self.nic, self.scheduler, size=32)
        self.loop = BusLoop(self.scheduler, self.nic)
        self.sent: list[bytes] = []
        self.nic.set_wire_handler(self._out)
        self.settings = settings

    def _out(self, frame: Frame) -> None:
        # One that ran dry is broken off, and comes again.
        if not frame.error:
            self.sent.append(frame.data)

    async def start(self) -> None:
        await self.run(Task(self.scheduler, self.driver.start(), "start of the NIC"))
        self.nic.configure_memory(self.settings)

    async def run(self, task: Task[Any]) -> Any:
        while not task.done:
            await self.loop.run_for(1 * US)
        return task.result()

    async def exchange(self, count: int, length: int = 500, patience: int = 100) -> None:
        """`count` frames each way at once, all of which must arrive as they are."""
        rng = random.Random(4)
        frames = [bytes((2, 0, 0, 0, 0, 1)) + rng.randbytes(length - 6) for _ in range(count)]
        wired = [frame + zlib.crc32(frame).to_bytes(4, "little") for frame in frames]
        received: list[bytes] = []
        self.sent.clear()
        self.driver.send(frames)
        self.nic.deliver_many(wired, self.scheduler.now)
        for _ in range(patience):
            await self.loop.run_for(1 * US)
            received += self.driver.received()
            if len(received) >= count <= len(self.sent):
                break
        assert received == frames
        assert self.sent == wired


async def begun(dut: Any, settings: MemorySettings, *, iommu: bool = False) -> tuple[Bench, Port]:
    Clock(dut.clk, PERIOD_PS, "ps").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    bench, port = Bench(dut, settings, iommu=iommu), Port(dut)
    bench.nic.reset()
    bench.nic.set_link(True)
    await bench.loop.run_for(1 * US)
    await bench.start()
    return bench, port


@cocotb.test()
@cocotb.parametrize(bandwidth=[0, 2])
async def frames_pass_at_the_bandwidth(dut: Any, bandwidth: float) -> None:
    bench, port = await begun(dut, MemorySettings(read_bandwidth=bandwidth, write_bandwidth=bandwidth))
    before = port.cycles, port.read_beats, port.write_beats
    await bench.exchange(12)
    cycles, reads, writes = port.cycles - before[0], port.read_beats - before[1], port.write_beats - before[2]
    if bandwidth:
        assert 0.8 * bandwidth < 16 * max(reads, writes) / cycles
        assert 16 * max(reads, writes) <= bandwidth * cycles + 16 * 8
    else:
        assert 16 * max(reads, writes) / cycles > 4


@cocotb.test()
@cocotb.parametrize(limit=[0, 1, 3])
async def bursts_outstanding_reach_the_limit_and_never_exceed_it(dut: Any, limit: int) -> None:
    far = {"read_latency": 60, "write_latency": 60}
    bench, port = await begun(dut, MemorySettings(**far, read_limit=limit, write_limit=limit))
    port.most_reads = port.most_writes = 0
    await bench.exchange(12)
    if limit:
        assert (port.most_reads, port.most_writes) == (limit, limit)
    else:
        assert port.most_reads > 3 < port.most_writes


@cocotb.test()
@cocotb.parametrize(percent=[0, 40])
async def answers_of_other_ids_overtake_and_every_frame_is_right(dut: Any, percent: int) -> None:
    settings = MemorySettings(read_latency=10, write_latency=10, reorder_percent=percent, seed=5)
    bench, port = await begun(dut, settings, iommu=True)
    for _ in range(2):
        await bench.exchange(12)
    assert port.overtakes() > 5 if percent else not port.overtakes()
    iommu = bench.nic.memory.iommu
    assert iommu is not None
    iommu.check()


@cocotb.test()
async def latency_and_jitter_are_those_of_the_settings(dut: Any) -> None:
    took = []
    for settings in (MemorySettings(read_latency=0), MemorySettings(read_latency=100, jitter=20)):
        if not took:
            bench, port = await begun(dut, settings)
        bench.nic.configure_memory(settings)
        began, answered = port.cycles, len(port.answered)
        bench.driver.send([bytes(60)])
        while len(port.answered) == answered:
            await ClockCycles(dut.clk, 1)
        took.append(port.cycles - began)
    assert 95 <= took[1] - took[0] <= 125


@cocotb.test()
@cocotb.parametrize(write=[False, True])
async def burst_that_is_to_fail_fails_and_the_device_needs_reset(dut: Any, write: bool) -> None:
    bench, port = await begun(dut, MemorySettings())
    await bench.exchange(2)
    assert not any(port.responses)
    bench.nic.bus.fail_nth(0, write=write, response=3)
    with pytest.raises(AssertionError):
        await bench.exchange(2, patience=20)
    assert 3 in port.responses
    values: list[int] = []
    bench.nic.read(Reg.STATUS, 4, values.append)
    await bench.loop.run_for(1 * US)
    assert values[0] & Status.DEVICE_NEEDS_RESET


@cocotb.test()
async def page_that_is_no_longer_mapped_is_not_written(dut: Any) -> None:
    bench, port = await begun(dut, MemorySettings(), iommu=True)
    await bench.exchange(2)
    iommu = bench.nic.memory.iommu
    assert iommu is not None
    buffers = bench.driver.receive_buffers
    iommu.dma_unmap(*buffers, DmaDirection.FROM_DEVICE)
    before = bench.nic.memory.read(*buffers)
    with pytest.raises(AssertionError):
        await bench.exchange(2, patience=20)
    assert 2 in port.responses
    assert bench.nic.memory.read(*buffers) == before
    assert iommu.faults
    assert all(fault.write and 0 <= fault.address - buffers[0] < buffers[1] for fault in iommu.faults)


def test_bus_memory() -> None:
    run_block("fdw_nic", SOURCES, __name__)
