"""Ethernet II header (IEEE 802.3 §3.2, RFC 894): parse checked, emit.

A frame here is what software sees: destination address … payload, without preamble and FCS.
"""

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from pymodel.wire.errors import WireError

__all__ = [
    "BROADCAST",
    "ETHERTYPE_ARP",
    "ETHERTYPE_IPV4",
    "ETHERTYPE_IPV6",
    "ETHERTYPE_VLAN",
    "HEADER_LEN",
    "MAX_FRAME_LEN",
    "MIN_ETHERTYPE",
    "MIN_FRAME_LEN",
    "EthHeader",
    "emit",
    "format_mac",
    "is_multicast",
    "parse",
    "parse_mac",
]

HEADER_LEN: Final = 14
MIN_FRAME_LEN: Final = 60
"""minFrameSize without FCS (IEEE 802.3 §4.4.2): shorter ones are padded by the MAC."""
MAX_FRAME_LEN: Final = 1514
"""maxBasicFrameSize without FCS (IEEE 802.3 §4.4.2), untagged."""

MIN_ETHERTYPE: Final = 0x0600
"""Smaller values of the Length/Type field are lengths (IEEE 802.3 §3.2.6)."""
ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_VLAN: Final = 0x8100
ETHERTYPE_IPV6: Final = 0x86DD

BROADCAST: Final = b"\xff\xff\xff\xff\xff\xff"

_HEADER = struct.Struct("!6s6sH")


class EthHeader(NamedTuple):
    """The 14 bytes in front of a payload. `ethertype` is the Length/Type field as it is."""

    dst: bytes
    src: bytes
    ethertype: int


def parse(data: bytes | bytearray | memoryview) -> EthHeader:
    """The header at the start of `data`. Raises WireError when there are fewer than 14 bytes."""
    if len(data) < HEADER_LEN:
        raise WireError("eth_truncated")
    return EthHeader._make(_HEADER.unpack_from(data))


@lru_cache(maxsize=256)
def emit(dst: bytes, src: bytes, ethertype: int) -> bytes:
    """The 14 header bytes. Raises ValueError for addresses that are not 6 bytes or a type over 16 bits.

    Packets to one neighbour all have the same (Linux keeps them in its hh_cache).
    """
    # struct would cut or pad a wrong address silently.
    if len(dst) != 6 or len(src) != 6 or not 0 <= ethertype <= 0xFFFF:
        raise ValueError(f"Ethernet header: dst {dst!r}, src {src!r}, type {ethertype:#x}")
    return _HEADER.pack(dst, src, ethertype)


def is_multicast(mac: bytes) -> bool:
    """True for group addresses, broadcast among them (IEEE 802.3 §3.2.3: the I/G bit)."""
    return bool(mac[0] & 1)


def format_mac(mac: bytes) -> str:
    """``02:00:00:00:00:01``."""
    return mac.hex(":")


def parse_mac(text: str) -> bytes:
    """The 6 bytes of ``02:00:00:00:00:01`` (or with dashes). Raises ValueError for anything else."""
    parts = text.replace("-", ":").split(":")
    if len(parts) != 6 or not all(len(part) == 2 for part in parts):
        raise ValueError(f"{text!r} is not a MAC address")
    try:
        return bytes.fromhex("".join(parts))
    except ValueError:
        raise ValueError(f"{text!r} is not a MAC address") from None
