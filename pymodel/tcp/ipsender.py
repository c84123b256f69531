"""What TCP needs of the layer below."""

from collections.abc import Mapping
from typing import Protocol

from pymodel.skbuff import SkBuff


class IpSender(Protocol):
    """IP as TCP sees it. Addresses are packed: 4 bytes (IPv4) or 16 (IPv6)."""

    def send(
        self,
        skb: SkBuff,
        proto: int,
        src: bytes,
        dst: bytes,
        *,
        ttl: int = 64,
        tos: int = 0,
        dont_fragment: bool = True,
    ) -> int:
        """Send `skb` (data begins at the transport header); consumes it. 0, or an errno.

        Its checksum may be left to do (`Checksum.PARTIAL`).
        """

    def confirm(self, dst: bytes) -> None:
        """Progress is made with `dst`: the next hop on the way to it is reachable (RFC 1122 §2.3.2.1)."""

    def source_for(self, dst: bytes) -> bytes | None:
        """The local address that packets to `dst` leave with; None: no route."""

    def mtu_for(self, dst: bytes) -> int:
        """Largest IP packet, in bytes, that the path to `dst` is known to carry."""

    def gso_max_segs(self, dst: bytes) -> int:
        """Segments that an skb to `dst` may hold (`SkBuff.gso_size`), to be cut below; 1: only one."""

    def reduce_mtu(self, dst: bytes, mtu: int) -> None:
        """ICMP says that packets to `dst` beyond `mtu` bytes do not pass (RFC 1191)."""

    def metrics_for(self, dst: bytes) -> Mapping[str, int | str]:
        """What the route to `dst` asks of TCP, by the names of ip-route(8)."""

    def alloc_skb(self, size: int) -> SkBuff:
        """An empty buffer with room for `size` bytes behind the headroom that link and IP headers need."""
