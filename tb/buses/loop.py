"""Joins the simulator's clock and the scheduler's, for the Python bus models."""

from cocotb.triggers import Event, First, Timer
from cocotb.utils import get_sim_time

from pymodel.scheduler import Scheduler
from tb.buses.nic import BusNic


class BusLoop:
    """One per cocotb test: the scheduler's events happen at their time, in between those of `nic`."""

    def __init__(self, scheduler: Scheduler, nic: BusNic) -> None:
        self._scheduler = scheduler
        self._again = Event()
        nic.on_event = self._again.set

    async def run_for(self, duration: int) -> None:
        """Let `duration` ps of simulated time pass."""
        scheduler = self._scheduler
        end = scheduler.now + duration
        while scheduler.now < end:
            deadline = scheduler.next_deadline()
            until = end if deadline is None else min(deadline, end)
            self._again.clear()
            if (wait := until - int(get_sim_time("ps"))) > 0:
                await First(Timer(wait, "ps"), self._again.wait())
            scheduler.run_until(min(int(get_sim_time("ps")), end))
