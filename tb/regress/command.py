"""`fdwire regress`: run the job list, show what came out, say how to repeat what failed."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tb import coverage, toolchain
from tb.regress import configurations, places
from tb.regress.job import RUNS, Job, Outcome, fingerprint, run

WAIVERS = toolchain.ROOT / "tests" / "coverage" / "waivers.toml"


def execute(
    seeds: Sequence[int],
    names: Sequence[str],
    scheduler: str | None,
    cores: int,
    count: bool,
    console: Console,
) -> int:
    """Run seeds × configurations and leave build/regress/results.json; 0 if all passed, 1 if not.

    Raises ValueError for a configuration that there is not, `places.Unreachable` without a scheduler.
    """
    jobs = configurations.jobs(seeds, names, fingerprint())
    toolchain.writable(RUNS)
    signal.signal(signal.SIGTERM, _terminated)  # as an interrupt from the keyboard: the jobs end, too
    place = places.Cluster(scheduler) if scheduler else places.Cores(cores or os.cpu_count() or 1)
    outcomes = gather(place, jobs, count, console)
    results = RUNS / "results.json"
    results.write_text(json.dumps([_record(outcome) for outcome in outcomes], indent=1) + "\n")
    console.print(_table(outcomes))
    if count:
        _coverage(outcomes, console)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed:
        console.print(
            f"\n[red]{outcome.job.configuration}, seed {outcome.job.seed}, failed[/red]", highlight=False
        )
        console.print(outcome.said, highlight=False, markup=False)
        console.print(f"repeat it: {outcome.job.repeat()}", highlight=False, markup=False, soft_wrap=True)
    print(f"written to {os.path.relpath(RUNS)}/: results.json", file=console.file)
    return 1 if failed else 0


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def gather(place: places.Place, jobs: Sequence[Job], count: bool, console: Console) -> list[Outcome]:
    """All outcomes, in the order of `jobs`, with a bar on a terminal meanwhile."""
    order = {job.name: place_in_list for place_in_list, job in enumerate(jobs)}
    found: dict[str, Outcome] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("regress", total=len(jobs))
        for outcome in place.outcomes(jobs, run, count):
            found[outcome.job.name] = outcome
            failed = sum(not o.passed for o in found.values())
            progress.update(bar, advance=1, description=f"regress, {failed} failed" if failed else "regress")
    return sorted(found.values(), key=lambda outcome: order[outcome.job.name])


def _record(outcome: Outcome) -> dict[str, object]:
    return {
        "configuration": outcome.job.configuration,
        "seed": outcome.job.seed,
        "passed": outcome.passed,
        "seconds": round(outcome.seconds, 3),
        "frames": outcome.frames,
        "said": outcome.said,
        "repeat": outcome.job.repeat(),
    }


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("configuration", box=None)
    for name in ("seeds", "passed", "failed", "frames", "seconds a seed"):
        table.add_column(name, justify="right")
    for name in [*dict.fromkeys(o.job.configuration for o in outcomes), "all"]:
        some = [o for o in outcomes if name in (o.job.configuration, "all")]
        passed = sum(o.passed for o in some)
        frames = sum(o.frames for o in some)
        seconds = sum(o.seconds for o in some) / len(some) if some else 0.0
        row = (len(some), passed, len(some) - passed, f"{frames:,}" if frames else "", f"{seconds:.1f}")
        table.add_row(name, *map(str, row))
    return table


def _coverage(outcomes: Sequence[Outcome], console: Console) -> None:
    counts: Counter[coverage.Point] = Counter()
    for outcome in outcomes:
        counts.update(outcome.counts)
    report = coverage.judge(counts, toolchain.RTL, coverage.waivers(Path(WAIVERS)))
    shares = {kind: report.total(kind) for kind in coverage.KINDS}
    said = ", ".join(f"{kind} {100 * s.ratio:.1f} % ({s.covered}/{s.points})" for kind, s in shares.items())
    print(f"coverage of rtl/, all jobs together: {said}", file=console.file)


def main(
    text: str, names: Sequence[str], scheduler: str | None, cores: int, count: bool, console: Console
) -> int:
    """As the command line has it: `text` names the seeds. One sentence for what cannot be."""
    try:
        return execute(configurations.seeds(text), names, scheduler, cores, count, console)
    except (ValueError, places.Unreachable) as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 2
