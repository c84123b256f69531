"""`--nic rtl`: the command's side, which starts the simulator and passes signals on."""

import os
import socket
from functools import partial

from tb import toolchain
from tb.cosim import errand
from tb.cosim.build import make_ready, run_cocotb
from tb.links import stop
from tb.links.errors import LinkError
from tb.links.options import LONGEST, Options
from tb.links.tap import Tap


def run(options: Options, listener: socket.socket | None) -> int:
    """Run it; the exit status. `listener`: of vhost-user clients. LinkError when there can be no TAP;
    raises ToolMissing, BuildFailed, EndedEarly, too.
    """
    if options.tap:
        Tap(options.name).close()  # what is wrong with it is said before a minute of building
    parameters = {} if options.longest_ring == LONGEST else {"QUEUE_NUM_MAX": options.longest_ring}
    make_ready(toolchain.say, parameters)
    read, write = os.pipe()  # its end tells the simulator that this command is gone
    with stop.told(write):
        told = errand.run(
            "tb.links.rtl_job",
            options.to_json(),
            where=options.directory,
            descriptors=[read, *([] if listener is None else [listener.fileno()])],
            seed=options.seed,
            simulate=partial(run_cocotb, parameters=parameters),
        )
    if told.get("error"):
        raise LinkError(told["error"])
    return int(told["status"])
