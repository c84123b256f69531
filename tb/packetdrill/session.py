"""One script, from its text to its verdict, on a simulated host with a golden NIC."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.task import Task
from pymodel.tcp.profile import PROFILES
from tb.packetdrill import config as options
from tb.packetdrill.config import Config
from tb.packetdrill.errors import ScriptError, ScriptFailure
from tb.packetdrill.parser import parse
from tb.packetdrill.runner import Runner
from tb.packetdrill.simulated import SimulatedMachine
from tb.packetdrill.syntax import Script

DEFINE: Final = "define "
"""Before a name that the command line defines, among the options."""
DEFINED: Final = {
    DEFINE + "TFO_COOKIE_ZERO": "b7c12350a90dc8f5",
    DEFINE + "TFO_COOKIE": "3021b9d889017eeb",
    DEFINE + "CMSG_LEVEL_IP": "SOL_IP",
    DEFINE + "CMSG_TYPE_RECVERR": "IP_RECVERR",
}
"""Names that scripts for Linux use and their runner defines: the Fast Open cookies of the default addresses
under a key of zeros and under that of `settings.DEFAULTS`, and what depends on the version of IP."""
_LIMIT: Final = 100_000 * SEC


@dataclass(frozen=True)
class Verdict:
    """How a script ended. `reason` is empty when it passed; `line` is 0 where none is to blame."""

    passed: bool
    reason: str = ""
    line: int = 0
    log: tuple[str, ...] = ()


def configure(script: Script, command_line: dict[str, str], directory: Path | None = None) -> Config:
    """The options of `script`, overridden by those of the command line. Raises ScriptError."""
    config = Config(directory=directory)
    for name, value, line in script.options:
        options.apply(config, name, value, line)
    for name, value in command_line.items():
        if not name.startswith(DEFINE):
            options.apply(config, name, value)
    return config


def defined(text: str, command_line: dict[str, str]) -> str:
    """`text` with every name that the command line defines (`-D NAME=VALUE`), or `DEFINED`, replaced."""
    for name, value in {**DEFINED, **command_line}.items():
        if name.startswith(DEFINE):
            escaped = value.replace("\\", r"\\")
            text = re.sub(rf"\b{re.escape(name.removeprefix(DEFINE))}\b", escaped, text)
    return text


def run_golden(
    text: str,
    command_line: dict[str, str] | None = None,
    profile: str = "linux",
    directory: Path | None = None,
) -> Verdict:
    """Run the script in `text`, which lies in `directory`, over the golden NIC."""
    try:
        script = parse(defined(text, command_line or {}))
        config = configure(script, command_line or {}, directory)
    except ScriptError as error:
        return Verdict(False, error.message, error.line)
    scheduler = Scheduler()
    nic = GoldenNic(scheduler, HostMemory())
    machine = SimulatedMachine(scheduler, nic, config, replace(PROFILES[profile]))
    runner = Runner(script, config, machine)
    if config.dry_run:
        return Verdict(True)
    task = Task(scheduler, runner.run(), "script")
    try:
        while not task.done:
            if not scheduler.step():
                return Verdict(False, "nothing can happen any more", 0, tuple(runner.log))
    finally:
        machine.stop()
    return judge(runner, task)


def judge(runner: Runner, task: Task[None]) -> Verdict:
    """The verdict of a run that has ended."""
    try:
        task.result()
    except (ScriptFailure, ScriptError) as error:
        return Verdict(False, error.message, error.line, tuple(runner.log))
    return Verdict(True, log=tuple(runner.log))
