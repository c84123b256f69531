"""When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2), in Linux's manner.

Quick mode: the first segments, and those after trouble, are acknowledged at once, because the peer may be in
slow start. Otherwise an ACK waits for a second full segment, for data to ride on, or for `ato`, which follows
the rhythm at which segments come. Once the program has answered soon after a segment ("pingpong"), answers
are expected to carry the ACKs.
"""

from typing import TYPE_CHECKING, Final

from pymodel.simtime import MS
from pymodel.tcp import ackcompress
from pymodel.tcp.seq import MASK

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

HALF_SECOND: Final = 500 * MS
MAX_QUICK: Final = 16


def in_pingpong(tcb: "Tcb") -> bool:
    """ACKs ride on answers."""
    return tcb.pingpong >= tcb.profile.pingpong_threshold


def in_quick_mode(tcb: "Tcb") -> bool:
    """ACKs are not delayed at present."""
    return tcb.profile.always_quick or (tcb.quick_acks > 0 and not in_pingpong(tcb))


def enter_pingpong(tcb: "Tcb") -> None:
    """An answer is expected."""
    tcb.pingpong = tcb.profile.pingpong_threshold


def more_quick(tcb: "Tcb", limit: int) -> None:
    """At least as many quick ACKs as half a window has segments, `limit` at most."""
    wanted = min(max(tcb.rcv_wnd // (2 * max(tcb.rcv_mss, 1)), 2) if tcb.rcv_wnd else 2, limit)
    tcb.quick_acks = max(tcb.quick_acks, wanted)


def enter_quick_mode(tcb: "Tcb", limit: int = MAX_QUICK) -> None:
    """The peer is in trouble, or asks: acknowledge at once for a while."""
    more_quick(tcb, min(limit, tcb.profile.quick_acks))
    tcb.pingpong = 0
    tcb.ato = tcb.profile.delayed_ack


def data_received(tcb: "Tcb", now: int) -> None:
    """A segment with data came in order: an ACK is due, and the rhythm is learnt."""
    tcb.ack_scheduled = True
    profile = tcb.profile
    least = profile.delayed_ack
    if not tcb.ato:
        more_quick(tcb, profile.quick_acks)
        tcb.ato = least
    elif profile.adaptive_delayed_ack:
        gap = now - tcb.last_data
        if gap <= least // 2:
            tcb.ato = tcb.ato // 2 + least // 2
        elif gap < tcb.ato:
            tcb.ato = min(tcb.ato // 2 + gap, tcb.rtt.rto)
        elif gap > tcb.rtt.rto:
            more_quick(tcb, profile.quick_acks)  # the sender may have gone back to slow start
    tcb.last_data = now


def data_sent(tcb: "Tcb", now: int) -> None:
    """A segment with data left: was it an answer?"""
    if now - tcb.last_data < tcb.ato:
        tcb.pingpong = min(tcb.pingpong + 1, 255)


def sent(tcb: "Tcb") -> None:
    """An ACK left, alone or with data."""
    if tcb.quick_acks and tcb.ack_scheduled:
        tcb.quick_acks -= 1
        if not tcb.quick_acks:
            tcb.ato = tcb.profile.delayed_ack
    tcb.ack_scheduled = tcb.ack_now = False
    tcb.ack_pushed = 0
    ackcompress.sent(tcb)
    tcb.delack_timer.deadline = None


def due_now(tcb: "Tcb") -> bool:
    """The ACK that is due must not wait, whatever the window."""
    return tcb.ack_now or in_quick_mode(tcb)


def second_segment(tcb: "Tcb") -> bool:
    """More than a full segment came since the last ACK (RFC 5681 §4.2)."""
    return (tcb.rcv_nxt - tcb.rcv_wup) & MASK > tcb.rcv_mss


def delay(tcb: "Tcb", now: int) -> bool:
    """Start, or keep, the delayed ACK timer. True: it is about to expire, so send the ACK instead."""
    profile = tcb.profile
    ato = tcb.ato
    if not ato:
        return True  # no data ever came, only a FIN: nothing is known to wait for
    if ato > profile.delayed_ack:
        most = profile.delayed_ack_max if in_pingpong(tcb) or tcb.ack_pushed else HALF_SECOND
        if tcb.rtt.srtt:
            most = min(most, max(tcb.rtt.srtt, profile.delayed_ack))
        ato = min(ato, most)
    ato = min(ato, profile.delayed_ack_max)
    when = now + ato
    deadline = tcb.delack_timer.deadline
    if deadline is not None:
        if deadline <= now + ato // 4:
            return True
        when = min(when, deadline)
    tcb.delack_timer.set(when)
    return False


def expired(tcb: "Tcb") -> bool:
    """The timer expired: learn from it. True: send the ACK."""
    if not tcb.ack_scheduled:
        return False
    if in_pingpong(tcb):
        tcb.pingpong = 0
        tcb.ato = tcb.profile.delayed_ack
    elif tcb.profile.adaptive_delayed_ack:
        tcb.ato = min(tcb.ato * 2, tcb.rtt.rto)
    return True
