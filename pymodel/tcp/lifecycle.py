"""Changes of state that end something: errors, resets, TIME-WAIT, CLOSED."""

from errno import ECONNREFUSED, ECONNRESET, EPIPE

from pymodel.tcp import ackcompress, output, transmit
from pymodel.tcp.state import TRANSITIONS, State
from pymodel.tcp.tcb import Tcb


def set_state(tcb: Tcb, state: State) -> None:
    """Go to `state` and tell whoever waits. A transition that RFC 9293 figure 5 does not have is a bug."""
    if state not in TRANSITIONS[tcb.state]:
        raise AssertionError(f"{tcb.state.name} → {state.name} is no transition of TCP")
    tcb.state = state
    tcb.queue.wake()


def finish(tcb: Tcb, error: int = 0) -> None:
    """CLOSED: timers gone, buffers for sending gone (what was received stays readable unless in error)."""
    if tcb.state is State.CLOSED:
        return
    if error:
        tcb.error = error
    tcb.rtx_timer.cancel()
    tcb.delack_timer.cancel()
    ackcompress.cancel(tcb)
    tcb.keepalive_timer.cancel()
    tcb.state_timer.cancel()
    tcb.sent.clear()
    tcb.by_time.clear()
    tcb.send_queue.clear()
    tcb.reassembly.clear()
    tcb.retransmit_hint = None
    tcb.trains_out = 0
    tcb.packets_out = tcb.sacked_out = tcb.lost_out = tcb.retrans_out = 0
    set_state(tcb, State.CLOSED)
    tcb.layer.closed(tcb)


def reset_by_peer(tcb: Tcb) -> None:
    """An acceptable RST came (RFC 9293 §3.10.7.4 "second"); errno as Linux's tcp_reset chooses it."""
    state = tcb.state
    tcb.layer.stats["resets_received"] += 1
    if state is State.SYN_SENT or tcb.opening:
        finish(tcb, ECONNREFUSED)
    elif state is State.CLOSE_WAIT:
        finish(tcb, ECONNRESET if tcb.profile.berkeley else EPIPE)
    elif state is State.TIME_WAIT:
        finish(tcb)
    else:
        finish(tcb, ECONNRESET)


def abort(tcb: Tcb, now: int, error: int = 0) -> None:
    """ABORT (RFC 9293 §3.10.5): RST if the peer may know of the connection, then CLOSED."""
    if tcb.state not in (State.CLOSED, State.SYN_SENT, State.TIME_WAIT):
        transmit.reset(tcb, now)
    finish(tcb, error)


def enter_time_wait(tcb: Tcb, now: int) -> None:
    """TIME-WAIT: every other timer off, 2 MSL on (RFC 9293 §3.10.7.4); its ACKs say nothing of congestion."""
    tcb.ecn_on = tcb.accurate = False
    tcb.started = now
    tcb.rtx_timer.cancel()
    tcb.delack_timer.cancel()
    ackcompress.cancel(tcb)
    tcb.keepalive_timer.cancel()
    set_state(tcb, State.TIME_WAIT)
    tcb.state_timer.set(now + tcb.profile.time_wait)


def orphan_in_fin_wait_2(tcb: Tcb, now: int) -> None:
    """No program will see the peer's FIN: wait only `fin_timeout`, or TCP_LINGER2's time (tcp(7))."""
    linger2 = tcb.options.linger2
    if linger2 is not None and linger2 < 0:
        abort(tcb, now)
    else:
        tcb.state_timer.set(now + (tcb.profile.fin_timeout if linger2 is None else linger2))


def send_fin(tcb: Tcb, now: int) -> None:
    """CLOSE of the sending side (RFC 9293 §3.10.4): the FIN follows what is queued."""
    if tcb.fin_queued:
        return
    tcb.fin_queued = True
    if tcb.state in (State.ESTABLISHED, State.SYN_RECEIVED):
        set_state(tcb, State.FIN_WAIT_1)
    elif tcb.state is State.CLOSE_WAIT:
        set_state(tcb, State.LAST_ACK)
    output.push(tcb, now)
