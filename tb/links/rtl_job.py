"""The cocotb test behind `fdwire tap` and `fdwire vhost-user` with `--nic rtl`: the RTL NIC, in lockstep."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import cocotb

from pymodel.simtime import SEC
from tb import handover
from tb.links import start, stop
from tb.links.errors import LinkError
from tb.links.options import ENVIRONMENT, Options
from tb.links.session import Streams
from tb.rtlbench import Disagreement, RtlBench

_FOR_EVER = 10**7 * SEC


async def _run(
    dut: Any, options: Options, streams: Streams, stop_fd: int, listener: socket.socket | None
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
    job = json.loads(os.environ[ENVIRONMENT])
    stop.overheard()
    *standard, stop_fd = (fds := handover.take(job["descriptors"], job["count"]))[:4]
    listener = socket.socket(fileno=fds[4]) if fds[4:] else None
    os.chdir(job["directory"])
    sys.path[:] = job["path"]
    before = sys.stdout, sys.stderr
    source, out, err = (open(fd, mode, buffering=1) for fd, mode in zip(standard, "rww", strict=True))  # noqa: SIM115
    sys.stdout, sys.stderr = out, err
    try:
        options = Options.from_json(job["options"])
        told: dict[str, Any] = {"status": await _run(dut, options, (source, out, err), stop_fd, listener)}
    except LinkError as error:
        told = {"error": str(error)}
    finally:
        sys.stdout, sys.stderr = before
        for stream in (source, out, err):
            stream.close()
    Path(job["result"]).write_text(json.dumps(told))
