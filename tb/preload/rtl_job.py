"""The cocotb test behind `fdwire run --nic rtl -- PROGRAM`: host A on the RTL NIC, in lockstep."""

import sys
from typing import Any

import cocotb

from pymodel.simtime import SEC
from tb.cosim import errand
from tb.links import stop
from tb.preload.options import Options
from tb.preload.session import Session
from tb.run.command import show_sockets
from tb.testbench import Disagreement, Testbench

_FOR_EVER = 10**7 * SEC


async def _run(dut: Any, options: Options, streams: errand.Streams, stop_fd: int) -> int:
    bench = await Testbench.start(dut, seed=options.seed)
    session = Session(bench.world, options, streams=streams, stop=stop_fd)
    try:
        session.start()
        bench.loop.pace = session.coupling.next
        await bench.loop.run(lambda: session.over, timeout=_FOR_EVER)
        bench.loop.pace = None
        status = session.end()
        if options.sockets:
            show_sockets(bench.world)
    finally:
        session.close()
    try:
        await bench.finish()
    except Disagreement as difference:
        print(f"fdwire: RTL and golden model differ:\n{difference}", file=sys.stderr)
        status = status or 1
    return status


@cocotb.test()
async def programs(dut: Any) -> None:
    """Run them, with the command's own streams, and leave the exit status."""
    stop.overheard()
    with errand.received() as job:
        job.outcome["status"] = await _run(dut, Options.from_json(job.given), job.streams, *job.descriptors)
