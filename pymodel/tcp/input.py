"""SEGMENT ARRIVES (RFC 9293 §3.10.7), in the RFC's order.

`synchronized` is §3.10.7.4 for every state from SYN-RECEIVED on, `syn_sent` is §3.10.7.3. CLOSED and
LISTEN have no connection and live in `layer` and `listener`.
"""

from pymodel.simtime import SEC
from pymodel.tcp import algorithms, keepalive, lifecycle, output, recovery, transmit
from pymodel.tcp.reassembly import Reassembly
from pymodel.tcp.seq import HALF, MASK, diff, ge, gt, le, lt
from pymodel.tcp.state import RECEIVING, State
from pymodel.tcp.tcb import Recovery, Tcb
from pymodel.wire.tcp import ACK, FIN, RST, SYN, TIMESTAMPS_LEN, TcpHeader

PAWS_AGE = 24 * 24 * 3600 * SEC
"""TS.Recent older than 24 days says nothing (RFC 7323 §5.5)."""

MIN_SND_MSS = 48
"""A peer cannot make us send more header than payload (Linux: TCP_MIN_SND_MSS)."""


def learn_syn(tcb: Tcb, header: TcpHeader, now: int) -> None:
    """Take IRS and the options from the peer's SYN: both sides must have offered what is then used."""
    profile = tcb.profile
    tcb.irs = header.seq
    tcb.rcv_nxt = tcb.rcv_wup = (header.seq + 1) & MASK
    tcb.rcv_adv = (tcb.rcv_nxt + transmit.initial_window(tcb)) & MASK
    tcb.reassembly = Reassembly(tcb.rcv_nxt)
    tcb.last_received = now
    tcb.ts_on = profile.timestamps and header.ts_val is not None
    if header.ts_val is not None and tcb.ts_on:
        tcb.ts_recent = header.ts_val
        tcb.ts_recent_at = now
    tcb.sack_on = profile.sack and header.sack_permitted
    tcb.scale_on = profile.window_scaling and header.wscale is not None
    if header.wscale is not None and tcb.scale_on:
        # More than 14 is treated as 14 (RFC 7323 §2.3).
        tcb.snd_wscale = min(header.wscale, transmit.MAX_WSCALE)
        tcb.rcv_wscale = transmit.window_scale(tcb)
    default_mss = 536 if len(tcb.dst) == 4 else 1220
    tcb.peer_mss = header.mss or default_mss
    set_mss(tcb)
    tcb.rcv_mss = min(tcb.snd_mss, default_mss)
    tcb.cc = algorithms.make(tcb.cc.name, tcb.snd_mss, profile)


def set_mss(tcb: Tcb) -> None:
    """Eff.snd.MSS = min(SendMSS, path MTU - headers) - options (RFC 9293 §3.7.1)."""
    mss = min(tcb.peer_mss, tcb.layer.ip.mtu_for(tcb.dst) - tcb.ip_overhead)
    if tcb.options.maxseg:
        mss = min(mss, tcb.options.maxseg)
    if tcb.ts_on:
        mss -= TIMESTAMPS_LEN
    tcb.snd_mss = max(mss, MIN_SND_MSS)


def _rate_limited(tcb: Tcb, now: int) -> bool:
    """Two stacks that disagree must not answer each other's ACKs for ever: one per interval."""
    if now - tcb.last_challenge < tcb.profile.challenge_ack_interval:
        tcb.layer.stats["acks_suppressed"] += 1
        return True
    tcb.last_challenge = now
    return False


def _challenge(tcb: Tcb, now: int) -> None:
    """A challenge ACK (RFC 5961 §3.2, §4.2), limited per connection and over the stack (§7)."""
    if _rate_limited(tcb, now) or not tcb.layer.challenge_allowed(now):
        return
    tcb.layer.stats["challenge_acks"] += 1
    transmit.ack(tcb, now)


def _update_window(tcb: Tcb, header: TcpHeader, scale: int) -> None:
    window = header.window << scale
    tcb.snd_wnd = window
    tcb.snd_wl1 = header.seq
    tcb.snd_wl2 = header.ack
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window


def _established(tcb: Tcb, now: int) -> None:
    """The handshake is over: RFC 6298 (5.7) and RFC 6928 §2 about a SYN that was lost."""
    if tcb.retries:
        tcb.rtt.restart(max(tcb.profile.rto_after_syn_loss, tcb.rtt.rto if tcb.rtt.srtt else 0))
    if tcb.retries > 1:
        tcb.cc.cwnd = tcb.snd_mss
    tcb.retries = 0
    tcb.soft_error = 0
    tcb.rtx_timer.stop()
    lifecycle.set_state(tcb, State.ESTABLISHED)
    keepalive.start(tcb, now)
    if tcb.fin_queued:
        lifecycle.set_state(tcb, State.FIN_WAIT_1)


def syn_sent(tcb: Tcb, header: TcpHeader, payload: memoryview | bytes, now: int) -> bool:
    """§3.10.7.3. False: answer with a RST as for CLOSED (an ACK of something never sent)."""
    flags = header.flags
    if flags & ACK and (le(header.ack, tcb.iss) or gt(header.ack, tcb.snd_nxt)):
        return False  # (which never answers a RST)
    if flags & RST:
        if flags & ACK:
            lifecycle.reset_by_peer(tcb)
        return True
    if not flags & SYN:
        return True
    learn_syn(tcb, header, now)
    if not flags & ACK:
        # Simultaneous open (figure 7).
        _update_window(tcb, header, 0)
        lifecycle.set_state(tcb, State.SYN_RECEIVED)
        transmit.syn(tcb, now, True)
        return True
    recovery.acknowledge(tcb, header.ack, now, header.ts_ecr)
    _update_window(tcb, header, 0)
    _established(tcb, now)
    if payload or flags & FIN:
        _text(tcb, (header.seq + 1) & MASK, payload, flags, now)
    if tcb.state is not State.CLOSED:
        transmit.ack(tcb, now)
        output.push(tcb, now)
    return True


def _paws_rejects(tcb: Tcb, header: TcpHeader, now: int) -> bool:
    """RFC 7323 §5.3 R1: an old duplicate by its timestamp."""
    if not tcb.ts_on or header.ts_val is None or header.flags & RST:
        return False
    return lt(header.ts_val, tcb.ts_recent) and now - tcb.ts_recent_at < PAWS_AGE


def _acceptable(tcb: Tcb, seq: int, length: int) -> bool:
    """The four cases of §3.10.7.4 "first" (table 6)."""
    window = tcb.rcv_wnd
    offset = (seq - tcb.rcv_nxt) & MASK
    if not length:
        return offset == 0 or offset < window
    if not window:
        # §3.10.7.4: with a closed window valid ACKs and RSTs must still get through, also on a segment
        # whose text (a window probe's) does not. `_text` takes none of it; a bare FIN needs no room.
        return offset == 0
    return offset < window or (offset + length - 1) & MASK < window


def synchronized(tcb: Tcb, header: TcpHeader, payload: memoryview | bytes, now: int) -> bool:
    """§3.10.7.4. False: answer with a RST as for CLOSED (SYN-RECEIVED, an ACK of something never sent)."""
    flags = header.flags
    seq = header.seq
    length = len(payload) + (flags & FIN) + (flags >> 1 & 1)
    stats = tcb.layer.stats

    # First: sequence number (and PAWS before it).
    rejected = _paws_rejects(tcb, header, now)
    if rejected or not _acceptable(tcb, seq, length):
        simultaneous = (
            tcb.state is State.SYN_RECEIVED
            and flags & (SYN | ACK | RST) == SYN | ACK
            and seq == tcb.irs
            and header.ack == tcb.snd_nxt
            and not rejected
        )
        if not simultaneous:
            stats["paws_rejected" if rejected else "unacceptable"] += 1
            _unacceptable(tcb, header, length, now)
            return True
        flags &= ~SYN
        seq = (seq + 1) & MASK

    # TS.Recent (RFC 7323 §4.3 (2)): only from a segment that the last ACK sent did not cover.
    if tcb.ts_on and header.ts_val is not None and le(seq, tcb.rcv_wup) and ge(header.ts_val, tcb.ts_recent):
        tcb.ts_recent = header.ts_val
        tcb.ts_recent_at = now

    # Second: RST (RFC 5961 §3.2).
    if flags & RST:
        if tcb.state is State.TIME_WAIT and tcb.profile.rfc1337:
            return True
        if seq == tcb.rcv_nxt:
            lifecycle.reset_by_peer(tcb)
        else:
            _challenge(tcb, now)
        return True

    # Fourth: SYN (RFC 5961 §4.2).
    if flags & SYN:
        stats["syn_in_connection"] += 1
        _challenge(tcb, now)
        return True

    # Fifth: ACK.
    if not flags & ACK:
        return True
    if tcb.state is State.SYN_RECEIVED:
        if not (gt(header.ack, tcb.snd_una) and le(header.ack, tcb.snd_nxt)):
            return False
        if tcb.listener is not None and not tcb.listener.has_room():
            # The accept queue is full: as if the ACK was lost. Our SYN,ACK will be repeated.
            stats["accept_queue_full"] += 1
            return True
        recovery.acknowledge(tcb, header.ack, now, header.ts_ecr)
        _update_window(tcb, header, 0 if header.flags & SYN else tcb.snd_wscale)
        tcb.last_received = now
        _established(tcb, now)
        if tcb.listener is not None:
            tcb.listener.finished(tcb)
    elif not _ack(tcb, header, length, now):
        return True

    # Seventh and eighth: text and FIN.
    if payload or flags & FIN:
        if tcb.state in RECEIVING:
            _text(tcb, seq, payload, flags, now)
        elif tcb.state is State.TIME_WAIT:
            # Only a retransmission of the FIN can be meant: acknowledge it, 2 MSL again.
            transmit.ack(tcb, now)
            tcb.state_timer.set(now + tcb.profile.time_wait)
    output.push(tcb, now)
    return True


def _unacceptable(tcb: Tcb, header: TcpHeader, length: int, now: int) -> None:
    flags = header.flags
    if flags & RST:
        return
    if tcb.state is State.SYN_RECEIVED and flags & (SYN | ACK) == SYN and header.seq == tcb.irs:
        # The peer repeats its SYN: our SYN,ACK was lost.
        transmit.syn(tcb, now, True)
        return
    if tcb.state is State.TIME_WAIT and length:
        # A retransmitted FIN (§3.10.7.4 "first", TIME-WAIT) restarts 2 MSL.
        if flags & FIN:
            tcb.state_timer.set(now + tcb.profile.time_wait)
        transmit.ack(tcb, now)
        return
    if flags & SYN:
        _challenge(tcb, now)
    elif length or not _rate_limited(tcb, now):
        transmit.ack(tcb, now)


def _ack(tcb: Tcb, header: TcpHeader, length: int, now: int) -> bool:
    """§3.10.7.4 "fifth", from ESTABLISHED on. False: the segment is dropped."""
    ack = header.ack
    una = tcb.snd_una
    acked = (ack - una) & MASK
    tcb.last_received = now
    tcb.probes = 0
    if acked >= HALF:
        # An old ACK. Its text may still be new; too old a one may be a blind attack (RFC 5961 §5.2).
        if una - ack & MASK > max(tcb.max_snd_wnd, 1):
            _challenge(tcb, now)
            return False
        return True
    if (tcb.snd_nxt - ack) & MASK >= HALF:
        tcb.layer.stats["ack_of_unsent"] += 1
        _challenge(tcb, now)
        return False
    tcb.soft_error = 0  # whatever it was has passed: the peer hears us

    old_window = tcb.snd_wnd
    if lt(tcb.snd_wl1, header.seq) or (tcb.snd_wl1 == header.seq and le(tcb.snd_wl2, ack)):
        _update_window(tcb, header, tcb.snd_wscale)
        if tcb.snd_wnd != old_window:
            tcb.persist_backoff = 0

    outstanding = bool(tcb.sent)
    told = bool(header.sack) and tcb.sack_on and recovery.mark_sacked(tcb, header.sack)
    if not acked:
        if outstanding:
            if tcb.sack_on:
                if told:
                    recovery.on_duplicate(tcb, now)
            elif not length and tcb.snd_wnd == old_window:
                recovery.on_duplicate(tcb, now)
        elif tcb.persisting and tcb.rtx_timer.deadline is not None and tcb.snd_wnd > old_window:
            tcb.rtx_timer.stop()
            tcb.persisting = False
        return True

    recovery.acknowledge(tcb, ack, now, header.ts_ecr)
    tcb.retries = 0
    if tcb.recovery is not Recovery.RECOVERY:
        tcb.cc.on_ack(acked, now, tcb.rtt.srtt, tcb.cwnd_limited)
    recovery.on_advance(tcb, acked, now)
    if told:
        recovery.on_duplicate(tcb, now)
    if tcb.sent:
        output.start_rtx_timer(tcb, now)  # RFC 6298 (5.3)
    else:
        tcb.rtx_timer.deadline = None  # (5.2)
        tcb.persisting = False
    tcb.queue.wake()
    if tcb.snd_fin >= 0 and gt(ack, tcb.snd_fin):
        _fin_acknowledged(tcb, now)
    return True


def _fin_acknowledged(tcb: Tcb, now: int) -> None:
    if tcb.state is State.FIN_WAIT_1:
        lifecycle.set_state(tcb, State.FIN_WAIT_2)
        if tcb.orphan:
            lifecycle.orphan_in_fin_wait_2(tcb, now)
    elif tcb.state is State.CLOSING:
        lifecycle.enter_time_wait(tcb, now)
    elif tcb.state is State.LAST_ACK:
        lifecycle.finish(tcb)


def _text(tcb: Tcb, seq: int, payload: memoryview | bytes, flags: int, now: int) -> None:
    """§3.10.7.4 "seventh" and "eighth": keep what is in the window, in order or not, and acknowledge."""
    n = len(payload)
    if n and tcb.orphan and gt((seq + n) & MASK, tcb.rcv_nxt):
        # Nobody will read it: the peer should know that data was lost (§3.6.1).
        tcb.layer.stats["data_after_close"] += 1
        lifecycle.abort(tcb, now)
        return
    tcb.last_data = now
    fin = flags & FIN
    ahead = (seq - tcb.rcv_nxt) & MASK
    if ahead >= HALF:
        payload = payload[(-ahead) & MASK :]
        n = len(payload)
        seq = tcb.rcv_nxt
        ahead = 0
    room = tcb.rcv_wnd - ahead
    if n > room:
        n = max(room, 0)
        payload = payload[:n]
        fin = 0
    if tcb.rcv_fin >= 0:
        # There is nothing behind a FIN, whatever a later segment claims.
        n = min(n, max(diff(tcb.rcv_fin, seq), 0))
        payload = payload[:n]
    elif fin:
        tcb.rcv_fin = (seq + n) & MASK
    if n > tcb.rcv_mss:
        tcb.rcv_mss = min(n, tcb.advertised_mss)
    if ahead:
        if n:
            tcb.layer.stats["out_of_order"] += 1
            tcb.reassembly.insert(seq, payload, tcb.rcv_nxt)
        transmit.ack(tcb, now)  # at once: a duplicate ACK (RFC 5681 §4.2)
        return
    at_once = False
    if n:
        tcb.recv_queue += payload
        tcb.rcv_nxt = (seq + n) & MASK
    else:
        at_once = True
    if len(tcb.reassembly):
        more = tcb.reassembly.extract(tcb.rcv_nxt)
        if more is not None:
            tcb.recv_queue += more
            tcb.rcv_nxt = (tcb.rcv_nxt + len(more)) & MASK
        at_once = True  # it fills a gap, or part of one (RFC 5681 §4.2)
    if tcb.rcv_fin == tcb.rcv_nxt:
        tcb.rcv_nxt = (tcb.rcv_nxt + 1) & MASK
        _fin_received(tcb, now)
        at_once = True
    tcb.queue.wake()
    if at_once:
        transmit.ack(tcb, now)
    elif tcb.quick_acks:
        tcb.quick_acks -= 1
        transmit.ack(tcb, now)
    elif (tcb.rcv_nxt - tcb.rcv_wup) & MASK > tcb.rcv_mss:
        transmit.ack(tcb, now)  # every second full-sized segment (RFC 5681 §4.2)
    elif tcb.delack_timer.deadline is None:
        tcb.delack_timer.set(now + tcb.profile.delayed_ack)


def _fin_received(tcb: Tcb, now: int) -> None:
    if tcb.state is State.ESTABLISHED:
        lifecycle.set_state(tcb, State.CLOSE_WAIT)
    elif tcb.state is State.FIN_WAIT_1:
        # Our FIN is not acknowledged, or this segment's ACK would have been seen already.
        lifecycle.set_state(tcb, State.CLOSING)
    else:
        lifecycle.enter_time_wait(tcb, now)
