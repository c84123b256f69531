"""Undoing a reduction that was wrong: the "lost" segments had only been late.

Three witnesses: every retransmission was reported as a duplicate (DSACK, RFC 3708), a timestamp echoes the
original and not the retransmission (Eifel, RFC 3522 and RFC 4015), or data that was never retransmitted
arrives after a time-out (F-RTO, RFC 5682; see `recovery`).
"""

from typing import TYPE_CHECKING

from pymodel.simtime import MS
from pymodel.tcp import ecn
from pymodel.tcp.segment import EVER, LOST, head
from pymodel.tcp.seq import HALF, MASK, lt
from pymodel.tcp.state import State

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def begin(tcb: "Tcb") -> None:
    """A reduction begins: note what must be seen to take it back."""
    tcb.undo_valid = True
    tcb.undo_marker = tcb.snd_una
    tcb.undo_retrans = tcb.retrans_out + (tcb.probe_high >= 0 and tcb.probe_retransmitted) or -1


def any_retransmitted(tcb: "Tcb") -> bool:
    """The oldest unacknowledged segment, or an open handshake's, has been sent again."""
    oldest = head(tcb)
    return oldest is not None and bool(oldest.marks & EVER)


def delayed(tcb: "Tcb") -> bool:
    """Eifel: this ACK answers a segment sent before the first retransmission."""
    if tcb.retrans_stamp >= 0:
        if not tcb.ts_on or not tcb.ts_ecr:
            return False
        stamp = (tcb.retrans_stamp // MS + tcb.ts_offset) & MASK
        return (tcb.ts_ecr - stamp) & MASK >= HALF
    if not tcb.sack_on and not lt(tcb.snd_una, tcb.high_seq):
        return False
    return tcb.state is not State.SYN_SENT  # nothing was retransmitted yet, and still SND.UNA moved


def may(tcb: "Tcb") -> bool:
    """The present reduction is proven wrong."""
    return tcb.undo_valid and (not tcb.undo_retrans or delayed(tcb))


def reduction(tcb: "Tcb", unmark: bool, now: int) -> None:
    """Take the reduction back; `unmark`: nothing is lost after all."""
    tcb.layer.stats["undone"] += 1
    if unmark:
        for segment in tcb.sent:
            if segment.marks & LOST:
                segment.marks &= ~LOST
                tcb.by_time.setdefault(segment)
        tcb.by_time = dict.fromkeys(sorted(tcb.by_time, key=lambda s: s.order))
        tcb.lost_out = 0
        tcb.retransmit_hint = None
    if tcb.prior_ssthresh:
        cc = tcb.cc
        cc.cwnd = max(cc.cwnd, tcb.prior_cwnd)
        if tcb.prior_ssthresh > cc.ssthresh:
            cc.ssthresh = tcb.prior_ssthresh
            ecn.withdraw_cwr(tcb)
    tcb.cwnd_stamp = now
    tcb.undo_valid = False
    tcb.rack_advanced = True
