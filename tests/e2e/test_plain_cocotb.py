"""Ordinary cocotb code beside the bench: edges, timers and signals behave as in any cocotb test."""

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly, RisingEdge, Timer
from cocotb.utils import get_sim_time

from pymodel.simtime import CYCLE, MS, US
from pymodel.task import Task, sleep_until
from tb.block import run_nic
from tb.testbench import Testbench


@cocotb.test()
async def clock_cycles_of_an_idle_nic_take_their_time(dut: Any) -> None:
    await Testbench.start(dut)
    await RisingEdge(dut.clk)
    began = get_sim_time("step")
    await ClockCycles(dut.clk, 20_000)  # far beyond what counts as quiet
    assert get_sim_time("step") - began == 20_000 * CYCLE


@cocotb.test()
async def edges_and_timers_keep_their_phase(dut: Any) -> None:
    await RisingEdge(dut.clk)
    began = get_sim_time("step")
    await FallingEdge(dut.clk)
    assert get_sim_time("step") - began == CYCLE // 2
    assert int(dut.clk.value) == 0
    await Timer(1234, "ps")
    assert get_sim_time("step") - began == CYCLE // 2 + 1234


@cocotb.test()
async def rising_edge_samples_before_the_registers_change(dut: Any) -> None:
    bench = await Testbench.start(dut)
    counter = dut.nic.mac_tx  # any clocked block: its state may only change after the edge
    changes = 0

    async def watch() -> None:
        nonlocal changes
        while True:
            await RisingEdge(dut.clk)
            sampled = int(counter.xgmii_txd.value)
            await ReadOnly()
            after = int(counter.xgmii_txd.value)
            changes += sampled != after

    task = cocotb.start_soon(watch())
    bench.a.ip.icmp.ping(bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), 1, 1, b"x" * 100)
    await bench.loop.run_for(20 * US)
    task.cancel()
    assert changes > 10, "each word sent must be seen to change at an edge"


@cocotb.test()
async def quiet_stretch_without_a_watcher_costs_few_cycles(dut: Any) -> None:
    bench = await Testbench.start(dut)
    before = bench.rtl.cycles()
    pause = Task(bench.scheduler, sleep_until(bench.scheduler.now + 100 * MS), "pause")
    began = bench.scheduler.now
    await bench.run(pause)
    assert bench.scheduler.now - began == 100 * MS or bench.scheduler.now - began - 100 * MS < CYCLE
    assert bench.rtl.cycles() - before < 20_000


def test_plain_cocotb() -> None:
    run_nic(__name__, signals=True)
