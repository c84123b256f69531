"""`fdwire run --python …`: the program on host A, over golden NICs here or over the RTL in a simulator."""

import sys
import traceback
from dataclasses import dataclass
from typing import Any

from pymodel.host import World
from pymodel.simtime import SEC
from pymodel.socket import Program, run_code, run_module, run_script
from pymodel.socket.ss import table
from pymodel.socket.waits import blocked
from tb.run.words import Words

RUNNERS = {"script": run_script, "module": run_module, "code": run_code}

_OURS = ("/pymodel/", "/tb/run/", "<frozen runpy>")

DEADLOCK_STATUS = 75
"""Exit status when nothing can happen any more, or the time allowed is over (EX_TEMPFAIL of sysexits.h)."""


@dataclass(frozen=True)
class Settings:
    """Options of the command. `limit`: seconds of simulated time that the program may take, or None."""

    nic: str = "golden"
    host: str = "a"
    seed: int = 1
    limit: float | None = None
    sockets: bool = False


def start(world: World, words: Words, settings: Settings) -> Program[Any]:
    """Start the program on the host that `settings` names."""
    host = world.a if settings.host == "a" else world.b
    host.kernel.accelerators = True
    return host.spawn(RUNNERS[words.kind], words.target, *words.arguments, name=words.name)


def stuck(world: World, program: Program[Any], why: str) -> str:
    """The sentence about a program that will never end."""
    waiting = "; ".join(blocked(program.process)) or "nobody"
    return f"fdwire: {why} at {world.scheduler.now / SEC:.6f} s of simulated time: {waiting}"


def show_sockets(world: World) -> None:
    """The sockets of both hosts, as ss(8) prints them, on standard error."""
    print(table(world.a.kernel, world.b.kernel), file=sys.stderr)


def status_of(program: Program[Any]) -> int:
    """The exit status of a program that has ended, as Python's; a traceback goes to standard error."""
    try:
        program.result()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return int(stop.code or 0)
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException as failure:
        frames = traceback.extract_tb(failure.__traceback__)
        inside = [f for f in frames if not any(part in f.filename for part in _OURS)]
        told = traceback.TracebackException.from_exception(failure)
        told.stack = traceback.StackSummary.from_list(inside or frames)
        print("".join(told.format()), end="", file=sys.stderr)
        return 1
    return 0


def run_golden(words: Words, settings: Settings) -> int:
    """Run the program over golden NICs; its exit status."""
    world = World.golden(seed=settings.seed)
    world.start()
    scheduler = world.scheduler
    limit = None if settings.limit is None else scheduler.now + round(settings.limit * SEC)
    program = start(world, words, settings)
    status = None
    try:
        while not program.done:
            deadline = scheduler.next_deadline()
            if deadline is None:
                status = _complain(stuck(world, program, "deadlock"))
                break
            if limit is not None and deadline > limit:
                status = _complain(stuck(world, program, f"not done within {settings.limit:g} s"))
                break
            scheduler.step()
        if settings.sockets:
            show_sockets(world)
    finally:
        world.power_off()
    sys.stdout.flush()
    return status_of(program) if status is None else status


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return DEADLOCK_STATUS


def run(words: Words, settings: Settings) -> int:
    """Run the program; its exit status, or `DEADLOCK_STATUS`."""
    if settings.nic == "golden":
        return run_golden(words, settings)
    from tb.run import rtl

    return rtl.run(words, settings)
