"""Joins the two clocks: the simulator's and the scheduler's.

Python runs only when something is due: an event at the NIC (interrupt, frame out, register read done)
or the scheduler's next deadline. In between the simulator runs alone.
"""

from collections.abc import Callable
from typing import Any

from cocotb.triggers import ValueChange

from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from tb.cosim.library import load
from tb.cosim.rtl_nic import RtlNic


class SimulationTimeout(Exception):
    """What was waited for did not happen within the simulated time allowed."""


class Loop:
    """Runs scheduler and simulator together. One per cocotb test; `dut` is the `fdw_tb` handle."""

    def __init__(self, dut: Any, scheduler: Scheduler, nic: RtlNic) -> None:
        self._evt = dut.evt
        self._scheduler = scheduler
        self._nic = nic
        self._lib = load()
        self._lib.fdw_skip_idle(True)  # nothing here waits for a clock edge
        self.on_wake: Callable[[], None] | None = None
        """Called each time Python runs, e.g. to show progress; must not touch the simulation."""

    async def run(self, done: Callable[[], bool], *, timeout: int = 10 * SEC, what: str = "the run") -> None:
        """Run until `done()`; raise SimulationTimeout after `timeout` ps, naming `what`."""
        scheduler, lib = self._scheduler, self._lib
        limit = scheduler.now + timeout
        while True:
            self._nic.drain()
            scheduler.run_until(lib.fdw_now())
            if self.on_wake is not None:
                self.on_wake()
            if done():
                return
            if scheduler.now >= limit:
                raise SimulationTimeout(f"{what} did not finish within {timeout / SEC:g} s of simulated time")
            deadline = scheduler.next_deadline()
            lib.fdw_set_alarm(limit if deadline is None else min(deadline, limit))
            await ValueChange(self._evt)

    async def run_for(self, duration: int) -> None:
        """Let `duration` ps of simulated time pass."""
        end = self._scheduler.now + duration
        passed: list[bool] = []
        self._scheduler.at(end, lambda: passed.append(True))
        await self.run(lambda: bool(passed), timeout=duration + SEC)
