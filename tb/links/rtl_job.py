"""The cocotb test behind `fdwire tap` and `fdwire vhost-user` with `--nic rtl`: the RTL NIC, in lockstep."""

import socket
from typing import Any

import cocotb

from pymodel.simtime import SEC
from tb.cosim import errand
from tb.links import start, stop
from tb.links.errors import LinkError
from tb.links.options import Options
from tb.rtlbench import Disagreement, RtlBench

_FOR_EVER = 10**7 * SEC


async def _run(
    dut: Any, options: Options, streams: errand.Streams, stop_fd: int, listener: socket.socket | None
) -> int:
    bench = RtlBench(
        dut,
        lockstep=options.lockstep,
        memory=start.memory_of(options),
        queue_num_max=options.longest_ring,
    )
    session = start.session(
        bench.scheduler,
        bench.rtl,
        options,
        listener=listener,
        streams=streams,
        stop=stop_fd,
        cycles=bench.rtl.cycles,
    )
    bench.link = session.link
    further = []
    try:
        await bench.run(session.bring_up())
        await bench.run(session.start_host())
        session.start_outside()
        bench.loop.pace = session.coupling.next
        await bench.loop.run(lambda: session.over, timeout=_FOR_EVER)
        bench.loop.pace = None
        status = session.end()
        await bench.run(session.shut())
        try:
            await bench.check()
        except Disagreement as difference:
            further.append(f"RTL and golden model differ:\n{difference}")
            status = status or 1
        if bench.checker is not None:
            compared, differ = bench.checker.comparisons, len(bench.checker.mismatches)
            further.append(f"golden model       {compared:,} comparisons, {differ} mismatches")
    finally:
        session.close()
    session.report(*further)
    return status


@cocotb.test()
async def tap(dut: Any) -> None:
    """Run it, with the command's own streams, and leave its exit status."""
    stop.overheard()
    with errand.received() as job:
        options = Options.from_json(job.given)
        stop_fd, *listening = job.descriptors
        listener = socket.socket(fileno=listening[0]) if listening else None
        try:
            job.outcome["status"] = await _run(dut, options, job.streams, stop_fd, listener)
        except LinkError as error:
            job.outcome["error"] = str(error)
