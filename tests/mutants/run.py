"""`make mutants`: plants each bug of the catalogue in a copy of the RTL and runs the test named for it.

Arguments: names of mutants; none means all. Exit status 1 if one survives. Builds are cached by content.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from catalogue import MUTANTS, Mutant
from rich.console import Console
from rich.table import Table

from tb import toolchain

JOBS = 2
SEED = "1"
# Icarus builds in a second, Verilator in most of a minute; the tests are the same.
SIMULATOR = "icarus" if shutil.which("iverilog") else "verilator"


@dataclass(frozen=True)
class Outcome:
    """`caught`: the named case failed; `said`: the first line of why, or what happened instead."""

    caught: bool
    said: str
    seconds: float


def hunt(mutant: Mutant, where: Path, limit: float = 600) -> Outcome:
    """Run the mutant's test on its RTL. Raises StalePlant when the RTL no longer fits the catalogue."""
    began = time.monotonic()
    rtl = where / "rtl"
    shutil.rmtree(rtl, ignore_errors=True)
    shutil.copytree(toolchain.ROOT / "rtl", rtl)
    mutant.plant.apply(rtl)
    environment = os.environ | {
        "FDWIRE_RTL": str(rtl),
        "FDWIRE_BUILD": str(where / "build"),
        # One for all mutants: what a bug does not touch is compiled once.
        "CCACHE_DIR": os.environ.get("CCACHE_DIR", str(toolchain.BUILD / "ccache")),
        "FDWIRE_SEED": SEED,
        "FDWIRE_FAILURES": "off",
        "COCOTB_TEST_FILTER": rf".*{mutant.case}.*",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "",  # long ones, too
        mutant.test.format(simulator=SIMULATOR),
    ]
    result = subprocess.run(
        command,
        cwd=toolchain.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )
    (where / "output.log").write_text(result.stdout + result.stderr)
    seconds = time.monotonic() - began
    verdict = re.search(
        rf"^E? *Failed: (.*{mutant.case}.*)$|^({mutant.case}.*)$", result.stdout, re.MULTILINE
    )
    if result.returncode == 1 and verdict and "BuildFailed" not in result.stdout:
        return Outcome(True, _reason(result.stdout), seconds)
    return Outcome(False, f"pytest ended with {result.returncode}; see {where / 'output.log'}", seconds)


def _reason(output: str) -> str:
    found = re.findall(r"(?:AssertionError|SimTimeoutError|Error|Exception)\b.*", output)
    return found[-1].strip()[:90] if found else "failed"


def main(names: list[str]) -> int:
    """Hunt; the exit status."""
    console = Console(soft_wrap=True)
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    if unknown := set(names) - {mutant.name for mutant in MUTANTS}:
        print(f"fdwire: there is no mutant named {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(JOBS) as pool:
        running = {
            pool.submit(hunt, mutant, toolchain.BUILD / "mutants" / mutant.name): mutant for mutant in chosen
        }
        for done in as_completed(running):
            mutant = running[done]
            outcome = outcomes[mutant.name] = done.result()
            word = "caught" if outcome.caught else "SURVIVED"
            progress = f"{len(outcomes)}/{len(chosen)}"
            console.print(f"{progress:>7} {mutant.name}: {word} ({outcome.seconds:.0f} s)", highlight=False)
    console.width = max(170, console.width)
    table = Table("planted bug", "what is wrong", "caught by", "", box=None)
    for mutant in chosen:
        outcome = outcomes[mutant.name]
        table.add_row(
            mutant.name, mutant.story, mutant.case, "" if outcome.caught else f"SURVIVED: {outcome.said}"
        )
    console.print(table)
    caught = sum(outcome.caught for outcome in outcomes.values())
    print(f"{caught} of {len(chosen)} planted bugs caught")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
