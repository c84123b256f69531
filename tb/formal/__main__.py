"""`make formal`: run every proof, print what is proven and how deep; exit status 1 if anything is not so.

Arguments: names of proofs; none means all.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tb import toolchain
from tb.formal.proofs import PROOFS
from tb.formal.prove import Proof, Result, available, catch, check, cover

JOBS = 2
STEPS: dict[str, Callable[[Proof, Path], Result]] = {
    "assertions": check,
    "covers": cover,
    "planted bug": catch,
}


def main(names: list[str]) -> int:
    """Prove; the exit status."""
    console = Console(soft_wrap=True)
    if not available():
        print("fdwire: Yosys and z3 are missing: run `make formal`, which installs them", file=sys.stderr)
        return 1
    unknown = set(names) - {proof.name for proof in PROOFS}
    if unknown:
        print(f"fdwire: there is no proof named {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    chosen = [proof for proof in PROOFS if not names or proof.name in names]
    results: dict[tuple[str, str], Result] = {}
    with ThreadPoolExecutor(JOBS) as pool:
        running = {}
        for proof in chosen:
            for step, run in STEPS.items():
                where = toolchain.BUILD / "formal" / proof.name / step.replace(" ", "-")
                running[pool.submit(run, proof, where)] = (proof.name, step)
        for done in as_completed(running):
            name, step = running[done]
            result = results[name, step] = done.result()
            progress = f"{len(results)}/{len(running)}"
            console.print(
                f"{progress:>7} {name}: {step}: {result.how} ({result.seconds:.0f} s)", highlight=False
            )
    console.width = max(150, console.width)
    table = Table("proof", "says", *STEPS, box=None)
    for proof in chosen:
        table.add_row(proof.name, proof.says, *(results[proof.name, step].how for step in STEPS))
    console.print(table)
    bad = [(key, result) for key, result in results.items() if not result.ok]
    for (name, step), result in bad:
        print(f"{name}: {step}: {result.how}; the log is {result.log}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
