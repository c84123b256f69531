"""Header prediction (Van Jacobson; Linux: the fast path of tcp_rcv_established).

On a connection in good order most segments are what was expected: the next text and no news about our own, or
an ACK without text. A few comparisons show that most of RFC 9293 §3.10.7.4 has nothing to do for it, and what
is left is done here by the same functions. Everything else goes through `input`.
"""

from typing import TYPE_CHECKING, Final

from pymodel.simtime import MS
from pymodel.tcp import ack, output, rcvwindow, receive
from pymodel.tcp.seq import HALF, MASK
from pymodel.wire.tcp import ACK, PSH, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

_ECN: Final = 3
"""Of the TOS."""


def taken(tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes, now: int, tos: int) -> bool:
    """A segment for a connection in ESTABLISHED. False: it is not the expected one, and nothing was done."""
    stamp = header.ts_val
    if (
        header.flags & ~PSH != ACK
        or header.seq != tcb.rcv_nxt
        or header.sack
        or (stamp is None) is tcb.ts_on
        or tos & _ECN
        or tcb.ecn_on
        or tcb.accecn is not None
        or tcb.urgent_pending
        or tcb.rcv_fin >= 0
        or tcb.orphan
        or tcb.profile.berkeley
    ):
        return False
    if stamp is not None and (stamp - tcb.ts_recent) & MASK >= HALF:
        return False  # an old duplicate, perhaps (RFC 7323 §5)
    if not payload:
        tcb.segs_in += header.segments
        if ack.process(tcb, header, 0, now):
            output.push(tcb, now)
            receive.acknowledge(tcb, now)
        return True
    n = len(payload)
    if (
        header.ack != tcb.snd_una
        or tcb.packets_out
        or n > tcb.rcv_wnd
        or header.window << tcb.snd_wscale != tcb.snd_wnd
        or tcb.probe_high >= 0
        or tcb.has_unsent
    ):
        return False
    tcb.segs_in += header.segments
    if stamp is not None and tcb.rcv_wup == tcb.rcv_nxt:
        tcb.ts_recent = stamp  # RFC 7323 §4.3 (2)
        tcb.ts_recent_at = now
    ack.heard(tcb, header, now)
    if tcb.ts_ecr:
        sent_at = (tcb.ts_ecr - tcb.ts_offset & MASK) * MS
        rcvwindow.measure_rtt_by_echo(tcb, now, sent_at, tcb.ts_ecr, n)
    receive.text(tcb, header.seq, payload, header, now, tos)
    receive.acknowledge(tcb, now)
    return True
