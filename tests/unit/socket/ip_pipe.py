"""Two hosts whose TCP layers are joined at the IP seam: no headers, no devices, only a delay.

Every segment is copied from one host's memory to the other's. `trace` keeps all of them with their
time, for comparing runs.
"""

from below_tcp import BelowTcp

from pymodel.hostmem import HostMemory
from pymodel.simtime import US
from pymodel.socket import Kernel
from pymodel.tcp import TcpLayer

DELAY = 25 * US


class PipeIp(BelowTcp):
    """Towards one peer."""

    def __init__(self, scheduler, address, trace):
        super().__init__(address, HostMemory())
        self.scheduler, self.trace = scheduler, trace
        self.peer = None

    def source_for(self, dst):
        return self.address if dst == self.peer.address else None

    def leave(self, data, src, dst, tos):
        self.trace.append((self.scheduler.now, src, data))
        self.scheduler.after(DELAY, lambda: self.peer.arrive(data, src, dst))
        return 0


def two_kernels(scheduler):
    """Kernels of alpha (10.0.0.1) and beta (10.0.0.2), and the trace of what went between them."""
    trace = []
    hosts = {"alpha": b"\x0a\0\0\1", "beta": b"\x0a\0\0\2"}
    ips = [PipeIp(scheduler, address, trace) for address in hosts.values()]
    ips[0].peer, ips[1].peer = ips[1], ips[0]
    kernels = []
    for ip in ips:
        ip.tcp = TcpLayer(scheduler, ip, secret=ip.address * 4)
        kernels.append(Kernel(scheduler, ip.tcp, ip, lambda ip=ip: [ip.address], hosts, seed=7))
    return (*kernels, trace)
