"""The IPv4 header (RFC 791): parse checked, emit."""

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from pymodel.wire.checksum import checksum, partial
from pymodel.wire.errors import WireError

HEADER_LEN: Final = 20
PROTO_ICMP: Final = 1
PROTO_TCP: Final = 6
PROTO_UDP: Final = 17
DF: Final = 0x4000
MF: Final = 0x2000
OFFSET_MASK: Final = 0x1FFF
ROUTER_ALERT: Final = b"\x94\x04\0\0"
"""The option: type 148, four bytes, value 0."""

ANY: Final = bytes(4)
BROADCAST: Final = b"\xff\xff\xff\xff"

_HEADER = struct.Struct("!BBHHHBBH4s4s")


class Ipv4Header(NamedTuple):
    """The fields as on the wire; `fragment` is the 16-bit flags-and-offset word, `header_len` in bytes."""

    header_len: int
    tos: int
    total_len: int
    ident: int
    fragment: int
    ttl: int
    proto: int
    src: bytes
    dst: bytes


def parse(data: bytes | bytearray | memoryview, length: int | None = None) -> Ipv4Header:
    """The header at the start of `data`, checked as RFC 1122 §3.2.1 asks.

    `length`: bytes of the packet, where `data` is only the beginning of it, with the header whole.

    Raises WireError: ``ip_truncated``, ``ip_bad_version``, ``ip_bad_header_length``, ``ip_bad_total_length``
    (more than there is, or less than the header), ``ip_bad_checksum``.
    """
    if len(data) < HEADER_LEN:
        raise WireError("ip_truncated")
    first, tos, total_len, ident, fragment, ttl, proto, _, src, dst = _HEADER.unpack_from(data)
    if first >> 4 != 4:
        raise WireError("ip_bad_version")
    header_len = (first & 15) << 2
    if header_len < HEADER_LEN or header_len > len(data):
        raise WireError("ip_bad_header_length")
    if total_len < header_len or total_len > (len(data) if length is None else length):
        raise WireError("ip_bad_total_length")
    if int.from_bytes(data[:header_len], "big") % 0xFFFF:  # RFC 1071; it cannot be 0, as the version is not
        raise WireError("ip_bad_checksum")
    return _new_header(Ipv4Header, (header_len, tos, total_len, ident, fragment, ttl, proto, src, dst))


_new_header = tuple.__new__
"""Ipv4Header(…) by keyword or position goes through a function in Python, which takes three times as long."""


@lru_cache(maxsize=256)
def _fixed_sum(tos: int, fragment: int, ttl: int, proto: int, src: bytes, dst: bytes) -> int:
    """The checksum's sum of what packets of one flow have in common."""
    return partial(_HEADER.pack(0x45, tos, 0, 0, fragment, ttl, proto, 0, src, dst))


def emit_into(
    buffer: bytearray | memoryview,
    total_len: int,
    ident: int,
    fragment: int,
    ttl: int,
    proto: int,
    src: bytes,
    dst: bytes,
    tos: int = 0,
) -> None:
    """Write a header without options at the start of `buffer` (>= 20 bytes), checksum filled in."""
    total = _fixed_sum(tos, fragment, ttl, proto, src, dst) + total_len + ident
    check = 0xFFFF - (total % 0xFFFF or 0xFFFF)
    _HEADER.pack_into(buffer, 0, 0x45, tos, total_len, ident, fragment, ttl, proto, check, src, dst)


def with_router_alert(payload: bytes, *, tos: int, ttl: int, proto: int, src: bytes, dst: bytes) -> bytes:
    """A whole packet that routers on the way are to look at (RFC 2113): identification 0, not fragmented."""
    packet = bytearray(HEADER_LEN + len(ROUTER_ALERT))
    length = len(packet) + len(payload)
    _HEADER.pack_into(packet, 0, 0x46, tos, length, 0, DF, ttl, proto, 0, src, dst)
    packet[HEADER_LEN:] = ROUTER_ALERT
    struct.pack_into("!H", packet, 10, checksum(packet))
    return bytes(packet) + payload


def is_multicast(address: bytes) -> bool:
    """True for 224.0.0.0/4."""
    return address[0] & 0xF0 == 0xE0
