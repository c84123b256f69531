"""What host memory's knobs do to the NIC: its rate, outstanding bursts, answers out of order, and faults."""

import zlib
from itertools import repeat
from typing import Any

import cocotb
import pytest
from echo import echo

from pymodel.driver.packed_ring import PackedRing
from pymodel.iommu import PAGE, UnexpectedFault
from pymodel.simtime import CYCLE, MS, US
from pymodel.task import Blocking, Task, sleep_until
from tb.block import run_nic
from tb.cosim.loop import SimulationTimeout
from tb.memory_settings import MemorySettings
from tb.rawframes import RawFrames
from tb.rtlbench import RtlBench
from tb.testbench import Testbench

FRAME = bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5)) + bytes(range(250)) * 6
LONG = 200 * US


async def flow(dut: Any, settings: MemorySettings, *, outwards: bool) -> tuple[float, dict[str, int]]:
    """Frames as fast as they go, out or in: bytes a cycle that the bus carried, and all figures."""
    bench = RtlBench(dut, lockstep=False)
    bench.rtl.configure_memory(settings)
    driver = RawFrames(bench.rtl, bench.scheduler, slack=5 * US)
    await bench.run(Task(bench.scheduler, driver.start(), "start of the NIC"))
    end = bench.scheduler.now + LONG
    wired = FRAME + zlib.crc32(FRAME).to_bytes(4, "little")

    def pump() -> Blocking[None]:
        while bench.scheduler.now < end:
            if outwards:
                driver.send([*repeat(FRAME, driver.room)])
            else:
                driver.received()
                bench.rtl.deliver_many([wired] * 8, bench.scheduler.now)
            yield from sleep_until(bench.scheduler.now + 9 * US)

    task = Task(bench.scheduler, pump(), "frames")
    name = "dma_read_beats" if outwards else "dma_write_beats"
    await bench.loop.run_for(LONG // 4)
    before = bench.rtl.figures()[name]
    await bench.loop.run_for(LONG // 2)
    figures = bench.rtl.figures()
    await bench.run(task)
    bench.rtl.reset()
    bench.rtl.configure_memory(MemorySettings())
    await bench.loop.run_for(1 * US)
    bench.rtl.check_protocols()
    return 16 * (figures[name] - before) * CYCLE / (LONG // 2), figures


@cocotb.test()
@cocotb.parametrize(outwards=[True, False], bandwidth=[0, 2, 5])
async def frames_pass_at_the_memorys_bandwidth(dut: Any, outwards: bool, bandwidth: float) -> None:
    limit = {"read_bandwidth": bandwidth} if outwards else {"write_bandwidth": bandwidth}
    rate, _ = await flow(dut, MemorySettings(**limit), outwards=outwards)
    if bandwidth:
        assert 0.95 * bandwidth < rate <= 1.01 * bandwidth
    else:
        assert 7.5 < rate < 9  # the wire's 8, with descriptors and without preambles


@cocotb.test()
@cocotb.parametrize(outwards=[True, False])
async def bursts_outstanding_reach_the_limit_and_stay_there(dut: Any, outwards: bool) -> None:
    name = "most_reads" if outwards else "most_writes"
    rates = []
    for limit in (1, 3, 0):
        settings = MemorySettings(read_latency=150, write_latency=150, read_limit=limit, write_limit=limit)
        rate, figures = await flow(dut, settings, outwards=outwards)
        assert figures[name] == limit if limit else figures[name] > 3
        rates.append(rate)
    assert rates[0] < rates[1] / 2 < rates[2]


def filled(size: int) -> bytes:
    """So many bytes, of which none stands twice in a short stretch."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@cocotb.test()
@cocotb.parametrize(percent=[0, 40])
async def answers_of_other_ids_overtake_and_every_frame_is_right(dut: Any, percent: int) -> None:
    bench = await Testbench.start(dut, iommu=True)
    before = bench.rtl.figures()["overtakes"]
    bench.rtl.configure_memory(MemorySettings(reorder_percent=percent, seed=3))
    await echo(bench, filled(200_000))
    overtakes = bench.rtl.figures()["overtakes"] - before
    assert overtakes > 20 if percent else not overtakes
    await bench.finish()
    for host in (bench.a, bench.b):
        assert host.memory.iommu is not None
        assert host.memory.iommu.mapped()


@cocotb.test()
async def buffer_unmapped_too_early_is_not_written_and_the_device_needs_reset(dut: Any) -> None:
    bench = await Testbench.start(dut, iommu=True)
    bench.rtl.configure_memory(MemorySettings())
    await echo(bench, filled(20_000))
    iommu, device = bench.rtl.memory.iommu, bench.a.device
    assert iommu is not None
    right, spoilt = PackedRing.add, []

    def early(ring: PackedRing[Any], token: Any, readable: Any, writable: Any = ()) -> int:
        ident = right(ring, token, readable, writable)
        if writable and ring._iommu is iommu:
            spoilt.append(writable[0])
            bench.rtl.memory.write(writable[0][0], bytes([0xA5]) * writable[0][1])
            ring._unmap(ident)
            ring._mapped[ident] = []
        return ident

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PackedRing, "add", early)
        with pytest.raises(SimulationTimeout):
            await echo(bench, filled(2_000_000), port=8, timeout=20 * MS)
    assert device.driver_stats.resets
    faults = iommu.faults
    assert faults
    assert all(fault.write for fault in faults)
    for fault in faults:
        assert any(
            address // PAGE <= fault.address // PAGE <= (address + size) // PAGE for address, size in spoilt
        )
    for address, size in spoilt[-50:]:
        assert bench.rtl.memory.read(address, size) == bytes([0xA5]) * size
    with pytest.raises(UnexpectedFault):
        await bench.check()
    bench.world.power_off()
    await bench.run(device.close())
    assert not iommu.mapped()
    faults.clear()
    await bench.check()  # the golden model, too, wanted each of these resets


def test_memory() -> None:
    run_nic(__name__)
