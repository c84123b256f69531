"""What a device cannot do to an outgoing frame, done in software: checksums, and segmentation (GSO).

A super-segment is an skb with `gso_size`: one TCP/IPv4 frame with the payload of several, and headers as
those of the first of them, but for FIN and PSH, which belong to the last. `segment` makes of it what a
device with HOST_TSO4 puts on the wire (virtio 1.2 §5.1.6.2; Linux: skb_gso_segment), bit by bit.
"""

import struct
from collections.abc import Iterator
from typing import Final

from pymodel.skbuff import Checksum, Page, SkBuff, alloc_skb
from pymodel.wire import ipv4, tcp
from pymodel.wire.checksum import checksum, partial

__all__ = ["GSO_MAX_SEGS", "GSO_TCPV4", "GSO_TCP_ECN", "checksum_help", "request_checksum", "segment"]

GSO_TCPV4: Final = 1
"""`SkBuff.gso_type`: TCP over IPv4. The values are those of virtio_net_hdr (virtio 1.2 §5.1.6)."""
GSO_TCP_ECN: Final = 0x80
"""Added to it: the TCP header has CWR, which belongs to the first segment alone (RFC 3168 §6.1.2)."""
GSO_MAX_SEGS: Final = 65_535
"""Segments that `SkBuff.gso_segs` can say (Linux: GSO_MAX_SEGS)."""

_U16: Final = struct.Struct("!H")
_U32: Final = struct.Struct("!I")
_TOTAL_LEN_AT: Final = 2
_IDENT_AT: Final = 4
_FRAGMENT_AT: Final = 6
_PROTO_AT: Final = 9
_IP_CHECKSUM_AT: Final = 10
_SEQ_AT: Final = 4
_OFFSET_AT: Final = 12
_FLAGS_AT: Final = 13


def request_checksum(skb: SkBuff, pseudo: int, offset: int) -> None:
    """Leave the checksum at `offset` of a transport header, where `skb`'s data begins, to the device.

    `pseudo`: the sum of the pseudo-header, which the field has to hold (`Checksum.PARTIAL`).
    """
    _U16.pack_into(skb.linear(), offset, pseudo % 0xFFFF or 0xFFFF)
    skb.ip_summed = Checksum.PARTIAL
    skb.csum_start = skb.headroom()
    skb.csum_offset = offset


def _sum(skb: SkBuff, start: int) -> int:
    """The sum of everything from offset `start`, in the linear area, to the end."""
    linear = skb.linear()[start:]
    total = partial(linear)
    if not skb.data_len:
        return total
    odd = len(linear) & 1
    for page, offset, size in skb.frags:
        part = partial(page.view(offset, size))
        # A part that begins at an odd offset has its bytes swapped in the sum (RFC 1071 §2 (B)).
        total += part << 8 if odd else part
        odd ^= size & 1
    return total


def checksum_help(skb: SkBuff) -> None:
    """Fill in the checksum of an skb with `Checksum.PARTIAL` (Linux: skb_checksum_help).

    The field holds the sum of the pseudo-header. Fragments are read where they are. Raises ValueError when
    the field is outside the packet, or not in its linear part.
    """
    start = skb.csum_start - skb.headroom()
    field_at = start + skb.csum_offset
    if start < 0 or field_at + 2 > skb.headlen:
        raise ValueError(f"csum_start {start}, csum_offset {skb.csum_offset} in a frame of {skb.len} bytes")
    if skb.cloned:
        skb.cow()
    # RFC 768: a UDP checksum of 0 is sent as 0xffff, which is the same sum for every protocol.
    _U16.pack_into(skb.linear(), field_at, checksum(b"", _sum(skb, start)) or 0xFFFF)
    skb.ip_summed = Checksum.NONE


class _Payload:
    """The payload of a super-segment, taken from its front piece by piece."""

    def __init__(self, skb: SkBuff, at: int) -> None:
        self._linear = skb.linear()[at:]
        self._pages: Iterator[tuple[Page, int, int]] = iter(skb.frags)
        self._page: tuple[Page, int, int] | None = None

    def inline(self, n: int) -> int:
        """How many of the next `n` bytes are linear: `frame` needs room for them."""
        return min(n, len(self._linear))

    def move(self, frame: SkBuff, n: int) -> None:
        """Append the next `n` bytes to `frame`: linear ones as a copy, those in pages as references."""
        part = self._linear[:n]
        if part:
            frame.put(len(part))[:] = part
            self._linear = self._linear[n:]
            n -= len(part)
        while n:
            page, offset, size = self._page or next(self._pages)
            taken = min(size, n)
            frame.add_frag(page, offset, taken)
            self._page = (page, offset + taken, size - taken) if taken < size else None
            n -= taken


def segment(skb: SkBuff) -> list[SkBuff]:
    """The frames that the super-segment `skb` stands for, each with `Checksum.PARTIAL`; consumes it.

    Payload in fragments stays where it is, linear payload is copied. Raises ValueError when `skb` is not a
    frame of TCP over unfragmented IPv4 with the TCP header at `csum_start`, MemoryError when host memory is
    full; `skb` stays the caller's then.
    """
    ip = (skb.network_header or 0) - skb.data
    at = skb.csum_start - skb.headroom()
    headlen = skb.headlen
    linear = skb.linear()
    if (
        skb.gso_type & ~GSO_TCP_ECN != GSO_TCPV4
        or skb.ip_summed is not Checksum.PARTIAL
        or skb.gso_size <= 0
        or ip < 0
        or at < ip + ipv4.HEADER_LEN
        or at + tcp.HEADER_LEN > headlen
        or at + (linear[at + _OFFSET_AT] >> 4 << 2) > headlen
        or linear[ip + _PROTO_AT] != ipv4.PROTO_TCP
        or _U16.unpack_from(linear, ip + _FRAGMENT_AT)[0] & (ipv4.MF | ipv4.OFFSET_MASK)
    ):
        raise ValueError(f"{skb!r} with gso_type {skb.gso_type:#x}, gso_size {skb.gso_size} cannot be cut")
    frames: list[SkBuff] = []
    try:
        _cut(skb, ip, at, frames)
    except MemoryError:
        for frame in frames:
            frame.free()
        raise
    skb.free()
    return frames


def _cut(skb: SkBuff, ip: int, at: int, frames: list[SkBuff]) -> None:
    """`segment` for a frame that was checked: IPv4 header at `ip`, TCP header at `at`."""
    linear = skb.linear()
    payload_at = at + (linear[at + _OFFSET_AT] >> 4 << 2)
    header = bytearray(linear[:payload_at])
    left = skb.len - payload_at
    size = skb.gso_size
    overhead = payload_at - ip
    ident = _U16.unpack_from(header, ip + _IDENT_AT)[0]
    seq = _U32.unpack_from(header, at + _SEQ_AT)[0]
    flags = header[at + _FLAGS_AT]
    # Of the pseudo-header all but the length stays, of the IPv4 header not its length, identification, sum.
    pseudo = _U16.unpack_from(header, at + tcp.CHECKSUM_OFFSET)[0] + 0xFFFF - (skb.len - at) % 0xFFFF
    for field in (_TOTAL_LEN_AT, _IDENT_AT, _IP_CHECKSUM_AT):
        _U16.pack_into(header, ip + field, 0)
    fixed = partial(header[ip:at])
    payload = _Payload(skb, payload_at)
    headroom = skb.headroom()
    while True:
        n = min(size, left)
        left -= n
        frame = alloc_skb(skb.memory, payload_at + payload.inline(n), headroom)
        frames.append(frame)
        total = overhead + n
        _U16.pack_into(header, ip + _TOTAL_LEN_AT, total)
        _U16.pack_into(header, ip + _IDENT_AT, ident)
        _U16.pack_into(header, ip + _IP_CHECKSUM_AT, 0xFFFF - ((fixed + total + ident) % 0xFFFF or 0xFFFF))
        _U32.pack_into(header, at + _SEQ_AT, seq)
        header[at + _FLAGS_AT] = flags & ~(tcp.FIN | tcp.PSH) if left else flags
        _U16.pack_into(header, at + tcp.CHECKSUM_OFFSET, (pseudo + payload_at - at + n) % 0xFFFF or 0xFFFF)
        frame.put(payload_at)[:] = header
        payload.move(frame, n)
        _dress(frame, skb)
        if not left:
            return
        flags &= ~tcp.CWR
        seq = seq + n & 0xFFFF_FFFF
        ident = ident + 1 & 0xFFFF


def _dress(frame: SkBuff, skb: SkBuff) -> None:
    """What `skb` knows beside its bytes; both have the same headroom and headers."""
    moved = frame.data - skb.data
    if skb.mac_header is not None:
        frame.mac_header = skb.mac_header + moved
    if skb.network_header is not None:
        frame.network_header = skb.network_header + moved
    if skb.transport_header is not None:
        frame.transport_header = skb.transport_header + moved
    frame.protocol = skb.protocol
    frame.dev = skb.dev
    frame.tstamp = skb.tstamp
    frame.ip_summed = Checksum.PARTIAL
    frame.csum_start = skb.csum_start
    frame.csum_offset = skb.csum_offset
