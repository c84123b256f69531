"""Watches over a cocotb test on the whole NIC, inside of the simulator: if it fails, a bundle is left.

It is armed by each bench; what a bundle says of how to repeat the test it has from who started the simulator
(`GUARD` in the environment). Without that there is none.
"""

import json
import os
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cocotb.task import Task, current_task

from pymodel.simtime import US
from tb.failure import bundle

if TYPE_CHECKING:
    from tb.rtlbench import RtlBench

GUARD: Final = "FDWIRE_GUARD"
KEEP: Final = 20 * US
"""ps of waves before a failure."""

_latest: "RtlBench | None" = None


@dataclass(frozen=True)
class Guard:
    """What the simulator is told. `directory`: of all bundles; `name`: what this one's name begins with;
    `command`, `seed`: see `bundle.Failure`. `waves`: this is the run once more, to have the waves."""

    directory: str
    name: str
    command: str
    seed: str
    waves: bool = False

    def environment(self) -> dict[str, str]:
        """For the simulator; empty if nothing is to be left (`toolchain.FAILURES`)."""
        return {} if self.directory == "off" else {GUARD: json.dumps(asdict(self))}

    def bundle(self, test: str) -> Path:
        """Where the bundle of cocotb test `test` lies."""
        return Path(self.directory) / re.sub(r"[^\w.=+-]+", "_", f"{self.name}.{test}").strip("_")

    def report(self, test: str) -> Path | None:
        """Its first page, if there is one."""
        path = self.bundle(test) / bundle.REPORT
        return path if path.is_file() else None


def arm(bench: "RtlBench") -> None:
    """From now on the running cocotb test is watched, and `bench` is what it is about."""
    global _latest
    told = os.environ.get(GUARD)
    if told is None:
        return
    guard = Guard(**json.loads(told))
    _latest = bench
    if guard.waves:
        bench.waves.keep(KEEP)
    # cocotb has no public way to hear of a test's end from within; its version is pinned.
    current_task()._add_done_callback(lambda task: _ended(task, bench, guard))


def _ended(task: Task[Any], bench: "RtlBench", guard: Guard) -> None:
    global _latest
    if bench is not _latest:
        return  # the test has made another one since
    _latest = None
    test = task.get_name().removeprefix("Test ")
    where = guard.bundle(test)
    error = None if task.cancelled() else task.exception()
    if error is None and not task.cancelled():
        if not guard.waves:
            shutil.rmtree(where, ignore_errors=True)  # of a run that failed
        return
    try:
        bundle.write(bench.failure(f"{guard.name}: {test}", guard.command, guard.seed, error), where)
    except Exception as trouble:  # the test's own failure is what counts
        print(f"no failure bundle in {where}: {trouble!r}", file=sys.stderr)
    if guard.waves:
        bench.waves.keep(0)
