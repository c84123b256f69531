"""The cocotb test behind `fdwire run --nic rtl`: the program, with host A on the RTL NIC, in lockstep."""

import sys
from typing import Any

import cocotb

from pymodel.simtime import MS, SEC
from tb.cosim import errand
from tb.cosim.loop import SimulationTimeout
from tb.run.command import DEADLOCK_STATUS, Settings, show_sockets, start, status_of, stuck
from tb.run.words import Words
from tb.testbench import Disagreement, Testbench

_FOR_EVER = 10**9 * SEC
_WATCH = 10 * MS


async def _run(bench: Testbench, words: Words, settings: Settings) -> int:
    program = start(bench.world, words, settings)
    limit = _FOR_EVER if settings.limit is None else round(settings.limit * SEC)

    stalled = 0

    def watch() -> None:
        # The NIC has no timers: where nobody has one for so long, nothing can happen any more.
        nonlocal stalled
        stalled = stalled + 1 if bench.scheduler.next_deadline() is None else 0
        bench.scheduler.after(_WATCH, watch)

    def over() -> bool:
        return program.done or stalled > 1

    watch()
    status = None
    try:
        await bench.loop.run(over, timeout=limit, what="the program")
        if not program.done:
            print(stuck(bench.world, program, "deadlock"), file=sys.stderr)
            status = DEADLOCK_STATUS
    except SimulationTimeout:
        why = f"not done within {settings.limit:g} s"
        print(stuck(bench.world, program, why), file=sys.stderr)
        status = DEADLOCK_STATUS
    if settings.sockets:
        show_sockets(bench.world)
    bench.world.power_off()
    if status is None:
        status = status_of(program)
    try:
        await bench.finish()
    except Disagreement as difference:
        print(f"fdwire: RTL and golden model differ:\n{difference}", file=sys.stderr)
        status = status or 1
    return status


@cocotb.test()
async def program(dut: Any) -> None:
    """Run it, with the command's own streams, and leave its exit status."""
    with errand.received() as job:
        kind, target, arguments = job.given["words"]
        settings = Settings(**job.given["settings"])
        bench = await Testbench.start(dut, seed=settings.seed)
        job.outcome["status"] = await _run(bench, Words(kind, target, tuple(arguments)), settings)
