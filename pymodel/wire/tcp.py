"""The TCP header (RFC 9293 §3.1) and its options: parse checked, emit exact.

`parse` raises `WireError` only for a header that cannot be delimited. Options that are wrong do not
harm the segment: what stands before the fault is kept, the rest ignored, and `malformed` says so
(RFC 9293 MUST-7: an illegal option length must be survived).
"""

import struct
from enum import IntFlag
from typing import Final

from pymodel.wire.errors import WireError

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80
AE: Final = 0x1
"""RFC 9768 §2.2, in `TcpHeader.reserved`: with CWR and ECE the ACE field."""

PROTO: Final = 6
HEADER_LEN: Final = 20
MAX_HEADER_LEN: Final = 60
MAX_OPTIONS_LEN: Final = 40
CHECKSUM_OFFSET: Final = 16
TIMESTAMPS_LEN: Final = 12
"""Timestamps as every stack sends them: NOP, NOP, option (RFC 7323 appendix A)."""

OPT_END: Final = 0
OPT_NOP: Final = 1
OPT_MSS: Final = 2
OPT_WINDOW_SCALE: Final = 3
OPT_SACK_PERMITTED: Final = 4
OPT_SACK: Final = 5
OPT_TIMESTAMPS: Final = 8
OPT_MD5: Final = 19
"""RFC 2385 §3.1."""
OPT_ACCECN_0: Final = 172
OPT_ACCECN_1: Final = 174
"""RFC 9768 §3.2.3: byte counters in the order ECT(0), CE, ECT(1), and in the reverse."""
_ACCECN_KINDS: Final = (OPT_ACCECN_0, OPT_ACCECN_1)

_FIXED: Final = struct.Struct("!HHIIBBHHH")
_PADDED_TS: Final = int.from_bytes((OPT_NOP, OPT_NOP, OPT_TIMESTAMPS, 10), "big")
_NOPS: Final = bytes((OPT_NOP, OPT_NOP))
_U32: Final = struct.Struct("!I")
_2U32: Final = struct.Struct("!II")
_3U32: Final = struct.Struct("!III")

_LENGTHS: Final = {OPT_MSS: 4, OPT_WINDOW_SCALE: 3, OPT_SACK_PERMITTED: 2, OPT_TIMESTAMPS: 10, OPT_MD5: 18}
"""Lengths that the RFCs fix; SACK's is 2 + 8n."""


class Flags(IntFlag):
    """Control bits, for printing: ``Flags(0x12).name`` is ``SYN|ACK``."""

    FIN = FIN
    SYN = SYN
    RST = RST
    PSH = PSH
    ACK = ACK
    URG = URG
    ECE = ECE
    CWR = CWR


class TcpHeader:
    """One header. Numbers are as on the wire: `window` unscaled, `seq` and `ack` modulo 2^32.

    Options: None (or empty) where absent. `sack` is a tuple of (left, right) edges; `unknown` keeps
    (kind, value) of others, in order. `accecn` is (kind, counters): 0…3 numbers of 24 bits. `segments`: so
    many came under this header, joined on the way up; `segment_size`: the payload of each (the last may have
    less), 0 if it is one.
    """

    __slots__ = (
        "accecn",
        "ack",
        "dport",
        "flags",
        "header_len",
        "malformed",
        "md5",
        "mss",
        "reserved",
        "sack",
        "sack_permitted",
        "segment_size",
        "segments",
        "seq",
        "sport",
        "ts_ecr",
        "ts_val",
        "unknown",
        "urgent",
        "window",
        "wscale",
    )

    def __init__(
        self, sport: int = 0, dport: int = 0, seq: int = 0, ack: int = 0, flags: int = 0, window: int = 0
    ) -> None:
        self.sport = sport
        self.dport = dport
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.window = window
        self.urgent = 0
        self.reserved = 0
        self.header_len = HEADER_LEN
        self.mss: int | None = None
        self.wscale: int | None = None
        self.sack_permitted = False
        self.sack: tuple[tuple[int, int], ...] = ()
        self.ts_val: int | None = None
        self.ts_ecr = 0
        self.md5: bytes | None = None
        self.accecn: tuple[int, tuple[int, ...]] | None = None
        self.unknown: tuple[tuple[int, bytes], ...] = ()
        self.malformed = False
        self.segments = 1
        self.segment_size = 0

    def __repr__(self) -> str:
        parts = [
            f"{self.sport}→{self.dport} {Flags(self.flags).name or 'none'} seq={self.seq} ack={self.ack}"
        ]
        parts.append(f"win={self.window}")
        for name in ("mss", "wscale", "ts_val"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}={value}")
        if self.sack:
            parts.append(f"sack={self.sack}")
        return f"<TcpHeader {' '.join(parts)}>"


def parse(data: bytes | bytearray | memoryview) -> TcpHeader:
    """The header at the start of `data`, which goes to the end of the segment.

    Raises WireError: ``tcp_truncated`` (shorter than a header), ``tcp_bad_offset`` (data offset below
    5 words or beyond the segment). The checksum is not looked at.
    """
    length = len(data)
    if length < HEADER_LEN:
        raise WireError("tcp_truncated")
    sport, dport, seq, ack, offset, flags, window, _, urgent = _FIXED.unpack_from(data)
    header = TcpHeader(sport, dport, seq, ack, flags, window)
    if urgent:
        header.urgent = urgent
    if offset & 0x0F:
        header.reserved = offset & 0x0F
    header_len = offset >> 4 << 2
    if header_len == HEADER_LEN:
        return header
    if header_len < HEADER_LEN or header_len > length:
        raise WireError("tcp_bad_offset")
    header.header_len = header_len
    if header_len == 32:
        kind, ts_val, ts_ecr = _3U32.unpack_from(data, HEADER_LEN)
        if kind == _PADDED_TS:
            header.ts_val, header.ts_ecr = ts_val, ts_ecr
            return header
    _parse_options(header, bytes(data[HEADER_LEN:header_len]))
    return header


def _parse_options(header: TcpHeader, options: bytes) -> None:
    unknown: list[tuple[int, bytes]] = []
    at, end = 0, len(options)
    while at < end:
        kind = options[at]
        if kind == OPT_END:
            break
        if kind == OPT_NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            # Where the next option begins cannot be known any more.
            header.malformed = True
            break
        value = options[at + 2 : at + length]
        at += length
        if kind == OPT_SACK:
            if length < 10 or (length - 2) % 8:
                header.malformed = True
            else:
                edges = struct.unpack(f"!{(length - 2) // 4}I", value)
                header.sack = tuple(zip(edges[::2], edges[1::2], strict=True))
        elif kind in _ACCECN_KINDS:
            fields = range(0, min(len(value), 11) - 2, 3)
            header.accecn = kind, tuple(int.from_bytes(value[at : at + 3], "big") for at in fields)
        elif kind not in _LENGTHS:
            unknown.append((kind, value))
        elif length != _LENGTHS[kind]:
            header.malformed = True
        elif kind == OPT_MSS:
            header.mss = int.from_bytes(value, "big")
        elif kind == OPT_WINDOW_SCALE:
            header.wscale = value[0]
        elif kind == OPT_SACK_PERMITTED:
            header.sack_permitted = True
        elif kind == OPT_MD5:
            header.md5 = value
        else:
            header.ts_val, header.ts_ecr = _2U32.unpack(value)
    header.unknown = tuple(unknown)


def options_bytes(header: TcpHeader) -> bytes:
    """The options of `header`, padded to 32-bit words, in Linux's order and packing.

    An MD5 digest behind two NOPs; MSS; SACK-permitted in front of timestamps (alone it follows two NOPs);
    AccECN; NOP, window scale; then SACK behind two NOPs; then unknown ones, each with NOPs up to a whole
    word. The one or two bytes of AccECN beyond whole words take the place of NOPs that follow.
    Raises ValueError when they exceed 40 bytes.
    """
    parts: list[bytes] = []
    rest = b""  # what has found no place yet
    if header.md5 is not None:
        parts.append(bytes((OPT_NOP, OPT_NOP, OPT_MD5, 18)) + header.md5)
    if header.mss is not None:
        parts.append(struct.pack("!BBH", OPT_MSS, 4, header.mss))
    if header.ts_val is not None:
        lead = bytes((OPT_SACK_PERMITTED, 2)) if header.sack_permitted else bytes((OPT_NOP, OPT_NOP))
        parts.append(lead)
        parts.append(struct.pack("!BBII", OPT_TIMESTAMPS, 10, header.ts_val, header.ts_ecr))
    if header.accecn is not None:
        kind, counters = header.accecn
        body = bytes((kind, 2 + 3 * len(counters))) + b"".join(n.to_bytes(3, "big") for n in counters)
        body += _NOPS[: len(body) % 4 == 3]
        whole = len(body) & ~3
        parts.append(body[:whole])
        rest = body[whole:]
    if header.sack_permitted and header.ts_val is None:
        parts.append((rest + _NOPS)[:2] + bytes((OPT_SACK_PERMITTED, 2)))
        rest = b""
    if header.wscale is not None:
        lead = _NOPS[:1]
        if len(rest) == 1:
            lead, rest = rest, b""
        parts.append(lead + bytes((OPT_WINDOW_SCALE, 3, header.wscale)))
    if header.sack:
        parts.append((rest + _NOPS)[:2] + bytes((OPT_SACK, 2 + 8 * len(header.sack))))
        parts.extend(_2U32.pack(left, right) for left, right in header.sack)
        rest = b""
    if rest:
        parts.append((rest + _NOPS + _NOPS)[:4])
    for kind, value in header.unknown:
        parts.append(bytes((kind, 2 + len(value))) + value)
        parts.append(bytes((OPT_NOP,)) * (-(2 + len(value)) % 4))
    options = b"".join(parts)
    options += bytes(-len(options) % 4)
    if len(options) > MAX_OPTIONS_LEN:
        raise ValueError(f"{len(options)} bytes of TCP options; {MAX_OPTIONS_LEN} is the limit")
    return options


def options_bytes_bsd(header: TcpHeader) -> bytes:
    """A SYN's options as FreeBSD packs them: MSS; NOP, window scale; SACK-permitted; timestamps; others."""
    parts: list[bytes] = []
    if header.mss is not None:
        parts.append(struct.pack("!BBH", OPT_MSS, 4, header.mss))
    if header.wscale is not None:
        parts.append(bytes((OPT_NOP, OPT_WINDOW_SCALE, 3, header.wscale)))
    if header.sack_permitted:
        parts.append(bytes((OPT_SACK_PERMITTED, 2)))
    if header.ts_val is not None:
        lead = b"" if header.sack_permitted else bytes((OPT_NOP, OPT_NOP))
        parts.append(lead + struct.pack("!BBII", OPT_TIMESTAMPS, 10, header.ts_val, header.ts_ecr))
    parts.extend(bytes((kind, 2 + len(value))) + value for kind, value in header.unknown)
    options = b"".join(parts)
    return options + bytes(-len(options) % 4)


def emit(header: TcpHeader, options: bytes) -> bytes:
    """The whole header with `options` (`options_bytes`), checksum field zero."""
    offset = (HEADER_LEN + len(options)) << 2 | header.reserved
    fixed = _FIXED.pack(
        header.sport,
        header.dport,
        header.seq,
        header.ack,
        offset,
        header.flags,
        header.window,
        0,
        header.urgent,
    )
    return fixed + options


_WITH_TIMESTAMPS: Final = struct.Struct("!HHIIBBHHHBBBBII")


def emit_plain_into(
    view: memoryview, sport: int, dport: int, seq: int, ack: int, flags: int, window: int
) -> None:
    """Write a header without options (20 bytes) at the start of `view`, checksum and urgent zero."""
    _FIXED.pack_into(view, 0, sport, dport, seq, ack, 0x50, flags, window, 0, 0)


def emit_timestamps_into(
    view: memoryview,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    ts_val: int,
    ts_ecr: int,
) -> None:
    """Write a header with only timestamps (32 bytes) at the start of `view`: the common segment."""
    _WITH_TIMESTAMPS.pack_into(
        view, 0, sport, dport, seq, ack, 0x80, flags, window, 0, 0, 1, 1, 8, 10, ts_val, ts_ecr
    )
