"""What UDP needs of the layer below."""

from typing import Protocol

from pymodel.skbuff import SkBuff


class IpSender(Protocol):
    """IP as UDP sees it. Addresses are packed."""

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
        """Send `skb` (data begins at the transport header); consumes it. 0, or an errno."""

    def source_for(self, dst: bytes) -> bytes | None:
        """The local address that packets to `dst` leave with; None: no route."""

    def mtu_for(self, dst: bytes) -> int:
        """Largest IP packet, in bytes, that the path to `dst` is known to carry."""

    def alloc_skb(self, size: int) -> SkBuff:
        """An empty buffer with room for `size` bytes behind the headroom that link and IP headers need."""

    def is_local(self, address: bytes) -> bool:
        """Whether `address` is one of this host's: an individual one, no broadcast."""

    def is_broadcast(self, address: bytes) -> bool:
        """Whether `address` is a broadcast address here."""
