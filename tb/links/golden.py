"""`fdwire tap --nic golden`: the golden NIC, in this process."""

import os
import sys

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from tb.links import stop
from tb.links.options import Options
from tb.links.session import Session


def run(options: Options) -> int:
    """Run it; the exit status. LinkError when there can be no TAP."""
    scheduler = Scheduler()
    nic = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\1")
    read, write = os.pipe()
    with stop.told(write):
        session = Session(scheduler, nic, options, streams=(sys.stdin, sys.stdout, sys.stderr), stop=read)
        try:
            for step in (session.bring_up, session.start_host):
                task = step()
                while not task.done:
                    scheduler.step()
                task.result()
            session.start_namespace()
            while not session.over:
                scheduler.run_until(session.coupling.next(quiet=True))
            status = session.end()
        finally:
            session.close()
        session.report()
    return status
