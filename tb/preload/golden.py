"""`fdwire run --nic golden -- PROGRAM`: golden NICs, in this process."""

import os
import sys

from pymodel.host import World
from tb.links import stop
from tb.preload.options import Options
from tb.preload.session import Session
from tb.run.command import show_sockets


def run(options: Options) -> int:
    """Run it; the exit status."""
    world = World.golden(seed=options.seed)
    world.start()
    read, write = os.pipe()
    with stop.told(write):
        session = Session(world, options, streams=(sys.stdin, sys.stdout, sys.stderr), stop=read)
        try:
            session.start()
            while not session.over:
                world.scheduler.run_until(session.coupling.next(quiet=lambda: True))
            status = session.end()
            if options.sockets:
                show_sockets(world)
        finally:
            session.close()
            world.power_off()
            os.close(read)
            os.close(write)
    return status
