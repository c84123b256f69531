"""The cocotb test behind the comparison of the two attachments: raw frames, both ways at once."""

import time
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb.utils import get_sim_time

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE, US
from pymodel.task import Task
from tb.bench.raw import BATCH, Exchange, frames_of
from tb.buses.loop import BusLoop
from tb.buses.nic import BusNic
from tb.cosim import errand
from tb.rtlbench import RtlBench


@dataclass(frozen=True)
class Job:
    """`size` frames each way of `frame_bytes`, FCS included (0: of any length), drawn from `seed`.

    `attachment`: cpp or buses.
    """

    attachment: str
    size: int
    frame_bytes: int = 64
    seed: int = 1


class _Stopwatch:
    """Wall seconds, cycles and frames between two moments."""

    def __init__(self) -> None:
        self.exchange: Exchange
        self.figures: dict[str, float] = {}

    def begin(self) -> None:
        self._from = time.perf_counter(), get_sim_time("ps"), self.exchange.done

    def end(self) -> None:
        began, since, before = self._from
        self.figures = {
            "seconds": time.perf_counter() - began,
            "cycles": (get_sim_time("ps") - since) / CYCLE,
            "frames": self.exchange.done - before,
        }


@cocotb.test()
async def exchange(dut: Any) -> None:
    """Run the job that is given."""
    with errand.received() as mine:
        mine.outcome |= await _exchange(dut, Job(**mine.given))


async def _exchange(dut: Any, job: Job) -> dict[str, Any]:
    frames = frames_of(job.seed, min(job.size, 4 * BATCH), job.frame_bytes)
    watch = _Stopwatch()
    if job.attachment == "cpp":
        bench = RtlBench(dut, lockstep=False)
        watch.exchange = Exchange(bench.rtl, bench.scheduler, frames, job.size)
        await bench.run(Task(bench.scheduler, watch.exchange.start(), "start of the NIC"))
        await bench.run(Task(bench.scheduler, watch.exchange.pump(watch.begin, watch.end), "raw frames"))
        bench.rtl.check_protocols()
    else:
        await _between_buses(dut, job, frames, watch)
    return {**watch.figures, "digest": watch.exchange.digest()}


async def _between_buses(dut: Any, job: Job, frames: list[bytes], watch: _Stopwatch) -> None:
    Clock(dut.clk, CYCLE, "ps").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    scheduler = Scheduler()
    scheduler.run_until(int(get_sim_time("ps")))
    nic = BusNic(dut, scheduler, HostMemory())
    nic.bus.latency = 32
    nic.reset()
    nic.set_link(True)
    loop = BusLoop(scheduler, nic)
    watch.exchange = Exchange(nic, scheduler, frames, job.size)
    for program in (watch.exchange.start(), watch.exchange.pump(watch.begin, watch.end)):
        task = Task(scheduler, program, "raw frames")
        while not task.done:
            await loop.run_for(10 * US)
        task.result()
