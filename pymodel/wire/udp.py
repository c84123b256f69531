"""UDP (RFC 768): parse checked, emit."""

import struct
from typing import Final, NamedTuple

from pymodel.wire.checksum import checksum, pseudo_header, verify
from pymodel.wire.errors import WireError

PROTO: Final = 17
HEADER_LEN: Final = 8

_HEADER = struct.Struct("!HHHH")


class UdpHeader(NamedTuple):
    """The fields as on the wire; `length` counts header and data, in bytes."""

    sport: int
    dport: int
    length: int
    checksum: int


def parse(
    data: bytes | bytearray | memoryview, src: bytes, dst: bytes, *, verified: bool = False
) -> UdpHeader:
    """The header at the start of `data`, a datagram that came from address `src` to `dst`.

    What follows `length` bytes is none of the datagram's. The checksum is not looked at if it was
    `verified` below, or if it is 0: the sender made none (RFC 768; RFC 1122 §4.1.3.4). Raises WireError:
    ``udp_truncated`` (less than a header), ``udp_bad_length`` (more than there is, or less than the
    header), ``udp_bad_checksum``.
    """
    if len(data) < HEADER_LEN:
        raise WireError("udp_truncated")
    header = UdpHeader(*_HEADER.unpack_from(data))
    length = header.length
    if not HEADER_LEN <= length <= len(data):
        raise WireError("udp_bad_length")
    if header.checksum and not verified:
        pseudo = pseudo_header(src, dst, PROTO, length)
        if not verify(data[:length], pseudo):
            raise WireError("udp_bad_checksum")
    return header


def emit_into(buffer: bytearray | memoryview, sport: int, dport: int, src: bytes, dst: bytes) -> None:
    """Write the header at the start of `buffer`, which is the whole datagram with its data in place.

    A checksum that comes out as 0 is sent as 0xffff, as 0 means "none" (RFC 768).
    """
    length = len(buffer)
    _HEADER.pack_into(buffer, 0, sport, dport, length, 0)
    value = checksum(buffer, pseudo_header(src, dst, PROTO, length)) or 0xFFFF
    struct.pack_into("!H", buffer, 6, value)
