"""Host A with lwIP and host B with the project's stack (or another lwIP), on golden NICs and a link."""

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Impairments
from pymodel.lwip import LwipHost
from pymodel.regs import FEATURES_OFFERED, Feature
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.socket import AsyncSocket
from pymodel.task import Task

A = bytes((10, 0, 0, 1))
B = bytes((10, 0, 0, 2))


class LwipBench:
    """`lwip` at 10.0.0.1; `peer`, the project's host, at 10.0.0.2. The world's own host A never starts."""

    def __init__(self, library, *, seed=1, loss=0.0, reorder=0.0, jumbo=False, **options):
        self.scheduler = scheduler = Scheduler()
        # `jumbo`: 9000 bytes, received into mergeable buffers of a page each.
        more = {"mtu": 9000, "offered": FEATURES_OFFERED | 1 << Feature.MRG_RXBUF} if jumbo else {}
        self.nic = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\1", **more)
        nic_b = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2", **more)
        self.world = World(scheduler, self.nic, nic_b, seed=seed)
        self.peer = self.world.b
        self.lwip = LwipHost(library, scheduler, self.nic, address="10.0.0.1/24", seed=seed, **options)
        self.run(self.peer.bring_up(), self.lwip.bring_up())
        self.world.link.impairments = Impairments(loss=loss, reorder=reorder)

    def start(self, program):
        """A blocking generator or coroutine as a task; what is one already stays as it is."""
        return program if hasattr(program, "done") else Task(self.scheduler, program)

    def run(self, *programs, timeout=600 * SEC):
        """Run until all have ended; their results."""
        tasks = [self.start(program) for program in programs]
        self.world.run(lambda: all(task.done for task in tasks), timeout=timeout)
        return [task.result() for task in tasks]

    def run_for(self, duration):
        passed = []
        self.scheduler.after(duration, lambda: passed.append(True))
        self.world.run(lambda: bool(passed), timeout=2 * duration)


class Watcher:
    """An observer of the golden NIC that ignores whatever it is not told to do otherwise."""

    def __getattr__(self, name):
        return lambda *event: None


async def read_all(connection):
    """Everything until the end, through the zero-copy interface."""
    parts = []
    while (received := await connection.receive()) is not None:
        parts += [bytes(view) for view in received.views]
        received.release()
    return b"".join(parts)


async def socket_read_all(sock):
    parts = []
    while data := await sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


async def listening(port, connections=1):
    """A listening socket of the project's stack."""
    listener = AsyncSocket()
    listener.bind(("", port))
    listener.listen(max(connections, 1))
    return listener
