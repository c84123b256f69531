"""Rounds of the campaign against the RTL in lockstep, in the simulator.

FDWIRE_SEED and FDWIRE_ROUNDS (first-end) choose them, FDWIRE_FRAMES how many frames a round has.
"""

import gc
import os
import time
from typing import Any

import cocotb
from campaign_bench import Bench
from campaign_rounds import play, report

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.task import Task
from tb.cosim.library import load
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep.checker import Checker
from tb.memory_settings import MemorySettings

SEED = int(os.environ["FDWIRE_SEED"])
FIRST, END = (int(n) for n in os.environ["FDWIRE_ROUNDS"].split("-"))
FRAMES = int(os.environ["FDWIRE_FRAMES"])


class Rough:
    """The surroundings of the RTL: everything can be changed."""

    any_mtu = True
    blind: frozenset[str] = frozenset()

    def __init__(self, nic: RtlNic) -> None:
        self._nic = nic

    def rough(self, memory: MemorySettings, gap: int) -> None:
        self._nic.configure_memory(memory)
        self._nic.wire_gap(gap)

    def fail_nth(self, nth: int, *, write: bool, response: int) -> bool:
        self._nic.fail_nth(nth, write=write, response=response)
        return True

    def play_words(self, words: list[tuple[int, int]]) -> bool:
        self._nic.play_words(words)
        return True

    def check(self) -> None:
        self._nic.drain()
        self._nic.check_protocols()


def rtl_bench(dut: Any) -> tuple[Bench, Loop]:
    """A bench around the RTL, just out of reset, and the loop that runs it."""
    gc.collect()  # an earlier round: much memory, but few objects for the collector to hurry for
    scheduler = Scheduler()
    scheduler.run_until(load().fdw_now())
    nic = RtlNic(scheduler, HostMemory(256 << 20))
    checker = Checker(nic.memory)
    nic.drain()  # what an earlier round left in the log
    nic.observe(checker.observe)
    nic.configure_memory(MemorySettings())  # a round must be the same alone as behind others
    nic.wire_gap(12)
    nic.reset()
    nic.set_link(True)
    return Bench(scheduler, nic, checker, Rough(nic)), Loop(dut, scheduler, nic)


@cocotb.test()
@cocotb.parametrize(number=range(FIRST, END))
async def round_(dut: Any, number: int) -> None:
    again = (
        f"FDWIRE_SEED={SEED} FDWIRE_ROUNDS={number}-{number + 1} "
        "make test PYTEST_ARGS='tests/campaign/test_campaign_rtl.py -k 20000'"
    )
    bench, loop = rtl_bench(dut)
    task = Task(bench.scheduler, play(bench, SEED, number, FRAMES), "the campaign")
    began = time.monotonic()
    try:
        await loop.run(lambda: task.done, timeout=SEC, what="the campaign")
        driver = task.result()
    except BaseException as error:
        print(f"to run it again: {again}", report(bench, error), sep="\n")
        raise
    took = time.monotonic() - began
    print(f"round {number}: {driver.frames} frames, {bench.checker.comparisons} comparisons, {took:.1f} s")
