"""What TCP finds below itself in tests (`pymodel.tcp.ipsender.IpSender`): an address, and a way out."""

import abc

from pymodel.gso import checksum_help
from pymodel.hostmem import HostMemory
from pymodel.skbuff import Checksum, SkBuff, alloc_skb
from pymodel.tcp import TcpLayer


class BelowTcp(abc.ABC):
    """`address`: the host's; `mtu`: of every path. A subclass says in `leave` what becomes of a packet."""

    tcp: TcpLayer
    mtu = 1500

    def __init__(self, address: bytes, memory: HostMemory) -> None:
        self.address = address
        self.memory = memory

    @abc.abstractmethod
    def leave(self, data: bytes, src: bytes, dst: bytes, tos: int) -> int:
        """Take a TCP packet, whose checksum is right; 0 or an errno."""

    def arrive(self, data: bytes, src: bytes, dst: bytes, tos: int | None = None) -> None:
        """Hand a TCP packet up; with `tos` an IPv4 header, of which only that is true, is in front."""
        header = b"" if tos is None else bytes((0x45, tos)) + bytes(18)
        packet = header + data
        skb = self.alloc_skb(len(packet))
        skb.put(len(packet))[:] = packet
        if header:
            skb.network_header = skb.data
            skb.pull(len(header))
        self.tcp.input(skb, src, dst)

    # IpSender

    def send(self, skb: SkBuff, proto: int, src: bytes, dst: bytes, *, tos: int = 0, **_: object) -> int:
        assert proto == 6
        if skb.ip_summed is Checksum.PARTIAL:
            checksum_help(skb)
        data = skb.bytes()
        skb.free()
        return self.leave(data, src, dst, tos)

    def confirm(self, dst: bytes) -> None:  # noqa: B027  most have no neighbours to confirm
        pass

    def source_for(self, dst: bytes) -> bytes | None:
        return self.address

    def mtu_for(self, dst: bytes) -> int:
        return self.mtu

    def gso_max_segs(self, dst: bytes) -> int:
        return 1

    def metrics_for(self, dst: bytes) -> dict[str, int | str]:
        return {}

    def alloc_skb(self, size: int) -> SkBuff:
        return alloc_skb(self.memory, size, 64)
