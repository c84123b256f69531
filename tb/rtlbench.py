"""One RTL NIC in lockstep, with the loop that runs it: what every test bench of the whole NIC has."""

from pathlib import Path
from typing import Any, Protocol, TypeVar

from pymodel.hostmem import HostMemory
from pymodel.link import Direction, Link
from pymodel.ports import mmio_read
from pymodel.regs import Stat
from pymodel.simtime import MS, SEC, US
from pymodel.task import Task
from tb.cosim.library import load
from tb.cosim.lookahead import Lookahead
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import ProtocolViolation, RtlNic
from tb.cosim.waves import WaveRecorder
from tb.failure import guard
from tb.failure.bundle import Failure
from tb.lockstep.checker import Checker
from tb.lockstep.sampled import Sampler, Sampling
from tb.lockstep.tally import Mismatch

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

    `rtl`: knobs of the NIC's surroundings. `checker`: the lockstep comparison, None if it is off or, with
    `sampling`, works only now and then (`sampler`). With `iommu` the
    NIC reaches only what its driver has mapped (`rtl.memory.iommu`). `memory`: what it reaches instead of
    new memory. `queue_num_max`: the parameter with which it was built. `waves`: see `tb.cosim.waves`; when
    they are kept ready, those before the first mismatch go to a file, `mismatch_waves`. `link` is set by who
    plugs the NIC in.
    """

    link: Link

    def __init__(
        self,
        dut: Any,
        *,
        lockstep: bool = True,
        iommu: bool = False,
        sampling: Sampling | None = None,
        memory: HostMemory | None = None,
        queue_num_max: int = 256,
    ) -> None:
        scheduler = self.scheduler = Lookahead()
        scheduler.run_until(load().fdw_now())
        self.rtl = RtlNic(scheduler, HostMemory(iommu=iommu) if memory is None else memory)
        self.rtl.drain()  # an earlier test's events
        self.rtl.recorder.forget()
        self.rtl.reset()
        self.checker: Checker | None = None
        if lockstep and sampling is None:
            self.checker = Checker(self.rtl.memory, queue_num_max=queue_num_max)
        self.waves = WaveRecorder(scheduler)
        self.mismatch_waves: Path | None = None
        if self.checker is not None:
            self.checker.tally.on_first = self._first_mismatch
        self.rtl.observe(self.checker.observe if self.checker is not None else None)
        self.loop = Loop(dut, scheduler, self.rtl)
        self.sampler: Sampler | None = None
        if sampling is not None:
            self.sampler = Sampler(scheduler, self.loop, self.rtl, sampling)
            self.sampler.tally.on_first = self._first_mismatch
        self._sockets = ""
        guard.arm(self)

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

        Raises ProtocolViolation (AXI4, XGMII), UnexpectedFault (the IOMMU's, if any is left in its `faults`)
        or Disagreement (RTL against golden model).
        """
        await self._quiet()
        if self.rtl.memory.iommu is not None:
            self.rtl.memory.iommu.check()
        if self.sampler is not None:
            self.sampler.close()
            self._agree(self.sampler.mismatches)
        if self.checker is None:
            self.rtl.check_protocols()
            return
        for stat in Stat:  # read, so that the checker compares them
            await self.read(stat)
            await self.read(stat + 4)
        await self._quiet()
        self.checker.finish()
        self._agree(self.checker.mismatches)
        self.rtl.check_protocols()  # last: what the checker says has the words for it

    def _agree(self, mismatches: list[Mismatch]) -> None:
        """Raise Disagreement if there are any."""
        if mismatches:
            found = [str(mismatch) for mismatch in mismatches[:20]]
            if self.mismatch_waves is not None:
                found.append(f"the waves before the first one: {self.mismatch_waves}")
            raise Disagreement("\n".join(found))

    def _first_mismatch(self) -> None:
        self._sockets = self.sockets()
        if self.waves.span:
            self.mismatch_waves = self.waves.show("mismatch")

    def sockets(self) -> str:
        """The hosts' sockets, as a table; empty if there are none."""
        return ""

    def failure(self, test: str, command: str, seed: str, error: BaseException | None) -> Failure:
        """What is known of the failure of `test` at this moment; the others: see `Failure`."""
        mismatches = [] if self.checker is None else self.checker.mismatches
        notes = []
        if self.sampler is not None:
            mismatches = self.sampler.mismatches
            notes.append("Compared is only now and then (sampling): DMA between the windows was not logged.")
        if mismatches and error is not None and not isinstance(error, Disagreement | ProtocolViolation):
            notes.append(f"The test itself ended with {type(error).__name__}: {error}".splitlines()[0])
        if self.waves.span and self.mismatch_waves is None:
            self.mismatch_waves = self.waves.show("failure")
        return Failure(
            test=test,
            command=command,
            seed=seed,
            error=error,
            now=self.rtl.now(),
            recording=self.rtl.recording(),
            mismatches=mismatches,
            observed=self.checker is not None or self.sampler is not None,
            sockets=self._sockets or self.sockets(),
            waves=self.mismatch_waves,
            notes=notes,
        )

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
