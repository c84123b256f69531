"""What was received, what was lost: the retransmission queue, the SACK scoreboard, fast recovery.

With SACK, RFC 6675; without, RFC 6582 (NewReno), where each duplicate ACK stands for one full segment
that has left the network. Nothing here sends: it marks segments lost, and `output.push` sends them.
"""

from pymodel.simtime import MS
from pymodel.tcp.seq import HALF, MASK, ge, gt, le, lt
from pymodel.tcp.tcb import Recovery, SentSegment, Tcb


def acknowledge(tcb: Tcb, ack: int, now: int, ts_ecr: int) -> None:
    """SND.UNA moves to `ack`: take what it covers off the queue, and a round-trip sample if it gives one."""
    sent = tcb.sent
    rtt = -1
    ambiguous = False
    while sent:
        segment = sent[0]
        if (ack - segment.end) & MASK < HALF:
            sent.popleft()
            if segment.transmissions > 1:
                ambiguous = True
            elif rtt < 0 and not segment.sacked:
                # The oldest: the sample then holds the peer's delayed ACK, as RFC 7323 §4.1 wants.
                rtt = now - segment.sent_at
            if segment.sacked or segment.lost:
                _uncount(tcb, segment, segment.end - segment.seq & MASK)
        else:
            part = (ack - segment.seq) & MASK
            if 0 < part < HALF:
                if segment.sacked or segment.lost:
                    _uncount(tcb, segment, part)
                segment.seq = ack
            break
    tcb.snd_una = ack
    tcb.send_queue.acknowledge(ack)
    # Karn (RFC 6298 §3): with a retransmission among them, only timestamps can tell.
    if rtt >= 0 and not ambiguous:
        tcb.rtt.sample(rtt)
    elif tcb.ts_on and ts_ecr and ambiguous:
        ticks = (now // MS + tcb.ts_offset - ts_ecr) & MASK
        if ticks < HALF:
            tcb.rtt.sample(max(ticks, 1) * MS)


def _uncount(tcb: Tcb, segment: SentSegment, n: int) -> None:
    if segment.sacked:
        tcb.sacked_out -= n
    if segment.lost:
        tcb.lost_out -= n
        if segment.retransmitted:
            tcb.retrans_out -= n


def mark_sacked(tcb: Tcb, blocks: tuple[tuple[int, int], ...]) -> bool:
    """Enter SACK blocks into the scoreboard (RFC 6675 §4 Update); True if they told anything new.

    A block that is not between SND.UNA and SND.NXT is ignored: a duplicate report (RFC 2883), old, or a lie.
    """
    new = False
    for left, right in blocks:
        if not (ge(left, tcb.snd_una) and lt(left, right) and le(right, tcb.snd_nxt)):
            continue
        for segment in tcb.sent:
            if (segment.seq - left) & MASK >= HALF:
                continue
            if (right - segment.end) & MASK >= HALF:
                break
            if segment.sacked:
                continue
            size = (segment.end - segment.seq) & MASK
            if segment.lost:
                tcb.lost_out -= size
                if segment.retransmitted:
                    tcb.retrans_out -= size
                segment.lost = segment.retransmitted = False
            segment.sacked = True
            tcb.sacked_out += size
            new = True
    return new


def _mark_lost(tcb: Tcb, segment: SentSegment) -> None:
    if not segment.lost and not segment.sacked:
        segment.lost = True
        segment.retransmitted = False
        tcb.lost_out += (segment.end - segment.seq) & MASK


def _mark_lost_by_sack(tcb: Tcb) -> None:
    """RFC 6675 §4 IsLost: above it DupThresh SACKed sequences or over (DupThresh-1)·SMSS bytes."""
    threshold = tcb.profile.dup_ack_threshold
    above = 0
    runs = 0
    in_run = False
    for segment in reversed(tcb.sent):
        if segment.sacked:
            above += (segment.end - segment.seq) & MASK
            if not in_run:
                runs += 1
            in_run = True
        else:
            in_run = False
            if runs >= threshold or above > (threshold - 1) * tcb.snd_mss:
                _mark_lost(tcb, segment)


def on_duplicate(tcb: Tcb, now: int) -> None:
    """A duplicate ACK (RFC 5681 §2), or with SACK an ACK whose blocks told something new."""
    tcb.dup_acks += 1
    if not tcb.sack_on and tcb.recovery is not Recovery.LOSS:
        # One more full segment has arrived beyond the gap; the one at SND.UNA has not.
        room = tcb.flight - tcb.lost_out - tcb.sacked_out - tcb.snd_mss
        if room > 0:
            tcb.sacked_out += min(tcb.snd_mss, room)
    if tcb.recovery is Recovery.OPEN:
        tcb.recovery = Recovery.DISORDER
    if tcb.sack_on:
        _mark_lost_by_sack(tcb)
    if tcb.recovery is Recovery.DISORDER:
        _maybe_enter(tcb, now)


def _maybe_enter(tcb: Tcb, now: int) -> None:
    if tcb.dup_acks < tcb.profile.dup_ack_threshold and not tcb.lost_out:
        return
    if not tcb.sack_on and not gt(tcb.snd_una, tcb.recover):
        # These duplicates answer retransmissions of an earlier recovery (RFC 6582 §3.2 step 2).
        return
    if not tcb.sent:
        return
    _mark_lost(tcb, tcb.sent[0])
    tcb.layer.stats["fast_recoveries"] += 1
    tcb.recovery = Recovery.RECOVERY
    tcb.recover = tcb.snd_nxt
    tcb.force_retransmit = True
    tcb.cc.on_loss(tcb.flight, now)


def on_advance(tcb: Tcb, acked: int, now: int) -> None:
    """SND.UNA has moved by `acked` bytes (`acknowledge` was called): leave, or go on with, recovery."""
    tcb.dup_acks = 0
    state = tcb.recovery
    if state is Recovery.OPEN:
        return
    if state is Recovery.DISORDER:
        if not tcb.sack_on:
            tcb.sacked_out = 0
        if not tcb.sacked_out:
            tcb.recovery = Recovery.OPEN
        return
    if ge(tcb.snd_una, tcb.recover):
        if state is Recovery.RECOVERY:
            tcb.cc.on_recovered(now)
        if not tcb.sack_on:
            tcb.sacked_out = 0
        tcb.recovery = Recovery.DISORDER if tcb.sacked_out else Recovery.OPEN
        tcb.force_retransmit = False
        return
    if state is Recovery.RECOVERY:
        if tcb.sack_on:
            _mark_lost_by_sack(tcb)
        elif tcb.sent:
            # Partial ACK (RFC 6582 §3.2 step 3): the next segment is lost too. All but one segment's
            # worth of what was acknowledged had been counted as arrived by duplicate ACKs.
            tcb.sacked_out = max(0, tcb.sacked_out - max(acked - tcb.snd_mss, 0))
            head = tcb.sent[0]
            if not head.lost:
                _mark_lost(tcb, head)
                tcb.force_retransmit = True


def on_timeout(tcb: Tcb, now: int) -> None:
    """The retransmission timer expired: all that is not SACKed counts as lost (RFC 6675 §5.1)."""
    sent = tcb.sent
    if sent[0].sacked or not tcb.sack_on:
        # The peer has thrown away what it had reported (RFC 2018 §8), or its duplicates mean nothing now.
        for segment in sent:
            segment.sacked = False
        tcb.sacked_out = 0
    tcb.lost_out = 0
    tcb.retrans_out = 0
    for segment in sent:
        segment.retransmitted = False
        segment.lost = not segment.sacked
        if segment.lost:
            tcb.lost_out += (segment.end - segment.seq) & MASK
    tcb.cc.on_timeout(tcb.flight, now, tcb.retries == 1)
    tcb.cwnd_limited = True
    tcb.recovery = Recovery.LOSS
    tcb.recover = tcb.snd_nxt
    tcb.dup_acks = 0
    tcb.force_retransmit = True


def split(tcb: Tcb, index: int, size: int) -> None:
    """Cut the segment at `index` of the queue behind `size` bytes: the path's MSS has become smaller."""
    first = tcb.sent[index]
    second = SentSegment((first.seq + size) & MASK, first.end, first.sent_at)
    second.transmissions = first.transmissions
    second.sacked, second.lost, second.retransmitted = first.sacked, first.lost, first.retransmitted
    first.end = second.seq
    tcb.sent.insert(index + 1, second)


def mark_too_big(tcb: Tcb) -> None:
    """Segments above the present MSS did not pass (RFC 1191 §6.4): lost, but not by congestion."""
    for segment in tcb.sent:
        if (segment.end - segment.seq) & MASK > tcb.snd_mss:
            if segment.lost and segment.retransmitted:
                segment.retransmitted = False
                tcb.retrans_out -= (segment.end - segment.seq) & MASK
            _mark_lost(tcb, segment)
    tcb.force_retransmit = True
