"""One RTL NIC in lockstep, with the loop that runs it: what every test bench of the whole NIC has."""

from typing import Any, Protocol, TypeVar

from pymodel.hostmem import HostMemory
from pymodel.link import Direction, Link
from pymodel.ports import mmio_read
from pymodel.regs import Stat
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, SEC, US
from pymodel.task import Task
from tb.cosim.library import load
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep.checker import Checker

T_co = TypeVar("T_co", covariant=True)


class Running(Protocol[T_co]):
    """A `Task` or a `Program`."""

    name: str

    @property
    def done(self) -> bool:
        """It has ended."""

    def result(self) -> T_co:
        """What it returned; raises what it raised."""


class Disagreement(AssertionError):
    """RTL and golden model differ; the text lists how."""


class RtlBench:
    """The RTL NIC (the cocotb handle `dut` of `fdw_tb`), a scheduler, and the loop that joins their clocks.

    `rtl`: knobs of the NIC's surroundings. `checker`: the lockstep comparison, None if it is off. `link` is
    set by who plugs the NIC in.
    """

    link: Link

    def __init__(self, dut: Any, *, lockstep: bool = True) -> None:
        scheduler = self.scheduler = Scheduler()
        scheduler.run_until(load().fdw_now())
        self.rtl = RtlNic(scheduler, HostMemory())
        self.rtl.drain()  # an earlier test's events
        self.rtl.reset()
        self.checker = Checker(self.rtl.memory) if lockstep else None
        self.rtl.observe(self.checker.observe if self.checker is not None else None)
        self.loop = Loop(dut, scheduler, self.rtl)

    async def run(self, program: Running[T_co], *, timeout: int = 100 * SEC) -> T_co:
        """Let simulated time pass until `program` has ended; its result, or what it raised.

        Raises SimulationTimeout after `timeout` ps.
        """
        await self.loop.run(lambda: program.done, timeout=timeout, what=program.name)
        return program.result()

    async def read(self, offset: int) -> int:
        """A register of the RTL NIC."""
        return await self.run(Task(self.scheduler, mmio_read(self.rtl, offset), "register read"), timeout=MS)

    async def check(self) -> None:
        """Check, once all programs have ended, that nothing is missing.

        Raises ProtocolViolation (AXI4, XGMII) or Disagreement (RTL against golden model).
        """
        await self._quiet()
        self.rtl.check_protocols()
        if self.checker is None:
            return
        for stat in Stat:  # read, so that the checker compares them
            await self.read(stat)
            await self.read(stat + 4)
        await self._quiet()
        self.checker.finish()
        if self.checker.mismatches:
            raise Disagreement("\n".join(str(mismatch) for mismatch in self.checker.mismatches[:20]))

    async def _quiet(self) -> None:
        """Wait for a stretch without a frame: a late one may still be held back by the link."""
        while True:
            frames = self._frames()
            await self.loop.run_for(100 * US)
            if self._frames() == frames:
                return

    def _frames(self) -> int:
        ways = [self.link.counters(direction) for direction in Direction]
        return sum(way.sent + way.delivered + way.lost for way in ways)
