"""Speed of the co-simulation, each figure beside its yardstick, measured in one run.

Yardstick: the same RTL, memory and wire driven by C++ alone (tb/cpp/bare_main.cpp). Absolute figures are
those of this machine at this moment; the ratios hold better. Runs alternate, and medians are taken.
"""

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tb import toolchain
from tb.bench import bare
from tb.cosim.build import run_cocotb
from tb.sim.options import ENVIRONMENT, Options

ROUNDS = 3
BARE_CYCLES = 600_000
SMALL, LARGE = 64, 1518
"""Frame sizes of the bare loop, bytes with FCS."""


@dataclass(frozen=True)
class Record:
    """One figure; `ratio` is `value` over the value of the record named `baseline` (itself: 1)."""

    name: str
    value: float
    unit: str
    baseline: str
    ratio: float


def _job(where: Path, *, lockstep: bool) -> dict[str, float]:
    options = Options(out=str(where), blob=2 << 20, lockstep=lockstep)
    file = where / "summary.json"
    file.unlink(missing_ok=True)
    run_cocotb("tb.sim.job", where=where, environment={ENVIRONMENT: options.to_json()}, seed=1)
    summary = json.loads(file.read_text()) if file.is_file() else {"ok": False}
    if not summary["ok"]:
        raise RuntimeError(f"the run to be measured failed; its log is {where / 'simulation.log'}")
    frames = summary["frames_a_to_b"] + summary["frames_b_to_a"]
    return {"cycles": summary["cycles"], "frames": frames, "seconds": summary["wall_seconds"]}


def measure(say: Callable[[str], None]) -> list[Record]:
    """Run everything; `say` hears what is under way.

    Raises ToolMissing or BuildFailed, and RuntimeError when the main job did not succeed.
    """
    where = toolchain.BUILD / "bench" / "job"
    where.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Callable[[], dict[str, float]]] = {
        f"bare loop, {LARGE} B": lambda: bare.rate(bare.Setup(LARGE), BARE_CYCLES),
        f"bare loop, {SMALL} B": lambda: bare.rate(bare.Setup(SMALL), BARE_CYCLES),
        "full stack": lambda: _job(where, lockstep=False),
        "full stack, lockstep": lambda: _job(where, lockstep=True),
    }
    cycles: dict[str, list[float]] = {name: [] for name in kinds}
    frames: dict[str, list[float]] = {name: [] for name in kinds}
    for round_number in range(ROUNDS):
        for name, run in kinds.items():
            say(f"round {round_number + 1} of {ROUNDS}: {name}")
            result = run()
            count = result.get("frames", 0.0) or result["frames_tx"] + result["frames_rx"]
            cycles[name].append(result["cycles"] / result["seconds"])
            frames[name].append(count / result["seconds"])
    records = []
    for unit, figures in (("cycles/s", cycles), ("frames/s", frames)):
        baseline = f"bare loop, {LARGE} B"
        base = statistics.median(figures[baseline])
        for name, values in figures.items():
            value = statistics.median(values)
            records.append(Record(name, round(value), unit, baseline, round(value / base, 4)))
    return records


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([asdict(record) for record in records], indent=2) + "\n"
