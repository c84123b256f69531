"""`make coverage`: block, conformance and lockstep tests on RTL that counts what they reach.

Prints line, branch and toggle coverage per file and every hole in lines and branches that waivers.toml
does not explain. Exit status 1 below 95 % of lines or branches, or when a waiver has nothing to waive.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tb import coverage, toolchain

TESTS = [
    "tests/rtl",
    "tests/conformance/test_conformance_rtl.py",
    "tests/campaign/test_campaign_rtl.py::test_20000_frames[0]",
]
ROUNDS = "0-10"
"""Of the campaign, unless FDWIRE_ROUNDS says others: 5,000 frames."""
WAIVERS = Path(__file__).parent / "waivers.toml"
ENOUGH = 0.95
LONG = "1800"
"""Seconds for a test: counting slows a simulation down."""
JUDGED = ("line", "branch")


def main() -> int:
    """Measure; the exit status. With the argument `report` only what the last run has left is judged."""
    where = toolchain.BUILD / "coverage"
    if sys.argv[1:] != ["report"]:
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        environment = os.environ | {
            coverage.VARIABLE: str(where),
            "FDWIRE_WHOLE": "1",
            "FDWIRE_SEED": os.environ.get("FDWIRE_SEED", "1"),
            "FDWIRE_ROUNDS": os.environ.get("FDWIRE_ROUNDS", ROUNDS),
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "--dist",
            "worksteal",
            "-k",
            "not icarus",
            "--timeout",
            LONG,
            *TESTS,
        ]
        if subprocess.run(command, cwd=toolchain.ROOT, env=environment, check=False).returncode:
            print("fdwire: the tests failed: coverage says nothing", file=sys.stderr)
            return 1
    counts = coverage.read(sorted(where.glob("*.dat")), toolchain.RTL)
    report = coverage.judge(counts, toolchain.RTL, coverage.waivers(WAIVERS))
    console = Console(soft_wrap=True)
    console.width = max(110, console.width)
    table = Table("file", *coverage.KINDS, "waived", box=None)
    for file, shares in sorted(report.shares.items()):
        waived = sum(shares[kind].waived for kind in JUDGED)
        table.add_row(file, *(_cell(shares[kind]) for kind in coverage.KINDS), str(waived or ""))
    totals = [report.total(kind) for kind in coverage.KINDS]
    table.add_row("all", *(_cell(share) for share in totals), str(sum(s.waived for s in totals[:2])))
    console.print(table)
    for hole in report.holes:
        if hole.kind in JUDGED:
            text = (toolchain.RTL / hole.file).read_text().splitlines()[hole.line - 1].strip()
            console.print(
                f"not covered: {hole.file}:{hole.line} {hole.kind} {hole.what}: {text}",
                highlight=False,
                markup=False,
            )
    for waiver in report.stale:
        console.print(f"nothing to waive: {waiver.file}: {waiver.text}", highlight=False, markup=False)
    enough = all(report.total(kind).ratio >= ENOUGH for kind in JUDGED)
    return 0 if enough and not report.stale else 1


def _cell(share: coverage.Share) -> str:
    return f"{100 * share.ratio:.1f} % ({share.covered}/{share.points})" if share.points else ""


if __name__ == "__main__":
    sys.exit(main())
