"""Two hosts whose TCP layers are joined at the IP seam: no headers, no devices, only a delay.

Every segment is copied from one host's memory to the other's. `trace` keeps all of them with their
time, for comparing runs.
"""

from pymodel.gso import checksum_help
from pymodel.hostmem import HostMemory
from pymodel.simtime import US
from pymodel.skbuff import Checksum, alloc_skb
from pymodel.socket import Kernel
from pymodel.tcp import TcpLayer

DELAY = 25 * US
HEADROOM = 128


class PipeIp:
    """`pymodel.tcp.IpSender` towards one peer."""

    def __init__(self, scheduler, address, trace):
        self.scheduler, self.address, self.trace = scheduler, address, trace
        self.memory = HostMemory()
        self.peer = None
        self.tcp = None

    def source_for(self, dst):
        return self.address if dst == self.peer.address else None

    def mtu_for(self, dst):
        return 1500

    def gso_max_segs(self, dst):
        return 1

    def metrics_for(self, dst):
        return {}

    def alloc_skb(self, size):
        return alloc_skb(self.memory, size, HEADROOM)

    def send(self, skb, proto, src, dst, *, ttl=64, tos=0, dont_fragment=True):
        if skb.ip_summed is Checksum.PARTIAL:
            checksum_help(skb)
        segment = skb.bytes()
        skb.free()
        self.trace.append((self.scheduler.now, src, segment))
        self.scheduler.after(DELAY, lambda: self.peer.arrive(segment, src, dst))
        return 0

    def arrive(self, segment, src, dst):
        skb = self.alloc_skb(len(segment))
        skb.put(len(segment))[:] = segment
        self.tcp.input(skb, src, dst)


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
