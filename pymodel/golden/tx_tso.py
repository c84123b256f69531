"""HOST_TSO4: one big TCP segment over IPv4 becomes many that fit the wire (§5.1.6.2).

Frames are asked for piece by piece (`Read`), because the device may send the first segments before it
has read the last.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pymodel.golden import inet_sum, l2

Read = Callable[[int, int], bytes]
"""(offset, length) → bytes of the frame."""

HEADERS_MAX: Final = 14 + 4 + 60 + 60
"""Ethernet with a tag, IPv4 and TCP with all options that their length fields allow."""
LONGEST: Final = 65535 + 14 + 4
"""Longest frame that can be cut up: the greatest IPv4 datagram, with a tag."""

_U16: Final = struct.Struct("!H")
_U32: Final = struct.Struct("!I")
_IP_MIN: Final = 20
_TCP_MIN: Final = 20
_TCP: Final = 6
_FRAGMENT: Final = 0x3FFF
"""MF and the fragment offset (RFC 791 §3.1)."""
_FIN: Final = 0x01
_PSH: Final = 0x08
_CWR: Final = 0x80


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the headers of a TCP over IPv4 frame begin, and where its payload does."""

    ip: int
    tcp: int
    payload: int


def layout(head: bytes, length: int, csum_start: int) -> Layout | None:
    """The layout of a frame of `length` bytes that begins with `head` (at least `HEADERS_MAX` or all of it).

    None if it is not TCP over unfragmented IPv4 with its TCP header, which is whole, at `csum_start`.
    """
    kind, ip = l2.network_layer(head)
    if kind != l2.IPV4 or ip + _IP_MIN > length:
        return None
    tcp = ip + 4 * (head[ip] & 15)
    if head[ip] >> 4 != 4 or tcp < ip + _IP_MIN or tcp != csum_start or tcp + _TCP_MIN > length:
        return None
    if head[ip + 9] != _TCP or int.from_bytes(head[ip + 6 : ip + 8], "big") & _FRAGMENT:
        return None
    payload = tcp + 4 * (head[tcp + 12] >> 4)
    if payload < tcp + _TCP_MIN or payload > length:
        return None
    return Layout(ip, tcp, payload)


def longest_segment(where: Layout, length: int, gso_size: int) -> int:
    """Length of the first, and so the longest, segment's frame."""
    return where.payload + min(gso_size, length - where.payload)


def segments(read: Read, length: int, where: Layout, gso_size: int) -> Iterator[bytes]:
    """The frames (no FCS, no padding) that a frame of `length` bytes is cut into, in order."""
    headers = read(0, where.payload)
    last = max(-(-(length - where.payload) // gso_size), 1) - 1
    for number in range(last + 1):
        at = where.payload + number * gso_size
        payload = read(at, min(gso_size, length - at))
        yield _segment(headers, where, payload, number, number * gso_size, last=number == last)


def _segment(headers: bytes, where: Layout, payload: bytes, number: int, sent: int, *, last: bool) -> bytes:
    ip, tcp = where.ip, where.tcp
    frame = bytearray(headers + payload)
    _U16.pack_into(frame, ip + 2, len(frame) - ip)
    _U16.pack_into(frame, ip + 4, _U16.unpack_from(frame, ip + 4)[0] + number & 0xFFFF)
    _U16.pack_into(frame, ip + 10, 0)
    _U16.pack_into(frame, ip + 10, inet_sum.checksum(bytes(frame[ip:tcp])))
    _U32.pack_into(frame, tcp + 4, _U32.unpack_from(frame, tcp + 4)[0] + sent & 0xFFFF_FFFF)
    if not last:
        frame[tcp + 13] &= ~(_FIN | _PSH) & 0xFF
    if number:
        frame[tcp + 13] &= ~_CWR & 0xFF
    _U16.pack_into(frame, tcp + 16, 0)
    pseudo = inet_sum.pseudo_header(headers[ip + 12 : ip + 20], _TCP, len(frame) - tcp)
    _U16.pack_into(frame, tcp + 16, inet_sum.checksum_not_zero(pseudo, memoryview(frame)[tcp:]))
    return bytes(frame)
