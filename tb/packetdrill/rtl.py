"""Scripts over the RTL NIC: the command's side, which starts the simulator, and the file that both share."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tb import toolchain
from tb.packetdrill import progress
from tb.packetdrill.session import Verdict

ENVIRONMENT: Final = "FDWIRE_PACKETDRILL"
"""Names the directory of the job file."""
JOB: Final = "job.json"
RESULTS: Final = "results.jsonl"


def run(files: Sequence[Path], profile: str, options: dict[str, str]) -> Iterator[tuple[Path, Verdict]]:
    """The verdict of each file. Raises ToolMissing or BuildFailed when there is no simulator to run it."""
    from tb.cosim.build import run_cocotb

    where = toolchain.writable(toolchain.BUILD / "packetdrill")
    (where / RESULTS).unlink(missing_ok=True)
    job = {"files": [str(file.resolve()) for file in files], "profile": profile, "options": options}
    (where / JOB).write_text(json.dumps(job))
    with progress.shown(where / RESULTS, len(files)) as say:
        run_cocotb("tb.packetdrill.rtl_job", where=where, environment={ENVIRONMENT: str(where)}, announce=say)
    lines = (where / RESULTS).read_text().splitlines() if (where / RESULTS).exists() else []
    for at, file in enumerate(files):
        if at < len(lines):
            found = json.loads(lines[at])
            yield file, Verdict(found["passed"], found["reason"], found["line"], tuple(found["log"]))
        else:
            yield file, Verdict(False, f"the simulation ended early; its log is {where / 'simulation.log'}")


def to_line(verdict: Verdict) -> str:
    """One line of the results file."""
    return json.dumps(asdict(verdict)) + "\n"
