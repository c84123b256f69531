"""What tracing costs: bulk TCP through the RTL without it, with it at hand but off, and with it on.

Without it, the questions whether somebody listens are not in the code (`tb.bench.untraced`). The stack is
interpreted. Wall seconds are those of alternating runs, medians; the writing of a trace's file is not among
them. They swing by more than such a question costs. How many bytecodes Python executes is the same in each
run on any machine, and decides.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

from tb import compiled, toolchain
from tb.bench.cosim import Record, run
from tb.bench.speed_job import Job

WAYS = {"absent": "absent", "off": "absent", "on": "off"}
"""Each, and what it is compared with."""
TARGET = 0.995
"""What a bytecode should do with tracing off, compared with what it does without it."""
NAME = "bulk TCP, TSO, tracing"

_ROUNDS = 5
_SIZE = 2 << 20
_COUNTED = 700_000
"""Bytes of payload of the runs for their time, and of those for their bytecodes."""


def measure(say: Callable[[str], None]) -> list[Record]:
    """Speed by the wall clock and by bytecodes of each way; `say` hears what is under way.

    Raises ToolMissing, BuildFailed, EndedEarly, and RuntimeError when a run was another one.
    """
    where = toolchain.BUILD / "bench" / "tracing"
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    cycles = set()
    for number in range(_ROUNDS):
        for way, mine in seconds.items():
            say(f"round {number + 1} of {_ROUNDS}: {NAME} {way}")
            with compiled.left_out():
                result = run(Job("tcp", size=_SIZE, trace=way), where)
            cycles.add(result["cycles"])
            mine.append(result["seconds"])
    if len(cycles) != 1:
        raise RuntimeError(f"a run that is traced is another one: {sorted(cycles)} cycles")
    speeds = {way: max(cycles) / statistics.median(mine) for way, mine in seconds.items()}
    say(f"{NAME}: bytecodes")
    work = {way: 1e6 / bytecodes(way, _COUNTED, where) for way in WAYS}
    return [*_records(speeds, "cycles/s", None), *_records(work, "frames per 10⁶ bytecodes", TARGET)]


def bytecodes(way: str, size: int, where: Path) -> float:
    """What Python executes for a frame, of both ways, in the middle of a transfer of `size` bytes."""
    with compiled.left_out():
        result = run(Job("tcp", size=size, trace=way, counted=True), where)
    return result["bytecodes"] / (result["sent"] + result["received"])


def _records(figures: dict[str, float], unit: str, target: float | None) -> list[Record]:
    """One record a way; `target`: of that which is off."""
    return [
        Record(
            f"{NAME} {way}",
            round(figures[way]),
            unit,
            f"{NAME} {of}",
            round(figures[way] / figures[of], 4),
            target if way == "off" else None,
        )
        for way, of in WAYS.items()
    ]
