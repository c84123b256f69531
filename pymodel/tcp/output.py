"""What to send for the first time, and when (RFC 9293 §3.8): windows, Nagle, silly-window avoidance, FIN.

`push` is called after everything that may allow a transmission: user data, an ACK, a timer.
"""

from typing import Final

from pymodel.simtime import MS
from pymodel.tcp import berkeley, cwndcheck, delack, ecn, mss, plpmtud, prr, segment, timerset, transmit
from pymodel.tcp.chrono import Chrono
from pymodel.tcp.segment import SentSegment
from pymodel.tcp.seq import HALF, MASK, gt, le
from pymodel.tcp.state import FLUSHING
from pymodel.tcp.tcb import Pending, Recovery, Tcb
from pymodel.wire.tcp import FIN, PSH

NAGLE_DEFAULT: Final = 0
"""As the connection's options say."""
NAGLE_OFF: Final = 1
"""A partial segment may go, corked or not."""
NAGLE_CORK: Final = 2
"""A partial segment stays, whatever the options say (MSG_MORE)."""


def push(tcb: Tcb, now: int, nagle: int = NAGLE_DEFAULT) -> None:
    """Send new data that may be sent now, and the FIN behind it; else see that a probe will be."""
    if (tcb.state in FLUSHING or tcb.fast_child) and tcb.has_unsent and write(tcb, now, nagle):
        check_persist(tcb, now)


def fits_window(tcb: Tcb, mss_now: int) -> bool:
    """The next segment lies within the peer's window."""
    seq, end, fin, _ = _head(tcb)
    return _fits(tcb, seq, end, fin, mss_now)


def _fits(tcb: Tcb, seq: int, end: int, fin: bool, mss_now: int) -> bool:
    edge = seq + mss_now if (end - seq) & MASK > mss_now else end + fin
    return (tcb.snd_una + tcb.snd_wnd - edge) & MASK < HALF


def _head(tcb: Tcb) -> tuple[int, int, bool, bool]:
    """The first unsent chunk: sequence numbers, whether the FIN belongs to it, whether it is the last."""
    chunks = tcb.send_queue.chunks
    fin = tcb.fin_queued and tcb.snd_fin < 0
    if not chunks:
        return tcb.snd_nxt, tcb.snd_nxt, fin, True
    last = len(chunks) == 1
    return tcb.snd_nxt, chunks[0].end, fin and last, last


def write(tcb: Tcb, now: int, nagle: int, push_one: int = 0) -> bool:
    """Send what the windows take (Linux: tcp_write_xmit). True: nothing is in flight, and yet data waits.

    `push_one`: 1 sends one piece; 2 likewise, as a tail loss probe, beyond the congestion window.
    """
    mss_now = mss.current(tcb)
    most = burst(tcb, mss_now)
    sent = 0
    cwnd_limited = window_limited = False
    cc = tcb.cc
    tcb.output_from_idle = not tcb.packets_out
    if tcb.profile.berkeley:
        berkeley.grow_send_buffer(tcb)
    if tcb.probing is not None and not push_one:
        size = plpmtud.wanted(tcb, now)
        if size < 0:
            return False
        if size:
            seq, end, _, _ = _head(tcb)
            chunk = tcb.send_queue.chunks[0]
            flags = PSH if chunk.push and (seq + size) & MASK == end else 0
            sent += _train(tcb, now, seq, size, flags, size)
            plpmtud.sent(tcb, seq, size)
    while tcb.has_unsent:
        quota = cc.cwnd - tcb.in_flight
        if quota <= 0:
            if push_one != 2:
                break
            quota = 1
        quota = min(quota, most, max(cc.cwnd >> 1, 1))
        seq, end, fin, last = _head(tcb)
        size = (end - seq) & MASK
        if not tcb.profile.berkeley and not last and size < quota * mss_now:
            tcb.send_queue.grow(quota * mss_now - size)
            seq, end, fin, last = _head(tcb)
            size = (end - seq) & MASK
        limit = mss_now
        if not _fits(tcb, seq, end, fin, mss_now):
            limit = berkeley.part_of_window(tcb, min(size, mss_now)) if tcb.profile.berkeley else 0
            if not limit:
                window_limited = True
                break
        if size <= mss_now:
            if last and _nagle_holds(tcb, size < mss_now, fin, nagle):
                break
        elif not push_one and not tcb.profile.berkeley:
            deferred, limited = _defer(tcb, now, size, fin, last, most)
            cwnd_limited |= limited
            if deferred:
                window_limited = not fin and not limited
                break
        if size > mss_now and not _urgent(tcb) and limit == mss_now:
            limit = _split_point(tcb, seq, size, mss_now, quota, last, nagle)
        n = min(size, limit)
        flags = 0
        ends_record = False
        if n == size:
            if fin:
                flags |= FIN
            if tcb.send_queue.chunks:
                chunk = tcb.send_queue.chunks[0]
                flags |= PSH if chunk.push and not tcb.profile.berkeley else 0
                ends_record = chunk.eor
        if tcb.profile.berkeley:
            flags |= berkeley.push_flag(tcb, seq, n)
        sent += _train(tcb, now, seq, n, flags, mss_now)
        if ends_record:
            segment.last(tcb).eor = True
        if push_one:
            break
    if window_limited:
        tcb.clock.start(Chrono.RWND_LIMITED, now)
    else:
        tcb.clock.stop(Chrono.RWND_LIMITED, now, True)
    cwnd_limited |= tcb.in_flight >= cc.cwnd
    if sent or cwnd_limited:
        cwndcheck.validate(tcb, now, cwnd_limited)
    if sent:
        if prr.reducing(tcb):
            tcb.prr_out += sent
        if push_one != 2:
            timerset.schedule_probe(tcb, now, False)
        return False
    return not tcb.packets_out and tcb.has_unsent


def _train(tcb: Tcb, now: int, seq: int, n: int, flags: int, mss_now: int) -> int:
    """Send `n` bytes from `seq` in segments of `mss_now`; `flags` go with the last. How many that were."""
    idle = not tcb.in_flight
    if idle and tcb.last_sent:
        tcb.cc.on_idle_end(now - tcb.last_sent)
    before = tcb.packets_out
    count = 0
    left = n
    while True:
        size = transmit.room(tcb, seq, left, mss_now)
        left -= size
        bits = 0 if left else flags
        # Several segments that leave at once end with PSH, so that a receiver that joins them again passes
        # them on (Linux: __tcp_transmit_skb); it is not part of what a retransmission repeats.
        pushed = PSH if n > mss_now and not left and not tcb.profile.berkeley else 0
        transmit.data(tcb, now, seq, size, bits | pushed | ecn.outgoing(tcb, count), mss_now)
        segments = -(-size // mss_now) or 1
        end = (seq + size + (bits & FIN)) & MASK
        segment.append_train(tcb, SentSegment(seq, end, now, bits), segments, mss_now)
        seq = end
        count += segments
        if not left:
            break
    tcb.snd_nxt = seq
    segment.last(tcb).closes = True
    tcb.trains_out += 1
    tcb.send_queue.sent(seq)
    if flags & FIN:
        tcb.snd_fin = (seq - 1) & MASK
    if n < count * mss_now:
        tcb.snd_sml = seq
    if n:
        tcb.last_sent = now
        delack.data_sent(tcb, now)
    tcb.clock.start(Chrono.BUSY, now)
    if not before or tcb.pending is Pending.TAIL_PROBE:
        timerset.rearm_rto(tcb, now)
    return count


def _urgent(tcb: Tcb) -> bool:
    return tcb.snd_up != tcb.snd_una


def _nagle_holds(tcb: Tcb, partial: bool, fin: bool, nagle: int) -> bool:
    """The last chunk waits: it is not full, and corked, or another small segment is out.

    Nagle (RFC 9293 §3.7.4) with Minshall's change; never for urgent data or the FIN.
    """
    if tcb.nagle_push or _urgent(tcb) or fin:
        return False
    return _partial_stays(tcb, partial, nagle)


def _partial_stays(tcb: Tcb, partial: bool, nagle: int) -> bool:
    if not partial or nagle == NAGLE_OFF:
        return False
    if nagle == NAGLE_CORK or tcb.options.cork:
        return True
    if tcb.nodelay:
        return False
    if tcb.profile.berkeley:
        return not tcb.output_from_idle
    return tcb.packets_out > 0 and gt(tcb.snd_sml, tcb.snd_una) and le(tcb.snd_sml, tcb.snd_nxt)


def burst(tcb: Tcb, mss_now: int) -> int:
    """Segments that leave in one go: a millisecond's worth at the pacing rate (Linux: TSO autosizing)."""
    profile = tcb.profile
    size = pacing_rate(tcb) >> 10
    steps = tcb.rtt.min_rtt // 1_000_000 >> 9
    if tcb.rtt.min_rtt and steps < 32:
        size += profile.gso_max_size >> steps
    elif not tcb.rtt.min_rtt:
        size = profile.gso_max_size
    return max(min(size, profile.gso_max_size) // mss_now, profile.min_tso_segs, 1)


def pacing_rate(tcb: Tcb) -> int:
    """Bytes per second: twice (slow start) or 1.2 times what the window says (Linux: sk_pacing_rate)."""
    srtt = tcb.rtt.srtt
    cc = tcb.cc
    if not srtt:
        return 0
    profile = tcb.profile
    ratio = profile.pacing_ss_ratio if cc.cwnd < cc.ssthresh // 2 else profile.pacing_ca_ratio
    return tcb.snd_mss * max(cc.cwnd, tcb.packets_out) * ratio * 10**10 // srtt


def _defer(tcb: Tcb, now: int, size: int, fin: bool, last: bool, most: int) -> tuple[bool, bool]:
    """Wait a little for a larger burst (Linux: tcp_tso_should_defer): (wait, for the congestion window).

    Only if something left within the last millisecond and an ACK is about to come.
    """
    oldest = segment.head(tcb)
    if tcb.recovery >= Recovery.RECOVERY or now - tcb.wire_at > MS or oldest is None:
        return False, False
    mss_now = tcb.snd_mss
    window = (tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt) & MASK
    congestion = (tcb.cc.cwnd - tcb.in_flight) * mss_now
    limit = min(window, congestion)
    if limit >= most * mss_now or (not last and limit >= size):
        return False, False
    divisor = tcb.profile.tso_win_divisor
    if divisor and limit >= min(tcb.snd_wnd, tcb.cc.cwnd * mss_now) // divisor:
        return False, False
    srtt = tcb.rtt.srtt
    if oldest.sent_at + srtt - now > min(srtt // 2, MS):
        return False, False
    if congestion < window:
        if congestion <= size:
            return True, True
    elif window <= size:
        return True, False
    return not fin, False


def _split_point(tcb: Tcb, seq: int, size: int, mss_now: int, quota: int, last: bool, nagle: int) -> int:
    """How much of a chunk of several segments to send: whole segments, and its tail if Nagle lets it."""
    window = (tcb.snd_una + tcb.snd_wnd - seq) & MASK
    most = mss_now * quota
    if most <= window and not last:
        return most
    needed = min(size, window)
    if most <= needed:
        return most
    partial = needed % mss_now
    return needed - partial if _partial_stays(tcb, partial != 0, nagle) else needed


# --- the persist timer ----------


def persist_base(tcb: Tcb) -> int:
    """The first window probe after an RTO (RFC 9293 §3.8.6.1)."""
    return berkeley.persist_base(tcb) if tcb.profile.berkeley else max(tcb.rtt.rto, tcb.profile.rto_min)


def persist_when(tcb: Tcb) -> int:
    """Time to the next probe: doubled each time."""
    profile = tcb.profile
    wait = (persist_base(tcb) << min(tcb.rtt.backoff, 40)) + profile.rto_slop
    return min(max(wait, profile.persist_min), profile.persist_max)


def check_persist(tcb: Tcb, now: int) -> None:
    """Data waits for a window and nothing is in flight: a probe will be sent."""
    if not tcb.packets_out and tcb.pending is Pending.NONE:
        timerset.start(tcb, Pending.PERSIST, now + max(persist_base(tcb), tcb.profile.persist_min))


def probe(tcb: Tcb, now: int) -> None:
    """The persist timer expired: send what the window takes, however little, or provoke an ACK.

    With a closed window the probe is an empty segment just left of the window, as Linux sends it: the
    peer must answer an unacceptable segment with an ACK (RFC 9293 §3.10.7.4), and nothing is in doubt.
    """
    wake_up(tcb, now)
    if tcb.packets_out or not tcb.has_unsent:
        tcb.probes = 0
        tcb.rtt.backoff = 0
        tcb.probes_since = -1
        return
    tcb.probes += 1
    if tcb.rtt.backoff < tcb.profile.retries:
        tcb.rtt.backoff += 1
    wait = persist_when(tcb)
    limit = tcb.options.user_timeout
    if limit:
        wait = min(wait, max(limit - (now - tcb.probes_since), 1))
    timerset.start(tcb, Pending.PERSIST, now + wait)


def wake_up(tcb: Tcb, now: int) -> None:
    """Send a piece of data into whatever window there is, else an empty segment (Linux: tcp_write_wakeup)."""
    if tcb.has_unsent:
        seq, end, fin, _ = _head(tcb)
        window = ((tcb.snd_una + tcb.snd_wnd - seq + HALF) & MASK) - HALF
        if window > 0:
            size = (end - seq) & MASK
            mss_now = mss.current(tcb)
            n = min(size, window, mss_now)
            whole = n == size and n + fin <= window
            flags = FIN if fin and whole else 0
            flags |= berkeley.push_flag(tcb, seq, n) if tcb.profile.berkeley else PSH if n else 0
            _train(tcb, now, seq, n, flags, mss_now)
            return
        if tcb.profile.berkeley and end != seq:
            berkeley.probe(tcb, now)
            return
    if _urgent(tcb) and (tcb.snd_up - tcb.snd_una) & MASK <= 0xFFFF:
        transmit.data(tcb, now, tcb.snd_una, 0, 0)
    transmit.data(tcb, now, (tcb.snd_una - 1) & MASK, 0, 0)
