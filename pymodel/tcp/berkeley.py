"""Where the BSDs' TCP does otherwise than Linux's, for profiles that say `berkeley`.

Written from what FreeBSD 14 documents and does (tcp(4), sys/netinet; names of its functions and variables
are in the comments). Both keep to RFC 9293; they differ in what it leaves open, and in the order of checks.
"""

from enum import Enum
from errno import ECONNREFUSED, ECONNRESET, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT
from typing import TYPE_CHECKING, Final

from pymodel.simtime import SEC
from pymodel.tcp import challenge, lifecycle, mss, segment, transmit
from pymodel.tcp.segment import SentSegment
from pymodel.tcp.seq import HALF, MASK, diff, gt, le, lt
from pymodel.tcp.state import State
from pymodel.wire.tcp import ACK, FIN, PSH, RST, SYN, TIMESTAMPS_LEN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

MAX_WINDOW: Final = 0xFFFF
MAX_WSCALE: Final = 14
_SEND_BUFFER_STEP: Final = 8192
"""net.inet.tcp.sendbuf_inc."""
PAWS_AGE: Final = 24 * 24 * 3600 * SEC
"""TCP_PAWS_IDLE (RFC 7323 §5.5)."""

_OVER: Final = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK})
"""With the program gone, no new text is taken in these."""


class Verdict(Enum):
    """What becomes of a segment."""

    GO_ON = 1
    DROP = 2
    """Nothing more is to be done; it was answered if it had to be."""
    RESET = 3
    """Answer it as for a connection that does not exist."""


# --- segments that arrive ----------


def screen(
    tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes, now: int
) -> tuple[Verdict, memoryview | bytes]:
    """The checks before the ACK field (tcp_do_segment): GO_ON with `header` and text cut to the window.

    An RST is believed exactly at the last ACK sent: one that crosses a delayed ACK is too (RFC 5961 §3.2).
    What lies left of the window is cut off, and so is what lies beyond it, FIN and PSH with it; what is then
    empty is still looked at for its ACK. PAWS answers text with an ACK and drops an empty segment.
    """
    flags, stats = header.flags, tcb.layer.stats
    drop = Verdict.DROP, payload
    if flags & RST:
        _reset(tcb, header.seq, now)
        return drop
    if flags & SYN and tcb.state is not State.SYN_RECEIVED:
        stats["syn_in_connection"] += 1
        if tcb.profile.insecure_syn and 0 <= diff(header.seq, tcb.rcv_wup) < tcb.rcv_wnd:
            lifecycle.abort(tcb, now, ECONNRESET)
        else:
            challenge.send(tcb, now)
        return drop
    if tcb.ts_on and header.ts_val is None and not tcb.profile.missing_timestamps_tolerated:
        stats["timestamp_missing"] += 1
        return drop
    if tcb.ts_on and header.ts_val is not None and lt(header.ts_val, tcb.ts_recent):
        if now - tcb.ts_recent_at < PAWS_AGE:
            stats["paws_rejected"] += 1
            return _drop_after_ack(tcb, header, now) if payload else Verdict.DROP, payload
        tcb.ts_recent = header.ts_val
    if tcb.state is State.SYN_RECEIVED and lt(header.seq, tcb.irs):
        return Verdict.RESET, payload
    payload = _cut_left(tcb, header, payload)
    if tcb.orphan and tcb.state in _OVER and payload:
        stats["data_after_close"] += 1
        lifecycle.finish(tcb)
        return Verdict.RESET, payload
    beyond = diff((header.seq + len(payload)) & MASK, (tcb.rcv_nxt + tcb.rcv_wnd) & MASK)
    if beyond > 0:
        stats["unacceptable"] += 1
        if beyond >= len(payload):
            if tcb.rcv_wnd or header.seq != tcb.rcv_nxt:
                return _drop_after_ack(tcb, header, now), payload
            tcb.ack_scheduled = tcb.ack_now = True  # a window probe
        payload = payload[: len(payload) - beyond] if beyond < len(payload) else b""
        header.flags &= ~(PSH | FIN)
    return Verdict.GO_ON, payload


def _cut_left(tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes) -> memoryview | bytes:
    """What was received before is cut off, and reported (RFC 2883 §4)."""
    old = diff(tcb.rcv_nxt, header.seq)
    if old <= 0:
        return payload
    if header.flags & SYN:
        header.seq = (header.seq + 1) & MASK
        old -= 1
    if old > len(payload) or (old == len(payload) and not header.flags & FIN):
        tcb.ack_scheduled = tcb.ack_now = True
        header.flags &= ~FIN
        old = len(payload)
    if old and tcb.sack_on and tcb.profile.dsack:
        tcb.dsack = (header.seq, (header.seq + old) & MASK)
        tcb.ack_scheduled = tcb.ack_now = True
    header.seq = (header.seq + old) & MASK
    return payload[old:]


def _reset(tcb: "Tcb", seq: int, now: int) -> None:
    ahead = diff(seq, tcb.rcv_wup)
    if ahead == 0 or (tcb.profile.insecure_rst and 0 < ahead < tcb.rcv_wnd):
        lifecycle.reset_by_peer(tcb)
    elif 0 < ahead < tcb.rcv_wnd:
        challenge.send(tcb, now)


def _drop_after_ack(tcb: "Tcb", header: TcpHeader, now: int) -> Verdict:
    """Not for us: say where we are. In SYN-RECEIVED only to somebody who knows our SYN."""
    stranger = gt(tcb.snd_una, header.ack) or gt(header.ack, tcb.snd_nxt)
    if tcb.state is State.SYN_RECEIVED and header.flags & ACK and stranger:
        return Verdict.RESET
    transmit.ack(tcb, now)
    return Verdict.DROP


def is_half_open(tcb: "Tcb") -> bool:
    """It is in the SYN cache: a SYN came, and Fast Open has not made a connection of it."""
    return tcb.listener is not None and tcb.state is State.SYN_RECEIVED and not tcb.fast_child


def half_open(tcb: "Tcb", header: TcpHeader, now: int) -> Verdict:
    """A segment for a connection whose SYN is in the SYN cache (syncache_expand, _chkrst, _add, _badack).

    GO_ON: the ACK that completes it. The accept queue's overflow is answered with RST
    (net.inet.tcp.syncache.rst_on_sock_fail).
    """
    flags, listener = header.flags, tcb.listener
    assert listener is not None
    if flags & RST:
        ahead = diff(header.seq, tcb.rcv_nxt)
        if flags & (SYN | ACK | FIN) or not 0 <= ahead <= tcb.rcv_wnd:
            return Verdict.DROP  # nobody answers a SYN,ACK with those
        if ahead:
            transmit.ack(tcb, now)
        else:
            lifecycle.reset_by_peer(tcb)
        return Verdict.DROP
    if flags & SYN:
        if flags & ACK:
            lifecycle.finish(tcb)
            return Verdict.RESET
        if header.seq == tcb.irs:
            if header.ts_val is not None and tcb.ts_on:
                tcb.ts_recent = header.ts_val
            transmit.syn(tcb, now, True)
        return Verdict.DROP
    if not flags & ACK:
        return Verdict.DROP
    if header.ack != tcb.snd_nxt or not (le(tcb.rcv_nxt, header.seq) and _near(tcb, header.seq)):
        return Verdict.RESET
    if tcb.ts_on and header.ts_val is None and not tcb.profile.missing_timestamps_tolerated:
        return Verdict.DROP
    if not listener.has_room():
        tcb.layer.stats["listen_overflow"] += 1
        lifecycle.finish(tcb)
        return Verdict.RESET
    return Verdict.GO_ON


def _near(tcb: "Tcb", seq: int) -> bool:
    return diff(seq, tcb.rcv_nxt) < tcb.rcv_wnd


def time_wait(tcb: "Tcb", header: TcpHeader, length: int, now: int) -> None:
    """A segment in TIME-WAIT that opens no new connection (tcp_twcheck); `length`: of its text."""
    flags = header.flags
    if flags & RST or not flags & ACK:
        return
    if tcb.ts_on and header.ts_val is None and not tcb.profile.missing_timestamps_tolerated:
        return
    end = (header.seq + length + (flags >> 1 & 1)) & MASK
    if flags & FIN and (end + 1) & MASK == tcb.rcv_nxt:
        tcb.state_timer.set(now + tcb.profile.time_wait)
    if flags != ACK or length or header.seq != tcb.rcv_nxt or header.ack != tcb.snd_nxt:
        transmit.ack(tcb, now)


def unreachable(tcb: "Tcb", error: int) -> None:
    """ICMP says so (tcp_ctlinput, tcp_notify): fatal is only a refusal while we knock.

    Else an open goes on until it has been tried four times and was told twice; an established connection
    does not mind an unreachable host at all (RFC 5927 §5.2).
    """
    refused = error in (ECONNREFUSED, ENOPROTOOPT) and tcb.profile.icmp_may_reset
    if tcb.state is State.SYN_SENT and refused:
        lifecycle.finish(tcb, ECONNREFUSED)
    elif tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
        if tcb.retries > 3 and tcb.soft_error:
            lifecycle.finish(tcb, error)
        else:
            tcb.soft_error = error
    elif tcb.state is not State.ESTABLISHED or error not in (EHOSTUNREACH, ENETUNREACH, EHOSTDOWN):
        tcb.soft_error = error


def suspect_black_hole(tcb: "Tcb") -> None:
    """A full segment was resent `tcb.retries` times: each size gets two chances, then the first one is back
    (tcp_timer_rexmt)."""
    profile, retries = tcb.profile, tcb.retries
    if retries >= 6:
        tcb.mss_bound = 0
    elif (
        retries in (2, 4)
        and tcb.state is State.ESTABLISHED
        and tcb.sent[0].payload >= tcb.snd_mss
        and tcb.mss_bound != profile.default_mss
    ):
        large = maxseg(tcb) > profile.black_hole_mss
        tcb.mss_bound = profile.black_hole_mss if large else profile.default_mss
    mss.sync(tcb)


# --- when to acknowledge ----------


def data_received(tcb: "Tcb", n: int, now: int) -> None:
    """`n` bytes came in order: every second segment is acknowledged, whatever its size (DELAY_ACK)."""
    tcb.ack_scheduled = True
    tcb.last_data = now
    if (
        tcb.delack_timer.deadline is not None
        or not tcb.rcv_wnd
        or n > maxseg(tcb)
        or not tcb.profile.acks_are_delayed
    ):
        tcb.ack_now = True
    else:
        tcb.delack_timer.set(now + tcb.profile.delayed_ack)
    _grow_buffer(tcb, n, now)


def _grow_buffer(tcb: "Tcb", n: int, now: int) -> None:
    """The receive buffer doubles when half a round trip brought three eighths of it (tcp_autorcvbuf)."""
    if not tcb.profile.moderate_rcvbuf or tcb.rcvbuf_locked or not tcb.rtt.srtt or not tcb.space_at:
        return
    if now - tcb.space_at <= tcb.rtt.srtt // 2:
        tcb.space += n
        return
    if tcb.space > tcb.rcvbuf // 2 // 4 * 3:
        tcb.rcvbuf = max(min(2 * tcb.rcvbuf, tcb.profile.rcvbuf_max), tcb.rcvbuf)
    tcb.space_at = tcb.space = 0


# --- the receive window ----------


def scale(most: int) -> int:
    """The window scale that `most` bytes of buffer need (TCP_MAXWIN << scale reaches them)."""
    shift = 0
    while shift < MAX_WSCALE and MAX_WINDOW << shift < most:
        shift += 1
    return shift


def maxseg(tcb: "Tcb") -> int:
    """t_maxseg: a full segment's payload and options."""
    return tcb.snd_mss + (TIMESTAMPS_LEN if tcb.ts_on else 0)


def round_buffers(tcb: "Tcb") -> None:
    """The handshake is over: buffers become whole numbers of segments, upwards (tcp_mss)."""
    size = maxseg(tcb)
    if tcb.rcvbuf > size:
        tcb.rcvbuf = -(-tcb.rcvbuf // size) * size
    if tcb.sndbuf > size:
        tcb.sndbuf = -(-tcb.sndbuf // size) * size


def _space(tcb: "Tcb") -> int:
    """sbspace: what waits out of order does not lie in the socket's buffer."""
    return min(max(tcb.rcvbuf - len(tcb.recv_queue), 0), MAX_WINDOW << tcb.rcv_wscale)


def wanted(tcb: "Tcb") -> int:
    """The window that may be offered now: all the room there is, or none if that is less than a segment."""
    if not tcb.space_at and tcb.ts_on:
        tcb.space_at = tcb.now
    window = _space(tcb)
    if window < tcb.rcvbuf // 4 and window < maxseg(tcb):
        return 0
    shift = tcb.rcv_wscale
    return -(-window >> shift) << shift


def update_due(tcb: "Tcb") -> bool:
    """The program has read: does the window grow by enough to say so (RFC 9293 §3.8.6.2.2)?

    By two segments, if that is a quarter of the buffer, or the buffer is nearly full or small; or by half.
    """
    if tcb.state not in (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2):
        return False
    space, offered, shift = _space(tcb), tcb.rcv_wnd, tcb.rcv_wscale
    more = max(space - offered, 0)
    if not space or offered >> shift >= (more + offered) >> shift:
        return False
    size, buffer = maxseg(tcb), tcb.rcvbuf
    if more >= 2 * size and (
        more >= buffer // 4 or space <= buffer // 8 or buffer <= 8 * size or more >= MAX_WINDOW << shift
    ):
        return True
    return 2 * more >= buffer


# --- sending ----------


def push_flag(tcb: "Tcb", seq: int, n: int) -> int:
    """PSH when the segment empties the send buffer, and only then."""
    return PSH if n and (seq + n) & MASK == tcb.send_queue.end else 0


def grow_send_buffer(tcb: "Tcb") -> None:
    """Before output: a send buffer that is nearly full grows by 8 KiB, if the windows are large enough for it
    (tcp_sndbuf_autoscale)."""
    profile = tcb.profile
    used = len(tcb.send_queue)
    window = min(tcb.snd_wnd, tcb.cc.cwnd * tcb.snd_mss)
    if (
        profile.moderate_sndbuf
        and tcb.options.sndbuf is None
        and tcb.snd_wnd // 4 * 5 >= tcb.sndbuf
        and tcb.sndbuf // 8 * 7 <= used < profile.sndbuf_max
        and window >= tcb.unsent
    ):
        tcb.sndbuf = min(tcb.sndbuf + _SEND_BUFFER_STEP, profile.sndbuf_max)


def part_of_window(tcb: "Tcb", size: int) -> int:
    """A segment of `size` does not fit into the peer's window: send the part that does, or 0 for none.

    At least half of the largest window the peer ever offered (RFC 9293 §3.8.6.2.1).
    """
    window = (tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt) & MASK
    if not 0 < window < HALF or 2 * window < tcb.max_snd_wnd:
        return 0
    return min(window, size)


def persist_base(tcb: "Tcb") -> int:
    """tcp_setpersist: half of what a retransmission would wait, in its fixed-point units."""
    rtt = tcb.rtt
    if not rtt.srtt:
        return 2 * tcb.profile.rto_initial
    return 4 * rtt.srtt + 8 * rtt.deviation


def probe(tcb: "Tcb", now: int) -> None:
    """A window probe is the next byte of text, which the peer may take (RFC 9293 §3.8.6.1)."""
    tcb.probe_byte = True
    transmit.data(tcb, now, tcb.snd_nxt, 1, push_flag(tcb, tcb.snd_nxt, 1))


def probe_taken(tcb: "Tcb", now: int) -> None:
    """The peer acknowledges the byte of a window probe: it was sent, then."""
    tcb.probe_byte = False
    end = (tcb.snd_nxt + 1) & MASK
    segment.append(tcb, SentSegment(tcb.snd_nxt, end, now, 0))
    tcb.snd_nxt = end
    tcb.send_queue.sent(end)
