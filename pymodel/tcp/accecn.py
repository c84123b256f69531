"""Accurate ECN (RFC 9768): how many segments and bytes came with CE, told in every segment.

`Tcb.accecn` keeps one side's counters; `Tcb.accurate` says that both sides agreed on it. What Linux does
beyond the RFC, or chooses of it, is named by its names. Without agreement only what came is counted, for
TCP_INFO.

ACE (§3.2.2) is the AE, CWR and ECE flags as one number; on a SYN,ACK and on the ACK that answers it it says
with which codepoint the other's packet came, afterwards it counts CE-marked segments, modulo 8.
"""

from typing import TYPE_CHECKING, Final

from pymodel.tcp.seq import MASK
from pymodel.tcp.tcb import Recovery
from pymodel.wire.tcp import AE, CWR, ECE, OPT_ACCECN_1, SYN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.ackevent import AckEvent
    from pymodel.tcp.tcb import Tcb

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3

_ACE_MASK: Final = 7
_FIRST_ACE: Final = 5
"""r.cep and s.cep begin with it (§3.2.1)."""
_FIRST_BYTES: Final = (0, 1, 1, 0)
"""What the byte counters of the codepoints begin with, so that zeroed ones show (§3.2.3)."""
_PENDING_MOST: Final = 15
_PENDING_TELLS: Final = 6
"""So many CE marks that the peer does not know of want an ACK (§3.2.2.5.1)."""
_BEACON_BYTES_SHIFT: Final = 22
"""A counter that crosses a multiple of this many bytes (as a power of two) has to be reported (§3.2.3.3)."""
_TOO_LATE: Final = (1 << 23) - 1
"""Bytes sent after which counters may have wrapped unseen."""
_EWMA_SHIFT: Final = 6
_THINNED: Final = 4 << _EWMA_SHIFT
"""ACKs that cover more segments than this on average are thought to be thinned out on their way."""

NONE: Final = 0
MINIMAL: Final = 1
FULL: Final = 2
PERSISTENT: Final = 3
"""tcp_ecn_option: the option never, where it must be, always, even if it seems to be lost."""

ACE_FAIL_SEND: Final = 1
ACE_FAIL_RECEIVE: Final = 2
OPTION_FAIL_SEND: Final = 4
OPTION_FAIL_RECEIVE: Final = 8
"""Bits of `AccEcn.failed`, tcpi_accecn_fail_mode."""

EMPTY: Final = 1
COUNTERS: Final = 2
ZEROED: Final = 3
"""What was seen of the peer's options, tcpi_accecn_opt_seen; 0: none."""

_OF_SYN_ACK: Final = (ECT_0, ECT_1, NOT_ECT, ECT_1, ECT_0, ECT_1, CE, ECT_1)
"""With which codepoint the packet came that a handshake's ACE speaks of (§3.1.2 table 2)."""
_ACE_OF: Final = (2, 3, 4, 6)
"""The reverse."""
_FIELD_OF: Final = (0, 1, 3, 2)
"""Which counter of an option, as we order them, is a codepoint's."""
_FLAGS: Final = tuple(ECE * (ace & 1) | CWR * (ace >> 1 & 1) for ace in range(8))


class AccEcn:
    """One connection's counters. Bytes are lists by codepoint (index 0 is unused)."""

    __slots__ = (
        "acked_average",
        "delivered",
        "demand",
        "dsack_end",
        "estimate",
        "failed",
        "least_fields",
        "option_at",
        "option_with_dsack",
        "pending",
        "previous",
        "received",
        "received_ce",
        "reply",
        "seen",
        "syn_ack_sent",
        "syn_received",
    )

    def __init__(self) -> None:
        self.received_ce = 0
        self.pending = 0
        """CE marks that came since the last segment was sent."""
        self.received = [0, 0, 0, 0]
        self.delivered = [0, 0, 0, 0]
        self.estimate = NOT_ECT
        """With which codepoint data arrives at the peer, as its options let us think; NOT_ECT: unknown."""
        self.previous = NOT_ECT
        """The codepoint of the last segment."""
        self.least_fields = 0
        """How many counters the next option must have, as they have changed."""
        self.demand = 0
        """The next so many segments need the option."""
        self.option_at = 0
        self.option_with_dsack = False
        self.dsack_end = -1
        self.seen = 0
        self.failed = 0
        self.acked_average = 0
        self.syn_received = NOT_ECT
        """The codepoint of the peer's SYN or SYN,ACK."""
        self.syn_ack_sent = False
        self.reply = -1
        """The ACE of the next segment if it answers a SYN,ACK; else -1."""


def ace_of(header: TcpHeader) -> int:
    """The ACE field."""
    flags = header.flags
    return (header.reserved & AE) << 2 | (flags & CWR) >> 6 | (flags & ECE) >> 6


def set_ace(header: TcpHeader, ace: int) -> None:
    """Write the ACE field."""
    header.flags = header.flags & ~(ECE | CWR) | _FLAGS[ace]
    header.reserved = AE if ace & 4 else 0


def counters(tcb: "Tcb") -> AccEcn:
    """The connection's counters, made when they are needed first."""
    if tcb.accecn is None:
        tcb.accecn = AccEcn()
    return tcb.accecn


# --- the handshake ----------


def asked_by(header: TcpHeader) -> bool:
    """A SYN asks for AccECN: all three flags are the present request, others a future one (§3.1.2)."""
    return ace_of(header) not in (0, 3)


def learn_syn(tcb: "Tcb", tos: int) -> None:
    """A SYN that asks for it came, and we are willing."""
    state = counters(tcb)
    tcb.accurate = True
    state.syn_received = state.previous = tos & 3


def learn_syn_again(tcb: "Tcb", tos: int) -> None:
    """The SYN came once more, perhaps with another codepoint."""
    if tcb.accurate and tcb.accecn is not None:
        tcb.accecn.syn_received = tos & 3


def learn_syn_ack(tcb: "Tcb", header: TcpHeader, tos: int) -> None:
    """A SYN,ACK whose ACE field says that the peer is willing (§3.1.2 table 2)."""
    state = counters(tcb)
    tcb.accurate = True
    state.syn_received = tos & 3
    if header.accecn is not None:
        _see_option(state, header.accecn, also_fail=True)
        state.demand = 2
    if tos & 3 == CE and _told_truth(tcb, state, ace_of(header)):
        state.received_ce += 1
        state.pending += 1


def _told_truth(tcb: "Tcb", state: AccEcn, ace: int) -> bool:
    """Our packet, which was sent without ECT, cannot have come with it (§3.2.2.3)."""
    if tcb.profile.ecn_fallback and _OF_SYN_ACK[ace] != NOT_ECT:
        state.failed |= ACE_FAIL_RECEIVE
        return False
    return True


def third_ack(tcb: "Tcb", header: TcpHeader, length: int) -> None:
    """The ACK of our SYN,ACK (§3.2.2.1 table 4)."""
    state = tcb.accecn
    assert state is not None
    ace = ace_of(header)
    option = header.accecn
    if option is not None:
        _see_option(state, option, also_fail=False)
    state.demand = 1
    if not ace:
        state.failed |= ACE_FAIL_RECEIVE | OPTION_FAIL_RECEIVE
    elif (
        ace not in (1, 5, 7)
        and not length
        and _told_truth(tcb, state, ace)
        and _OF_SYN_ACK[ace] == CE
        and not tcb.delivered_ce
    ):
        tcb.delivered_ce += 1


def _see_option(state: AccEcn, option: tuple[int, tuple[int, ...]], also_fail: bool) -> None:
    """The first option: counters that begin with zero were zeroed on their way (§3.2.3.2.4)."""
    if state.seen >= COUNTERS:
        return
    fields = option[1]
    if not fields:
        state.seen = EMPTY
    elif not fields[0] or (len(fields) == 3 and not fields[2]):
        state.seen = ZEROED
        state.failed |= OPTION_FAIL_RECEIVE * also_fail
    else:
        state.seen = COUNTERS


def syn_ack(tcb: "Tcb", header: TcpHeader) -> None:
    """Our SYN,ACK: the option only the first time, and no ACE after a second time-out (§3.1.4.2)."""
    state = tcb.accecn
    assert state is not None
    again, state.syn_ack_sent = state.syn_ack_sent, True
    if tcb.retries > 1:
        state.failed |= ACE_FAIL_SEND
        return
    set_ace(header, _ACE_OF[state.syn_received])
    if not again and tcb.profile.ecn_option:
        room = 40 - 4 * (header.mss is not None) - 4 * (header.wscale is not None)
        room -= 12 if header.ts_val is not None else 4 * header.sack_permitted
        spare = 2 if header.sack_permitted and header.ts_val is None else int(header.wscale is not None)
        fields = _fit(0, room, spare)
        if fields >= 0:
            header.accecn = (
                OPT_ACCECN_1,
                (_FIRST_BYTES[ECT_1], _FIRST_BYTES[CE], _FIRST_BYTES[ECT_0])[:fields],
            )


def answer_syn_ack(tcb: "Tcb") -> None:
    """The next segment answers a SYN,ACK, for the first time or again."""
    if tcb.accurate and tcb.accecn is not None:
        tcb.accecn.reply = _ACE_OF[tcb.accecn.syn_received]


# --- receiving ----------


def received(tcb: "Tcb", header: TcpHeader, tos: int, length: int) -> None:
    """An acceptable segment with `length` bytes of text came with this TOS (§3.2.2.2)."""
    codepoint = tos & 3
    state = tcb.accecn
    if codepoint:
        state = counters(tcb)
        tcb.ecn_seen |= not tcb.ecn_on
        if codepoint == CE:
            state.received_ce += header.segments
            state.pending = min(state.pending + header.segments, _PENDING_MOST)
        if length:
            before = state.received[codepoint]
            state.received[codepoint] = before + length
            state.least_fields = max(state.least_fields, _FIELD_OF[codepoint])
            if (before ^ (before + length)) >> _BEACON_BYTES_SHIFT:
                state.demand = max(state.demand, 1)
    if state is None:
        return
    edge = state.previous != codepoint
    if edge or codepoint == CE:
        state.previous = codepoint
        if tcb.accurate:
            # A change is told at once, and in two segments, so that the latter has one change only.
            tcb.ack_now |= edge
            state.demand = 2


def duplicate(tcb: "Tcb", end: int) -> None:
    """Text up to `end` came again: did the option keep our ACK of it from arriving (§3.2.3.2.2)?"""
    state = tcb.accecn
    if state is None or not tcb.accurate:
        return
    if state.option_with_dsack and state.dsack_end == end:
        state.failed |= OPTION_FAIL_SEND
    state.dsack_end = end


def acknowledged(tcb: "Tcb", header: TcpHeader, event: "AckEvent", segments: int, progress: bool) -> int:
    """An ACK that newly reports `segments` delivered: how many of what we sent came with CE (§3.2.2.5).

    `progress`: it is newer than the ones before it, by its timestamp if by nothing else.
    """
    state = tcb.accecn
    assert state is not None
    if not (event.acked or event.data_sacked or progress):
        return 0
    if tcb.opening and not header.flags & SYN:
        return 0  # in Linux the connection begins with this ACK
    ce_before = state.delivered[CE]
    valid = _take_option(tcb, state, header, event.delivered_bytes)
    if segments:
        _average(state, segments)
    if event.syn_acked:
        return 0
    if state.pending >= _PENDING_TELLS:
        tcb.ack_now = True
    delta = (ace_of(header) - _FIRST_ACE - tcb.delivered_ce) & _ACE_MASK
    if segments > _ACE_MASK:
        delta = _wrapped(tcb, state, delta, segments, event.delivered_bytes, valid, ce_before)
    tcb.delivered_ce += delta
    return delta


def _average(state: AccEcn, segments: int) -> None:
    if not state.acked_average:
        state.acked_average = segments << _EWMA_SHIFT
    else:
        average = (state.acked_average << _EWMA_SHIFT) - state.acked_average + (segments << _EWMA_SHIFT)
        state.acked_average = min(average >> _EWMA_SHIFT, 0xFFFF)


def _wrapped(
    tcb: "Tcb", state: AccEcn, delta: int, segments: int, size: int, valid: bool, ce_before: int
) -> int:
    """The ACE field may have wrapped: the bytes help, else the worst is assumed (RFC 9768 appendix A.2)."""
    safe = segments - ((segments - delta) & _ACE_MASK)
    if not valid:
        return delta if state.acked_average > _THINNED else safe
    marked = (state.delivered[CE] - ce_before) & MASK
    if not marked:
        return delta
    if segments >= 2 * (_ACE_MASK + 1) and (tcb.sack_on or tcb.recovery in (Recovery.OPEN, Recovery.CWR)):
        if size <= marked:
            return safe
        return min(safe, delta + (-(-marked * segments // size) & ~_ACE_MASK))
    if marked > delta * tcb.snd_mss:
        return safe
    return delta if marked < safe * tcb.snd_mss >> 1 else safe


def _take_option(tcb: "Tcb", state: AccEcn, header: TcpHeader, size: int) -> bool:
    """The byte counters of an ACK that reports `size` bytes; True: they say clearly what became of those."""
    if state.failed & OPTION_FAIL_RECEIVE:
        return False
    estimate = state.estimate
    option = header.accecn
    if option is None:
        if not state.seen:
            if tcb.bytes_sent >= _TOO_LATE:
                state.seen = ZEROED
                state.failed |= OPTION_FAIL_RECEIVE
            return False
        state.delivered[estimate] += size
        return estimate != NOT_ECT
    _see_option(state, option, also_fail=True)
    clear = estimate != NOT_ECT
    changed = ambiguous = False
    order = (ECT_1, CE, ECT_0) if option[0] == OPT_ACCECN_1 else (ECT_0, CE, ECT_1)
    for codepoint, value in zip(order, option[1], strict=False):
        delta = (value - _FIRST_BYTES[codepoint] - state.delivered[codepoint]) & 0xFF_FFFF
        if not delta:
            continue
        if delta >> 23:
            delta -= 1 << 24
            clear, ambiguous = False, True
        state.delivered[codepoint] += delta
        if codepoint != estimate:
            if changed:
                clear, ambiguous = False, True
            else:
                state.estimate = codepoint
                changed = True
    if ambiguous:
        state.estimate = NOT_ECT
    return clear


# --- sending ----------


def _fit(least: int, room: int, spare: int) -> int:
    """How many counters, `least` at least, fit into `room` bytes; -1: not so many.

    `spare`: NOPs of options behind it that the odd bytes can take the place of.
    """
    for fields in range(3, least - 1, -1):
        if room >= _size(fields, spare):
            return fields
    return -1


def _size(fields: int, spare: int) -> int:
    """Bytes that an option with so many counters adds to the header."""
    size = 2 + 3 * fields
    return size & ~3 if size & 3 <= spare else (size + 3) & ~3


def _wants_option(tcb: "Tcb", state: AccEcn, now: int) -> bool:
    level = tcb.profile.ecn_option
    if not level or not state.seen:
        return False
    if state.failed & OPTION_FAIL_SEND and level < PERSISTENT:
        return False
    if level >= FULL or state.demand:
        return True
    beacon = tcb.profile.ecn_option_beacon
    return bool(beacon) and (now - state.option_at) * beacon >= tcb.rtt.srtt


def plan(tcb: "Tcb", blocks: int, now: int) -> tuple[int, int]:
    """What a segment that could report `blocks` SACK blocks carries: counters (-1: no option), and blocks.

    An option that must be there takes the place of a block, if there are more than two.
    """
    state = tcb.accecn
    assert state is not None
    if not _wants_option(tcb, state, now):
        return -1, blocks
    least = state.least_fields
    for kept in range(blocks, min(blocks, 2) - 1 if least else blocks - 1, -1):
        room = 40 - 12 * tcb.ts_on - (4 + 8 * kept if kept else 0)
        fields = _fit(least, room, 2 if kept else 0)
        if fields >= 0:
            return fields, kept
    return -1, blocks


def options_len(tcb: "Tcb", blocks: int, now: int) -> int:
    """Bytes that the option and `blocks` SACK blocks add to a segment sent now."""
    fields, kept = plan(tcb, blocks, now)
    size = 4 + 8 * kept if kept else 0
    return size + (_size(fields, 2 if kept else 0) if fields >= 0 else 0)


def dress(tcb: "Tcb", header: TcpHeader, blocks: int, now: int) -> int:
    """Give a segment its ACE field and option; how many of its SACK blocks have room beside that."""
    state = tcb.accecn
    assert state is not None
    if header.flags & SYN:
        return blocks
    if state.reply >= 0:
        set_ace(header, state.reply)
        state.reply = -1
    else:
        set_ace(header, (state.received_ce + _FIRST_ACE) & _ACE_MASK)
        state.pending = 0
    fields, kept = plan(tcb, blocks, now)
    if fields >= 0:
        values = (state.received[code] + _FIRST_BYTES[code] & 0xFF_FFFF for code in (ECT_1, CE, ECT_0))
        header.accecn = OPT_ACCECN_1, tuple(values)[:fields]
        state.least_fields = 0
        state.option_at = now
        state.option_with_dsack = tcb.dsack is not None
        state.demand = max(state.demand - 1, 0)
    return kept


def codepoint(tcb: "Tcb") -> int:
    """Every segment is ECT(0), ACKs and retransmissions too (§3.2.1), unless ACE does not get through."""
    state = tcb.accecn
    assert state is not None
    return NOT_ECT if state.failed & (ACE_FAIL_SEND | ACE_FAIL_RECEIVE) else ECT_0
