"""HOST_TSO4, HOST_TSO6: one big TCP segment over IP becomes many that fit the wire (§5.1.6.2).

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

_U16: Final = struct.Struct("!H")
_U32: Final = struct.Struct("!I")
_IPV4_MIN: Final = 20
_IPV6_SIZE: Final = 40
_EXTENSIONS_MAX: Final = 64
_TCP_MIN: Final = 20
_TCP_MAX: Final = 60
_TCP: Final = 6
_FRAGMENT: Final = 0x3FFF
"""MF and the fragment offset (RFC 791 §3.1)."""
_EXTENSIONS: Final = (0, 43, 60)
"""Hop-by-hop options, routing, destination options (RFC 8200 §4)."""
_FIN: Final = 0x01
_PSH: Final = 0x08
_CWR: Final = 0x80


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of super-frame: its EtherType, and the longest frame that can be cut up, with a tag."""

    ethertype: int
    longest: int


IPV4: Final = Family(l2.IPV4, 14 + 4 + 65535)
IPV6: Final = Family(l2.IPV6, 14 + 4 + _IPV6_SIZE + 65535)
"""Its length field does not count its header (RFC 8200 §3)."""
HEADERS_MAX: Final = 14 + 4 + _IPV6_SIZE + _EXTENSIONS_MAX + _TCP_MAX
"""The longest headers: IPv4's with all options are shorter."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the headers of a TCP over IP frame begin, and where its payload does."""

    family: Family
    ip: int
    tcp: int
    payload: int


def layout(family: Family, head: bytes, length: int, csum_start: int) -> Layout | None:
    """The layout of a frame of `length` bytes that begins with `head` (at least `HEADERS_MAX` or all of it).

    None if it is not TCP over `family` with its TCP header, which is whole, at `csum_start`.
    """
    kind, ip = l2.network_layer(head)
    if kind != family.ethertype:
        return None
    tcp = (_tcp_over_ipv4 if family is IPV4 else _tcp_over_ipv6)(head, ip)
    if tcp is None or tcp != csum_start or tcp + _TCP_MIN > length:
        return None
    payload = tcp + 4 * (head[tcp + 12] >> 4)
    if payload < tcp + _TCP_MIN or payload > length:
        return None
    return Layout(family, ip, tcp, payload)


def _tcp_over_ipv4(head: bytes, ip: int) -> int | None:
    """Where TCP begins behind an IPv4 header that is no fragment's (RFC 791 §3.1)."""
    if len(head) < ip + _IPV4_MIN or head[ip] >> 4 != 4 or head[ip] & 15 < 5:
        return None
    if head[ip + 9] != _TCP or int.from_bytes(head[ip + 6 : ip + 8], "big") & _FRAGMENT:
        return None
    return ip + 4 * (head[ip] & 15)


def _tcp_over_ipv6(head: bytes, ip: int) -> int | None:
    """Where TCP begins behind an IPv6 header and the extension headers that it may have (RFC 8200 §4)."""
    at = ip + _IPV6_SIZE
    if len(head) < at or head[ip] >> 4 != 6:
        return None
    kind, end = head[ip + 6], at + _EXTENSIONS_MAX
    while kind in _EXTENSIONS:
        if len(head) < at + 2:
            return None
        kind, at = head[at], at + 8 * (head[at + 1] + 1)
    return at if kind == _TCP and at <= end else None


def longest_segment(where: Layout, length: int, gso_size: int) -> int:
    """Length of the first, and so the longest, segment's frame."""
    return where.payload + min(gso_size, length - where.payload)


def segments(read: Read, length: int, where: Layout, gso_size: int) -> Iterator[bytes]:
    """The frames (no FCS, no padding) that a frame of `length` bytes is cut into, in order."""
    headers = read(0, where.payload)
    last = max(-(-(length - where.payload) // gso_size), 1) - 1
    for number in range(last + 1):
        at = where.payload + number * gso_size
        frame = bytearray(headers + read(at, min(gso_size, length - at)))
        _number_ip(frame, where, number)
        _number_tcp(frame, where.tcp, number, number * gso_size, last=number == last)
        pseudo = _pseudo_sum(headers, where.tcp, len(frame) - length)
        _U16.pack_into(frame, where.tcp + 16, 0)
        checksum = inet_sum.checksum_not_zero(pseudo, memoryview(frame)[where.tcp :])
        _U16.pack_into(frame, where.tcp + 16, checksum)
        yield bytes(frame)


def _number_ip(frame: bytearray, where: Layout, number: int) -> None:
    ip = where.ip
    if where.family is IPV6:
        _U16.pack_into(frame, ip + 4, len(frame) - ip - _IPV6_SIZE)
        return
    _U16.pack_into(frame, ip + 2, len(frame) - ip)
    _U16.pack_into(frame, ip + 4, _U16.unpack_from(frame, ip + 4)[0] + number & 0xFFFF)
    _U16.pack_into(frame, ip + 10, 0)
    _U16.pack_into(frame, ip + 10, inet_sum.checksum(bytes(frame[ip : where.tcp])))


def _number_tcp(frame: bytearray, tcp: int, number: int, sent: int, *, last: bool) -> None:
    _U32.pack_into(frame, tcp + 4, _U32.unpack_from(frame, tcp + 4)[0] + sent & 0xFFFF_FFFF)
    if not last:
        frame[tcp + 13] &= ~(_FIN | _PSH) & 0xFF
    if number:
        frame[tcp + 13] &= ~_CWR & 0xFF


def _pseudo_sum(headers: bytes, tcp: int, longer: int) -> bytes:
    """A segment's sum of the pseudo-header, as two bytes: the driver's, of a length `longer` (below 0).

    Only the driver knows the addresses that count where a routing header is on the way (RFC 8200 §8.1).
    """
    return _U16.pack((_U16.unpack_from(headers, tcp + 16)[0] + longer) % 0xFFFF)
