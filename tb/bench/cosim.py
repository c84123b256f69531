"""Speed of the co-simulation, each figure beside its yardstick, measured in one run.

Yardstick of each kind of run: the same RTL, memory and wire driven by C++ alone through the same clock
edges. A first run leaves a script of all that Python did; the bare loop does it again without Python, with
the same frames and the same number of cycles. Absolute figures are those of this machine at this moment;
the ratios hold better. Runs alternate, and medians are taken.
"""

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from tb import toolchain
from tb.bench import bare
from tb.bench.speed_job import Job
from tb.cosim import errand
from tb.cosim.build import run_cocotb

ROUNDS = 3


@dataclass(frozen=True)
class Record:
    """One figure; `ratio` is `value` over the value of the record named `baseline` (itself: 1).

    `target`: what the ratio should be at least, if anything; `least`: the same of `value` itself.
    """

    name: str
    value: float
    unit: str
    baseline: str
    ratio: float
    target: float | None = None
    least: float | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of run: its job, and the wanted share of the bare loop's speed.

    `least`: frames each way, or bytes of payload, wanted a second; `checked`: also in lockstep.
    """

    name: str
    job: Job
    target: float
    least: float | None = None
    checked: bool = False


KINDS = (
    Kind("bulk TCP, TSO", Job("tcp", size=4 << 20), 0.75, 10e6, checked=True),
    Kind("bulk TCP, 1500 B", Job("tcp", size=2 << 20, tso=False), 0.35, 3e6),
    Kind("raw frames, 64 B", Job("raw", size=20_000, frame_bytes=64), 0.9, 60e3),
    Kind("raw frames, 1518 B", Job("raw", size=1_500, frame_bytes=1518), 0.9),
)
"""Each takes some 200,000 clock cycles or more."""

SAMPLED = "lockstep sampled"
CHECKED_TARGET = 0.5
SAMPLED_TARGET = 0.8
"""Of the speed without checker."""


def run(job: Job, where: Path, *, record: Path | None = None) -> dict[str, float]:
    """Run `job` in the simulator; what `tb.bench.speed_job` counted. `record`: a file for the run's script.

    Raises ToolMissing, BuildFailed, EndedEarly.
    """
    simulate = partial(run_cocotb, record=record)
    return errand.run("tb.bench.speed_job", asdict(job), where=where, seed=1, simulate=simulate)


def measure(say: Callable[[str], None]) -> list[Record]:
    """Run everything; `say` hears what is under way. Raises as `run` does."""
    where = toolchain.BUILD / "bench" / "speed"
    records: list[Record] = []
    for kind in KINDS:
        records += _measure(kind, where, say)
    return records


def _measure(kind: Kind, where: Path, say: Callable[[str], None]) -> list[Record]:
    script = where / "script"
    say(f"{kind.name}: a first run, recorded")
    counts = run(kind.job, where, record=script)
    ways: dict[str, Callable[[], dict[str, float]]] = {
        f"{kind.name}, bare loop": lambda: bare.replay(script),
        kind.name: lambda: run(kind.job, where),
    }
    if kind.checked:
        ways[f"{kind.name}, lockstep"] = lambda: run(replace(kind.job, lockstep=True), where)
        ways[f"{kind.name}, {SAMPLED}"] = lambda: run(replace(kind.job, sampled=True), where)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            say(f"round {number + 1} of {ROUNDS}: {name}")
            result = way()
            # For its windows a sampled run lets the hosts stand still: a few cycles more.
            if result["cycles"] != counts["cycles"] and not name.endswith(SAMPLED):
                raise RuntimeError(f"{name}: {result['cycles']} cycles instead of {counts['cycles']}")
            seconds[name].append(result["seconds"])
    for file in (script, script.with_name("script.reads")):
        file.unlink()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return _records(kind, counts, medians)


def _records(kind: Kind, counts: dict[str, float], seconds: dict[str, float]) -> list[Record]:
    """One kind's records: clock cycles, frames (the fewer of both ways) and payload a second."""
    units = {"cycles/s": counts["cycles"]}
    if kind.job.kind == "raw":
        units["frames/s each way"] = min(counts["sent"], counts["received"])
    else:
        units["payload bytes/s"] = counts["payload"]
    bare_name, plain_name, *_ = seconds
    targets = {
        plain_name: (bare_name, kind.target),
        f"{plain_name}, lockstep": (plain_name, CHECKED_TARGET),
        f"{plain_name}, {SAMPLED}": (plain_name, SAMPLED_TARGET),
    }
    records = []
    for unit, count in units.items():
        for name, took in seconds.items():
            baseline, target = targets.get(name, (bare_name, None))
            ratio = round(seconds[baseline] / took, 4)
            least = kind.least if name == plain_name and unit != "cycles/s" else None
            records.append(Record(name, round(count / took), unit, baseline, ratio, target, least))
    return records


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([asdict(record) for record in records], indent=2) + "\n"
