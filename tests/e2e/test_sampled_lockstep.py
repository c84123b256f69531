"""Lockstep in windows: clean where RTL and model agree, and what shows in every window is found in time."""

import os
import random
from typing import Any

import cocotb
import pytest
from echo import echo

from pymodel.regs import Stat
from pymodel.simtime import MS, US
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket.constants import SOCK_DGRAM
from tb.block import run_nic
from tb.cosim.rtl_nic import BUGS
from tb.lockstep.sampled import Sampler, Sampling
from tb.testbench import Disagreement, Testbench

SIZE = 400_000
SEED = int(os.environ.get("FDWIRE_SEED", "7"))


def drawn(size: int = SIZE) -> bytes:
    """So many bytes, of the seed."""
    return random.Random(SEED).randbytes(size)


async def sampled(dut: Any, **options: int) -> tuple[Testbench, Sampler]:
    sampling = Sampling(**{"window": 30 * US, "every": 200 * US, "seed": SEED} | options)
    bench = await Testbench.start(dut, sampling=sampling)
    assert bench.sampler is not None
    assert bench.checker is None
    return bench, bench.sampler


@cocotb.test()
@cocotb.parametrize(tso=[True, False])
async def windows_in_bulk_traffic_compare_and_agree(dut: Any, tso: bool) -> None:
    bench, sampler = await sampled(dut)
    bench.a.device.set_features(tso=tso)
    await echo(bench, drawn())
    for stat in (Stat.TX_FRAMES, Stat.RX_FRAMES):  # in a window or not
        await bench.read(stat)
    await bench.finish()
    assert sampler.windows > 2
    assert sampler.skipped + sampler.cut <= sampler.windows // 2
    counts = sampler.tally.counts
    assert min(counts[kind] for kind in ("frames", "payloads", "used entries", "interrupts")) > 20


@cocotb.test()
async def windows_of_full_width_see_a_reset_and_a_resize(dut: Any) -> None:
    bench, sampler = await sampled(dut, window=150 * US)
    await echo(bench, drawn(100_000))
    await bench.run(bench.a.device.resize(rx=64, tx=32))
    await bench.run(bench.a.device.close())
    await bench.loop.run_for(1 * MS)
    await bench.finish()
    assert sampler.windows > 2


@cocotb.test()
@cocotb.parametrize(bug=[bug for bug in BUGS if bug != "interrupt"])
async def bug_that_goes_on_is_found_within_two_stretches(dut: Any, bug: str) -> None:
    bench, sampler = await sampled(dut)
    await bench.loop.run_for(300 * US)
    planted_at = bench.scheduler.now

    def plant() -> None:
        bench.rtl.plant(bug)
        bench.scheduler.at(bench.scheduler.now + 3 * US, plant)

    plant()
    bench.a.spawn(_talk)
    bench.b.spawn(_talk)
    await bench.loop.run_for(3 * 200 * US)
    assert sampler.mismatches, "not found"
    assert sampler.mismatches[0].time - planted_at <= 2 * 200 * US + 30 * US
    with pytest.raises(Disagreement):
        await bench.finish()


async def _talk() -> None:
    """Datagrams for ever."""
    async with AsyncSocket(type=SOCK_DGRAM) as sock:
        sock.bind(("", 9))
        while True:
            for host in ("a", "b"):
                await sock.sendto(bytes(500), (host, 9))
            await sleep(2e-6)


def test_sampled_lockstep() -> None:
    run_nic(__name__)
