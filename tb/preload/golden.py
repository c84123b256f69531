"""`fdwire run --nic golden -- PROGRAM`: golden NICs, in this process."""

import os
import sys

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from tb.links import stop
from tb.preload.options import Options
from tb.preload.session import Session
from tb.run.command import show_sockets


def run(options: Options) -> int:
    """Run it; the exit status."""
    scheduler = Scheduler()
    nics = [GoldenNic(scheduler, HostMemory(), mac=bytes((2, 0, 0, 0, 0, n))) for n in (1, 2)]
    world = World(scheduler, *nics, seed=options.seed)
    up = world.bring_up()
    world.run(lambda: up.done)
    up.result()
    read, write = os.pipe()
    with stop.told(write):
        session = Session(world, options, streams=(sys.stdin, sys.stdout, sys.stderr), stop=read)
        try:
            session.start()
            while not session.over:
                scheduler.run_until(session.coupling.next(quiet=lambda: True))
            status = session.end()
            if options.sockets:
                show_sockets(world)
        finally:
            session.close()
            world.power_off()
            os.close(read)
            os.close(write)
    return status
