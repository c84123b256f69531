"""`--nic rtl`: the command's side, which starts the simulator and passes signals on."""

import json
import os
import socket
import sys

from tb import handover, toolchain
from tb.links import stop
from tb.links.errors import LinkError
from tb.links.options import ENVIRONMENT, LONGEST, Options
from tb.links.tap import Tap


def run(options: Options, listener: socket.socket | None) -> int:
    """Run it; the exit status. `listener`: of vhost-user clients. LinkError when there can be no TAP;
    raises ToolMissing, BuildFailed, too.
    """
    from tb.cosim.build import make_ready, run_cocotb

    if options.tap:
        Tap(options.name).close()  # what is wrong with it is said before a minute of building
    where = options.directory
    result = where / "status.json"
    result.unlink(missing_ok=True)
    parameters = {} if options.longest_ring == LONGEST else {"QUEUE_NUM_MAX": options.longest_ring}
    make_ready(toolchain.say, parameters)
    read, write = os.pipe()  # its end tells the simulator that this command is gone
    sys.stdout.flush()
    fds = [0, 1, 2, read, *([] if listener is None else [listener.fileno()])]
    with stop.told(write) as heard, handover.offered(fds) as descriptors:
        job = {
            "options": options.to_json(),
            "directory": os.getcwd(),
            "path": sys.path,
            "descriptors": descriptors,
            "count": len(fds),
            "result": str(result),
        }
        run_cocotb(
            "tb.links.rtl_job",
            where=where,
            parameters=parameters,
            environment={ENVIRONMENT: json.dumps(job)},
            seed=options.seed,
        ).unlink(missing_ok=True)
    if not result.is_file():
        heard.end_early()
        toolchain.writable(where)  # or else that is why
        raise LinkError(f"the simulation ended early; its log is {where / 'simulation.log'}")
    told = json.loads(result.read_text())
    if told.get("error"):
        raise LinkError(told["error"])
    return int(told["status"])
