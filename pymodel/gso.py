"""What a device cannot do to an outgoing frame, done in software: checksums, and segmentation (GSO).

A super-segment is an skb with `gso_size`: one TCP/IPv4 frame with the payload of several, and headers as
those of the first of them, but for FIN and PSH, which belong to the last. `segment` makes of it what a
device with HOST_TSO4 puts on the wire (virtio 1.2 §5.1.6.2; Linux: skb_gso_segment), bit by bit.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pymodel.skbuff import Checksum, Page, SkBuff
from pymodel.wire import ipv4, tcp
from pymodel.wire.checksum import checksum, partial

__all__ = [
    "GSO_MAX_SEGS",
    "GSO_TCPV4",
    "GSO_TCP_ACCECN",
    "GSO_TCP_ECN",
    "checksum_help",
    "request_checksum",
    "segment",
]

GSO_TCPV4: Final = 1
"""`SkBuff.gso_type`: TCP over IPv4. The values are those of virtio_net_hdr (virtio 1.2 §5.1.6)."""
GSO_TCP_ECN: Final = 0x80
"""Added to it: the TCP header has CWR, which belongs to the first segment alone (RFC 3168 §6.1.2)."""
GSO_TCP_ACCECN: Final = 0x100
"""Instead: CWR belongs to every segment (RFC 9768 §3.2.2). Virtio has no bit for that: no device cuts it."""
GSO_MAX_SEGS: Final = 65_535
"""Segments that `SkBuff.gso_segs` can say (Linux: GSO_MAX_SEGS)."""

_U16: Final = struct.Struct("!H")
_TOTAL_LEN_AT: Final = 2
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
    data = skb.data
    _U16.pack_into(skb.memory.view, data - skb.memory.base + offset, pseudo % 0xFFFF or 0xFFFF)
    skb.ip_summed = Checksum.PARTIAL
    skb.csum_start = data - skb.head
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

    def move(self, frame: SkBuff, at: int, n: int) -> None:
        """Give the next `n` bytes to `frame`: linear ones as a copy to offset `at`, those in pages as
        references."""
        if self._linear:
            part = self._linear[:n]
            frame.linear()[at:] = part
            self._linear = self._linear[len(part) :]
            n -= len(part)
        while n:
            page, offset, size = self._page or next(self._pages)
            if size > n:
                frame.add_frag(page, offset, n)
                self._page = (page, offset + n, size - n)
                return
            frame.add_frag(page, offset, size)
            self._page = None
            n -= size


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
        skb.gso_type & ~(GSO_TCP_ECN | GSO_TCP_ACCECN) != GSO_TCPV4
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


@lru_cache(maxsize=64)
def _template(ip: int, at: int, payload_at: int) -> struct.Struct:
    """The headers of a frame with the IPv4 header at `ip`, the TCP header at `at`: as strings what all
    segments share, between them total length, identification, checksum; sequence number, flags, checksum."""
    flow = at + _SEQ_AT - ip - _IP_CHECKSUM_AT - 2
    return struct.Struct(
        f"!{ip + _TOTAL_LEN_AT}sHH{_IP_CHECKSUM_AT - _FRAGMENT_AT}sH{flow}sI"
        f"{_FLAGS_AT - _SEQ_AT - 4}sB{tcp.CHECKSUM_OFFSET - _FLAGS_AT - 1}sH"
        f"{payload_at - at - tcp.CHECKSUM_OFFSET - 2}s"
    )


def _cut(skb: SkBuff, ip: int, at: int, frames: list[SkBuff]) -> None:
    """`segment` for a frame that was checked: IPv4 header at `ip`, TCP header at `at`."""
    linear = skb.linear()
    payload_at = at + (linear[at + _OFFSET_AT] >> 4 << 2)
    template = _template(ip, at, payload_at)
    link, total, ident, route, ip_sum, flow, seq, state, flags, window, pseudo, rest = template.unpack_from(
        linear
    )
    left = skb.len - payload_at
    size = skb.gso_size
    overhead = payload_at - ip
    # Of the pseudo-header all but the length stays, of the IPv4 header not its length, identification, sum.
    pseudo += 0xFFFF - (skb.len - at) % 0xFFFF + payload_at - at
    fixed = partial(linear[ip:at]) + 3 * 0xFFFF - total - ident - ip_sum
    payload = _Payload(skb, payload_at)
    while True:
        n = min(size, left)
        left -= n
        frame = skb.sibling(payload_at + payload.inline(n))
        frames.append(frame)
        total = overhead + n
        template.pack_into(
            frame.linear(),
            0,
            link,
            total,
            ident,
            route,
            0xFFFF - ((fixed + total + ident) % 0xFFFF or 0xFFFF),
            flow,
            seq,
            state,
            flags & ~(tcp.FIN | tcp.PSH) if left else flags,
            window,
            (pseudo + n) % 0xFFFF or 0xFFFF,
            rest,
        )
        payload.move(frame, payload_at, n)
        if not left:
            return
        if not skb.gso_type & GSO_TCP_ACCECN:
            flags &= ~tcp.CWR
        seq = seq + n & 0xFFFF_FFFF
        ident = ident + 1 & 0xFFFF
