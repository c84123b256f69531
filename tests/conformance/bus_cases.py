"""The conformance cases in any simulator, the NIC between cocotb's bus models: one cocotb test each.

Started by test_conformance_icarus.py, which hands over the names of the cases.
"""

import os
from typing import Any

import cocotb
from bench import WireSide
from cases import CASES
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb.utils import get_sim_time

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from tb.buses.loop import BusLoop
from tb.buses.memory import PERIOD_PS
from tb.buses.nic import BusNic

SEED = int(os.environ["FDWIRE_SEED"])
NAMES = os.environ["FDWIRE_CASES"].split()


class BusBench(WireSide):
    """The NIC just out of reset; simulated time passes only in `run_for`."""

    def __init__(self, dut: Any) -> None:
        self.seed = SEED
        self.scheduler = Scheduler()
        self.scheduler.run_until(int(get_sim_time("ps")))
        self.memory = HostMemory()
        self.port = BusNic(dut, self.scheduler, self.memory)
        self.port.bus.latency = 32
        self.port.reset()
        self.plug_in()
        self._loop = BusLoop(self.scheduler, self.port)

    async def run_for(self, ps: int) -> None:
        await self._loop.run_for(ps)


@cocotb.test()
@cocotb.parametrize(name=NAMES)
async def conformance(dut: Any, name: str) -> None:
    print(f"FDWIRE_SEED={SEED} {name}")
    Clock(dut.clk, PERIOD_PS, "ps").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    bench = BusBench(dut)
    await bench.run_for(2 * US)
    await CASES[name](bench)
    await bench.run_for(5 * US)
