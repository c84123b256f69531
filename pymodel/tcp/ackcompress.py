"""ACKs that only carry SACK blocks wait a little for each other (Linux: tcp_comp_sack_*).

The first three after an advance go at once, which is what fast retransmission counts (RFC 5681 §3.2); those
after them become one, a fraction of a round trip later, or earlier if a block would be pushed out of the
report (__tcp_ack_snd_check, tcp_sack_new_ofo_skb).
"""

from typing import TYPE_CHECKING, Final

from pymodel.tcp.lazytimer import LazyTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymodel.tcp.tcb import Tcb

_AT_ONCE: Final = 3
"""TCP_FASTRETRANS_THRESH."""
_EXPECTED: Final = 2
"""TCP_SACK_BLOCKS_EXPECTED: so many of the newest blocks may change without a report of each state."""


class Compression:
    """One connection's ACKs that wait. Made when something comes out of order for the first time."""

    __slots__ = ("at_once", "rcv_nxt", "timer", "waiting")

    def __init__(self, tcb: "Tcb", send: "Callable[[], None]") -> None:
        self.waiting = 0
        """ACKs that have not been sent."""
        self.rcv_nxt = tcb.rcv_nxt
        self.at_once = 0
        self.timer = LazyTimer(tcb.layer.scheduler, send)


def waits(tcb: "Tcb", now: int, send: "Callable[[], None]") -> bool:
    """An ACK of something out of order is due: may it wait? `send` is called when it may no longer."""
    profile = tcb.profile
    state = tcb.compression
    if state is None:
        state = tcb.compression = Compression(tcb, send)
    if not tcb.sack_on or state.waiting >= profile.comp_sack_count:
        return False
    if state.rcv_nxt != tcb.rcv_nxt:
        state.rcv_nxt = tcb.rcv_nxt
        state.at_once = 0
    if state.at_once < _AT_ONCE:
        state.at_once += 1
        return False
    rtt = min(tcb.rcv_rtt, tcb.rtt.srtt or tcb.rcv_rtt)
    delay = min(profile.comp_sack_delay, rtt * profile.comp_sack_rtt_percent // 100)
    if not delay:
        return False
    state.waiting += 1
    tcb.layer.stats["acks_compressed"] += 1
    if state.timer.deadline is None:
        state.timer.set(now + delay)
    return True


def must_tell_first(tcb: "Tcb", seq: int, n: int) -> bool:
    """Before a block of `n` bytes at `seq` is noted: an ACK waits, and the report would lose what it says."""
    state = tcb.compression
    if state is None or not state.waiting:
        return False
    return tcb.reassembly.report_place(seq, n, tcb.rcv_nxt) >= _EXPECTED


def sent(tcb: "Tcb") -> None:
    """An ACK has left."""
    state = tcb.compression
    if state is not None and state.waiting:
        state.waiting = 0
        state.timer.stop()


def cancel(tcb: "Tcb") -> None:
    """The connection is over."""
    if tcb.compression is not None:
        tcb.compression.timer.cancel()
