"""The build in which cocotb code sees every signal of the design (`run_nic(…, signals=True)`)."""

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from pymodel.simtime import US
from tb.block import run_nic
from tb.testbench import Testbench


@cocotb.test()
async def rising_edge_samples_before_the_registers_change(dut: Any) -> None:
    bench = await Testbench.start(dut)
    counter = dut.nic.tx.mac  # any clocked block: its state may only change after the edge
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


@pytest.mark.slow  # a build of its own, of forty seconds
def test_signals() -> None:
    run_nic(__name__, signals=True)
