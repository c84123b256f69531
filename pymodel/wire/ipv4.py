"""The IPv4 header (RFC 791): parse checked, emit."""

import struct
from typing import Final, NamedTuple

from pymodel.wire.checksum import checksum, verify
from pymodel.wire.errors import WireError

HEADER_LEN: Final = 20
PROTO_ICMP: Final = 1
PROTO_TCP: Final = 6
PROTO_UDP: Final = 17
DF: Final = 0x4000
MF: Final = 0x2000
OFFSET_MASK: Final = 0x1FFF

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
    if not verify(data[:header_len]):
        raise WireError("ip_bad_checksum")
    return Ipv4Header(header_len, tos, total_len, ident, fragment, ttl, proto, src, dst)


def emit_into(
    buffer: bytearray | memoryview,
    *,
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
    _HEADER.pack_into(buffer, 0, 0x45, tos, total_len, ident, fragment, ttl, proto, 0, src, dst)
    struct.pack_into("!H", buffer, 10, checksum(buffer[:HEADER_LEN]))


def is_multicast(address: bytes) -> bool:
    """True for 224.0.0.0/4."""
    return address[0] & 0xF0 == 0xE0
