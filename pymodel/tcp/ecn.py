"""Explicit congestion notification: what is negotiated (RFC 3168, RFC 9768), and RFC 3168 in use.

`Tcb.ecn_on`: both SYNs agreed. `ecn_echo`: we repeat ECE until the peer's CWR comes (§6.1.3).
`ecn_cwr`: the next new data carries CWR, because our window was reduced (§6.1.2).
"""

from typing import TYPE_CHECKING, Final

from pymodel.tcp import accecn, delack
from pymodel.tcp.seq import ge
from pymodel.wire.tcp import ACK, AE, CWR, ECE, RST, SYN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

MASK: Final = 3
ECT_0: Final = 2
ECT_1: Final = 1
CE: Final = 3
"""Codepoints in the two low bits of IP's TOS (§5)."""


_ASKS: Final = (1, 3, 4)
_ASKS_ACCURATE: Final = 3
_ACCURATE: Final = 3
"""tcp_ecn: those that ask, the one that asks for AccECN, and from which on it is agreed to."""
_NO_ACCECN: Final = (0, 7)
_CLASSIC: Final = 1
_RESERVED: Final = 5
"""ACE of a SYN,ACK: no ECN at all or a broken peer; RFC 3168 (RFC 9768 §3.1.2 table 2), as which the last is
taken if AccECN was not asked for."""


def learn_syn(tcb: "Tcb", header: TcpHeader, tos: int) -> None:
    """The peer's SYN or SYN,ACK (§6.1.1): are both willing? A SYN with a codepoint is no ECN SYN, unless it
    has a reserved flag."""
    setting = tcb.profile.ecn
    if header.flags & ACK:
        ace = accecn.ace_of(header)
        tcb.ecn_on = tcb.ecn_offered and (ace == _CLASSIC or (ace == _RESERVED and setting != _ASKS_ACCURATE))
        if tcb.ecn_offered and not tcb.ecn_on and ace not in _NO_ACCECN:
            accecn.learn_syn_ack(tcb, header, tos)
    elif setting >= _ACCURATE and accecn.asked_by(header):
        accecn.learn_syn(tcb, tos)
    elif setting and header.flags & (ECE | CWR) == ECE | CWR:
        tcb.ecn_on = not tos & MASK or bool(header.reserved)


def dress_syn(tcb: "Tcb", header: TcpHeader) -> None:
    """Give our SYN, or SYN,ACK, the flags that ask for ECN or agree to it."""
    if header.flags & ACK:
        if tcb.accurate:
            accecn.syn_ack(tcb, header)
        elif tcb.ecn_on:
            header.flags |= ECE
    elif tcb.profile.ecn in _ASKS:
        tcb.ecn_offered = True
        accurate = tcb.profile.ecn == _ASKS_ACCURATE
        # After a lost SYN, or two, one asks no more (RFC 3168 §6.1.1.1, RFC 9768 §3.1.4.1).
        if tcb.retries <= accurate or not tcb.profile.ecn_fallback:
            header.flags |= ECE | CWR
            header.reserved = AE if accurate else 0


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
