"""SEGMENT ARRIVES (RFC 9293 §3.10.7.4), in the RFC's order, for every state from SYN-RECEIVED on.

SYN-SENT is in `handshake`; CLOSED and LISTEN have no connection and live in `layer` and `listener`.
"""

from errno import ECONNRESET

from pymodel.simtime import MS, SEC
from pymodel.tcp import (
    accecn,
    ack,
    berkeley,
    challenge,
    delack,
    fastopen,
    handshake,
    lifecycle,
    output,
    rcvwindow,
    receive,
    transmit,
    urgent,
)
from pymodel.tcp.seq import HALF, MASK, gt, le, lt
from pymodel.tcp.state import RECEIVING, State
from pymodel.tcp.tcb import Tcb
from pymodel.wire.tcp import ACK, FIN, RST, SYN, TcpHeader

PAWS_AGE = 24 * 24 * 3600 * SEC
"""TS.Recent older than 24 days says nothing (RFC 7323 §5.5)."""

_PEER_CLOSED = frozenset({State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING})


def _paws_rejects(tcb: Tcb, header: TcpHeader, now: int) -> bool:
    """RFC 7323 §5.3 R1: an old duplicate by its timestamp."""
    if not tcb.ts_on or header.ts_val is None or header.flags & RST:
        return False
    return lt(header.ts_val, tcb.ts_recent) and now - tcb.ts_recent_at < PAWS_AGE


def _acceptable(tcb: Tcb, seq: int, length: int, fin: int) -> bool:
    """§3.10.7.4 "first" (table 6), a little wider, as in Linux.

    What ends at the last ACK sent is still looked at, because our ACK of what is there may be on its way;
    with a closed window a segment at RCV.NXT is looked at for its ACK, and its text refused in `receive`.
    Text beyond the window is refused, unless the receive queue is empty: a peer whose single segments are
    larger than the window could otherwise not go on. A FIN needs no room.
    """
    end = (seq + length) & MASK
    if (end - tcb.rcv_wup) & MASK >= HALF:
        return False
    edge = (tcb.rcv_nxt + tcb.rcv_wnd) & MASK
    if gt((end - fin) & MASK, edge):
        return not gt(seq, edge) and (not tcb.recv_queue or (seq == tcb.rcv_nxt and not tcb.rcv_wnd))
    return True


def synchronized(tcb: Tcb, header: TcpHeader, payload: memoryview | bytes, now: int, tos: int) -> bool:
    """§3.10.7.4. False: answer with a RST as for CLOSED (SYN-RECEIVED, an ACK of something never sent)."""
    flags = header.flags
    seq = header.seq
    length = len(payload) + (flags & FIN) + (flags >> 1 & 1)
    stats = tcb.layer.stats
    tcb.segs_in += header.segments
    if tcb.profile.berkeley:
        verdict, payload = berkeley.screen(tcb, header, payload, now)
        if verdict is not berkeley.Verdict.GO_ON:
            return verdict is berkeley.Verdict.DROP
        length = len(payload) + (header.flags & FIN)
        return _acceptable_text(tcb, header, header.seq, payload, length, now, tos)

    # First: sequence number (and PAWS before it).
    rejected = _paws_rejects(tcb, header, now)
    if rejected or not _acceptable(tcb, seq, length, flags & FIN):
        simultaneous = (
            tcb.state is State.SYN_RECEIVED
            and flags & (SYN | ACK | RST) == SYN | ACK
            and seq == tcb.irs
            and header.ack == tcb.snd_nxt
            and not rejected
        )
        if not simultaneous:
            stats["paws_rejected" if rejected else "unacceptable"] += 1
            stats["beyond_window"] += not rejected and not lt((seq + length) & MASK, tcb.rcv_wup)
            _unacceptable(tcb, header, length, now, tos)
            return True
        flags &= ~SYN
        seq = (seq + 1) & MASK
        length -= 1
    elif flags & SYN and tcb.state is State.SYN_RECEIVED and seq == tcb.irs and header.ack == tcb.snd_nxt:
        flags &= ~SYN
        seq = (seq + 1) & MASK
        length -= 1

    # Second: RST (RFC 5961 §3.2).
    if flags & RST:
        _reset(tcb, seq, now)
        return True

    # Fourth: SYN (RFC 5961 §4.2).
    if flags & SYN:
        stats["syn_in_connection"] += 1
        if tcb.state is State.SYN_RECEIVED and not flags & ACK and seq == tcb.irs:
            _repeat_syn_ack(tcb, now, tos)
        else:
            challenge.send(tcb, now, True)
        return True
    return _acceptable_text(tcb, header, seq, payload, length, now, tos)


def _acceptable_text(
    tcb: Tcb, header: TcpHeader, seq: int, payload: memoryview | bytes, length: int, now: int, tos: int
) -> bool:
    """The rest of §3.10.7.4, for a segment that is acceptable: ACK, URG, text and FIN.

    `seq`: where the text begins; `length`: of text and FIN.
    """
    flags, stats = header.flags, tcb.layer.stats

    # Fifth: ACK.
    if not flags & ACK:
        if tcb.ack_now and tcb.profile.berkeley:
            transmit.ack(tcb, now)
        return True
    if tcb.fast_child:
        if lt(header.ack, tcb.snd_una) or gt(header.ack, tcb.snd_nxt):
            return False
        if tcb.accurate:
            accecn.third_ack(tcb, header, length)
        ack.process(tcb, header, length, now)
        ack.set_window(tcb, header.window << tcb.snd_wscale)
        fastopen.child_established(tcb, now)
    elif tcb.state is State.SYN_RECEIVED:
        if not (gt(header.ack, tcb.snd_una) and le(header.ack, tcb.snd_nxt)):
            return False
        if not _open(tcb, header, length, now):
            return True
        if tcb.accurate:
            accecn.received(tcb, header, tos, len(payload))
        if flags & SYN and not tcb.profile.berkeley:
            receive.duplicate(tcb, tcb.irs, tcb.irs + 1 & MASK)  # we have seen that SYN before (figure 7)
    else:
        if (tos & 3 or tcb.accecn is not None) and tcb.state is State.ESTABLISHED:
            accecn.received(tcb, header, tos, len(payload))
        if tcb.profile.berkeley:
            ack.update_ts_recent(tcb, header, now)
        if not ack.process(tcb, header, length, now):
            return True
    if tcb.ts_on and tcb.ts_ecr and payload:
        sent_at = (tcb.ts_ecr - tcb.ts_offset & MASK) * MS
        rcvwindow.measure_rtt_by_echo(tcb, now, sent_at, tcb.ts_ecr, len(payload))
    state = tcb.state
    if state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK) and tcb.all_acknowledged:
        if not _fin_acknowledged(tcb, seq, payload, now):
            return tcb.state is not State.CLOSED or state is State.LAST_ACK
        if tcb.state is State.CLOSED:
            return True

    # Sixth, seventh and eighth: URG, text and FIN.
    urgent.segment(tcb, header, payload)
    if payload or flags & FIN:
        if tcb.state in RECEIVING:
            if payload and _nobody_reads(tcb) and gt((seq + len(payload)) & MASK, tcb.rcv_nxt):
                # The peer should know that data was lost (§3.6.1).
                stats["data_after_close"] += 1
                lifecycle.finish(tcb, 0 if tcb.orphan else ECONNRESET)
                return False
            receive.text(tcb, seq, payload, header, now, tos)
        elif tcb.state is State.TIME_WAIT:
            # Only a retransmission of the FIN can be meant: acknowledge it, 2 MSL again.
            transmit.ack(tcb, now)
            tcb.state_timer.set(now + tcb.profile.time_wait)
        elif le((seq + length) & MASK, tcb.rcv_nxt):
            receive.text(tcb, seq, payload, header, now, tos)
    if tcb.state is not State.CLOSED:
        output.push(tcb, now)
        receive.acknowledge(tcb, now)
    return True


def _nobody_reads(tcb: Tcb) -> bool:
    """The connection is closed, or shut both ways (RCV_SHUTDOWN in tcp_rcv_state_process)."""
    return tcb.orphan or (tcb.read_shut and tcb.state in (State.FIN_WAIT_1, State.FIN_WAIT_2))


def _open(tcb: Tcb, header: TcpHeader, length: int, now: int) -> bool:
    """SYN-RECEIVED, and our SYN is acknowledged. False: the listener has no room, or wants data first."""
    listener = tcb.listener
    if listener is not None and not listener.ready(tcb, header, length, now):
        return False
    ack.update_ts_recent(tcb, header, now)
    if tcb.accurate:
        accecn.third_ack(tcb, header, length)
    ack.process(tcb, header, length, now)
    if not header.flags & SYN:
        if not tcb.profile.berkeley:
            tcb.max_snd_wnd = 0  # Linux's connection begins with this ACK; the SYN's window was not scaled
        ack.set_window(tcb, header.window << tcb.snd_wscale)
    tcb.snd_wl1 = header.seq
    handshake.established(tcb, now)
    if listener is not None:
        listener.finished(tcb)
    return True


def _reset(tcb: Tcb, seq: int, now: int) -> None:
    """RFC 5961 §3.2: only exactly at RCV.NXT, or behind the highest data held; else a challenge."""
    if tcb.state is State.TIME_WAIT and tcb.profile.rfc1337:
        return
    if (
        seq == tcb.rcv_nxt
        or (tcb.state in _PEER_CLOSED and seq == (tcb.rcv_nxt - 1) & MASK)
        or (tcb.sack_on and seq == tcb.reassembly.highest())
    ):
        lifecycle.reset_by_peer(tcb)
    else:
        challenge.send(tcb, now)


def _repeat_syn_ack(tcb: Tcb, now: int, tos: int) -> None:
    """The peer repeats its SYN: our SYN,ACK was lost, or SYNs come in a loop."""
    accecn.learn_syn_again(tcb, tos)
    if not challenge.rate_limited(tcb, now):
        transmit.syn(tcb, now, True)


def _unacceptable(tcb: Tcb, header: TcpHeader, length: int, now: int, tos: int) -> None:
    flags = header.flags
    if flags & RST:
        if tcb.state in _PEER_CLOSED and header.seq == (tcb.rcv_nxt - 1) & MASK:
            lifecycle.reset_by_peer(tcb)
        return
    if tcb.state is State.SYN_RECEIVED and flags & (SYN | ACK) == SYN and header.seq == tcb.irs:
        _repeat_syn_ack(tcb, now, tos)
        return
    if tcb.state is State.TIME_WAIT and length:
        # A retransmitted FIN (§3.10.7.4 "first", TIME-WAIT) restarts 2 MSL.
        if flags & FIN:
            tcb.state_timer.set(now + tcb.profile.time_wait)
        transmit.ack(tcb, now)
        return
    if flags & SYN:
        challenge.send(tcb, now, True)
        return
    if not length and challenge.rate_limited(tcb, now):
        return
    if length and lt(header.seq, tcb.rcv_nxt):
        # A duplicate: the ACK was lost, perhaps; answer quickly for a while.
        delack.enter_quick_mode(tcb)
        if tcb.sack_on and tcb.profile.dsack:
            end = (header.seq + length) & MASK
            accecn.duplicate(tcb, end)
            tcb.dsack = (header.seq, tcb.rcv_nxt if gt(end, tcb.rcv_nxt) else end)
    transmit.ack(tcb, now)


def _fin_acknowledged(tcb: Tcb, seq: int, payload: memoryview | bytes, now: int) -> bool:
    """Our FIN has arrived. False: the connection is over."""
    if tcb.state is State.FIN_WAIT_1:
        lifecycle.set_state(tcb, State.FIN_WAIT_2)
        if tcb.orphan:
            if payload and gt((seq + len(payload)) & MASK, tcb.rcv_nxt):
                tcb.layer.stats["data_after_close"] += 1
                lifecycle.finish(tcb)
                return False
            lifecycle.orphan_in_fin_wait_2(tcb, now)
    elif tcb.state is State.CLOSING:
        lifecycle.enter_time_wait(tcb, now)
        return False
    else:
        lifecycle.finish(tcb)
        return False
    return True
