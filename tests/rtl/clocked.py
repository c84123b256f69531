"""What every test of a clocked block begins with: a seed, a clock, a reset."""

import random
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb.utils import get_sim_time

from tb.buses.memory import PERIOD_PS


def rng() -> random.Random:
    """A generator seeded from the test's seed (FDWIRE_SEED repeats it; cocotb logs it)."""
    return random.Random(random.getrandbits(64))


def now() -> int:
    """Number of the clock cycle that ends now; at a rising edge signals still read as in that cycle."""
    return int(get_sim_time("ps")) // PERIOD_PS


async def start(dut: Any, **inputs: int) -> None:
    """Start the clock, set `inputs`, reset for four cycles."""
    for name, value in inputs.items():
        getattr(dut, name).value = value
    Clock(dut.clk, PERIOD_PS, "ps").start()
    await reset(dut)


async def reset(dut: Any) -> None:
    """Reset for four cycles."""
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
