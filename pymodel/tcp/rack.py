"""RACK (RFC 8985 §6): a segment is lost if one sent later arrived, and a reordering window has passed."""

from typing import TYPE_CHECKING, Final

from pymodel.simtime import MS
from pymodel.tcp.segment import EVER, LOST, RETRANS, mark_lost

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

TIMEOUT_MIN: Final = 2 * MS
"""What is added to the reordering and probe timers against an ACK just under way (TCP_TIMEOUT_MIN)."""

DSACK_ROUNDS: Final = 16
"""Recoveries without a DSACK after which the window is small again (RFC 8985 §6.2 step 4)."""

MAX_STEPS: Final = 255


def sent_after(at: int, order: int, than: int, than_order: int) -> bool:
    """RACK_sent_after (§6.1). At the same time the order of transmission decides, which is known exactly here
    (the RFC must make do with sequence numbers)."""
    return at > than or (at == than and order > than_order)


def advance(tcb: "Tcb", marks: int, order: int, sent_at: int, now: int) -> None:
    """§6.2 steps 1 and 2: a segment has arrived; remember the one sent last."""
    rtt = now - sent_at
    if rtt < tcb.rtt.min_rtt and marks & (RETRANS | EVER):
        return  # too soon for the retransmission: it was the original
    tcb.rack_advanced = True
    tcb.rack_rtt = rtt
    if sent_after(sent_at, order, tcb.rack_sent_at, tcb.rack_order):
        tcb.rack_sent_at = sent_at
        tcb.rack_order = order


def update_window(tcb: "Tcb", prior_delivered: int) -> None:
    """§6.2 step 4: a DSACK widens the reordering window, once per round trip."""
    if tcb.profile.rack_static_window or prior_delivered < 0:
        return
    if prior_delivered < tcb.rack_last_delivered:
        tcb.rack_dsack_seen = False
    if tcb.rack_dsack_seen:
        tcb.rack_steps = min(MAX_STEPS, tcb.rack_steps + 1)
        tcb.rack_dsack_seen = False
        tcb.rack_last_delivered = tcb.delivered
        tcb.rack_persist = DSACK_ROUNDS
    elif not tcb.rack_persist:
        tcb.rack_steps = 1


def reordering_window(tcb: "Tcb") -> int:
    """§6.2 step 4: a quarter of the minimal RTT, SRTT at most; nothing while no reordering was ever seen and
    recovery is on, or as many segments are SACKed as the classic threshold wants."""
    if not tcb.reord_seen:
        if tcb.recovery >= 3:
            return 0
        if tcb.sacked_out >= tcb.reordering and not tcb.profile.rack_no_dup_threshold:
            return 0
    return min(tcb.rtt.min_rtt // 4 * tcb.rack_steps, tcb.rtt.srtt)


def detect(tcb: "Tcb", now: int) -> int:
    """§6.2 step 5: mark what is lost; how long (ps) until the last of the others is due, 0: none waits."""
    timeout = 0
    window = reordering_window(tcb)
    lost = []
    for segment in tcb.by_time:
        if segment.marks & LOST and not segment.marks & RETRANS:
            continue
        if not sent_after(tcb.rack_sent_at, tcb.rack_order, segment.sent_at, segment.order):
            break
        remaining = segment.sent_at + tcb.rack_rtt + window - now
        if remaining <= 0:
            lost.append(segment)
        elif remaining > timeout:
            timeout = remaining
    for segment in lost:
        mark_lost(tcb, segment)
        del tcb.by_time[segment]
    return timeout


def still_young(tcb: "Tcb", sent_at: int, now: int) -> bool:
    """Sent less than an RTT ago: a time-out of something older says nothing about it."""
    return sent_at + tcb.rack_rtt - now > 0
