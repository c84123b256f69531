"""Urgent data (RFC 9293 §3.8.5, RFC 6093): one byte ahead of the others, as the BSD interface shows it.

The urgent pointer is read as every stack sends it: just behind the urgent byte (RFC 6093 §3.1 tells why the
original wording differs; tcp_stdurg goes by that). Unless `TcpOptions.oobinline` is set, the byte is taken
out of the stream.
"""

from errno import EAGAIN, EINVAL
from os import strerror
from typing import TYPE_CHECKING

from pymodel.tcp.seq import HALF, MASK, gt, lt
from pymodel.tcp.state import RECEIVING
from pymodel.wire.tcp import URG, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def segment(tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes) -> None:
    """An acceptable segment: does it announce urgent data, and does it hold the byte?"""
    if header.flags & URG:
        pointer = header.urgent if tcb.profile.standard_urgent else max(header.urgent - 1, 0)
        _announced(tcb, (header.seq + pointer) & MASK)
    if tcb.urgent_pending and tcb.urgent_byte < 0 and not tcb.urgent_read:
        offset = (tcb.rcv_up - header.seq) & MASK
        if offset < len(payload):
            tcb.urgent_byte = payload[offset]
            tcb.queue.wake()


def _announced(tcb: "Tcb", seq: int) -> None:
    if gt(tcb.copied_seq, seq) or lt(seq, tcb.rcv_nxt):
        return  # seen already
    if tcb.urgent_pending and not gt(seq, tcb.rcv_up):
        return
    if tcb.urgent_pending and tcb.rcv_up == tcb.copied_seq and not tcb.options.oobinline and tcb.recv_queue:
        # The old byte is at the mark and was never read: it is gone for good.
        del tcb.recv_queue[:1]
        tcb.rcv_memory.read(1)
        tcb.copied_seq = (tcb.copied_seq + 1) & MASK
    tcb.urgent_pending = True
    tcb.urgent_read = False
    tcb.urgent_byte = -1
    tcb.rcv_up = seq


def offset(tcb: "Tcb") -> int:
    """How many bytes of the stream come before the mark; -1: there is no mark."""
    if not tcb.urgent_pending:
        return -1
    distance = (tcb.rcv_up - tcb.copied_seq) & MASK
    return distance if distance < HALF else -1


def skip(tcb: "Tcb") -> None:
    """Reading has come to the mark: leave the urgent byte out."""
    if not tcb.options.oobinline and offset(tcb) == 0 and tcb.recv_queue:
        del tcb.recv_queue[:1]
        tcb.rcv_memory.read(1)
        tcb.copied_seq = (tcb.copied_seq + 1) & MASK
        passed(tcb)


def passed(tcb: "Tcb") -> None:
    """Reading has moved on: the mark may lie behind."""
    if tcb.urgent_pending and gt(tcb.copied_seq, tcb.rcv_up):
        tcb.urgent_pending = False
        tcb.urgent_byte = -1


def read(tcb: "Tcb", peek: bool) -> bytes:
    """MSG_OOB: the byte; b"" if none can come any more. OSError: EINVAL (no mark), EAGAIN (not here)."""
    if tcb.options.oobinline or not tcb.urgent_pending or tcb.urgent_read:
        raise OSError(EINVAL, strerror(EINVAL))
    if tcb.urgent_byte >= 0:
        byte = bytes((tcb.urgent_byte,))
        if not peek:
            tcb.urgent_byte = -1
            tcb.urgent_read = True
        return byte
    if tcb.state not in RECEIVING:
        return b""
    raise OSError(EAGAIN, strerror(EAGAIN))
