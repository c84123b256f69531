"""Congestion window validation (RFC 2861, RFC 7661, RFC 5681 §4.1): an unused window is no evidence."""

from typing import TYPE_CHECKING

from pymodel.tcp import prr
from pymodel.tcp.chrono import Chrono
from pymodel.tcp.seq import ge
from pymodel.tcp.tcb import Recovery

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def validate(tcb: "Tcb", now: int, limited: bool) -> None:
    """After sending: remember how much of the window was in use (Linux: tcp_cwnd_validate)."""
    if not tcb.profile.cwnd_validation:
        return
    if (
        ge(tcb.snd_una, tcb.cwnd_usage_seq)
        or limited
        or (not tcb.cwnd_limited and tcb.packets_out > tcb.max_packets_out)
    ):
        tcb.cwnd_limited = limited
        tcb.max_packets_out = tcb.packets_out
        tcb.cwnd_usage_seq = tcb.snd_nxt
    if is_limited(tcb):
        tcb.cwnd_used = 0
        tcb.cwnd_stamp = now
        return
    if tcb.no_space and not tcb.has_unsent and tcb.may_send:
        tcb.clock.start(Chrono.SNDBUF_LIMITED, now)  # neither window holds us back: the buffer is too small
    tcb.cwnd_used = max(tcb.cwnd_used, tcb.packets_out)
    if tcb.profile.slow_start_after_idle and now - tcb.cwnd_stamp >= tcb.rtt.rto:
        _application_limited(tcb, now)


def is_limited(tcb: "Tcb") -> bool:
    """The window was what held us back, or in slow start will soon be: it may grow."""
    if tcb.cwnd_limited:
        return True
    cc = tcb.cc
    return cc.cwnd < cc.ssthresh and cc.cwnd < 2 * tcb.max_packets_out


def _application_limited(tcb: "Tcb", now: int) -> None:
    """RFC 2861 §3.2: half-way down to what was used in an RTO."""
    if tcb.recovery is Recovery.OPEN:
        cc = tcb.cc
        used = max(tcb.cwnd_used, tcb.profile.initial_cwnd)
        if used < cc.cwnd:
            cc.ssthresh = prr.current_ssthresh(tcb)
            cc.cwnd = (cc.cwnd + used) // 2
        tcb.cwnd_used = 0
    tcb.cwnd_stamp = now


def after_idle(tcb: "Tcb", now: int) -> None:
    """Data is about to be sent after an idle time: RFC 5681 §4.1, halved per RTO (RFC 2861)."""
    if not tcb.profile.slow_start_after_idle or tcb.packets_out:
        return
    idle, rto = now - tcb.last_sent, tcb.rtt.rto
    if idle <= rto:
        return
    cc = tcb.cc
    cc.ssthresh = prr.current_ssthresh(tcb)
    floor = min(tcb.profile.initial_cwnd, cc.cwnd)
    cwnd = cc.cwnd
    idle -= rto
    while idle > 0 and cwnd > floor:
        cwnd >>= 1
        idle -= rto
    cc.cwnd = max(cwnd, floor)
    tcb.cwnd_stamp = now
    tcb.cwnd_used = 0
