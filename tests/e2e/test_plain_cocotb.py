"""Ordinary cocotb code beside the bench: edges, timers and signals behave as in any cocotb test."""

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer
from cocotb.utils import get_sim_time

from pymodel.simtime import CYCLE, MS
from pymodel.task import Task, sleep_until
from tb.block import run_nic
from tb.testbench import Testbench


@cocotb.test()
async def clock_cycles_of_an_idle_nic_take_their_time(dut: Any) -> None:
    await Testbench.start(dut)
    await RisingEdge(dut.clk)
    began = get_sim_time("step")
    await ClockCycles(dut.clk, 20_000)  # far beyond what it takes to come to rest
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
async def quiet_stretch_without_a_watcher_costs_few_cycles(dut: Any) -> None:
    bench = await Testbench.start(dut)
    before = bench.rtl.cycles()
    pause = Task(bench.scheduler, sleep_until(bench.scheduler.now + 100 * MS), "pause")
    began = bench.scheduler.now
    await bench.run(pause)
    assert bench.scheduler.now - began == 100 * MS or bench.scheduler.now - began - 100 * MS < CYCLE
    assert bench.rtl.cycles() - before < 1000


def test_plain_cocotb() -> None:
    run_nic(__name__)
