"""What happens when a connection's timers expire."""

from errno import ETIMEDOUT
from typing import Final

from pymodel.simtime import SEC
from pymodel.tcp import (
    berkeley,
    delack,
    fastopen,
    lifecycle,
    output,
    plpmtud,
    prr,
    rack,
    recovery,
    retransmit,
    timerset,
    transmit,
)
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Pending, Recovery, Tcb


def _give_up(tcb: Tcb) -> None:
    """R2 is reached (RFC 9293 §3.8.3): an ICMP error that came meanwhile says more than the time-out."""
    tcb.layer.stats["timeouts"] += 1
    if tcb.profile.berkeley and tcb.listener is None:
        lifecycle.abort(tcb, tcb.now, tcb.soft_error or ETIMEDOUT)
    else:
        lifecycle.finish(tcb, tcb.soft_error or ETIMEDOUT)


def fired(tcb: Tcb) -> None:
    """The retransmission timer: RTO, probe, reordering or persist."""
    now = tcb.now
    pending = tcb.pending
    if pending is Pending.RETRANSMIT:
        tcb.pending = Pending.NONE
        _retransmission(tcb, now)
    elif pending is Pending.TAIL_PROBE:
        retransmit.tail_probe(tcb, now)
    elif pending is Pending.REORDER:
        _reordering(tcb, now)
    elif pending is Pending.PERSIST:
        tcb.pending = Pending.NONE
        _persist(tcb, now)


def _modelled(tcb: Tcb, retries: int, base: int) -> int:
    """How long `retries` retransmissions with back-off from `base` take (Linux: tcp_model_timeout)."""
    limit = tcb.profile.rto_max
    total, wait = 0, base
    for _ in range(retries + 1):
        total += wait
        wait = min(2 * wait, limit)
    return total


def _timed_out(tcb: Tcb, now: int) -> bool:
    """No more retransmissions: TCP_USER_TIMEOUT, or R2 counted as the time that so many would take."""
    if not tcb.retries:
        return False
    profile = tcb.profile
    user = tcb.options.user_timeout
    if tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
        if tcb.state is State.SYN_RECEIVED:
            limit = profile.synack_retries
        else:
            limit = profile.syn_retries if tcb.options.syncnt is None else tcb.options.syncnt
            limit += profile.syn_linear_timeouts
        if tcb.retries >= limit:
            return True
        return bool(user) and now - tcb.retrans_stamp >= user
    since = now - tcb.retrans_stamp
    if user and not tcb.orphan:
        return since >= user
    if profile.berkeley:
        return tcb.retries >= profile.retries
    retries = profile.retries
    if tcb.orphan:
        retries = profile.orphan_retries
        if tcb.rtt.rto >= profile.rto_max and tcb.retries >= retries:
            return True
    return since >= _modelled(tcb, retries, profile.rto_min)


def _retransmission(tcb: Tcb, now: int) -> None:
    """RFC 6298 (5.4)-(5.7)."""
    if tcb.fast_child:
        fastopen.repeat_synack(tcb, now)
        return
    if not tcb.packets_out:
        return
    opening = tcb.state in (State.SYN_SENT, State.SYN_RECEIVED)
    if not tcb.snd_wnd and not tcb.orphan and not opening:
        # A peer that answers with a closed window is alive: that never times out (RFC 9293 §3.8.6.1).
        user = tcb.options.user_timeout
        silent = now - tcb.last_received > tcb.profile.rto_max
        if (silent and tcb.retries >= tcb.profile.retries) or (
            user and tcb.retries and now - tcb.retrans_stamp >= user
        ):
            _give_up(tcb)
            return
    elif _timed_out(tcb, now):
        _give_up(tcb)
        return
    tcb.layer.stats["rto_expirations"] += 1
    profile = tcb.profile
    if (
        tcb.probing is not None
        and tcb.retries
        and now - tcb.retrans_stamp >= _modelled(tcb, profile.retries1, profile.rto_min)
    ):
        plpmtud.black_hole(tcb, now)
    if opening:
        _syn_again(tcb, now)
        return
    recovery.enter_loss(tcb, now)
    tcb.timeouts.expired(not tcb.retries, now)
    tcb.retries += 1
    if profile.black_hole_detection:
        berkeley.suspect_black_hole(tcb)
    tcb.sent[0].edge = True  # it goes alone
    if not retransmit.one(tcb, 0, now):
        timerset.start(tcb, Pending.RETRANSMIT, now + SEC // 2)
        return
    if _stays_linear(tcb):
        tcb.rtt.set_rto()
        tcb.rtt.backoff = 0
    else:
        tcb.rtt.back_off()
    timerset.start(tcb, Pending.RETRANSMIT, now + timerset.clamped_rto(tcb, now))


_THIN_PACKETS: Final = 4
_THIN_RETRIES: Final = 6


def _stays_linear(tcb: Tcb) -> bool:
    """A thin stream's time-outs are not doubled at first (tcp_thin_linear_timeouts)."""
    return (
        (tcb.options.thin_linear_timeouts or tcb.profile.thin_linear_timeouts)
        and tcb.state is State.ESTABLISHED
        and tcb.packets_out < _THIN_PACKETS
        and tcb.retries <= _THIN_RETRIES
    )


def _syn_again(tcb: Tcb, now: int) -> None:
    tcb.timeouts.expired(not tcb.retries, now)
    tcb.retries += 1
    if tcb.state is not State.SYN_SENT or tcb.timeouts.total > tcb.profile.syn_linear_timeouts:
        tcb.rtt.back_off()
    if not (tcb.deferred and tcb.handshake_deferred(now)):
        retransmit.one(tcb, 0, now)
    timerset.start(tcb, Pending.RETRANSMIT, now + timerset.clamped_rto(tcb, now))


def _reordering(tcb: Tcb, now: int) -> None:
    """RFC 8985 §6.3: what RACK waited for did not come."""
    before, lost = tcb.in_flight, tcb.lost
    timeout = rack.detect(tcb, now)
    if timeout:
        tcb.rtx_timer.set(now + min(timeout + rack.TIMEOUT_MIN, tcb.rtt.rto))
    if before != tcb.in_flight:
        if tcb.recovery is not Recovery.RECOVERY:
            recovery.enter_recovery(tcb, False)
            prr.reduce(tcb, 1, tcb.lost - lost, False)
        retransmit.lost(tcb, now)
    if tcb.pending is not Pending.RETRANSMIT:
        timerset.rearm_rto(tcb, now)


def _persist(tcb: Tcb, now: int) -> None:
    """The persist timer (RFC 9293 §3.8.6.1): probe, for ever as long as the peer answers."""
    if tcb.packets_out or not tcb.has_unsent:
        tcb.probes = 0
        return
    user = tcb.options.user_timeout
    if tcb.probes_since < 0:
        tcb.probes_since = now
    elif user and now - tcb.probes_since >= user:
        _give_up(tcb)
        return
    limit = tcb.profile.retries
    if tcb.profile.berkeley:
        # A closed socket whose peer has fallen silent (TCPTV_PERSMAX) does not probe for ever.
        if tcb.orphan and now - tcb.last_received >= tcb.profile.persist_max:
            _give_up(tcb)
            return
    elif tcb.orphan:
        limit = tcb.profile.orphan_retries
        if output.persist_when(tcb) >= tcb.profile.rto_max and tcb.rtt.backoff >= limit:
            _give_up(tcb)
            return
    if tcb.probes >= limit:
        _give_up(tcb)
    else:
        output.probe(tcb, now)


def delayed_ack(tcb: Tcb) -> None:
    """Nothing to ride on came along in time."""
    if delack.expired(tcb):
        tcb.layer.stats["delayed_acks"] += 1
        transmit.ack(tcb, tcb.now)


def state(tcb: Tcb) -> None:
    """2 MSL are over, an orphan has waited long enough for its peer's FIN, or an open took too long."""
    if tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
        _give_up(tcb)
    else:
        lifecycle.finish(tcb)
