"""Makes the session of a run, for whichever NIC."""

import socket
from collections.abc import Callable
from typing import Any

from rich.console import Console

from pymodel.hostmem import HostMemory
from pymodel.regionmem import RegionMemory
from pymodel.scheduler import Scheduler
from tb.cosim.errand import Streams
from tb.links.ends import client_ends, tap_ends
from tb.links.options import Options
from tb.links.session import Session

__all__ = ["memory_of", "session"]


def memory_of(options: Options) -> HostMemory:
    """What the NIC's DMA reaches: our host's memory, or what a client will lend."""
    return RegionMemory() if options.socket else HostMemory()


def session(
    scheduler: Scheduler,
    nic: Any,
    options: Options,
    *,
    listener: socket.socket | None,
    streams: Streams,
    stop: int,
    cycles: Callable[[], int] = lambda: 0,
) -> Session:
    """A session over `nic`, whose memory is `memory_of(options)`. `listener`: of vhost-user clients, if it
    is we who listen. The others: see `Session`. LinkError when the TAP cannot be made.
    """
    console = Console(file=streams[2], soft_wrap=True, highlight=False)
    watched: dict[int, Callable[[], None]] = {}
    if options.socket:

        def say(text: str) -> None:
            console.print(f"fdwire: {text}", markup=False)

        ends = client_ends(scheduler, nic, options, listener=listener, watched=watched, say=say)
    else:
        ends = tap_ends(scheduler, nic, options)
    return Session(
        scheduler,
        options,
        ends,
        watched=watched,
        console=console,
        streams=streams,
        stop=stop,
        cycles=cycles,
    )
