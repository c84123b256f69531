"""`fdwire tap` and `fdwire vhost-user` with `--nic golden`: the golden NIC, in this process."""

import os
import socket
import sys
from typing import Any

from pymodel.golden.nic import GoldenNic
from pymodel.scheduler import Scheduler
from pymodel.task import Task
from tb.links import start, stop
from tb.links.options import Options


def run(options: Options, listener: socket.socket | None) -> int:
    """Run it; the exit status. `listener`: of vhost-user clients. LinkError when there can be no TAP."""
    scheduler = Scheduler()
    nic = GoldenNic(
        scheduler,
        start.memory_of(options),
        mac=b"\x02\0\0\0\0\1",
        queue_num_max=options.longest_ring,
    )
    read, write = os.pipe()

    def through(task: Task[Any]) -> None:
        while not task.done:
            scheduler.step()
        task.result()

    with stop.told(write):
        streams = (sys.stdin, sys.stdout, sys.stderr)
        session = start.session(scheduler, nic, options, listener=listener, streams=streams, stop=read)
        try:
            through(session.bring_up())
            through(session.start_host())
            session.start_outside()
            while not session.over:
                scheduler.run_until(session.coupling.next(quiet=lambda: True))
            status = session.end()
            through(session.shut())
        finally:
            session.close()
        session.report()
    return status
