"""What to send, and when (RFC 9293 §3.8): windows, Nagle, silly-window avoidance, FIN, persist.

`push` is called after everything that may allow a transmission: user data, an ACK, a timer.
"""

from pymodel.tcp import recovery, transmit
from pymodel.tcp.seq import HALF, MASK, gt, le
from pymodel.tcp.state import FLUSHING, State
from pymodel.tcp.tcb import SentSegment, Tcb
from pymodel.wire.tcp import FIN, PSH


def start_rtx_timer(tcb: Tcb, now: int) -> None:
    """RFC 6298 (5.1), (5.3): the retransmission timer runs from now."""
    tcb.persisting = False
    tcb.rtx_timer.set(now + tcb.rtt.rto)


def push(tcb: Tcb, now: int) -> None:
    """Send whatever may be sent now: lost segments first, then new data, then the FIN."""
    if tcb.state not in FLUSHING:
        return
    if tcb.lost_out > tcb.retrans_out:
        _retransmit_lost(tcb, now)
    if tcb.snd_fin < 0:
        _send_new(tcb, now)


def _retransmit_lost(tcb: Tcb, now: int) -> None:
    cwnd = tcb.cc.cwnd
    index = 0
    while index < len(tcb.sent):
        segment = tcb.sent[index]
        if segment.lost and not segment.retransmitted:
            size = (segment.end - segment.seq) & MASK
            if size - ((segment.end - 1) & MASK == tcb.snd_fin) > tcb.snd_mss:
                recovery.split(tcb, index, tcb.snd_mss)
                size = tcb.snd_mss
            if not tcb.force_retransmit and tcb.pipe + size > cwnd:
                tcb.cwnd_limited = True
                return
            tcb.force_retransmit = False
            retransmit(tcb, now, segment)
            if tcb.lost_out <= tcb.retrans_out:
                return
        index += 1


def retransmit(tcb: Tcb, now: int, segment: SentSegment) -> None:
    """Send `segment` again."""
    size = (segment.end - segment.seq) & MASK
    if segment.lost and not segment.retransmitted:
        segment.retransmitted = True
        tcb.retrans_out += size
    segment.transmissions += 1
    segment.sent_at = now
    tcb.total_retrans += 1
    tcb.layer.stats["retrans_segs"] += 1
    if segment.seq == tcb.iss:
        transmit.syn(tcb, now, tcb.state is State.SYN_RECEIVED)
    else:
        flags = 0
        if tcb.snd_fin == (segment.end - 1) & MASK:
            flags = FIN
            size -= 1
        if size and (segment.seq + size) & MASK == (tcb.send_queue.base + len(tcb.send_queue)) & MASK:
            flags |= PSH
        transmit.data(tcb, now, segment.seq, size, flags)
    if tcb.rtx_timer.deadline is None or tcb.persisting:
        start_rtx_timer(tcb, now)


def _send_new(tcb: Tcb, now: int) -> None:
    queue = tcb.send_queue
    mss = tcb.snd_mss
    cc = tcb.cc
    seq = tcb.snd_nxt
    unsent = len(queue) - ((seq - queue.base) & MASK)
    fin = tcb.fin_queued
    if not unsent and not fin:
        return
    if not tcb.sent:
        cc.on_restart(now - tcb.last_sent, tcb.rtt.rto, now)
    window = ((tcb.snd_una + tcb.snd_wnd - seq + HALF) & MASK) - HALF
    pipe = tcb.pipe
    sent_any = False
    limited = False
    while True:
        n = unsent if unsent < mss else mss
        if n > window:
            # Sender's silly-window avoidance (RFC 9293 §3.8.6.2.1): not less than half of what the peer
            # has ever offered; the persist timer is the override.
            n = window
            if n <= 0 or n < tcb.max_snd_wnd >> 1:
                break
        last = n == unsent
        flags = 0
        size = n
        if last:
            if fin and n < window:
                flags = FIN
                size += 1
            elif not n:
                break
            if n:
                flags |= PSH
        if n:
            if pipe + n > cc.cwnd:
                # Duplicate ACKs lower the pipe, so this is limited transmit (RFC 3042) as well.
                limited = True
                break
            if n < mss and last and not flags & FIN and _nagle_holds(tcb):
                break
        transmit.data(tcb, now, seq, n, flags)
        end = (seq + size) & MASK
        tcb.sent.append(SentSegment(seq, end, now))
        tcb.snd_nxt = end
        if flags & FIN:
            tcb.snd_fin = (end - 1) & MASK
        if n < mss:
            tcb.snd_sml = end
        sent_any = True
        pipe += size
        window -= size
        unsent -= n
        seq = end
        if not unsent and (not fin or tcb.snd_fin >= 0):
            break
    tcb.cwnd_limited = limited or pipe >= cc.cwnd
    if sent_any:
        if now - tcb.last_data < tcb.profile.delayed_ack:
            # An answer went out soon after a request: ACKs can ride on answers (Linux: pingpong mode).
            tcb.quick_acks = 0
        if tcb.rtx_timer.deadline is None or tcb.persisting:
            start_rtx_timer(tcb, now)
    elif not tcb.sent and tcb.rtx_timer.deadline is None:
        start_persist_timer(tcb, now)


def _nagle_holds(tcb: Tcb) -> bool:
    """A partial segment stays: while corked, and by Nagle (RFC 9293 §3.7.4) with Minshall's change, that
    is, while another small one is out."""
    if tcb.more or tcb.options.cork:
        return True
    return not tcb.nodelay and gt(tcb.snd_sml, tcb.snd_una) and le(tcb.snd_sml, tcb.snd_nxt)


def start_persist_timer(tcb: Tcb, now: int) -> None:
    """Data waits for a window and nothing is in flight: probe after an RTO (RFC 9293 §3.8.6.1)."""
    tcb.persisting = True
    tcb.rtx_timer.set(now + min(tcb.rtt.rto << tcb.persist_backoff, tcb.profile.rto_max))


def probe(tcb: Tcb, now: int) -> None:
    """The persist timer expired: send what the window takes, however little, or provoke an ACK.

    With a closed window the probe is an empty segment just left of the window, as Linux sends it: the
    peer must answer an unacceptable segment with an ACK (RFC 9293 §3.10.7.4), and nothing is in doubt.
    """
    queue = tcb.send_queue
    seq = tcb.snd_nxt
    unsent = len(queue) - ((seq - queue.base) & MASK)
    window = ((tcb.snd_una + tcb.snd_wnd - seq + HALF) & MASK) - HALF
    n = min(unsent, window, tcb.snd_mss)
    if n > 0:
        flags = PSH if n == unsent else 0
        transmit.data(tcb, now, seq, n, flags)
        tcb.snd_nxt = tcb.snd_sml = (seq + n) & MASK
        tcb.sent.append(SentSegment(seq, tcb.snd_nxt, now))
        start_rtx_timer(tcb, now)
        return
    tcb.probes += 1
    tcb.persist_backoff = min(tcb.persist_backoff + 1, 32)
    transmit.data(tcb, now, (tcb.snd_una - 1) & MASK, 0, 0)
    start_persist_timer(tcb, now)
