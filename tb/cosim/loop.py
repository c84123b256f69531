"""Joins the two clocks: the simulator's and the scheduler's.

Python runs only when something is due: an event at the NIC (interrupt, frame out, register read done)
or the scheduler's next deadline. In between the simulator runs alone.
"""

from collections.abc import Callable
from ctypes import string_at
from dataclasses import dataclass, field
from typing import Any

from cocotb.triggers import ValueChange

from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE, SEC, US
from tb.cosim.library import WAKE, load
from tb.cosim.rtl_nic import RtlNic

HOLD_STEP = 1 * US
"""How often (ps) is looked whether the NIC has come to rest."""


@dataclass
class _Hold:
    """The hosts stand still. `log`: what they have not heard yet."""

    cycles: int
    until: int
    then: Callable[[bool], None]
    log: bytearray = field(default_factory=bytearray)


class SimulationTimeout(Exception):
    """What was waited for did not happen within the simulated time allowed."""


class Loop:
    """Runs scheduler and simulator together. One per cocotb test; `dut` is the `fdw_tb` handle."""

    def __init__(self, dut: Any, scheduler: Scheduler, nic: RtlNic) -> None:
        self._evt = dut.evt
        self._scheduler = scheduler
        self._nic = nic
        self._lib = load()
        self._callback = WAKE(self._wake)
        self._done: Callable[[], bool] = lambda: True
        self._limit = 0
        self._running = False
        self._error: BaseException | None = None
        self._hold: _Hold | None = None
        self.on_wake: Callable[[], None] | None = None
        """Called each time Python runs, e.g. to show progress; must not touch the simulation."""
        self.pace: Callable[[Callable[[], bool]], int] | None = None
        """Decides up to which time (ps) the simulator runs alone, instead of the scheduler's next deadline.

        Its argument says whether nothing moves in the NIC. It may block: simulated time stands still then.
        """

    async def run(self, done: Callable[[], bool], *, timeout: int = 10 * SEC, what: str = "the run") -> None:
        """Run until `done()`; raise SimulationTimeout after `timeout` ps, naming `what`.

        What a callback of the scheduler raises is raised here.
        """
        if self._running:
            raise RuntimeError("the bench runs already: wait for several programs one after the other")
        self._done, self._error = done, None
        self._running = True
        self._limit = self._scheduler.now + timeout
        self._lib.fdw_on_wake(self._callback)
        try:
            self._nic.drain()
            alarm = self._wake(self._lib.fdw_now(), 0, 0)
            if alarm:
                self._lib.fdw_set_alarm(alarm)
                await ValueChange(self._evt)
        finally:
            self._lib.fdw_on_wake(WAKE())
            self._running = False
        if self._error is not None:
            raise self._error
        if not done():
            raise SimulationTimeout(f"{what} did not finish within {timeout / SEC:g} s of simulated time")

    def _wake(self, now: int, log: int, size: int) -> int:
        """One round of Python, called by the simulator inside a clock edge (`tb.cosim.library.WAKE`)."""
        scheduler = self._scheduler
        try:
            if self._hold is not None:
                if not self._rested(self._hold, now, string_at(log, size) if size else b""):
                    return now + HOLD_STEP
            elif size:
                # What the far end has done up to the last edge, before it hears what the NIC did at this one.
                # The near end's events of then have run; those since come after what the NIC did: a checker
                # is to know its DMA before the driver touches the memory.
                scheduler.run_until(now - CYCLE)
                self._nic.take(string_at(log, size))
            scheduler.run_until(now)
            if self.on_wake is not None:
                self.on_wake()
            limit = self._limit
            if self._hold is not None:
                return now + HOLD_STEP
            if scheduler.now >= limit or self._done():
                return 0
            deadline = scheduler.next_deadline() if self.pace is None else self.pace(self._quiet)
        except BaseException as error:
            # ctypes would print and swallow it; cocotb's coroutine raises it instead.
            self._error = error
            return 0
        return limit if deadline is None or deadline > limit else max(deadline, 1)

    def _quiet(self) -> bool:
        return bool(self._lib.fdw_quiet())

    def hold(self, cycles: int, patience: int, then: Callable[[bool], None]) -> None:
        """Let the hosts stand still until nothing has moved at the NIC for `cycles`, or for `patience` ps.

        `then(rested)` is called before they go on; just before it they hear what the NIC did meanwhile. To
        be called by the scheduler.
        """
        self._hold = _Hold(cycles, self._scheduler.now + patience, then)

    def _rested(self, hold: _Hold, now: int, log: bytes) -> bool:
        hold.log += log
        rested = self._lib.fdw_idle() >= hold.cycles
        if not rested and now < hold.until:
            return False
        self._hold = None
        self._nic.take(bytes(hold.log))
        hold.then(rested)
        return True

    async def run_for(self, duration: int) -> None:
        """Let `duration` ps of simulated time pass."""
        end = self._scheduler.now + duration
        passed: list[bool] = []
        self._scheduler.at(end, lambda: passed.append(True))
        await self.run(lambda: bool(passed), timeout=duration + SEC)
