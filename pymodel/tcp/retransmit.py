"""Sending again: one segment, all that is lost, or a tail loss probe."""

from typing import TYPE_CHECKING

from pymodel.tcp import berkeley, output, prr, segment, timerset, transmit
from pymodel.tcp import mss as mss_of
from pymodel.tcp.recovery import Resend
from pymodel.tcp.segment import EVER, LOST, RETRANS, SACKED, SentSegment, index_of, recount, split
from pymodel.tcp.seq import HALF, MASK, gt
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Pending
from pymodel.wire.tcp import FIN, PSH

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def _send(tcb: "Tcb", index: int, now: int, pushed: int = 0) -> bool:
    """Transmit the segment at `index` again, with the flags `pushed` as well. False: it lies beyond the
    window the peer offers now."""
    entry = tcb.sent[index]
    if tcb.probing is not None:
        tcb.probing.size = 0  # a probe among losses tells nothing
    if entry.seq == tcb.iss:
        transmit.syn(tcb, now, tcb.state is State.SYN_RECEIVED)
    else:
        mss = mss_of.current(tcb)
        available = ((tcb.snd_una + tcb.snd_wnd - entry.seq + HALF) & MASK) - HALF
        if available <= 0:
            if entry.seq != tcb.snd_una:
                return False
            available = mss  # a window shrunk to nothing: this is its probe (RFC 9293 §3.8.6)
        limit = min(mss, available)
        size = entry.payload
        if size > limit:
            split(tcb, index, limit, mss)
            size = limit
        else:
            if entry.count > 1:
                recount(tcb, entry, 1)
            if size < limit and tcb.profile.retransmit_collapse:
                size = _collapse(tcb, index, limit)
        flags = entry.flags
        if tcb.profile.berkeley:
            flags = flags & ~PSH | berkeley.push_flag(tcb, entry.seq, size)
        transmit.data(tcb, now, entry.seq, size, flags | pushed)
        tcb.bytes_retrans += size
    entry.marks |= EVER
    segment.resent(tcb, entry, now)
    tcb.total_retrans += 1
    tcb.layer.stats["retrans_segs"] += 1
    return True


def _collapse(tcb: "Tcb", index: int, limit: int) -> int:
    """Take small segments that follow into this one, as far as `limit`; the payload it then has."""
    entry = tcb.sent[index]
    size = entry.payload
    while index + 1 < len(tcb.sent):
        other = tcb.sent[index + 1]
        room = limit - size
        if tcb.profile.berkeley and other.count > 1:
            recount(tcb, other, max(-(-other.payload // limit), 1))  # the MSS may have grown again
        if (
            tcb.profile.berkeley
            and 0 < room < other.payload
            and not other.marks & SACKED
            and other.count == 1
        ):
            split(tcb, index + 1, room, limit)  # the BSDs keep bytes, not segments: each is filled
            other = tcb.sent[index + 1]
        if (
            entry.flags & FIN
            or entry.eor
            or other.count > 1
            or other.marks & SACKED
            or size + other.payload > limit
            or gt(other.end, (tcb.snd_una + tcb.snd_wnd) & MASK)
        ):
            break
        size += other.payload
        entry.end = other.end
        entry.flags |= other.flags
        entry.eor = other.eor
        if entry.closes and other.closes:
            tcb.trains_out -= 1
        entry.closes |= other.closes
        entry.marks |= other.marks & EVER
        recount(tcb, other, 0)
        del tcb.sent[index + 1]
        tcb.by_time.pop(other, None)
        if tcb.retransmit_hint is other:
            tcb.retransmit_hint = entry
    return size


def one(tcb: "Tcb", index: int, now: int, pushed: int = 0) -> bool:
    """Retransmit the segment at `index` and count it as in flight. False: it could not be sent."""
    if not _send(tcb, index, now, pushed):
        return False
    entry = tcb.sent[index]
    if not entry.marks & RETRANS:
        entry.marks |= RETRANS
        tcb.retrans_out += entry.count
    if tcb.retrans_stamp < 0:
        tcb.retrans_stamp = now
    tcb.undo_retrans = max(tcb.undo_retrans, 0) + entry.count
    return True


def lost(tcb: "Tcb", now: int) -> None:
    """Retransmit what is lost, as far as the congestion window goes (RFC 6675 §5 (C), RFC 6937)."""
    hint = tcb.retransmit_hint
    index = max(index_of(tcb, hint.seq), 0) if hint is not None else 0
    rearm = False
    most = output.burst(tcb, tcb.snd_mss)
    left = group = 0
    hole: SentSegment | None = None
    reached: SentSegment | None = None
    while index < len(tcb.sent):
        entry = tcb.sent[index]
        if hole is None:
            reached = entry
        if tcb.cc.cwnd - tcb.in_flight <= 0 or tcb.retrans_out >= tcb.lost_out:
            break
        if not entry.marks & LOST:
            if hole is None and not entry.marks & (RETRANS | SACKED):
                hole = entry
        elif not entry.marks & (SACKED | RETRANS):
            if not left:
                left = group = _group(tcb, index, min(tcb.cc.cwnd - tcb.in_flight, most))
            left -= 1
            if not one(tcb, index, now, PSH if group > 1 and not left else 0):
                break
            if not left:
                tcb.sent[index].edge = True
            if prr.reducing(tcb):
                tcb.prr_out += entry.count
            if index == 0 and tcb.pending is not Pending.REORDER:
                rearm = True
        index += 1
    tcb.retransmit_hint = hole or reached
    if rearm:
        timerset.start(tcb, Pending.RETRANSMIT, now + tcb.rtt.rto)


def _group(tcb: "Tcb", index: int, most: int) -> int:
    """How many of the segments from `index` on leave as one, as they did at first (Linux: one sk_buff)."""
    if tcb.profile.berkeley:
        return 1
    first = tcb.sent[index]
    if first.payload > tcb.snd_mss:  # the MSS has shrunk since: it is cut when its turn comes
        return max(min(-(-first.payload // tcb.snd_mss), most), 1)
    count = 0
    for entry in tcb.sent[index : index + most]:
        if not entry.marks & LOST or entry.marks & (SACKED | RETRANS):
            break
        count += 1
        if entry.closes or entry.edge:
            break
    return max(count, 1)


def after_ack(tcb: "Tcb", resend: Resend, now: int) -> None:
    """What an ACK in loss recovery allows (Linux: tcp_xmit_recovery)."""
    if resend is Resend.NONE or tcb.state is State.SYN_SENT:
        return
    if resend is Resend.NEW:
        output.push(tcb, now, output.NAGLE_OFF)
        if gt(tcb.snd_nxt, tcb.high_seq):
            return
        tcb.frto = False
    lost(tcb, now)


def tail_probe(tcb: "Tcb", now: int) -> None:
    """The probe time-out expired (RFC 8985 §7.3): new data if there is any, else the last segment again."""
    if tcb.probe_high < 0 and _probe(tcb, now):
        tcb.layer.stats["tail_loss_probes"] += 1
        tcb.probe_high = tcb.snd_nxt
        tcb.pending = Pending.NONE  # so that the RTO runs from now
    timerset.rearm_rto(tcb, now)


def _probe(tcb: "Tcb", now: int) -> bool:
    tcb.probe_retransmitted = False
    if tcb.has_unsent:
        before = tcb.packets_out
        if output.fits_window(tcb, mss_of.current(tcb)):
            output.write(tcb, now, output.NAGLE_OFF, push_one=2)
            return tcb.packets_out > before
    if not tcb.sent:
        return False
    index = len(tcb.sent) - 1
    entry = tcb.sent[index]
    if entry.count > 1:
        mss = tcb.snd_mss
        split(tcb, index, (entry.count - 1) * mss, mss)
        index += 1
    elif index:
        tcb.sent[index - 1].edge = True
    if not _send(tcb, index, now):
        return False
    tcb.probe_retransmitted = True
    return True
