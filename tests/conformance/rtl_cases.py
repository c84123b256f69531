"""The conformance cases inside the simulator: one cocotb test each, all checked in lockstep.

Started by test_conformance_rtl.py, which hands over the names of the cases and the memory's behaviour.
"""

import os
from typing import Any

import cocotb
from bench import WireSide
from cases import CASES

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from tb.cosim.library import load
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep.checker import Checker
from tb.memory_settings import MemorySettings

SEED = int(os.environ["FDWIRE_SEED"])
NAMES = os.environ["FDWIRE_CASES"].split()
MEMORY = os.environ["FDWIRE_MEMORY"]
_ROUGH = {"read_latency": 20, "write_latency": 10, "jitter": 200, "stall_percent": 30, "reorder_percent": 10}
SETTINGS = {
    "steady": MemorySettings(),
    "fast": MemorySettings(read_latency=0, write_latency=0),
    "rough": MemorySettings(**_ROUGH, read_limit=16, write_limit=8, seed=SEED & 0xFFFFFFFF),
}[MEMORY]


class RtlBench(WireSide):
    """The RTL NIC just out of reset; simulated time passes only in `run_for`."""

    def __init__(self, dut: Any) -> None:
        self.seed = SEED
        self.scheduler = Scheduler()
        self.scheduler.run_until(load().fdw_now())
        self.memory = HostMemory(iommu=MEMORY != "steady")
        self.port = RtlNic(self.scheduler, self.memory)
        self.port.configure_memory(SETTINGS)
        self.checker = Checker(self.memory)
        self.port.drain()  # what an earlier case left in the log
        self.port.observe(self.checker.observe)
        self.port.reset()
        self.plug_in()
        self._loop = Loop(dut, self.scheduler, self.port)

    async def run_for(self, ps: int) -> None:
        await self._loop.run_for(ps)


@cocotb.test()
@cocotb.parametrize(name=NAMES)
async def conformance(dut: Any, name: str) -> None:
    print(f"FDWIRE_SEED={SEED}")
    bench = RtlBench(dut)
    await bench.run_for(2 * US)
    await CASES[name](bench)
    await bench.run_for(20 * US)
    bench.port.drain()
    bench.checker.finish()
    bench.port.check_protocols()
    if bench.memory.iommu is not None:
        bench.memory.iommu.check()
    assert not bench.checker.mismatches, "\n".join(str(m) for m in bench.checker.mismatches[:20])
    assert bench.checker.comparisons
