"""`fdwire run --nic rtl -- PROGRAM`: the command's side, which starts the simulator and passes signals on."""

import json
import os
import sys

from tb import handover, toolchain
from tb.links import stop
from tb.preload.errors import PreloadError
from tb.preload.options import ENVIRONMENT, Options


def run(options: Options) -> int:
    """Run it with host A on the RTL NIC; the exit status. Raises ToolMissing, BuildFailed, PreloadError."""
    from tb.cosim.build import make_ready, run_cocotb

    where = toolchain.writable(options.directory)
    result = where / "status.json"
    result.unlink(missing_ok=True)
    make_ready(toolchain.say)
    read, write = os.pipe()  # its end tells the simulator that this command is gone
    sys.stdout.flush()
    with stop.told(write) as heard, handover.offered([0, 1, 2, read]) as descriptors:
        job = {
            "options": options.to_json(),
            "directory": os.getcwd(),
            "path": sys.path,
            "descriptors": descriptors,
            "result": str(result),
        }
        run_cocotb(
            "tb.preload.rtl_job", where=where, environment={ENVIRONMENT: json.dumps(job)}, seed=options.seed
        )
    if not result.is_file():
        heard.end_early()
        toolchain.writable(where)  # or else that is why
        raise PreloadError(f"the simulation ended early; its log is {where / 'simulation.log'}")
    return int(json.loads(result.read_text())["status"])
