"""Reducing the window: proportional rate reduction (RFC 6937) in fast recovery and after an ECN echo."""

from typing import TYPE_CHECKING

from pymodel.tcp import ecn
from pymodel.tcp.congestion import INFINITE
from pymodel.tcp.tcb import Recovery

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def reducing(tcb: "Tcb") -> bool:
    """CWR or RECOVERY: the window is ours, not the algorithm's."""
    return tcb.recovery in (Recovery.CWR, Recovery.RECOVERY)


def current_ssthresh(tcb: "Tcb") -> int:
    """What ssthresh would be if the present window had been found to be right (RFC 2861 §3.2)."""
    cc = tcb.cc
    return cc.ssthresh if reducing(tcb) else max(cc.ssthresh, cc.cwnd * 3 // 4)


def begin(tcb: "Tcb") -> None:
    """RFC 6937 §3, "at the beginning of recovery"."""
    tcb.high_seq = tcb.snd_nxt
    tcb.probe_high = -1
    cc = tcb.cc
    cc.reset_count()
    tcb.prior_cwnd = cc.cwnd
    tcb.prr_delivered = 0
    tcb.prr_out = 0
    cc.ssthresh = cc.ssthresh_after_loss()
    ecn.queue_cwr(tcb)


def reduce(tcb: "Tcb", newly_delivered: int, newly_lost: int, una_advanced: bool) -> None:
    """RFC 6937 §3, "on every ACK": cwnd is what is in flight and what may be sent now (PRR-SSRB)."""
    if newly_delivered <= 0 or not tcb.prior_cwnd:
        return
    cc = tcb.cc
    if not tcb.profile.prr:
        cc.cwnd = max(cc.ssthresh, tcb.in_flight + 1) if not tcb.prr_out else cc.ssthresh
        return
    tcb.prr_delivered += newly_delivered
    in_flight = tcb.in_flight
    delta = cc.ssthresh - in_flight
    if delta < 0:
        send = -(-cc.ssthresh * tcb.prr_delivered // tcb.prior_cwnd) - tcb.prr_out
    else:
        send = max(tcb.prr_delivered - tcb.prr_out, newly_delivered)
        if una_advanced and not newly_lost:
            send += 1
        send = min(delta, send)
    # The first retransmission goes out at once.
    send = max(send, 0 if tcb.prr_out else 1)
    cc.cwnd = max(in_flight + send, 1)


def end(tcb: "Tcb", now: int) -> None:
    """The window lands on ssthresh, unless the reduction was undone."""
    cc = tcb.cc
    if cc.ssthresh < INFINITE and (tcb.recovery is Recovery.CWR or tcb.undo_valid):
        cc.cwnd = cc.ssthresh
        tcb.cwnd_stamp = now


def enter_cwr(tcb: "Tcb") -> None:
    """RFC 3168 §6.1.2: as if a segment had been lost, but nothing was."""
    tcb.prior_ssthresh = 0
    if tcb.recovery < Recovery.CWR:
        tcb.undo_valid = False
        begin(tcb)
        tcb.recovery = Recovery.CWR
