"""A segment out, or several as one super-segment: header, options, window, and the hand-over to IP.

Nothing here decides whether to send; `output` and `delack` do. The checksum is left to whoever is below
(`Checksum.PARTIAL`).
"""

from errno import ENOBUFS
from typing import Final

from pymodel.gso import GSO_TCP_ACCECN, GSO_TCP_ECN, GSO_TCPV4, request_checksum
from pymodel.simtime import MS
from pymodel.skbuff import SkBuff
from pymodel.tcp import accecn, delack, ecn, md5sig, rcvwindow
from pymodel.tcp.seq import HALF, MASK, gt
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Tcb
from pymodel.wire.tcp import (
    ACK,
    CHECKSUM_OFFSET,
    CWR,
    FIN,
    MAX_HEADER_LEN,
    PROTO,
    RST,
    SYN,
    URG,
    TcpHeader,
    emit,
    emit_plain_into,
    emit_timestamps_into,
    options_bytes,
    options_bytes_bsd,
)

MAX_WINDOW: Final = 0xFFFF

_GSO_PAYLOAD: Final = 0xFFFF - 20 - MAX_HEADER_LEN
"""What a super-segment carries at most: its IPv4 header has 16 bits for the length of it all."""


_LATE: Final = 3
"""Retransmissions of a SYN after which its options may be to blame."""


def timestamp_now(tcb: Tcb, now: int) -> int:
    """TSval: a 1 ms clock with an offset per connection (RFC 7323 §5.4: 1 ms…1 s per tick)."""
    return (now // MS + tcb.ts_offset) & MASK


def _acknowledged(tcb: Tcb) -> None:
    """An ACK is on its way with the segment just built."""
    tcb.rcv_wup = tcb.rcv_nxt
    delack.sent(tcb)


def _hand_over(tcb: Tcb, skb: SkBuff, tos: int, segments: int) -> None:
    request_checksum(skb, tcb.pseudo + skb.len, CHECKSUM_OFFSET)
    layer = tcb.layer
    layer.stats["out_segs"] += segments
    tcb.segs_out += segments
    error = layer.ip.send(skb, PROTO, tcb.src, tcb.dst, ttl=tcb.ttl, tos=tcb.tos | tos)
    if error:
        # As good as lost on the way: the timers take care of it, and the reason is remembered.
        layer.stats["out_errors"] += segments
        tcb.soft_error = error


def _buffer(tcb: Tcb, size: int, segments: int = 1) -> SkBuff | None:
    """A buffer for `segments`; None: memory is short, and they are as good as lost on the way."""
    try:
        return tcb.layer.ip.alloc_skb(size)
    except MemoryError:
        tcb.layer.stats["out_errors"] += segments
        tcb.soft_error = ENOBUFS
        return None


def sack_blocks(tcb: Tcb) -> tuple[tuple[int, int], ...]:
    """What the next segment has to report: a duplicate first (RFC 2883 §4), then what is held."""
    limit = 3 if tcb.ts_on else 4
    dsack = tcb.dsack
    if dsack is not None:
        tcb.dsack = None
        return (dsack, *tcb.reassembly.sack_blocks(limit - 1))
    return tcb.reassembly.sack_blocks(limit)


def options_len(tcb: Tcb) -> int:
    """Bytes of options that SACK and AccECN add to a segment sent now."""
    blocks = tcb.reassembly.reported + (tcb.dsack is not None)
    if tcb.accurate:
        return accecn.options_len(tcb, _sack_limit(tcb, blocks), tcb.now)
    if not tcb.sack_on or not blocks:
        return 0
    return 4 + 8 * min(blocks, 3 if tcb.ts_on else 4)


def _sack_limit(tcb: Tcb, blocks: int) -> int:
    """How many of `blocks` SACK blocks a segment has room for."""
    return min(blocks, 3 if tcb.ts_on else 4) if tcb.sack_on else 0


def room(tcb: Tcb, seq: int, n: int, mss: int) -> int:
    """How many of `n` bytes from `seq` on go into one sk_buff: a segment's, or those of several to be cut.

    IPv4's total length and the sk_buff's fragments limit them. Signed segments are each on their own, as
    nobody below can sign them (Linux: no GSO with TCP MD5).
    """
    if n <= mss or tcb.gso_max_segs == 1 or tcb.md5_key is not None:
        return min(n, mss)
    most = min(_GSO_PAYLOAD // mss, tcb.gso_max_segs) * mss
    return min(n, max(tcb.send_queue.reach(seq, min(n, most)) // mss, 1) * mss)


def data(tcb: Tcb, now: int, seq: int, n: int, flags: int, mss: int = MAX_WINDOW) -> None:
    """Send `n` bytes of the send queue from `seq` on, with ACK and `flags`; `n` may be 0 (FIN, ACK).

    More than `mss` bytes (as many as `room` says) are one super-segment, to be cut into segments of `mss`:
    FIN and PSH go with the last, CWR with the first.
    """
    window = rcvwindow.select(tcb)
    if tcb.ecn_on:
        flags, tos = ecn.mark(tcb, seq, n, flags)
    elif tcb.accurate:
        tos = accecn.codepoint(tcb)
    else:
        tos = 0
    urgent = tcb.snd_up != tcb.snd_una and gt(tcb.snd_up, seq) and not flags & RST
    segments = -(-n // mss) if n > mss else 1
    if urgent or tcb.accurate or options_len(tcb) or tcb.options.md5_keys:
        _with_options(tcb, now, seq, n, flags | URG if urgent else flags, window, tos, mss)
    else:
        queue = tcb.send_queue
        pieces = queue.pieces(seq, n) if n else ()
        header_len = 32 if tcb.ts_on else 20
        length = header_len + n if pieces is None else header_len
        skb = _buffer(tcb, length, segments)
        if skb is None:
            return
        view = skb.put(length)
        if tcb.ts_on:
            emit_timestamps_into(
                view,
                tcb.sport,
                tcb.dport,
                seq,
                tcb.rcv_nxt,
                flags | ACK,
                window,
                (now // MS + tcb.ts_offset) & MASK,
                tcb.ts_recent,
            )
        else:
            emit_plain_into(view, tcb.sport, tcb.dport, seq, tcb.rcv_nxt, flags | ACK, window)
        if pieces is None:
            queue.copy(view[header_len:], seq)
        else:
            for page, offset, size in pieces:
                skb.add_frag(page, offset, size)
        if segments > 1:
            _to_cut(skb, mss, segments, GSO_TCP_ECN if flags & CWR else 0)
        _hand_over(tcb, skb, tos, segments)
    _acknowledged(tcb)
    if n or flags & FIN:
        tcb.wire_at = now
        if n:
            if tcb.stamps:
                tcb.stamps.transmitted(seq, n)
            tcb.data_segs_out += segments
            tcb.bytes_sent += n


def _to_cut(skb: SkBuff, mss: int, segments: int, more: int) -> None:
    """`skb` is a super-segment; `more`: what its type says of CWR."""
    skb.gso_size = mss
    skb.gso_segs = segments
    skb.gso_type = GSO_TCPV4 | more


def _with_options(tcb: Tcb, now: int, seq: int, n: int, flags: int, window: int, tos: int, mss: int) -> None:
    """The same where the header is not one of the common ones."""
    header = TcpHeader(tcb.sport, tcb.dport, seq, tcb.rcv_nxt, flags | ACK, window)
    if flags & URG:
        header.urgent = min((tcb.snd_up - seq) & MASK, 0xFFFF)
    if tcb.ts_on:
        header.ts_val = timestamp_now(tcb, now)
        header.ts_ecr = tcb.ts_recent
    blocks = _sack_limit(tcb, tcb.reassembly.reported + (tcb.dsack is not None))
    if tcb.accurate:
        blocks = accecn.dress(tcb, header, blocks, now)
    if tcb.sack_on:
        header.sack = sack_blocks(tcb)[:blocks]
    _header(tcb, header, tcb.send_queue.read(seq, n) if n else b"", tos, mss)


def _header(
    tcb: Tcb, header: TcpHeader, payload: bytes | bytearray = b"", tos: int = 0, mss: int = MAX_WINDOW
) -> None:
    key = tcb.md5_key
    if key is not None:
        header.md5 = bytes(16)
    bsd = header.flags & SYN and tcb.profile.berkeley
    raw = emit(header, options_bytes_bsd(header) if bsd else options_bytes(header)) + payload
    if key is not None:
        signed = md5sig.digest(tcb.src, tcb.dst, raw, len(raw), payload, key)
        raw = raw[: md5sig.DIGEST_AT] + signed + raw[md5sig.DIGEST_AT + len(signed) :]
    segments = -(-len(payload) // mss) if len(payload) > mss else 1
    skb = _buffer(tcb, len(raw), segments)
    if skb is None:
        return
    skb.put(len(raw))[:] = raw
    if segments > 1:
        cwr = GSO_TCP_ACCECN if tcb.accurate else GSO_TCP_ECN
        _to_cut(skb, mss, segments, cwr if header.flags & CWR else 0)
    _hand_over(tcb, skb, tos, segments)


def ack(tcb: Tcb, now: int) -> None:
    """Send <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, with SACK blocks if there is something to report."""
    data(tcb, now, acceptable_seq(tcb), 0, 0)


def acceptable_seq(tcb: Tcb) -> int:
    """SND.NXT, unless the peer's window has been taken back behind it: it must take our ACK (§3.8.6)."""
    edge = (tcb.snd_una + tcb.snd_wnd) & MASK
    if (edge - tcb.snd_nxt) & MASK < HALF or (tcb.snd_nxt - edge) & MASK < 1 << tcb.snd_wscale:
        return tcb.snd_nxt
    return edge


def syn(
    tcb: Tcb,
    now: int,
    with_ack: bool,
    extra: tuple[int, bytes] | None = None,
    payload: bytes = b"",
) -> None:
    """Send our SYN, or SYN,ACK: options as the profile wants them, or as the peer's SYN allows them.

    `extra`: another option, behind those; `payload`: what goes along (RFC 7413). The window of a SYN is never
    scaled (RFC 7323 §2.2).
    """
    profile = tcb.profile
    # Where SYNs have crossed the SYN,ACK offers again what the SYN did, as in Linux.
    crossed = tcb.state is State.SYN_RECEIVED and tcb.listener is None and not tcb.fast_child
    agreed = with_ack and (profile.berkeley or not crossed)
    if not with_ack:
        rcvwindow.open_for_syn(tcb, 0)
    header = TcpHeader(tcb.sport, tcb.dport, tcb.iss, 0, SYN, min(tcb.rcv_wnd, MAX_WINDOW))
    header.mss = tcb.advertised_mss
    if with_ack:
        header.flags |= ACK
        header.ack = tcb.rcv_nxt
    bare = tcb.options.no_options
    if bare:
        header.mss = None
    if profile.syn_options_dropped and not with_ack and tcb.retries >= _LATE:
        bare = True
    if tcb.ts_on if agreed else profile.timestamps and tcb.md5_key is None and not bare:
        header.ts_val = timestamp_now(tcb, now)
        header.ts_ecr = tcb.ts_recent  # of a SYN: what the connection knew whose place this one takes
    header.sack_permitted = tcb.sack_on if agreed else profile.sack and not bare
    if tcb.scale_on if agreed else profile.window_scaling and not bare:
        header.wscale = rcvwindow.scale(tcb)
    ecn.dress_syn(tcb, header)
    if with_ack:
        _acknowledged(tcb)
    if extra is not None:
        header.unknown = (extra,)
    tcb.last_sent = now
    _header(tcb, header, payload)


def reset(tcb: Tcb, now: int) -> None:
    """Abort: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK> (RFC 9293 §3.10.5)."""
    tcb.layer.stats["out_rsts"] += 1
    tcb.dsack = None
    data(tcb, now, acceptable_seq(tcb), 0, RST)
