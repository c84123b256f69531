"""Generic receive offload: TCP/IPv4 segments of one flow that arrive together go up as one sk_buff.

The stack above then works once for what were many frames. Nothing is copied: the first frame's headers stay,
the payload of the others becomes fragments behind its own. Only what `pymodel.gso.segment` would cut into
the very frames that came is joined, but for identifications where they mean nothing. The rules are those of
Linux (inet_gro_receive, tcp_gro_receive).
"""

import struct
from collections.abc import Callable
from typing import Final

from pymodel.gso import GSO_TCP_ECN, GSO_TCPV4
from pymodel.skbuff import Checksum, SkBuff
from pymodel.wire import eth, ipv4, tcp
from pymodel.wire.checksum import checksum, pseudo_header, verify

__all__ = ["GRO_MAX_SIZE", "Gro"]

GRO_MAX_SIZE: Final = 65_535
"""Bytes of the joined IPv4 packet at most."""

_IP: Final = eth.HEADER_LEN
_TCP: Final = _IP + ipv4.HEADER_LEN
_VERSION_IHL: Final = 0x45
"""IPv4 without options: the only header that is joined."""

# Addresses of Ethernet and EtherType; version and TOS; total length; identification; fragment word, TTL and
# protocol; checksum; addresses and ports; sequence number; ACK and data offset; flags; window.
_HEADERS: Final = struct.Struct("!14s2sHH4sH12sI5sB2s")
_SHORTEST: Final = _TCP + tcp.HEADER_LEN
_OPTIONS: Final = _SHORTEST
_TOTAL_LEN_AT: Final = _IP + 2
_IP_CHECKSUM_AT: Final = _IP + 10
_FLAGS_AT: Final = _TCP + 13
_U16: Final = struct.Struct("!H")

_ENDS: Final = tcp.FIN | tcp.PSH
_ALONE: Final = tcp.URG | tcp.PSH | tcp.RST | tcp.SYN | tcp.FIN
"""What has one of these flags is the last of what it is joined with."""
_EACH: Final = 0xFF & ~(_ENDS | tcp.CWR)
"""Flags that are the same in all that is joined."""
_FRAGMENT: Final = ipv4.MF | ipv4.OFFSET_MASK
_DF_UPPER: Final = ipv4.DF >> 8
_ETHERTYPE: Final = eth.ETHERTYPE_IPV4.to_bytes(2, "big")


class _Held:
    """A frame, or several that were joined, waiting for the next one."""

    __slots__ = ("count", "flags", "ident", "mss", "next_seq", "same", "size", "skb", "step")

    def __init__(
        self, skb: SkBuff, size: int, seq: int, ident: int, flags: int, same: tuple[bytes | int, ...]
    ) -> None:
        self.skb = skb
        self.mss = size
        self.size = size
        self.next_seq = seq + size & 0xFFFF_FFFF
        self.ident = ident
        self.step: int | None = None
        """By how much the identification grows from frame to frame; None: there is only one."""
        self.flags = flags
        self.same = same
        self.count = 1

    def follows(self, ident: int, dont_fragment: int) -> bool:
        """`ident` is what the next frame has: one more than the last or, where it means nothing, always the
        same (RFC 6864 §4.1)."""
        step = ident - self.ident & 0xFFFF
        if self.step is None:
            return step == 1 or (step == 0 and dont_fragment != 0)
        return step == self.step * self.count & 0xFFFF

    def join(self, skb: SkBuff, payload_at: int, size: int, ident: int, flags: int) -> None:
        """The next frame: `size` bytes of payload from `payload_at` on."""
        if self.step is None:
            self.step = ident - self.ident & 0xFFFF
        self.skb.join(skb, payload_at)
        self.size += size
        self.next_seq = self.next_seq + size & 0xFFFF_FFFF
        self.flags |= flags & _ENDS
        self.count += 1


class Gro:
    """Joins what comes between two calls of `flush`; `deliver(skb)` gets the result, and what stays single.

    Frames of one flow keep their order.
    """

    def __init__(self, deliver: Callable[[SkBuff], None]) -> None:
        self._deliver = deliver
        self._held: dict[tuple[bytes, bytes], _Held] = {}

    def receive(self, skb: SkBuff) -> None:
        """A frame, Ethernet header first; consumes it."""
        headlen = skb.len - skb.data_len
        if headlen < _SHORTEST:
            self._deliver(skb)
            return
        view = skb.linear()
        link, kind, total, ident, middle, _, flow, seq, acknowledgment, flags, window = _HEADERS.unpack_from(
            view
        )
        payload_at = _TCP + (acknowledgment[4] >> 4 << 2)
        size = _IP + total - payload_at
        same = (acknowledgment, window, kind, middle, flags & _EACH, view[_OPTIONS:payload_at].tobytes())
        key = (link, flow)
        held = self._held.get(key)
        if (
            held is not None
            and seq == held.next_seq
            and same == held.same
            and 0 < size <= held.mss
            and _IP + total == skb.len
            and payload_at <= headlen
            and not int.from_bytes(view[_IP:_TCP], "big") % 0xFFFF
            and not flags & tcp.CWR
            and not skb.gso_size
            and held.size + payload_at - _IP + size <= GRO_MAX_SIZE
            and held.follows(ident, middle[0] & _DF_UPPER)
            and (skb.ip_summed is Checksum.UNNECESSARY or self._checked(skb, view))
        ):
            held.join(skb, payload_at, size, ident, flags)
            if size < held.mss or flags & _ALONE:
                del self._held[key]
                self._finish(held)
            return
        if (
            middle[3] != ipv4.PROTO_TCP
            or kind[0] != _VERSION_IHL
            or link[12:] != _ETHERTYPE
            or not _SHORTEST <= payload_at <= headlen
            or int.from_bytes(view[_IP:_TCP], "big") % 0xFFFF  # RFC 1071; it is not 0, as the version is not
        ):
            self._deliver(skb)
            return
        if held is not None:
            del self._held[key]
            self._finish(held)
        # With padding, without payload, as a fragment it is not joined; but it must not overtake the others.
        if (
            flags & _ALONE
            or skb.gso_size
            or size <= 0
            or _IP + total != skb.len
            or (middle[0] << 8 | middle[1]) & _FRAGMENT
            or not (skb.ip_summed is Checksum.UNNECESSARY or self._checked(skb, view))
        ):
            self._deliver(skb)
            return
        self._held[key] = _Held(skb, size, seq, ident, flags, same)

    @property
    def holds(self) -> bool:
        """Something waits."""
        return bool(self._held)

    def flush(self) -> None:
        """Deliver everything that waits, in the order of the first frames."""
        if self._held:
            waiting, self._held = self._held, {}
            for held in waiting.values():
                self._finish(held)

    @staticmethod
    def _checked(skb: SkBuff, view: memoryview) -> bool:
        """The TCP checksum is right: the device does not say so, it is summed up here."""
        if skb.data_len or skb.ip_summed is not Checksum.NONE:
            return False
        src, dst = bytes(view[_IP + 12 : _IP + 16]), bytes(view[_IP + 16 : _IP + 20])
        if not verify(view[_TCP:], pseudo_header(src, dst, ipv4.PROTO_TCP, len(view) - _TCP)):
            return False
        skb.ip_summed = Checksum.UNNECESSARY
        return True

    def _finish(self, held: _Held) -> None:
        skb = held.skb
        if held.count > 1:
            view = skb.linear()
            _U16.pack_into(view, _TOTAL_LEN_AT, skb.len - _IP)
            _U16.pack_into(view, _IP_CHECKSUM_AT, 0)
            _U16.pack_into(view, _IP_CHECKSUM_AT, checksum(view[_IP:_TCP]))
            view[_FLAGS_AT] = held.flags
            skb.gso_size = held.mss
            skb.gso_segs = held.count
            skb.gso_type = GSO_TCPV4 | GSO_TCP_ECN if held.flags & tcp.CWR else GSO_TCPV4
        self._deliver(skb)
