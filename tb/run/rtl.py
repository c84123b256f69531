"""`fdwire run --nic rtl`: the command's side, which starts the simulator."""

import json
import os
import sys
from typing import TYPE_CHECKING, Final

from tb import handover, toolchain
from tb.run.words import Words

if TYPE_CHECKING:
    from tb.run.command import Settings

ENVIRONMENT: Final = "FDWIRE_RUN"
"""The job as JSON."""


def run(words: Words, settings: "Settings") -> int:
    """Run the program with host A on the RTL NIC; its exit status. Raises ToolMissing, BuildFailed."""
    from tb.cosim.build import run_cocotb

    where = toolchain.writable(toolchain.BUILD / "run")
    result = where / "status.json"
    result.unlink(missing_ok=True)
    sys.stdout.flush()
    with handover.offered([0, 1, 2]) as descriptors:
        job = {
            "words": [words.kind, words.target, list(words.arguments)],
            "settings": vars(settings),
            "directory": os.getcwd(),
            "path": sys.path,
            "result": str(result),
            "descriptors": descriptors,
        }
        run_cocotb(
            "tb.run.rtl_job",
            where=where,
            environment={ENVIRONMENT: json.dumps(job)},
            seed=settings.seed,
            announce=toolchain.say,
        )
    if not result.is_file():
        print(f"fdwire: the simulation ended early; its log is {where / 'simulation.log'}", file=sys.stderr)
        return 1
    return int(json.loads(result.read_text())["status"])
