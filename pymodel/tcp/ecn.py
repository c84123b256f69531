"""Explicit congestion notification (RFC 3168): what is negotiated, marked, echoed and answered.

`Tcb.ecn_on`: both SYNs agreed. `ecn_echo`: we repeat ECE until the peer's CWR comes (§6.1.3).
`ecn_cwr`: the next new data carries CWR, because our window was reduced (§6.1.2).
"""

from typing import TYPE_CHECKING, Final

from pymodel.tcp import delack
from pymodel.tcp.seq import ge
from pymodel.wire.tcp import ACK, CWR, ECE, RST, SYN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

MASK: Final = 3
ECT_0: Final = 2
ECT_1: Final = 1
CE: Final = 3
"""Codepoints in the two low bits of IP's TOS (§5)."""


def offers(tcb: "Tcb") -> bool:
    """An active open asks for ECN: tcp_ecn = 1, and this SYN was not lost already (§6.1.1.1)."""
    return tcb.profile.ecn == 1 and not tcb.retries


def learn_syn(tcb: "Tcb", header: TcpHeader, tos: int) -> None:
    """The peer's SYN or SYN,ACK (§6.1.1): are both willing? A SYN with a codepoint is no ECN SYN."""
    flags = header.flags
    if flags & ACK:
        tcb.ecn_on = tcb.ecn_offered and flags & (ECE | CWR) == ECE
    else:
        tcb.ecn_on = tcb.profile.ecn in (1, 2) and flags & (ECE | CWR) == ECE | CWR and not tos & MASK


def syn_flags(tcb: "Tcb", with_ack: bool) -> int:
    """ECE and CWR of our SYN, ECE of our SYN,ACK."""
    if with_ack:
        return ECE if tcb.ecn_on else 0
    tcb.ecn_offered = offers(tcb)
    return ECE | CWR if tcb.ecn_offered else 0


def outgoing(tcb: "Tcb", number: int) -> int:
    """Flags of the `number`-th segment of new data in a row: CWR once (§6.1.2)."""
    if tcb.ecn_cwr and number == 0:
        tcb.ecn_cwr = False
        return CWR
    return 0


def mark(tcb: "Tcb", seq: int, n: int, flags: int) -> tuple[int, int]:
    """Flags and codepoint of a segment on a connection that uses ECN: ECE while congestion is to be echoed,
    ECT(0) on new data only, not on ACKs and retransmissions (§6.1.4, §6.1.5)."""
    if tcb.ecn_echo and not flags & RST:
        flags |= ECE
    return flags, ECT_0 if n and ge(seq, tcb.snd_nxt) else 0


def queue_cwr(tcb: "Tcb") -> None:
    """The window was reduced: say so with the next new data (§6.1.2)."""
    if tcb.ecn_on:
        tcb.ecn_cwr = True


def withdraw_cwr(tcb: "Tcb") -> None:
    """It was not, after all."""
    tcb.ecn_cwr = False


def echoed(tcb: "Tcb", header: TcpHeader) -> bool:
    """The ACK tells of congestion on our side's path."""
    return tcb.ecn_on and header.flags & (ECE | SYN) == ECE


def accept_cwr(tcb: "Tcb", header: TcpHeader, length: int) -> None:
    """The peer has reduced its window: stop echoing; the last of it wants an ACK soon."""
    if header.flags & CWR:
        tcb.ecn_echo = False
        if length and tcb.ecn_on:
            tcb.ack_now = True


def received(tcb: "Tcb", tos: int) -> None:
    """A data segment came with this TOS (§6.1.3)."""
    if not tcb.ecn_on:
        return
    codepoint = tos & MASK
    if codepoint == CE:
        if not tcb.ecn_echo:
            delack.enter_quick_mode(tcb, 2)  # tell the sender soon
            tcb.ecn_echo = True
        tcb.ecn_seen = True
    elif codepoint:
        tcb.ecn_seen = True
    elif tcb.ecn_seen:
        # A sender that marks does not mark retransmissions: the data before was lost (§6.1.5).
        delack.enter_quick_mode(tcb, 2)
