"""`fdwire tap --nic rtl`: the command's side, which starts the simulator and passes signals on."""

import json
import os
import sys

from rich.console import Console

from tb import handover
from tb.links import stop
from tb.links.errors import LinkError
from tb.links.options import ENVIRONMENT, Options
from tb.links.tap import Tap


def run(options: Options) -> int:
    """Run it; the exit status. LinkError when there can be no TAP; raises ToolMissing, BuildFailed, too."""
    from tb.cosim.build import run_cocotb

    Tap(options.name).close()  # what is wrong with it is said before a minute of building
    where = options.directory
    where.mkdir(parents=True, exist_ok=True)
    result = where / "status.json"
    result.unlink(missing_ok=True)
    read, write = os.pipe()  # its end tells the simulator that this command is gone
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    sys.stdout.flush()
    with stop.told(write), handover.offered([0, 1, 2, read]) as descriptors:
        job = {
            "options": options.to_json(),
            "directory": os.getcwd(),
            "path": sys.path,
            "descriptors": descriptors,
            "result": str(result),
        }
        run_cocotb(
            "tb.links.rtl_job",
            where=where,
            environment={ENVIRONMENT: json.dumps(job)},
            seed=options.seed,
            announce=lambda text: console.print(f"{text} …"),
        ).unlink(missing_ok=True)
    if not result.is_file():
        raise LinkError(f"the simulation ended early; its log is {where / 'simulation.log'}")
    told = json.loads(result.read_text())
    if told.get("error"):
        raise LinkError(told["error"])
    return int(told["status"])
