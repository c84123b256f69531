"""`fdwire run --nic rtl -- PROGRAM`: the command's side, which starts the simulator and passes signals on."""

import os

from tb import toolchain
from tb.cosim import errand
from tb.cosim.build import make_ready
from tb.links import stop
from tb.preload.options import Options


def run(options: Options) -> int:
    """Run it with host A on the RTL NIC; the exit status. Raises ToolMissing, BuildFailed, EndedEarly."""
    make_ready(toolchain.say)
    read, write = os.pipe()  # its end tells the simulator that this command is gone
    with stop.told(write):
        told = errand.run(
            "tb.preload.rtl_job",
            options.to_json(),
            where=options.directory,
            descriptors=[read],
            seed=options.seed,
        )
    return int(told["status"])
