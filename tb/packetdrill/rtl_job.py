"""The cocotb test behind `fdwire packetdrill --nic rtl`: every script of the job, one after the other."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.task import Task
from pymodel.tcp import PROFILES
from tb.cosim.library import load
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.packetdrill import rtl
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.parser import parse
from tb.packetdrill.runner import Runner
from tb.packetdrill.session import Verdict, configure, defined, judge
from tb.packetdrill.simulated import SimulatedMachine

_LIMIT = 100_000 * SEC


async def _run(dut: Any, text: str, options: dict[str, str], profile: str, directory: Path) -> Verdict:
    try:
        script = parse(defined(text, options))
        config = configure(script, options, directory)
    except ScriptError as error:
        return Verdict(False, error.message, error.line)
    scheduler = Scheduler()
    scheduler.run_until(load().fdw_now())
    nic = RtlNic(scheduler, HostMemory())
    nic.drain()  # an earlier script's events
    nic.reset()
    loop = Loop(dut, scheduler, nic)
    machine = SimulatedMachine(scheduler, nic, config, replace(PROFILES[profile]))
    runner = Runner(script, config, machine)
    task = Task(scheduler, runner.run(), "script")
    try:
        await loop.run(lambda: task.done, timeout=_LIMIT, what="the script")
    finally:
        machine.stop()
    nic.check_protocols()
    return judge(runner, task)


@cocotb.test()
async def scripts(dut: Any) -> None:
    """Every script of the job file; a line of results for each."""
    where = Path(os.environ[rtl.ENVIRONMENT])
    job = json.loads((where / rtl.JOB).read_text())
    with (where / rtl.RESULTS).open("w") as results:
        for file in job["files"]:
            try:
                text = Path(file).read_text(encoding="utf-8", errors="surrogateescape")
            except OSError as error:
                verdict = Verdict(False, f"cannot be read: {error.strerror}")
            else:
                verdict = await _run(dut, text, job["options"], job["profile"], Path(file).parent)
            results.write(rtl.to_line(verdict))
            results.flush()
