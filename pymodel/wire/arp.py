"""ARP for IPv4 over Ethernet (RFC 826): parse checked, emit."""

import struct
from typing import Final, NamedTuple

from pymodel.wire.errors import WireError

REQUEST: Final = 1
REPLY: Final = 2
LENGTH: Final = 28

_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800


class ArpPacket(NamedTuple):
    """Sender and target: hardware address (6 bytes) and protocol address (4 bytes) each."""

    op: int
    sha: bytes
    spa: bytes
    tha: bytes
    tpa: bytes


def parse(data: bytes | bytearray | memoryview) -> ArpPacket:
    """The packet at the start of `data`; bytes behind it are Ethernet padding.

    Raises WireError: ``arp_truncated``, or ``arp_unsupported`` (not IPv4 over Ethernet, unknown operation,
    or a sender whose hardware address is a group address).
    """
    if len(data) < LENGTH:
        raise WireError("arp_truncated")
    htype, ptype, hlen, plen, op, sha, spa, tha, tpa = _PACKET.unpack_from(data)
    if (htype, ptype, hlen, plen) != (_ETHERNET, _IPV4, 6, 4) or op not in (REQUEST, REPLY) or sha[0] & 1:
        raise WireError("arp_unsupported")
    return ArpPacket(op, sha, spa, tha, tpa)


def emit(packet: ArpPacket) -> bytes:
    """The 28 bytes of `packet`."""
    return _PACKET.pack(_ETHERNET, _IPV4, 6, 4, packet.op, packet.sha, packet.spa, packet.tha, packet.tpa)
