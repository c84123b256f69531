"""The system calls of one simulated host.

Every call is a method of `Kernel` and a blocking generator (`pymodel.task.Blocking`): it yields `Wait` while
it must block, returns the call's result and raises OSError with the errno of Linux (section 2 of the manual).
The first argument is the calling process. Conventions, the same everywhere:

* descriptors are ints; addresses are (packed address, port), None where the call takes a null pointer;
* times are ps, None waits for ever; options and ancillary data are bytes as in C;
* what C hands back through a pointer is returned: `accept` gives (descriptor, address), `pipe` a pair, `read`
  the bytes; only `recvmsg` and `readv` fill buffers.

Run one with `yield from`, with `task.blocking` in a coroutine, with `asyncsocket.at_once` where it
cannot block, or on the scheduler as `Task(scheduler, kernel.read(process, fd, 100))`.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pymodel.scheduler import Scheduler
from pymodel.socket.calls.files import FileCalls
from pymodel.socket.calls.sockets import SocketCalls
from pymodel.socket.calls.transfers import TransferCalls
from pymodel.socket.calls.waiting import WaitCalls
from pymodel.socket.portalloc import PortTable
from pymodel.socket.regular import FileSystem
from pymodel.socket.runqueue import RunQueue
from pymodel.socket.seam import SourceOf, Tcp
from pymodel.socket.sock import Network
from pymodel.udp import UdpLayer

if TYPE_CHECKING:
    from pymodel.socket.process import Process, Program


class Kernel(SocketCalls, FileCalls, TransferCalls, WaitCalls):
    """Sockets and processes of one host.

    `addresses()`: the host's own packed addresses, now. `hosts`: names known to its resolver, shared
    by the whole simulated network. `seed`: ephemeral ports and the programs' randomness follow from it.
    Without `udp` there are no datagram sockets.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        tcp: Tcp,
        ip: SourceOf,
        addresses: Callable[[], Iterable[bytes]],
        hosts: dict[str, bytes],
        seed: int,
        udp: UdpLayer | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.hosts = hosts
        self.seed = seed
        self.filesystem = FileSystem()
        self.network = Network(
            scheduler, tcp, ip, lambda: list(addresses()), PortTable(seed), udp, PortTable(seed + 1)
        )
        self.failed: list[Program[Any]] = []
        """Programs that ended with an exception: see `process.check_programs`."""
        tcp.on_release = lambda connection: self.network.tcp_ports.prune(connection.local[1])
        self.run_queue = RunQueue(scheduler)
        self.processes: dict[int, Process] = {}
        self.accelerators = False
        """Programs get asyncio's accelerator in C, which is never unloaded again."""
        self._pids = itertools.count(1)

    def add_process(self, process: "Process") -> int:
        """Enter `process` into the table; its pid."""
        pid = self.next_pid()
        self.processes[pid] = process
        return pid

    def next_pid(self) -> int:
        """A number for one more process."""
        return next(self._pids)

    def power_off(self) -> None:
        """Kill every process. Afterwards no thread of a program is left."""
        for process in list(self.processes.values()):
            process.kill()
