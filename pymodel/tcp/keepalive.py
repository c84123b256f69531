"""Keepalive (RFC 9293 §3.8.4): probe a silent peer, and give up if it does not answer.

Off unless a program wants it. A probe is an empty segment at SND.NXT - 1, as Linux sends it: the peer must
answer an unacceptable segment with an ACK (§3.10.7.4). While data or a FIN is on its way nothing is
probed: the retransmission and persist timers watch over that already.
"""

from errno import ETIMEDOUT

from pymodel.tcp import lifecycle, transmit
from pymodel.tcp.segment import head
from pymodel.tcp.seq import MASK
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Tcb


def start(tcb: Tcb, now: int) -> None:
    """Keepalive was turned on, or the connection has just opened with it: look after the idle time."""
    if tcb.keepalive and _watched(tcb):
        tcb.keepalive_timer.set(now + tcb.keepalive_idle)


def restart(tcb: Tcb, now: int) -> None:
    """The idle time has changed: it counts from the last segment received."""
    if tcb.keepalive and _watched(tcb):
        tcb.keepalive_timer.set(max(tcb.last_received + tcb.keepalive_idle, now))


def _watched(tcb: Tcb) -> bool:
    return State.ESTABLISHED <= tcb.state < State.TIME_WAIT and not tcb.orphan


def expired(tcb: Tcb) -> None:
    """The keepalive timer: Linux's tcp_keepalive_timer."""
    if not _watched(tcb):
        return
    now = tcb.now
    quiet = now - tcb.last_received
    user = tcb.options.user_timeout
    if head(tcb) is not None or tcb.has_unsent:
        wait = tcb.keepalive_idle
    elif quiet < tcb.keepalive_idle:
        wait = tcb.keepalive_idle - quiet
    elif (quiet >= user and tcb.probes) if user else tcb.probes >= tcb.keepalive_count:
        tcb.layer.stats["keepalive_timeouts"] += 1
        lifecycle.abort(tcb, now, tcb.soft_error or ETIMEDOUT)
        return
    else:
        tcb.probes += 1
        tcb.layer.stats["keepalive_probes"] += 1
        transmit.data(tcb, now, (tcb.snd_una - 1) & MASK, 0, 0)
        wait = tcb.keepalive_interval
    tcb.keepalive_timer.set(now + wait)
