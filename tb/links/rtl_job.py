"""The cocotb test behind `fdwire tap --nic rtl`: the host on the RTL NIC, in lockstep."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import cocotb

from pymodel.simtime import SEC
from tb import handover
from tb.links import stop
from tb.links.errors import LinkError
from tb.links.options import ENVIRONMENT, Options
from tb.links.session import Session
from tb.rtlbench import Disagreement, RtlBench

_FOR_EVER = 10**7 * SEC


async def _run(dut: Any, options: Options, streams: Any, stop_fd: int) -> int:
    bench = RtlBench(dut, lockstep=options.lockstep)
    session = Session(
        bench.scheduler, bench.rtl, options, streams=streams, stop=stop_fd, cycles=bench.rtl.cycles
    )
    bench.link = session.link
    further = []
    try:
        await bench.run(session.bring_up())
        await bench.run(session.start_host())
        session.start_namespace()
        bench.loop.pace = session.coupling.next
        await bench.loop.run(lambda: session.over, timeout=_FOR_EVER)
        bench.loop.pace = None
        status = session.end()
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
    job = json.loads(os.environ[ENVIRONMENT])
    stop.overheard()
    *standard, stop_fd = handover.take(job["descriptors"], 4)
    os.chdir(job["directory"])
    sys.path[:] = job["path"]
    before = sys.stdout, sys.stderr
    streams = [open(fd, mode, buffering=1) for fd, mode in zip(standard, "rww", strict=True)]  # noqa: SIM115
    sys.stdout, sys.stderr = streams[1:]
    try:
        told: dict[str, Any] = {
            "status": await _run(dut, Options.from_json(job["options"]), streams, stop_fd)
        }
    except LinkError as error:
        told = {"error": str(error)}
    finally:
        sys.stdout, sys.stderr = before
        for stream in streams:
            stream.close()
    Path(job["result"]).write_text(json.dumps(told))
