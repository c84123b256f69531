"""The two attachments of the RTL side by side: C++ beside the RTL, and cocotb's bus models in Python.

The same test, the same RTL, both in Verilator; each built as its users have it (the bus models with all
signals public, which is the default of cocotb's runner). They get fewer frames, as they take
so long.
"""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tb import toolchain
from tb.bench.attachments_job import Job
from tb.bench.cosim import ROUNDS, Record
from tb.buses import build as buses
from tb.cosim import build as cosim
from tb.cosim import errand

TARGET = 100
"""So many times the frames of the bus models in a wall second."""


@dataclass(frozen=True)
class Kind:
    """Frames of one length, with FCS, and how many each attachment gets."""

    frame_bytes: int
    cpp: int
    buses: int


KINDS = (Kind(64, 20_000, 200), Kind(1518, 1_500, 150))


def run(job: Job, where: Path) -> dict[str, Any]:
    """Run `job`; its wall seconds, cycles, frames each way, and the digest of all frames.

    Raises ToolMissing, BuildFailed, EndedEarly.
    """
    simulate = cosim.run_cocotb if job.attachment == "cpp" else buses.run_cocotb
    return errand.run("tb.bench.attachments_job", asdict(job), where=where, seed=1, simulate=simulate)


def measure(say: Callable[[str], None]) -> list[Record]:
    """Alternate runs, medians of frames a wall second; `say` hears what is done. Raises as `run` does."""
    where = toolchain.BUILD / "bench" / "attachments"
    records: list[Record] = []
    for kind in KINDS:
        names = [
            f"{kind.frame_bytes} B frames, {what}" for what in ("bus models in Python", "C++ attachment")
        ]
        jobs = [Job("buses", kind.buses, kind.frame_bytes), Job("cpp", kind.cpp, kind.frame_bytes)]
        rates: list[list[float]] = [[], []]
        for number in range(ROUNDS):
            for name, job, mine in zip(names, jobs, rates, strict=True):
                say(f"round {number + 1} of {ROUNDS}: {name}")
                result = run(job, where)
                mine.append(result["frames"] / result["seconds"])
        slow, fast = map(statistics.median, rates)
        unit = "frames/s each way"
        records.append(Record(names[0], round(slow), unit, names[0], 1.0))
        records.append(Record(names[1], round(fast), unit, names[0], round(fast / slow, 2), TARGET))
    return records
