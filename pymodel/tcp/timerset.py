"""Setting the one retransmission timer: RTO, probe time-out, reordering, persist."""

from typing import TYPE_CHECKING, Final

from pymodel.tcp.rack import TIMEOUT_MIN
from pymodel.tcp.segment import head
from pymodel.tcp.tcb import Pending, Recovery

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


_CALM: Final = (Recovery.OPEN, Recovery.CWR)


def start(tcb: "Tcb", kind: Pending, when: int) -> None:
    """`kind` at `when` (ps), instead of whatever was set."""
    tcb.pending = kind
    tcb.rtx_timer.set(when)


def stop(tcb: "Tcb") -> None:
    """Nothing is due."""
    tcb.pending = Pending.NONE
    tcb.rtx_timer.deadline = None


def clamped_rto(tcb: "Tcb", now: int) -> int:
    """RTO, but not beyond the moment at which TCP_USER_TIMEOUT ends the connection."""
    rto = tcb.rtt.rto
    limit = tcb.options.user_timeout
    if not limit or tcb.retrans_stamp < 0:
        return rto
    return min(rto, max(limit - (now - tcb.retrans_stamp), 1_000_000_000))


def _oldest_at(tcb: "Tcb") -> int:
    oldest = head(tcb)
    if oldest is None:
        raise AssertionError("packets are out, and none is on the queue")
    return oldest.sent_at


def rearm_rto(tcb: "Tcb", now: int) -> None:
    """RFC 6298 (5.2), (5.3); a probe or reordering time-out in between does not put the RTO off."""
    if tcb.fast_child:
        return  # the timer is the SYN,ACK's
    if not tcb.packets_out:
        if tcb.pending is not Pending.PERSIST:
            stop(tcb)
        return
    when = now + tcb.rtt.rto
    if tcb.pending in (Pending.REORDER, Pending.TAIL_PROBE):
        when = max(_oldest_at(tcb) + tcb.rtt.rto, now + 1_000_000)
    start(tcb, Pending.RETRANSMIT, when)


def schedule_probe(tcb: "Tcb", now: int, advancing: bool) -> bool:
    """RFC 8985 §7.2: the probe time-out, two round trips. False: the RTO is enough."""
    if (
        not tcb.profile.tail_loss_probe
        or tcb.fast_child
        or not tcb.packets_out
        or not tcb.sack_on
        or tcb.recovery not in _CALM
        or tcb.state < 3
    ):
        return False
    rtt = tcb.rtt
    if rtt.srtt:
        # One segment alone may be waiting for a delayed ACK.
        timeout = 2 * rtt.srtt + (tcb.profile.rto_min if tcb.packets_out == 1 else TIMEOUT_MIN)
    else:
        timeout = tcb.profile.rto_initial
    until_rto = rtt.rto if advancing else _oldest_at(tcb) + rtt.rto - now
    if until_rto > 0:
        timeout = min(timeout, until_rto)
    start(tcb, Pending.TAIL_PROBE, now + timeout)
    return True


def after_ack(tcb: "Tcb", now: int) -> None:
    """Something new was acknowledged: probe time-out or RTO from now."""
    if not schedule_probe(tcb, now, True):
        rearm_rto(tcb, now)
