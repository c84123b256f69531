"""Loss recovery: the states of RFC 5681 and 6582 (without SACK), RFC 8985 or 6675 (with it), RFC 5682.

`alert` judges an ACK that is not plain good news; `enter_loss` is the retransmission time-out. Nothing here
sends: segments are marked lost, and `Resend` says what `retransmit.after_ack` does.
"""

from enum import IntEnum
from typing import TYPE_CHECKING

from pymodel.tcp import ecn, plpmtud, prr, rack, sack, undo
from pymodel.tcp.segment import LOST, RETRANS, SACKED, mark_lost, rejoin, split
from pymodel.tcp.seq import MASK, gt, lt
from pymodel.tcp.tcb import Pending, Recovery

if TYPE_CHECKING:
    from pymodel.tcp.ackevent import AckEvent
    from pymodel.tcp.tcb import Tcb


class Resend(IntEnum):
    """What to send after an ACK, besides what the window newly allows."""

    NONE = 0
    LOST = 1
    """Lost segments."""
    NEW = 2
    """New data, to see whether the time-out was spurious (RFC 5682 §3.1 step 2b)."""


# --- duplicate ACKs stand for SACKs where there is no SACK (RFC 6582 §3.2) ----------


def reset_reno(tcb: "Tcb") -> None:
    """Without SACK: nothing is known of what lies beyond the gap."""
    tcb.sacked_out = 0


def _limit_reno(tcb: "Tcb", more: int) -> None:
    holes = min(max(tcb.lost_out, 1), tcb.packets_out)
    if tcb.sacked_out + holes > tcb.packets_out:
        tcb.sacked_out = tcb.packets_out - holes
        tcb.reordering = min(tcb.packets_out + more, tcb.profile.max_reordering)
        tcb.reord_seen += 1


def _add_reno(tcb: "Tcb", duplicates: int) -> None:
    if duplicates:
        before = tcb.sacked_out
        tcb.sacked_out += duplicates
        _limit_reno(tcb, 0)
        tcb.delivered += max(tcb.sacked_out - before, 0)


def remove_reno(tcb: "Tcb", acked: int) -> None:
    """Without SACK: `acked` segments left the queue; one filled the hole, the rest had been counted."""
    if acked > 0:
        tcb.delivered += max(acked - tcb.sacked_out, 1)
        tcb.sacked_out = max(tcb.sacked_out - (acked - 1), 0)
    _limit_reno(tcb, acked)


# --- the states ----------


def set_state(tcb: "Tcb", state: Recovery) -> None:
    """Go to `state`."""
    if tcb.recovery is Recovery.LOSS and state is not Recovery.LOSS:
        tcb.timeouts.recovered(tcb.now)
    tcb.recovery = state


def _keep_open(tcb: "Tcb") -> None:
    state = Recovery.OPEN
    if tcb.sacked_out + tcb.lost_out or undo.any_retransmitted(tcb):
        state = Recovery.DISORDER
    if tcb.recovery is not state:
        set_state(tcb, state)
        tcb.high_seq = tcb.snd_nxt


def _try_to_open(tcb: "Tcb", event: "AckEvent") -> None:
    if not undo.any_retransmitted(tcb):
        tcb.retrans_stamp = -1
    if event.echo:
        prr.enter_cwr(tcb)
    if tcb.recovery is not Recovery.CWR:
        _keep_open(tcb)


def after_tail_loss(tcb: "Tcb", now: int) -> None:
    """A tail loss probe has repaired a loss (RFC 8985 §7.4.2): reduce once, and go on."""
    prr.begin(tcb)
    set_state(tcb, Recovery.CWR)
    prr.end(tcb, now)
    _keep_open(tcb)


def enter_recovery(tcb: "Tcb", echo: bool) -> None:
    """Fast recovery begins."""
    tcb.layer.stats["fast_recoveries"] += 1
    tcb.prior_ssthresh = 0
    undo.begin(tcb)
    if not prr.reducing(tcb):
        if not echo:
            tcb.prior_ssthresh = prr.current_ssthresh(tcb)
        prr.begin(tcb)
    set_state(tcb, Recovery.RECOVERY)


def _reno_must_wait(tcb: "Tcb") -> bool:
    """RFC 6582 §3.2 step 2: without SACK, something above `high_seq` must be acknowledged first."""
    if tcb.snd_una == tcb.high_seq and not tcb.sack_on:
        if not undo.any_retransmitted(tcb):
            tcb.retrans_stamp = -1
        return True
    return False


def _undo_recovery(tcb: "Tcb", now: int) -> bool:
    """Everything of the episode is acknowledged. True: the old state is held (see `_reno_must_wait`)."""
    if undo.may(tcb):
        undo.reduction(tcb, False, now)
    elif tcb.rack_persist:
        tcb.rack_persist -= 1
    if _reno_must_wait(tcb):
        return True
    set_state(tcb, Recovery.OPEN)
    tcb.reneging = False
    return False


def _undo_dsack(tcb: "Tcb", now: int) -> bool:
    if tcb.undo_valid and not tcb.undo_retrans:
        tcb.rack_persist = min(rack.DSACK_ROUNDS, tcb.rack_persist + 1)
        undo.reduction(tcb, False, now)
        return True
    return False


def _undo_partial(tcb: "Tcb", event: "AckEvent", now: int) -> bool:
    """A partial ACK in recovery. True: nothing more is to be done."""
    if tcb.undo_valid and undo.delayed(tcb):
        # The hole was filled by the original, late.
        sack.check_reordering(tcb, event.prior_una)
        if tcb.retrans_out:
            return True
        if not undo.any_retransmitted(tcb):
            tcb.retrans_stamp = -1
        undo.reduction(tcb, True, now)
        _keep_open(tcb)
    return False


def _undo_loss(tcb: "Tcb", by_frto: bool, now: int) -> bool:
    if by_frto or undo.may(tcb):
        undo.reduction(tcb, True, now)
        tcb.retries = 0
        if _reno_must_wait(tcb):
            return True
        if by_frto or tcb.sack_on:
            set_state(tcb, Recovery.OPEN)
            tcb.reneging = False
        return True
    return False


def _mark_reno(tcb: "Tcb", una_advanced: bool) -> None:
    """Without SACK: the first segment is lost after DupThresh duplicates, and at each partial ACK."""
    state = tcb.recovery
    if (state < Recovery.RECOVERY and tcb.sacked_out >= tcb.reordering) or (
        state is Recovery.RECOVERY and una_advanced
    ):
        head = tcb.sent[0]
        if head.marks & LOST:
            return
        if head.count > 1:
            split(tcb, 0, tcb.snd_mss, tcb.snd_mss)
        head.edge = True
        mark_lost(tcb, head)


def identify_losses(tcb: "Tcb", event: "AckEvent", now: int) -> None:
    """Mark what this ACK shows to be lost."""
    if not tcb.sent:
        return
    if not tcb.sack_on:
        _mark_reno(tcb, event.una_advanced)
    elif tcb.profile.rack:
        before = tcb.retrans_out
        if tcb.rack_advanced:
            tcb.rack_advanced = False
            timeout = rack.detect(tcb, now)
            if timeout:
                tcb.pending = Pending.REORDER
                tcb.rtx_timer.set(now + min(timeout + rack.TIMEOUT_MIN, tcb.rtt.rto))
                event.rearm = False
        if before > tcb.retrans_out:
            event.lost_retransmission = True
    else:
        for segment in sack.counted_losses(tcb):
            mark_lost(tcb, segment)


def _process_loss(tcb: "Tcb", event: "AckEvent", duplicates: int, now: int) -> Resend:
    """LOSS: slow start through what is lost, and F-RTO (RFC 5682 §3.1, the SACK-enhanced form)."""
    recovered = not lt(tcb.snd_una, tcb.high_seq)
    if event.una_advanced and _undo_loss(tcb, False, now):
        return Resend.NONE
    if tcb.frto:
        # Step 3b: never-retransmitted data has arrived, so the time-out was spurious.
        if event.original_sacked and _undo_loss(tcb, True, now):
            return Resend.NONE
        if gt(tcb.snd_nxt, tcb.high_seq):
            if event.data_sacked or duplicates:
                tcb.frto = False  # step 3a: the loss was real
        elif event.una_advanced and not recovered:
            tcb.high_seq = tcb.snd_nxt
            # Step 2b: try new data, once the window is known.
            if tcb.has_unsent and gt((tcb.snd_una + tcb.snd_wnd) & MASK, tcb.snd_nxt):
                return Resend.NEW
            tcb.frto = False
    if recovered:
        _undo_recovery(tcb, now)
        return Resend.NONE
    if not tcb.sack_on:
        if gt(tcb.snd_nxt, tcb.high_seq):
            _add_reno(tcb, duplicates)
        elif event.una_advanced:
            reset_reno(tcb)
    return Resend.LOST


def _still_lossy(tcb: "Tcb") -> bool:
    return tcb.recovery is not Recovery.OPEN


def _check_reneging(tcb: "Tcb", event: "AckEvent", now: int) -> bool:
    """RFC 2018 §8: the peer stops at something it had SACKed. Soon everything is sent again."""
    if event.reneging and event.una_advanced:
        tcb.layer.stats["sack_reneging"] += 1
        delay = max(tcb.rtt.srtt // 2, 10_000_000_000)
        tcb.pending = Pending.RETRANSMIT
        tcb.rtx_timer.set(now + min(delay, tcb.rtt.rto))
        event.rearm = False
        return True
    return False


def _in_recovery(tcb: "Tcb") -> bool:
    """Asked anew each time: what is called in between may end it."""
    return tcb.recovery is Recovery.RECOVERY


def alert(tcb: "Tcb", event: "AckEvent", duplicates: int, now: int) -> Resend:
    """An ACK is dubious, or all is not well (Linux: tcp_fastretrans_alert)."""
    if not tcb.packets_out and tcb.sacked_out:
        tcb.sacked_out = 0
    if event.echo:
        tcb.prior_ssthresh = 0
    if _check_reneging(tcb, event, now):
        return Resend.NONE

    # The end of a state.
    if tcb.recovery is Recovery.OPEN:
        tcb.retrans_stamp = -1
    elif not lt(tcb.snd_una, tcb.high_seq):
        if tcb.recovery is Recovery.CWR:
            if tcb.snd_una != tcb.high_seq:
                prr.end(tcb, now)
                set_state(tcb, Recovery.OPEN)
        elif tcb.recovery is Recovery.RECOVERY:
            if not tcb.sack_on:
                reset_reno(tcb)
            if _undo_recovery(tcb, now):
                return Resend.NONE
            # The state is OPEN now; `undo_valid` tells that the reduction holds.
            prr.end(tcb, now)

    # In a state.
    if _in_recovery(tcb):
        if not event.una_advanced:
            if not tcb.sack_on:
                _add_reno(tcb, duplicates)
        elif _undo_partial(tcb, event, now):
            return Resend.NONE
        if _undo_dsack(tcb, now):
            _try_to_open(tcb, event)
        identify_losses(tcb, event, now)
        if not _in_recovery(tcb):
            if not tcb.lost_out:
                return Resend.NONE
            enter_recovery(tcb, event.echo)
        return Resend.LOST
    resend = Resend.NONE
    if tcb.recovery is Recovery.LOSS:
        resend = _process_loss(tcb, event, duplicates, now)
        identify_losses(tcb, event, now)
        if _still_lossy(tcb) and not event.lost_retransmission:
            return resend
    if not tcb.sack_on:
        if event.una_advanced:
            reset_reno(tcb)
        _add_reno(tcb, duplicates)
    if tcb.recovery <= Recovery.DISORDER:
        _undo_dsack(tcb, now)
    identify_losses(tcb, event, now)
    if not tcb.lost_out:
        _try_to_open(tcb, event)
        return resend
    if tcb.probing is not None and plpmtud.lost(tcb):
        resend_too_big(tcb)
        return Resend.LOST
    enter_recovery(tcb, event.echo)
    return Resend.LOST


# --- the time-out ----------


def enter_loss(tcb: "Tcb", now: int) -> None:
    """The retransmission timer expired (RFC 5681 §3.1, RFC 6582 §4, RFC 8985 §6.3)."""
    fresh = tcb.recovery < Recovery.RECOVERY
    _mark_all(tcb, now)
    cc = tcb.cc
    if (
        tcb.recovery <= Recovery.DISORDER
        or not gt(tcb.high_seq, tcb.snd_una)
        or (tcb.recovery is Recovery.LOSS and not tcb.retries)
    ):
        # Once per window of data: ssthresh is held when the same data times out again.
        tcb.prior_ssthresh = prr.current_ssthresh(tcb)
        tcb.prior_cwnd = cc.cwnd
        cc.ssthresh = cc.ssthresh_after_loss()
        undo.begin(tcb)
    cc.cwnd = tcb.in_flight + 1
    cc.reset_count()
    tcb.cwnd_stamp = now
    threshold = tcb.profile.dup_ack_threshold
    if tcb.recovery <= Recovery.DISORDER and tcb.sacked_out >= threshold:
        tcb.reordering = min(tcb.reordering, threshold)  # it was not reordering, then
    set_state(tcb, Recovery.LOSS)
    cc.on_timeout()
    tcb.high_seq = tcb.snd_nxt
    tcb.probe_high = -1
    ecn.queue_cwr(tcb)
    tcb.frto = tcb.profile.frto and (fresh or tcb.retries > 0)


def _mark_all(tcb: "Tcb", now: int) -> None:
    sent = tcb.sent
    reneging = bool(sent) and bool(sent[0].marks & SACKED)
    if reneging:
        # RFC 2018 §8: the peer has thrown away what it had reported.
        tcb.sacked_out = 0
        tcb.reneging = True
        for segment in sent:
            if segment.marks & SACKED:
                segment.marks &= ~SACKED
    elif not tcb.sack_on:
        reset_reno(tcb)
    for segment in sent:
        if (
            not reneging
            and segment is not sent[0]
            and tcb.profile.rack
            and rack.still_young(tcb, segment.sent_at, now)
        ):
            continue
        mark_lost(tcb, segment)
        if not segment.marks & RETRANS:
            tcb.by_time.pop(segment, None)
    tcb.retransmit_hint = None


def resend_too_big(tcb: "Tcb") -> None:
    """Segments above the present MSS did not pass (RFC 1191 §6.4): lost, but not by congestion.

    As after a time-out they are sent one by one, but the window stays (Linux: tcp_simple_retransmit).
    """
    before = tcb.lost_out
    if not tcb.profile.berkeley:
        rejoin(tcb, tcb.snd_mss)
    for segment in tcb.sent:
        if segment.payload > tcb.snd_mss:
            mark_lost(tcb, segment)
    tcb.retransmit_hint = None
    if tcb.lost_out == before:
        return
    if not tcb.sack_on:
        _limit_reno(tcb, 0)
    without_congestion(tcb)


def without_congestion(tcb: "Tcb") -> None:
    """What is lost was not lost by congestion (Linux: tcp_non_congestion_loss_retransmit)."""
    if tcb.recovery is not Recovery.LOSS:
        tcb.high_seq = tcb.snd_nxt
        tcb.cc.ssthresh = prr.current_ssthresh(tcb)
        tcb.prior_ssthresh = 0
        tcb.undo_valid = False
        set_state(tcb, Recovery.LOSS)
