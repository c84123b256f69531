"""What happens when a connection's timers expire."""

from errno import ETIMEDOUT

from pymodel.tcp import lifecycle, output, recovery, transmit
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Tcb


def _give_up(tcb: Tcb) -> None:
    """R2 is reached (RFC 9293 §3.8.3): an ICMP error that came meanwhile says more than the time-out."""
    tcb.layer.stats["timeouts"] += 1
    lifecycle.finish(tcb, tcb.soft_error or ETIMEDOUT)


def _limit(tcb: Tcb) -> int:
    profile = tcb.profile
    if tcb.state is State.SYN_SENT:
        return profile.syn_retries if tcb.options.syncnt is None else tcb.options.syncnt
    if tcb.state is State.SYN_RECEIVED:
        return profile.synack_retries
    return profile.orphan_retries if tcb.orphan else profile.retries


def retransmission(tcb: Tcb) -> None:
    """The retransmission timer (RFC 6298 (5.4)-(5.7)), or the persist timer in its place."""
    now = tcb.now
    if tcb.persisting:
        if tcb.probes >= _limit(tcb):
            _give_up(tcb)
        else:
            output.probe(tcb, now)
        return
    if not tcb.sent:
        return
    # A peer that answers with a closed window is alive: that never times out (RFC 9293 §3.8.6.1).
    alive = (
        not tcb.snd_wnd and now - tcb.last_received <= tcb.profile.rto_max and tcb.state > State.SYN_RECEIVED
    )
    if tcb.retries >= _limit(tcb) and not alive:
        _give_up(tcb)
        return
    tcb.retries += 1
    tcb.layer.stats["rto_expirations"] += 1
    if tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
        tcb.rtt.back_off()
        output.retransmit(tcb, now, tcb.sent[0])
        output.start_rtx_timer(tcb, now)
        return
    recovery.on_timeout(tcb, now)
    tcb.rtt.back_off()
    output.start_rtx_timer(tcb, now)
    output.push(tcb, now)


def delayed_ack(tcb: Tcb) -> None:
    """Nothing to ride on came along in time."""
    tcb.layer.stats["delayed_acks"] += 1
    transmit.ack(tcb, tcb.now)


def state(tcb: Tcb) -> None:
    """2 MSL are over, or an orphan has waited long enough for its peer's FIN."""
    lifecycle.finish(tcb)
