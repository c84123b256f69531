"""One run of one configuration with one seed: what it is, running it, what came out."""

import contextlib
import functools
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tb import coverage, toolchain

RUNS = toolchain.BUILD / "regress"
"""Each job runs in a directory of its own below it; those of jobs that failed are kept."""
_SOURCES = ("rtl", "tb", "pymodel", "tests", "pyproject.toml")
_running: set[int] = set()
"""Process groups of the jobs that run in this process."""
_TAIL = 12
"""Lines of a failed job's output that are carried to the table."""


@dataclass(frozen=True)
class Job:
    """`command` (its first word may be "python": this environment's) run with `seed` as FDWIRE_SEED.

    ``{seed}`` and ``{out}`` in its words are filled in; `frames`: how many it asks for, if `out` says no more
    in summary.json. `limit`: seconds. `sources`: what `fingerprint` said where the list was made.
    """

    configuration: str
    seed: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    frames: int = 0
    limit: float = 1800
    sources: str = ""

    @property
    def name(self) -> str:
        """Unique in a list."""
        return f"{self.configuration}-{self.seed}"

    def words(self, out: str) -> list[str]:
        """The command with everything filled in."""
        return [word.replace("{seed}", str(self.seed)).replace("{out}", out) for word in self.command]

    def variables(self) -> dict[str, str]:
        """What its environment has beside the usual."""
        return {"FDWIRE_SEED": str(self.seed), **self.environment}

    def repeat(self) -> str:
        """The one command that runs it again, in the project's directory."""
        words = self.words(f"build/regress/{self.name}")
        if words[0] == "python":
            words[0] = ".venv/bin/python"
        return " ".join([*(f"{k}={shlex.quote(v)}" for k, v in self.variables().items()), shlex.join(words)])


@dataclass(frozen=True)
class Outcome:
    """`passed`, or why not in `said` (the end of its output); `counts`: points of the RTL reached."""

    job: Job
    passed: bool
    said: str = ""
    seconds: float = 0.0
    frames: int = 0
    counts: Counter[coverage.Point] = field(default_factory=Counter)


@functools.cache
def fingerprint() -> str:
    """Of the sources here: a worker whose own differ must not run the job."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        top = toolchain.ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(toolchain.ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def run(job: Job, count: bool) -> Outcome:
    """Run `job` to its end, or its limit, and say what came out; `count` coverage. Raises nothing of its own.

    It may run twice (a worker that died), even at once: no two runs share a directory.
    """
    if job.sources and job.sources != fingerprint():
        return Outcome(job, False, "the worker's sources are not those of the job list: update its clone")
    out = RUNS / f"{job.name}-{uuid.uuid4().hex[:8]}"
    out.mkdir(parents=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COCOTB_"))}
    environment |= {"FDWIRE_RUNS": str(out), "FDWIRE_FAILURES": str(out / "failures"), **job.variables()}
    environment.pop(coverage.VARIABLE, None)
    if count:
        environment[coverage.VARIABLE] = str(out / "coverage")
    words = job.words(str(out))
    if words[0] == "python":
        words[0] = sys.executable
    began = time.monotonic()
    status = _run(words, environment, out / "output.log", job.limit)
    seconds = time.monotonic() - began
    counts = coverage.read(sorted(out.glob("coverage/*.dat")), toolchain.RTL) if count else Counter()
    shutil.rmtree(out / "coverage", ignore_errors=True)
    frames = _frames(out / "summary.json", job.frames)
    if status == 0:
        shutil.rmtree(out)
        return Outcome(job, True, "", seconds, frames, counts)
    lines = (out / "output.log").read_text(errors="replace").splitlines()
    why = f"no end within {job.limit:g} s" if status is None else f"exit status {status}"
    said = "\n".join([f"{why}; what it left is in {out}", *lines[-_TAIL:]])
    return Outcome(job, False, said, seconds, frames, counts)


def _run(words: list[str], environment: dict[str, str], log: Path, limit: float) -> int | None:
    """The exit status, or None at the limit; whatever it had started ends with it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=toolchain.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _running.add(process.pid)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # What is left of its session: all of it, or what it forgot.
            _end(process.pid)
            _running.discard(process.pid)
            process.wait()


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def stop() -> None:
    """End every job that runs in this process, with all that it has started; each then has failed."""
    for group in list(_running):
        _end(group)


def _frames(summary: Path, asked: int) -> int:
    if not summary.is_file():
        return asked
    told = json.loads(summary.read_text())
    return int(told["frames_a_to_b"]) + int(told["frames_b_to_a"])
