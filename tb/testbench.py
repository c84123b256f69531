"""The whole test bench in one object, for a cocotb test of one's own: two hosts, of which A is on the RTL.

    @cocotb.test()
    async def my_test(dut):
        bench = await Testbench.start(dut)
        bench.b.spawn(server)
        result = await bench.run(bench.a.spawn(client))
        await bench.finish()

Programs are coroutines with `AsyncSocket`, or plain blocking functions with `import socket`.
"""

from collections.abc import Collection
from typing import Any, Protocol, TypeVar

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Direction, Impairments
from pymodel.ports import mmio_read
from pymodel.regs import Feature, Stat
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, SEC, US
from pymodel.task import Task
from pymodel.tcp.profile import LINUX, Profile
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


class Testbench:
    """Host A on the RTL NIC (the cocotb handle `dut` of `fdw_tb`), host B on a golden NIC, a link between.

    `a`, `b`, `link`: see `pymodel.host` and `pymodel.link`. `rtl`: knobs of the NIC's surroundings.
    `checker`: the lockstep comparison, None if it is off. `profile`: how both hosts' TCP behaves. `without`:
    features that A's driver does not accept. Make it with `start`.
    """

    __test__ = False  # not a class of tests, whatever its name makes pytest think

    def __init__(
        self,
        dut: Any,
        *,
        seed: int = 0,
        impairments: Impairments | None = None,
        lockstep: bool = True,
        profile: Profile = LINUX,
        without: Collection[Feature] = (),
    ) -> None:
        scheduler = self.scheduler = Scheduler()
        scheduler.run_until(load().fdw_now())
        self.rtl = RtlNic(scheduler, HostMemory())
        self.rtl.drain()  # an earlier test's events
        self.rtl.reset()
        self.checker = Checker(self.rtl.memory) if lockstep else None
        self.rtl.observe(self.checker.observe if self.checker is not None else None)
        golden = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2")
        self.world = World(
            scheduler,
            self.rtl,
            golden,
            seed=seed,
            impairments=impairments,
            profile=profile,
            without=without,
        )
        self.a, self.b, self.link = self.world.a, self.world.b, self.world.link
        self.loop = Loop(dut, scheduler, self.rtl)

    @classmethod
    async def start(cls, dut: Any, **options: Any) -> "Testbench":
        """A bench with both interfaces up. `options`: as for the class."""
        bench = cls(dut, **options)
        await bench.bring_up()
        return bench

    async def bring_up(self) -> None:
        """Probe both NICs and configure the addresses. Raises ProbeError."""
        await self.run(self.world.bring_up(), timeout=SEC)

    async def run(self, program: Running[T_co], *, timeout: int = 100 * SEC) -> T_co:
        """Let simulated time pass until `program` has ended; its result, or what it raised.

        Raises SimulationTimeout after `timeout` ps.
        """
        await self.loop.run(lambda: program.done, timeout=timeout, what=program.name)
        return program.result()

    async def read(self, offset: int) -> int:
        """A register of the RTL NIC."""
        return await self.run(Task(self.scheduler, mmio_read(self.rtl, offset), "register read"), timeout=MS)

    async def finish(self) -> None:
        """End all programs and check that nothing is missing.

        Raises ProtocolViolation (AXI4, XGMII), Disagreement (RTL against golden model), or ProgramFailed: a
        program has raised, and its result was never asked for.
        """
        self.world.power_off()
        await self._quiet()
        self.rtl.check_protocols()
        if self.checker is None:
            self.world.check_programs()
            return
        for stat in Stat:  # read, so that the checker compares them
            await self.read(stat)
            await self.read(stat + 4)
        await self._quiet()
        self.checker.finish()
        if self.checker.mismatches:
            raise Disagreement("\n".join(str(mismatch) for mismatch in self.checker.mismatches[:20]))
        self.world.check_programs()

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
