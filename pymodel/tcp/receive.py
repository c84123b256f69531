"""Segment text and FIN (RFC 9293 §3.10.7.4 "seventh" and "eighth"): queue, reassemble, acknowledge."""

from functools import partial
from typing import TYPE_CHECKING, Final

from pymodel.tcp import accecn, ackcompress, berkeley, delack, ecn, lifecycle, rcvmem, rcvwindow, transmit
from pymodel.tcp.seq import HALF, MASK, diff, gt
from pymodel.tcp.state import State
from pymodel.wire.tcp import FIN, PSH, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

_IP_HEADER: Final = 20


def text(tcb: "Tcb", seq: int, payload: memoryview | bytes, header: TcpHeader, now: int, tos: int) -> None:
    """Take `payload` (and the FIN, if there is one) that begins at `seq`, in order or not."""
    n = whole = len(payload)
    fin = header.flags & FIN
    if not n and not fin:
        return
    end = (seq + n + fin) & MASK
    window = tcb.rcv_wnd
    if n:
        tcb.data_segs_in += header.segments
    ahead = (seq - tcb.rcv_nxt) & MASK
    if not gt(end, tcb.rcv_nxt):
        duplicate(tcb, seq, end)
        return
    if 0 < ahead < HALF:
        if ahead >= window:
            _out_of_window(tcb)
        else:
            _ahead(tcb, seq, payload, header, end if fin else -1, tos)
        return
    if ahead:
        # The front of it is old.
        _dsack(tcb, seq, tcb.rcv_nxt)
        payload = payload[(-ahead) & MASK :]
        n = len(payload)
        seq = tcb.rcv_nxt
    if not window and n:
        tcb.layer.stats["zero_window_drop"] += 1
        _out_of_window(tcb)
        return
    if tcb.rcv_fin >= 0:
        # There is nothing behind a FIN, whatever a later segment claims.
        payload = payload[: max(diff(tcb.rcv_fin, seq), 0)]
        n = len(payload)
        fin = 0
    if n:
        size, room = _cost(header, whole)
        if not rcvwindow.fits(tcb, seq) and _no_memory(tcb):
            return
        tcb.recv_queue += payload
        if rcvwindow.counts_memory(tcb):
            tcb.rcv_memory.queued(n, size, room)
        tcb.rcv_nxt = (seq + n) & MASK
        tcb.bytes_received += n
        _observed(tcb, n, size, header, now, tos)
    if len(tcb.reassembly):
        twice = tcb.reassembly.overtaken(tcb.rcv_nxt)
        if twice is not None and not tcb.profile.berkeley:
            _dsack(tcb, *twice)
        more = tcb.reassembly.extract(tcb.rcv_nxt)
        if more is not None:
            tcb.recv_queue += more
            if rcvwindow.counts_memory(tcb):
                tcb.rcv_memory.released(len(more), tcb.reassembly.held)
            tcb.rcv_nxt = (tcb.rcv_nxt + len(more)) & MASK
            tcb.bytes_received += len(more)
            if tcb.rcv_fin >= 0 and gt(tcb.rcv_nxt, tcb.rcv_fin):
                # The FIN was in it, and whatever the peer claims to be behind it.
                over = diff(tcb.rcv_nxt, tcb.rcv_fin)
                del tcb.recv_queue[-over:]
                tcb.rcv_nxt = tcb.rcv_fin
                tcb.bytes_received -= over
        tcb.ack_scheduled = True
        if not len(tcb.reassembly):
            tcb.ack_now = True  # the gap is filled (RFC 5681 §4.2)
    if fin:
        tcb.rcv_fin = (end - 1) & MASK
    elif tcb.rcv_fin == tcb.rcv_nxt:
        tcb.ack_now = True  # it had come before
    if tcb.rcv_fin == tcb.rcv_nxt:
        tcb.rcv_nxt = (tcb.rcv_nxt + 1) & MASK
        _fin(tcb, now)
    if tcb.discards:
        tcb.recv_queue.clear()
        tcb.rcv_memory.drained()
        tcb.copied_seq = tcb.rcv_nxt
    tcb.queue.wake()


def _cost(header: TcpHeader, n: int) -> tuple[int, int]:
    """`rcvmem.cost` of a segment with `n` bytes of text, or of several that were joined."""
    if header.segments > 1:
        return header.segments * rcvmem.cost(header.segment_size + header.header_len + _IP_HEADER)[0], 0
    return rcvmem.cost(n + header.header_len + _IP_HEADER)


def _no_memory(tcb: "Tcb") -> bool:
    """There is no memory for text in order. True: it is dropped; not if the program has nothing to read."""
    tcb.ack_scheduled = tcb.ack_now = tcb.rcv_no_memory = True
    tcb.queue.wake()
    if not tcb.recv_queue:
        return False
    tcb.layer.stats["receive_no_memory"] += 1
    return True


def _observed(tcb: "Tcb", n: int, size: int, header: TcpHeader, now: int, tos: int) -> None:
    """Data came in order: what its size, its time and its IP header tell."""
    one, push = header.segment_size or n, bool(header.flags & PSH)
    rcvwindow.observe_segment(tcb, one, n, size, header.header_len, push)
    rcvwindow.measure_rtt(tcb, now)
    if tcb.profile.berkeley:
        berkeley.data_received(tcb, n, now)
    else:
        delack.data_received(tcb, now)
    ecn.received(tcb, tos)
    if n >= 128:
        rcvwindow.grow(tcb, n, size)


def _dsack(tcb: "Tcb", left: int, right: int) -> None:
    if tcb.sack_on and tcb.profile.dsack:
        tcb.dsack = (left, right)


def duplicate(tcb: "Tcb", seq: int, end: int) -> None:
    """All of it was received before: say so at once (RFC 2883 §4)."""
    tcb.layer.stats["old_data"] += 1
    accecn.duplicate(tcb, end)
    _dsack(tcb, seq, end)
    delack.enter_quick_mode(tcb)
    tcb.ack_scheduled = True


def _out_of_window(tcb: "Tcb") -> None:
    """A window probe, for one (RFC 9293 §3.8.6.1): answer at once."""
    tcb.layer.stats["out_of_window"] += 1
    delack.enter_quick_mode(tcb)
    tcb.ack_scheduled = True


def _ahead(tcb: "Tcb", seq: int, payload: memoryview | bytes, header: TcpHeader, end: int, tos: int) -> None:
    """Something before it is missing. `end`: behind its FIN, or -1."""
    n = len(payload)
    size, _ = _cost(header, n)
    ecn.received(tcb, tos)
    if n and not rcvwindow.fits(tcb, seq):
        tcb.layer.stats["receive_no_memory"] += 1
        return
    tcb.ack_scheduled = True
    if tcb.rcv_fin >= 0:
        # There is nothing behind a FIN, whatever a later segment claims.
        payload = payload[: max(diff(tcb.rcv_fin, seq), 0)]
    elif end >= 0:
        tcb.rcv_fin = (end - 1) & MASK
    if n:
        one, push = header.segment_size or n, bool(header.flags & PSH)
        rcvwindow.observe_segment(tcb, one, n, size, header.header_len, push)
    held = payload
    if end >= 0 and end - 1 & MASK == tcb.rcv_fin and not tcb.profile.berkeley:
        held = bytes(payload) + b"\0"  # the FIN is reported, too; FreeBSD reports bytes only
    if held:
        tcb.layer.stats["out_of_order"] += 1
        tcb.rcv_ooopack += header.segments
        if ackcompress.must_tell_first(tcb, seq, len(held)):
            transmit.ack(tcb, tcb.layer.scheduler.now)  # Linux takes it for this segment's ACK, too
        before = tcb.reassembly.held
        twice = tcb.reassembly.insert(seq, held, tcb.rcv_nxt)
        if twice is not None:
            _dsack(tcb, *twice)
        if tcb.reassembly.held > before and rcvwindow.counts_memory(tcb):
            tcb.rcv_memory.held(size)
            if tcb.sack_on:
                rcvwindow.grow(tcb, n, size)
            if not tcb.orphan and tcb.listener is None:
                rcvwindow.grow_buffer(tcb, tcb.space)
    else:
        tcb.ack_now = True


def _fin(tcb: "Tcb", now: int) -> None:
    """Everything up to the peer's FIN is here (RFC 9293 §3.10.7.4 "eighth")."""
    tcb.ack_scheduled = True
    tcb.ack_now |= tcb.profile.berkeley
    tcb.reassembly.clear()
    tcb.rcv_memory.forgotten()
    if tcb.state in (State.SYN_RECEIVED, State.ESTABLISHED):
        lifecycle.set_state(tcb, State.CLOSE_WAIT)
        delack.enter_pingpong(tcb)  # our FIN can carry the ACK, if it comes soon
    elif tcb.state is State.FIN_WAIT_1:
        # Our FIN is not acknowledged, or this segment's ACK would have been seen already.
        transmit.ack(tcb, now)
        lifecycle.set_state(tcb, State.CLOSING)
    elif tcb.state is State.FIN_WAIT_2:
        transmit.ack(tcb, now)
        lifecycle.enter_time_wait(tcb, now)


def acknowledge(tcb: "Tcb", now: int) -> None:
    """After a segment: send the ACK that is due, or see that it will be (RFC 9293 §3.8.6.3)."""
    if not tcb.ack_scheduled:
        return
    if tcb.profile.berkeley:
        if tcb.ack_now or len(tcb.reassembly):
            transmit.ack(tcb, now)
        return
    if (
        (delack.second_segment(tcb) and rcvwindow.wanted(tcb) >= rcvwindow.advertised(tcb))
        or delack.due_now(tcb)
        or (not _compressed(tcb, now) if len(tcb.reassembly) else delack.delay(tcb, now))
    ):
        transmit.ack(tcb, now)


def _compressed(tcb: "Tcb", now: int) -> bool:
    return ackcompress.waits(tcb, now, partial(_send_compressed, tcb))


def _send_compressed(tcb: "Tcb") -> None:
    transmit.ack(tcb, tcb.layer.scheduler.now)
