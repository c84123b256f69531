"""One segment out: header, options, window, checksum, and the hand-over to IP.

Nothing here decides whether to send; `output` does.
"""

from typing import Final

from pymodel.simtime import MS
from pymodel.skbuff import SkBuff
from pymodel.tcp.seq import HALF, MASK, later
from pymodel.tcp.tcb import Tcb
from pymodel.wire.checksum import checksum
from pymodel.wire.tcp import (
    ACK,
    CHECKSUM_OFFSET,
    PROTO,
    RST,
    SYN,
    TcpHeader,
    emit,
    emit_plain_into,
    emit_timestamps_into,
    options_bytes,
)

MAX_WINDOW: Final = 0xFFFF
MAX_WSCALE: Final = 14
"""RFC 7323 §2.3."""


def timestamp_now(tcb: Tcb, now: int) -> int:
    """TSval: a 1 ms clock with an offset per connection (RFC 7323 §5.4: 1 ms…1 s per tick)."""
    return (now // MS + tcb.ts_offset) & MASK


def select_window(tcb: Tcb) -> int:
    """The window field of the segment about to be sent; moves the advertised right edge.

    Receiver's silly-window avoidance (RFC 9293 §3.8.6.2.2): the edge stays until it can move by
    min(Fr·RCV.BUFF, MSS), Fr = 1/2.
    """
    space = tcb.rcvbuf - len(tcb.recv_queue)
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    if offered >= HALF:
        offered = 0
    scale = tcb.rcv_wscale
    if space - offered >= min(tcb.rcvbuf >> 1, tcb.advertised_mss):
        field = space >> scale
    else:
        # Rounding down would take back what was offered (RFC 7323 §2.4), so up if there is room.
        field = (offered + (1 << scale) - 1) >> scale
        if field << scale > max(space, 0):
            field = offered >> scale
    if field > MAX_WINDOW:
        field = MAX_WINDOW
    tcb.rcv_adv = later(tcb.rcv_adv, (tcb.rcv_nxt + (field << scale)) & MASK)
    return field


def _acknowledged(tcb: Tcb) -> None:
    """An ACK is on its way with the segment just built."""
    tcb.rcv_wup = tcb.rcv_nxt
    tcb.delack_timer.deadline = None


def _hand_over(tcb: Tcb, skb: SkBuff) -> None:
    layer = tcb.layer
    layer.stats["out_segs"] += 1
    error = layer.ip.send(skb, PROTO, tcb.src, tcb.dst)
    if error:
        # As good as lost on the way: the timers take care of it, and the reason is remembered.
        layer.stats["out_errors"] += 1
        tcb.soft_error = error


def data(tcb: Tcb, now: int, seq: int, n: int, flags: int) -> None:
    """Send `n` bytes of the send queue from `seq` on, with ACK and `flags`; `n` may be 0 (FIN, ACK)."""
    window = select_window(tcb)
    if tcb.ts_on:
        skb = tcb.layer.ip.alloc_skb(32 + n)
        view = skb.put(32 + n)
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
        if n:
            view[32:] = tcb.send_queue.read(seq, n)
        length = 32 + n
    else:
        skb = tcb.layer.ip.alloc_skb(20 + n)
        view = skb.put(20 + n)
        emit_plain_into(view, tcb.sport, tcb.dport, seq, tcb.rcv_nxt, flags | ACK, window)
        if n:
            view[20:] = tcb.send_queue.read(seq, n)
        length = 20 + n
    value = checksum(view, tcb.pseudo + length)
    view[CHECKSUM_OFFSET] = value >> 8
    view[CHECKSUM_OFFSET + 1] = value & 0xFF
    tcb.rcv_wup = tcb.rcv_nxt
    tcb.delack_timer.deadline = None
    tcb.last_sent = now
    _hand_over(tcb, skb)


def _header(tcb: Tcb, header: TcpHeader) -> None:
    """Send a segment without payload whose header is not one of the common ones."""
    raw = emit(header, options_bytes(header))
    skb = tcb.layer.ip.alloc_skb(len(raw))
    view = skb.put(len(raw))
    view[:] = raw
    value = checksum(raw, tcb.pseudo + len(raw))
    view[CHECKSUM_OFFSET] = value >> 8
    view[CHECKSUM_OFFSET + 1] = value & 0xFF
    _hand_over(tcb, skb)


def ack(tcb: Tcb, now: int) -> None:
    """Send <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, with SACK blocks if data is missing (RFC 2018 §4)."""
    if not (tcb.sack_on and len(tcb.reassembly)):
        data(tcb, now, tcb.snd_nxt, 0, 0)
        return
    header = TcpHeader(tcb.sport, tcb.dport, tcb.snd_nxt, tcb.rcv_nxt, ACK, select_window(tcb))
    if tcb.ts_on:
        header.ts_val = timestamp_now(tcb, now)
        header.ts_ecr = tcb.ts_recent
    header.sack = tcb.reassembly.sack_blocks(3 if tcb.ts_on else 4)
    _acknowledged(tcb)
    _header(tcb, header)


def syn(tcb: Tcb, now: int, with_ack: bool) -> None:
    """Send our SYN, or SYN,ACK: options as the profile wants them, or as the peer's SYN allows them.

    The window of a SYN is never scaled (RFC 7323 §2.2).
    """
    profile = tcb.profile
    window = min(tcb.rcv_wnd if with_ack else initial_window(tcb), MAX_WINDOW)
    header = TcpHeader(tcb.sport, tcb.dport, tcb.iss, 0, SYN, window)
    header.mss = tcb.advertised_mss
    if with_ack:
        header.flags |= ACK
        header.ack = tcb.rcv_nxt
    if tcb.ts_on if with_ack else profile.timestamps:
        header.ts_val = timestamp_now(tcb, now)
        header.ts_ecr = tcb.ts_recent if with_ack else 0
    header.sack_permitted = tcb.sack_on if with_ack else profile.sack
    if tcb.scale_on if with_ack else profile.window_scaling:
        header.wscale = window_scale(tcb)
    if with_ack:
        _acknowledged(tcb)
    tcb.last_sent = now
    _header(tcb, header)


def reset(tcb: Tcb, now: int) -> None:
    """Abort: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK> (RFC 9293 §3.10.5)."""
    tcb.layer.stats["out_rsts"] += 1
    data(tcb, now, tcb.snd_nxt, 0, RST)


def initial_window(tcb: Tcb) -> int:
    """The first window offered: the buffer in whole segments (Linux: tcp_select_initial_window)."""
    space = tcb.rcvbuf
    mss = tcb.advertised_mss
    if space > mss:
        space -= space % mss
    return min(space, MAX_WINDOW)


def window_scale(tcb: Tcb) -> int:
    """The shift we announce: enough for the largest buffer the profile allows (RFC 7323 §2.3)."""
    space = max(tcb.rcvbuf, tcb.profile.rcvbuf_max)
    return min(max(space.bit_length() - 16, 0), MAX_WSCALE)
