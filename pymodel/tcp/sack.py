"""SACK blocks of an ACK, entered into the retransmission queue (RFC 2018, RFC 2883, RFC 6675 §4 Update)."""

from typing import TYPE_CHECKING

from pymodel.tcp import rack
from pymodel.tcp.segment import EVER, LOST, RETRANS, SACKED, SentSegment, index_of
from pymodel.tcp.seq import HALF, MASK, gt, lt

if TYPE_CHECKING:
    from pymodel.tcp.ackevent import AckEvent
    from pymodel.tcp.tcb import Tcb

Block = tuple[int, int]


def highest(tcb: "Tcb") -> int:
    """Sequence number behind the highest SACKed segment; SND.UNA if none is."""
    return tcb.highest_sack if tcb.sacked_out else tcb.snd_una


def enter(tcb: "Tcb", blocks: tuple[Block, ...], ack: int, event: "AckEvent", now: int) -> None:
    """Mark what `blocks` report; `event` learns what it means. Absurd blocks are left out."""
    duplicate = _duplicate(tcb, blocks, ack, event)
    if lt(ack, (event.prior_una - tcb.max_snd_wnd) & MASK) or not tcb.packets_out:
        return
    for number, (left, right) in enumerate(blocks):
        is_duplicate = duplicate and number == 0
        if _valid(tcb, left, right, is_duplicate) and gt(right, event.prior_una):
            _mark(tcb, left, right, is_duplicate, event, now)
    if event.reordered_below is not None and (tcb.recovery != 4 or tcb.undo_valid):
        check_reordering(tcb, event.reordered_below)


def _duplicate(tcb: "Tcb", blocks: tuple[Block, ...], ack: int, event: "AckEvent") -> bool:
    """RFC 2883: is the first block a report of a duplicate? Then a retransmission was not needed."""
    left, right = blocks[0]
    if not lt(left, ack) and (len(blocks) < 2 or gt(right, blocks[1][1]) or lt(left, blocks[1][0])):
        return False
    if not lt(left, right):
        return False
    length = (right - left) & MASK
    if length > tcb.max_snd_wnd:
        return False
    segments = 1
    mss = max(tcb.snd_mss, 1)
    if length > mss:
        segments = -(-length // mss)
    elif tcb.probe_high == right:
        event.dsack_of_probe = True
    tcb.dsack_dups += segments
    if tcb.dsack_dups > tcb.total_retrans:
        return False  # more duplicates than retransmissions: the network doubles packets
    tcb.layer.stats["dsack_received"] += 1
    if tcb.reord_seen and not event.dsack_of_probe:
        tcb.rack_dsack_seen = True
    event.dsacking = True
    tcb.delivered += segments
    if (
        tcb.undo_valid
        and tcb.undo_retrans > 0
        and not gt(right, event.prior_una)
        and gt(right, tcb.undo_marker)
    ):
        tcb.undo_retrans = max(0, tcb.undo_retrans - segments)
    return True


def _valid(tcb: "Tcb", left: int, right: int, is_duplicate: bool) -> bool:
    if gt(right, tcb.snd_nxt) or not lt(left, right) or not lt(left, tcb.snd_nxt):
        return False
    if gt(left, tcb.snd_una):
        return True
    if not is_duplicate or not tcb.undo_valid or gt(right, tcb.snd_una):
        return False
    if not lt(left, tcb.undo_marker):
        return True
    return gt(right, tcb.undo_marker) and not lt(left, (right - tcb.max_snd_wnd) & MASK)


def _mark(tcb: "Tcb", left: int, right: int, is_duplicate: bool, event: "AckEvent", now: int) -> None:
    sent = tcb.sent
    index = max(index_of(tcb, left), 0)
    if index < len(sent) and (sent[index].seq - left) & MASK >= HALF:
        index += 1
    while index < len(sent):
        segment = sent[index]
        if (right - segment.end) & MASK >= HALF:
            break
        if is_duplicate or not segment.marks & SACKED:
            _mark_one(tcb, segment, is_duplicate, event, now)
        if segment.seq == left and index:
            sent[index - 1].edge = True
        segment.edge |= segment.end == right
        index += 1


def _mark_one(tcb: "Tcb", segment: SentSegment, is_duplicate: bool, event: "AckEvent", now: int) -> None:
    marks, count = segment.marks, segment.count
    if is_duplicate and marks & (RETRANS | EVER):
        if tcb.undo_valid and tcb.undo_retrans > 0 and gt(segment.end, tcb.undo_marker):
            tcb.undo_retrans = max(0, tcb.undo_retrans - count)
        if marks & SACKED:
            event.reordering_at(segment.seq)
    if not marks & SACKED:
        rack.advance(tcb, marks, segment.order, segment.sent_at, now)
        if marks & RETRANS:
            if marks & LOST:
                marks &= ~(LOST | RETRANS)
                tcb.lost_out -= count
                tcb.retrans_out -= count
        else:
            if not marks & EVER:
                if lt(segment.seq, highest(tcb)):
                    event.reordering_at(segment.seq)  # it was in a hole, and never sent again
                if not gt(segment.end, tcb.high_seq):
                    event.original_sacked = True
                if event.first_sack_at < 0:
                    event.first_sack_at = segment.sent_at
                event.last_sack_at = segment.sent_at
            if marks & LOST:
                marks &= ~LOST
                tcb.lost_out -= count
        marks |= SACKED
        if not tcb.sacked_out or gt(segment.end, tcb.highest_sack):
            tcb.highest_sack = segment.end
        tcb.sacked_out += count
        tcb.delivered += count
        event.delivered_bytes += (segment.end - segment.seq) & MASK
        event.data_sacked = True
        event.rate_sample(tcb, segment)
        tcb.by_time.pop(segment, None)
    if is_duplicate and marks & RETRANS:
        marks &= ~RETRANS
        tcb.retrans_out -= count
    segment.marks = marks


def check_reordering(tcb: "Tcb", low: int) -> None:
    """Something below the highest SACK arrived late: reordering, of at least that degree."""
    top = highest(tcb)
    if not lt(low, top):
        return
    mss = max(tcb.snd_mss, 1)
    degree = -(-((top - low) & MASK) // mss)
    if degree > tcb.reordering:
        tcb.reordering = min(degree, tcb.profile.max_reordering)
    tcb.reord_seen += 1


def counted_losses(tcb: "Tcb") -> list[SentSegment]:
    """RFC 6675 §4 IsLost, for a profile without RACK: above it DupThresh SACKed segments."""
    threshold = tcb.reordering
    above = 0
    found = []
    for segment in reversed(tcb.sent):
        if segment.marks & SACKED:
            above += segment.count
        elif above >= threshold and not segment.marks & (LOST | EVER):
            found.append(segment)
    return found
