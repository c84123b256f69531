"""What UDP needs of the layer below."""

from typing import Protocol

from pymodel.ip.groups import Groups
from pymodel.ip.layer import Interface
from pymodel.skbuff import SkBuff


class IpSender(Protocol):
    """IP as UDP sees it. Addresses are packed. `groups`: the host's multicast memberships.

    `interfaces`: by index, from 1.
    """

    groups: Groups
    interfaces: list[Interface]

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
        device: str | None = None,
        loop: bool = True,
    ) -> int:
        """Send `skb` (data begins at the transport header); consumes it. 0, or an errno.

        `device`: the name of the one to leave by; None: as the routing table says. `loop`: this host may be
        one of the group that `dst` is.
        """

    def confirm(self, dst: bytes) -> None:
        """Progress is made with `dst`: the next hop on the way to it is reachable (RFC 1122 §2.3.2.1)."""

    def source_for(self, dst: bytes) -> bytes | None:
        """The local address that packets to `dst` leave with; None: no route."""

    def mtu_for(self, dst: bytes, device: str | None = None) -> int:
        """Largest IP packet, in bytes, that the path to `dst` is known to carry; `device` as for `send`."""

    def alloc_skb(self, size: int) -> SkBuff:
        """An empty buffer with room for `size` bytes behind the headroom that link and IP headers need."""

    def is_local(self, address: bytes) -> bool:
        """Whether `address` is one of this host's: an individual one, no broadcast."""

    def is_broadcast(self, address: bytes) -> bool:
        """Whether `address` is a broadcast address here."""

    def device_of(self, address: bytes) -> str | None:
        """The name of the device that has `address`."""

    def device_at(self, index: int) -> str | None:
        """The name of the device with this interface index."""

    def index_of(self, device: str) -> int:
        """The interface index of `device`; 0: there is none."""

    def device_towards(self, dst: bytes) -> str | None:
        """The name of the device that packets to `dst` leave by; None: no route."""

    def address_of(self, device: str) -> bytes:
        """The address of `device`."""
