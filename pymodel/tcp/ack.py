"""An incoming ACK (RFC 9293 §3.10.7.4 "fifth"): SND.UNA, the window, round trips, congestion control."""

from typing import TYPE_CHECKING

from pymodel.simtime import MS, SEC
from pymodel.tcp import (
    accecn,
    berkeley,
    challenge,
    cwndcheck,
    ecn,
    mss,
    output,
    plpmtud,
    prr,
    rack,
    recovery,
    retransmit,
    sack,
    segment,
    sndtune,
    timerset,
)
from pymodel.tcp.ackevent import AckEvent
from pymodel.tcp.chrono import Chrono
from pymodel.tcp.recovery import Resend
from pymodel.tcp.segment import EVER, LOST, RETRANS, SACKED, SentSegment
from pymodel.tcp.seq import HALF, MASK, gt, le, lt
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Pending, Recovery
from pymodel.wire.tcp import ACK, HEADER_LEN, PSH, SYN, TIMESTAMPS_LEN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def update_ts_recent(tcb: "Tcb", header: TcpHeader, now: int) -> bool:
    """TS.Recent (RFC 7323 §4.3 (2)): only from a segment that the last ACK sent did not cover.

    True: it grew.
    """
    stamp = header.ts_val
    if (
        not tcb.ts_on
        or stamp is None
        or not le(header.seq, tcb.rcv_wup)
        or (stamp - tcb.ts_recent) & MASK >= HALF
    ):
        return False
    grew = stamp != tcb.ts_recent
    tcb.ts_recent = stamp
    tcb.ts_recent_at = now
    return grew


def _predicted(tcb: "Tcb", header: TcpHeader) -> bool:
    """Linux takes the segment on its fast path (header prediction), before it has looked at its ACK."""
    return (
        header.flags & ~PSH == ACK
        and header.header_len == HEADER_LEN + TIMESTAMPS_LEN
        and header.window << tcb.snd_wscale == tcb.snd_wnd
        and header.seq == tcb.rcv_nxt == tcb.rcv_wup
        and not len(tcb.reassembly)
    )


def process(tcb: "Tcb", header: TcpHeader, length: int, now: int) -> bool:
    """Take in the ACK of an acceptable segment of `length`. False: it is absurd; drop the whole segment.

    The timestamp of an ACK that is old (if it is not predicted) or absurd is not kept, as in Linux.
    """
    ack = header.ack
    prior_una = tcb.snd_una
    event = AckEvent(prior_una)
    event.has_data = length > 0
    tcb.ts_ecr = header.ts_ecr if tcb.ts_on and header.ts_val is not None else 0
    has_sack = bool(header.sack) and tcb.sack_on
    if (ack - prior_una) & MASK >= HALF:
        # An old ACK. Its text may still be new; too old a one may be a blind attack (RFC 5961 §5.2).
        if (prior_una - ack) & MASK > min(tcb.max_snd_wnd, max(tcb.bytes_acked, 1)):
            challenge.send(tcb, now)
            return False
        if _predicted(tcb, header):
            update_ts_recent(tcb, header, now)
        if has_sack:
            sack.enter(tcb, header.sack, ack, event, now)
            resend = recovery.alert(tcb, event, 0, now)
            retransmit.after_ack(tcb, resend, now)
        return True
    if tcb.probe_byte and ack == (tcb.snd_nxt + 1) & MASK:
        berkeley.probe_taken(tcb, now)
    if (tcb.snd_nxt - ack) & MASK >= HALF:
        tcb.layer.stats["ack_of_unsent"] += 1
        challenge.send(tcb, now)
        return False
    newer = not tcb.profile.berkeley and update_ts_recent(tcb, header, now)
    if ack != prior_una:
        event.una_advanced = True
        tcb.retries = 0
    prior_delivered, prior_lost = tcb.delivered, tcb.lost
    prior_fack = sack.highest(tcb) if tcb.sack_on else prior_una
    prior_packets = tcb.packets_out

    _update_window(tcb, header, ack, event, now)
    if has_sack:
        sack.enter(tcb, header.sack, ack, event, now)
    if tcb.ecn_on:
        event.echo = ecn.echoed(tcb, header)
        ecn.accept_cwr(tcb, header, length)

    # To the second is precise enough for the neighbour's state.
    confirms = now // SEC != tcb.last_received // SEC
    _alive(tcb, now)
    resend = Resend.NONE
    if prior_packets:
        _clean(tcb, ack, prior_fack, event, now)
        if confirms and (event.una_advanced or event.data_sacked):
            tcb.layer.ip.confirm(tcb.dst)
        rack.update_window(tcb, event.prior_delivered)
        if tcb.accurate:
            event.delivered_bytes += (ack - prior_una) & MASK
            event.echo = accecn.acknowledged(tcb, header, event, tcb.delivered - prior_delivered, newer) > 0
        if tcb.probe_high >= 0:
            _tail_probe_answered(tcb, ack, event, now)
        if event.dubious or tcb.recovery is not Recovery.OPEN:
            duplicates = 0
            if not (event.una_advanced or event.not_duplicate or event.dsacking):
                duplicates = 1
                tcb.dup_acks += 1
            resend = recovery.alert(tcb, event, duplicates, now)
        if event.rearm:
            timerset.after_ack(tcb, now)
        delivered = tcb.delivered - prior_delivered
        if event.echo and not tcb.accurate:
            tcb.delivered_ce += delivered
        _measure_rate(tcb, event, delivered, now)
        _control(tcb, event, delivered, tcb.lost - prior_lost, now)
        retransmit.after_ack(tcb, resend, now)
    else:
        if tcb.accurate:
            event.echo = accecn.acknowledged(tcb, header, event, tcb.delivered - prior_delivered, newer) > 0
        if event.dsacking:
            recovery.alert(tcb, event, 0, now)
        _window_opened(tcb, now)
        if tcb.probe_high >= 0:
            _tail_probe_answered(tcb, ack, event, now)
    if event.una_advanced:
        if tcb.stamps:
            tcb.stamps.acknowledged(ack)
        tcb.dup_acks = 0
        if tcb.probing is not None:
            plpmtud.acknowledged(tcb, now)
        sndtune.acked(tcb)
        if tcb.state > State.SYN_RECEIVED:
            tcb.queue.wake()
    return True


def heard(tcb: "Tcb", header: TcpHeader, now: int) -> None:
    """As `process`, where the ACK has no news: SND.UNA and the window are what they were, nothing is out, and
    nothing waits."""
    tcb.ts_ecr = header.ts_ecr if tcb.ts_on and header.ts_val is not None else 0
    if gt(header.seq, tcb.snd_wl1):
        tcb.snd_wl1 = header.seq
    _alive(tcb, now)


def _alive(tcb: "Tcb", now: int) -> None:
    """The peer hears us: whatever error there was has passed."""
    tcb.soft_error = 0
    tcb.probes = 0
    tcb.last_received = now


def set_window(tcb: "Tcb", window: int) -> None:
    """SND.WND is `window`; a record one may allow larger segments."""
    tcb.snd_wnd = window
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window
        mss.sync(tcb)


def _update_window(tcb: "Tcb", header: TcpHeader, ack: int, event: AckEvent, now: int) -> None:
    """RFC 9293 §3.10.7.4: only a newer segment's window counts, or a larger one of the same age."""
    window = header.window if header.flags & SYN else header.window << tcb.snd_wscale
    if (
        event.una_advanced
        or gt(header.seq, tcb.snd_wl1)
        or (header.seq == tcb.snd_wl1 and (window > tcb.snd_wnd or not window))
    ):
        event.window_update = True
        # Behind a SYN, lest the first duplicate ACK look like a window update.
        tcb.snd_wl1 = (header.seq + (header.flags >> 1 & 1)) & MASK
        if window != tcb.snd_wnd:
            if tcb.has_unsent:
                cwndcheck.after_idle(tcb, now)
            set_window(tcb, window)
    if event.una_advanced:
        # The SYN of a passive open is not counted (as in Linux, where the connection begins behind it).
        tcb.bytes_acked += (
            ack - tcb.snd_una - (tcb.state is State.SYN_RECEIVED and not tcb.fast_child)
        ) & MASK
        tcb.snd_una = ack


def _clean(tcb: "Tcb", ack: int, prior_fack: int, event: AckEvent, now: int) -> None:
    """Take off the queue what the ACK covers, and learn the round trip from it."""
    if segment.cut_by(tcb, ack):
        segment.unpack(tcb)
    sent = tcb.settled
    first_at = last_at = -1
    lowest: int | None = None
    packets = gone = 0
    cut = False
    echo_from = -1
    for entry in sent:
        marks = entry.marks
        count = entry.count
        whole = (ack - entry.end) & MASK < HALF
        if not whole:
            part = (ack - entry.seq) & MASK
            if not 0 < part < HALF:
                break
            # Part of one: it stays, shorter.
            remaining = max(1, -(-((entry.end - ack) & MASK) // max(tcb.snd_mss, 1)))
            count -= min(remaining, count)
            entry.seq = ack
            cut = entry.count == 1 and not (entry.closes or entry.edge or marks & SACKED)
            if not count:
                break
        if marks & EVER:
            if marks & RETRANS:
                tcb.retrans_out -= count
            event.retransmitted_acked = True
            if echo_from < 0:
                echo_from = entry.sent_at
        elif not marks & SACKED:
            last_at = entry.sent_at
            if first_at < 0:
                first_at = last_at
            if lowest is None or lt(entry.seq, lowest):
                lowest = entry.seq
            if not gt(entry.end, tcb.high_seq):
                event.original_sacked = True
        if marks & SACKED:
            tcb.sacked_out -= count
            event.delivered_bytes -= (entry.end - entry.seq) & MASK
        elif tcb.sack_on:
            tcb.delivered += count
            if not (event.dsacking and marks & RETRANS):
                rack.advance(tcb, marks, entry.order, entry.sent_at, now)
        if marks & LOST:
            tcb.lost_out -= count
        event.rate_sample(tcb, entry)
        tcb.packets_out -= count
        packets += count
        if entry.seq == tcb.iss and (entry.end - tcb.iss) & MASK == 1:
            event.syn_acked = True
            tcb.retrans_stamp = -1
        else:
            event.data_acked = True
        if not whole:
            entry.count -= count
            break
        gone += 1
        tcb.trains_out -= entry.closes
        tcb.timeline.pop(entry, None)
        if entry is tcb.retransmit_hint:
            tcb.retransmit_hint = None
    else:
        trains = _acked_trains(tcb, ack)
        if trains:
            last_at = trains[-1].sent_at
            if first_at < 0:
                first_at = trains[0].sent_at
            if lowest is None or lt(trains[0].seq, lowest):
                lowest = trains[0].seq
        for train in trains:
            count = train.count
            if not gt(train.seq + min(train.mss, (train.end - train.seq) & MASK) & MASK, tcb.high_seq):
                event.original_sacked = True
            if tcb.sack_on:
                tcb.delivered += count
                rack.advance(tcb, 0, train.order + count - 1, train.sent_at, now)
            event.rate_sample(tcb, train)
            tcb.packets_out -= count
            packets += count
            event.data_acked = True
            tcb.trains_out -= train.closes
    del sent[:gone]
    if cut and sent and tcb.trains_out and not tcb.profile.berkeley:
        packets += segment.recut(tcb, tcb.snd_mss)
    tcb.send_queue.acknowledge(ack)
    if (tcb.snd_up - event.prior_una) & MASK <= (ack - event.prior_una) & MASK:
        tcb.snd_up = ack
    oldest = segment.head(tcb)
    if oldest is not None:
        event.reneging = bool(oldest.marks & SACKED)
    else:
        tcb.clock.stop(Chrono.BUSY, now, tcb.has_unsent)

    sampled, newest_sack = _sample(tcb, event, first_at, last_at, echo_from, packets, now)
    if event.acked:
        event.rearm = True
        if not tcb.sack_on:
            recovery.remove_reno(tcb, packets)
            if event.retransmitted_acked:
                event.original_sacked = False
        elif lowest is not None and lt(lowest, prior_fack):
            sack.check_reordering(tcb, lowest)
    elif oldest is not None and sampled and newest_sack >= 0 and newest_sack > now - oldest.sent_at:
        event.rearm = True  # SACKs of data sent before the head was: the head is not late


def _acked_trains(tcb: "Tcb", ack: int) -> list[SentSegment]:
    """Take what `ack` covers off the trains: those that are over, and of one the front."""
    trains = tcb.trains
    gone = 0
    for train in trains:
        if (ack - train.end) & MASK >= HALF:
            break
        gone += 1
    acked = trains[:gone]
    del trains[:gone]
    if trains and 0 < (ack - trains[0].seq) & MASK < HALF:
        acked.append(segment.take_front(trains[0], ack))
    return acked


def _sample(
    tcb: "Tcb", event: AckEvent, first_at: int, last_at: int, echo_from: int, packets: int, now: int
) -> tuple[bool, int]:
    """An RTT sample, if there is one (RFC 6298 §3): (taken, the one by SACK or -1)."""
    by_ack = latest = -1
    timed = (tcb.profile.synack_sample and not tcb.by_cookie) or tcb.state is not State.SYN_RECEIVED
    if first_at >= 0 and not event.retransmitted_acked and timed:
        by_ack = now - first_at
        latest = now - last_at
    by_sack = -1
    if event.first_sack_at >= 0:
        by_sack = now - event.first_sack_at
        latest = now - event.last_sack_at
    sample = by_ack if by_ack >= 0 else by_sack
    if sample < 0 and event.acked and tcb.ts_ecr:
        sample = latest = _echo_sample(tcb, echo_from, now)
    if sample < 0:
        return False, by_sack
    tcb.rtt.observe_min(latest, now)
    tcb.rtt.sample(sample, tcb.snd_una, tcb.snd_nxt)
    if packets or event.data_sacked:
        tcb.cc.on_rtt(latest, now, tcb.snd_una, tcb.snd_nxt, packets)
    return True, by_sack


def _echo_sample(tcb: "Tcb", resent_at: int, now: int) -> int:
    """With a retransmission among what was acknowledged, only the echoed timestamp can tell (RFC 7323 §4).

    An echo from before the last retransmission is no round trip: the ACK of an earlier copy may have been
    lost, and the time that loss took would be counted as the path's (Karn). -1: no sample.
    """
    ticks = (now // MS + tcb.ts_offset - tcb.ts_ecr) & MASK
    if ticks >= HALF:
        return -1
    if resent_at >= 0 and 0 < ((resent_at // MS + tcb.ts_offset - tcb.ts_ecr) & MASK) < HALF:
        return -1
    return max(ticks, 1) * MS


def _tail_probe_answered(tcb: "Tcb", ack: int, event: AckEvent, now: int) -> None:
    """RFC 8985 §7.4: was the probe needed? Then a loss was repaired, and congestion control must know."""
    if lt(ack, tcb.probe_high):
        return
    if not tcb.probe_retransmitted or event.dsack_of_probe:
        tcb.probe_high = -1
    elif gt(ack, tcb.probe_high):
        tcb.layer.stats["tail_losses_repaired"] += 1
        recovery.after_tail_loss(tcb, now)
    elif not (event.una_advanced or event.not_duplicate or event.data_sacked):
        tcb.probe_high = -1


def _control(tcb: "Tcb", event: AckEvent, delivered: int, lost: int, now: int) -> None:
    """The congestion window after this ACK."""
    if prr.reducing(tcb):
        prr.reduce(tcb, delivered, lost, event.una_advanced)
        return
    raise_on = event.progress if tcb.reordering > tcb.profile.dup_ack_threshold else event.data_acked
    if raise_on and delivered > 0:
        limited = cwndcheck.is_limited(tcb)
        if not tcb.profile.cwnd_validation:
            limited = tcb.cc.cwnd * tcb.snd_mss <= tcb.snd_wnd
        tcb.cc.on_ack(delivered, now, tcb.rtt.srtt, limited)
        tcb.cwnd_stamp = now


def _window_opened(tcb: "Tcb", now: int) -> None:
    """Nothing was in flight: perhaps the window that the persist timer waits for has opened."""
    if not tcb.has_unsent:
        return
    if output.fits_window(tcb, 1 << 30):
        tcb.rtt.backoff = 0
        tcb.probes_since = -1
        if tcb.pending is Pending.PERSIST:
            timerset.stop(tcb)
    elif tcb.pending in (Pending.NONE, Pending.PERSIST):
        timerset.start(tcb, Pending.PERSIST, now + output.persist_when(tcb))


def _measure_rate(tcb: "Tcb", event: AckEvent, delivered: int, now: int) -> None:
    """The delivery rate (draft-cheng-iccrg-delivery-rate-estimation): the best sample we did not limit."""
    if delivered:
        tcb.delivered_at = now
    if tcb.app_limited and tcb.delivered > tcb.app_limited:
        tcb.app_limited = 0
    if event.prior_delivered < 0:
        return
    interval = max(now - event.rate_at, event.rate_interval_sent)
    if interval < max(tcb.rtt.min_rtt, 1):
        return
    count = tcb.delivered - event.prior_delivered
    if not event.rate_app_limited or count * tcb.rate_interval >= tcb.rate_delivered * interval:
        tcb.rate_delivered, tcb.rate_interval = count, interval
        tcb.rate_app_limited = event.rate_app_limited
