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
from typing import Any

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Impairments
from pymodel.regs import Feature
from pymodel.simtime import SEC
from pymodel.socket import ss
from pymodel.tcp.profile import LINUX, Profile
from tb.lockstep.sampled import Sampling
from tb.rtlbench import Disagreement, RtlBench, Running

__all__ = ["Disagreement", "Running", "Testbench"]


class Testbench(RtlBench):
    """Host A on the RTL NIC (the cocotb handle `dut` of `fdw_tb`), host B on a golden NIC, a link between.

    `a`, `b`, `link`: see `pymodel.host` and `pymodel.link`. `rtl`: knobs of the NIC's surroundings.
    `checker`: the lockstep comparison, None if it is off; `sampling`: compare only now and then.
    `profile`: how both hosts' TCP behaves. `without`: features that A's driver does not accept. `iommu`: both
    NICs reach only what their drivers have mapped. Make it with `start`.
    """

    __test__ = False  # not a class of tests, whatever its name makes pytest think

    def __init__(
        self,
        dut: Any,
        *,
        seed: int = 0,
        impairments: Impairments | None = None,
        lockstep: bool = True,
        iommu: bool = False,
        sampling: Sampling | None = None,
        profile: Profile = LINUX,
        without: Collection[Feature] = (),
    ) -> None:
        super().__init__(dut, lockstep=lockstep, iommu=iommu, sampling=sampling)
        golden = GoldenNic(self.scheduler.far, HostMemory(iommu=iommu), mac=b"\x02\0\0\0\0\2")
        self.world = World(
            self.scheduler,
            self.rtl,
            golden,
            seed=seed,
            impairments=impairments,
            profile=profile,
            without=without,
            far=self.scheduler.far,
        )
        self.a, self.b, self.link = self.world.a, self.world.b, self.world.link
        self.scheduler.lookahead = lambda: self.link.delay + golden.reaction
        self.a.device.on_available = self.rtl.recorder.available

    @classmethod
    async def start(cls, dut: Any, **options: Any) -> "Testbench":
        """A bench with both interfaces up. `options`: as for the class."""
        bench = cls(dut, **options)
        await bench.bring_up()
        return bench

    async def bring_up(self) -> None:
        """Probe both NICs and configure the addresses. Raises ProbeError."""
        await self.run(self.world.bring_up(), timeout=SEC)

    def sockets(self) -> str:
        """Both hosts' sockets, as ss(8) shows them."""
        return ss.table(self.a.kernel, self.b.kernel)

    async def finish(self) -> None:
        """End all programs and check that nothing is missing.

        Raises ProtocolViolation (AXI4, XGMII), UnexpectedFault (an IOMMU's), Disagreement (RTL against golden
        model), or ProgramFailed: a program has raised, and its result was never asked for.
        """
        self.world.power_off()
        await self.check()
        if self.world.b.memory.iommu is not None:
            self.world.b.memory.iommu.check()
        self.world.check_programs()
