"""Cocotb tests that fail, each in its way; tests/e2e/test_failures.py looks at what they leave."""

import contextlib
import os
from typing import Any

import cocotb
from echo import planted_echo

from tb.cosim.loop import SimulationTimeout
from tb.testbench import Testbench

BUG = os.environ.get("FAILING_RUN_BUG", "")


@cocotb.test()
async def disagrees(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1)
    with contextlib.suppress(SimulationTimeout):  # a lost interrupt stalls the host
        await planted_echo(bench, BUG)
    await bench.finish()


@cocotb.test()
async def asserts(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1)
    assert await planted_echo(bench) == b"something else"


@cocotb.test()
async def passes(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1)
    assert await planted_echo(bench) == bytes(range(200))
    await bench.finish()
