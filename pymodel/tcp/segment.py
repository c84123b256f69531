"""What was sent and is not acknowledged: one entry for each segment of the retransmission queue.

The queue (`Tcb.sent`) is sorted by sequence number and has no gaps; `Tcb.by_time` holds the same entries in
the order of their last transmission, for RACK. Counts (`packets_out`, `sacked_out`, …) are in segments.

Segments that left as one sk_buff are one entry first, in `Tcb.trains` behind those of the queue, from which
acknowledgements take. Who looks at `sent` or `by_time`, as something was lost or is SACKed, finds it cut into
its segments (`unpack`).
"""

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from pymodel.tcp.seq import HALF, MASK
from pymodel.wire.tcp import FIN

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

SACKED: Final = 1
"""Reported by SACK."""
LOST: Final = 2
"""Thought to be lost."""
RETRANS: Final = 4
"""A retransmission is out."""
EVER: Final = 8
"""Was retransmitted at some time: gives no RTT sample (Karn)."""


class SentSegment:
    """Sequence numbers `seq`…`end` were sent with header bits `flags`, last at `sent_at` (ps).

    `order` numbers transmissions where several have the same time. `count`: segments it
    stands for (more than one only after the path's MSS has shrunk). `marks`: the bits above.
    `delivered`, `delivered_at`, `first_sent_at`, `app_limited`: the connection's counters when sent, for the
    delivery rate. `eor`: a record ends with it (MSG_EOR), so that nothing may be sent along with it.
    `closes`: it is the last of an sk_buff's segments; `edge`: that sk_buff was cut behind it since.

    In `Tcb.trains` it is `count` segments of `mss` bytes, the last as long as the rest; `order` is that of
    the first, `flags`, `eor` and `closes` are those of the last.
    """

    __slots__ = (
        "app_limited",
        "closes",
        "count",
        "delivered",
        "delivered_at",
        "edge",
        "end",
        "eor",
        "first_sent_at",
        "flags",
        "marks",
        "mss",
        "order",
        "sent_at",
        "seq",
        "transmissions",
    )

    def __init__(self, seq: int, end: int, sent_at: int, flags: int) -> None:
        self.seq = seq
        self.end = end
        self.sent_at = sent_at
        self.flags = flags
        self.eor = False
        self.closes = False
        self.edge = False
        self.order = 0
        self.count = 1
        self.mss = 0
        self.marks = 0
        self.transmissions = 1
        self.delivered = 0
        self.delivered_at = 0
        self.first_sent_at = 0
        self.app_limited = False

    def __repr__(self) -> str:
        marks = "".join(name for bit, name in ((1, "S"), (2, "L"), (4, "R"), (8, "E")) if self.marks & bit)
        return f"<SentSegment {self.seq}…{self.end} {marks}>"

    @property
    def payload(self) -> int:
        """Bytes of user data."""
        return ((self.end - self.seq) & MASK) - (self.flags & FIN)


def index_of(tcb: "Tcb", seq: int) -> int:
    """Where in `tcb.sent` the segment lies that contains `seq`; -1 if that is before the queue."""
    base = tcb.snd_una
    sent = tcb.sent
    if sent and (sent[0].seq - base) & MASK > 1 << 31:
        base = sent[0].seq
    return bisect_right(sent, (seq - base) & MASK, key=lambda s: (s.seq - base) & MASK) - 1


def _stamp(tcb: "Tcb", segment: SentSegment) -> None:
    segment.delivered = tcb.delivered
    if not tcb.packets_out:
        tcb.first_sent_at = tcb.delivered_at = segment.sent_at
    segment.delivered_at = tcb.delivered_at
    segment.first_sent_at = tcb.first_sent_at
    segment.app_limited = tcb.app_limited > 0
    segment.order = tcb.transmissions + 1
    tcb.transmissions += segment.count
    tcb.packets_out += segment.count


def append(tcb: "Tcb", segment: SentSegment) -> None:
    """One segment was sent for the first time."""
    _stamp(tcb, segment)
    tcb.sent.append(segment)
    tcb.by_time[segment] = None


def append_train(tcb: "Tcb", train: SentSegment, count: int, mss: int) -> None:
    """`count` segments were sent for the first time, of `mss` bytes each but for the last."""
    train.count = count
    train.mss = mss
    _stamp(tcb, train)
    tcb.trains.append(train)


def unpack(tcb: "Tcb") -> None:
    """Put the trains on the queue, segment by segment."""
    trains, tcb.trains = tcb.trains, []
    sent, timeline = tcb.settled, tcb.timeline
    for train in trains:
        seq, before = train.seq, train.count - 1
        for number in range(before):
            segment = SentSegment(seq, (seq + train.mss) & MASK, train.sent_at, 0)
            seq = segment.end
            segment.order = train.order + number
            segment.delivered = train.delivered
            segment.delivered_at = train.delivered_at
            segment.first_sent_at = train.first_sent_at
            segment.app_limited = train.app_limited
            sent.append(segment)
            timeline[segment] = None
        train.seq = seq
        train.order += before
        train.count = 1
        sent.append(train)
        timeline[train] = None


def take_front(train: SentSegment, ack: int) -> SentSegment:
    """Split off the whole segments in front of `ack`; they close no sk_buff."""
    front = SentSegment(train.seq, ack, train.sent_at, 0)
    front.mss = train.mss
    front.count = ((ack - train.seq) & MASK) // train.mss
    front.order = train.order
    front.delivered = train.delivered
    front.delivered_at = train.delivered_at
    front.first_sent_at = train.first_sent_at
    front.app_limited = train.app_limited
    train.seq = ack
    train.count -= front.count
    train.order += front.count
    return front


def head(tcb: "Tcb") -> SentSegment | None:
    """What is oldest on the queue: a segment, or a train."""
    if tcb.settled:
        return tcb.settled[0]
    return tcb.trains[0] if tcb.trains else None


def last(tcb: "Tcb") -> SentSegment:
    """What was put on the queue last. Raises IndexError when it is empty."""
    return tcb.trains[-1] if tcb.trains else tcb.settled[-1]


def cut_by(tcb: "Tcb", ack: int) -> bool:
    """`ack` lies within a segment of a train."""
    for train in tcb.trains:
        part = (ack - train.seq) & MASK
        if not 0 < part < HALF:
            return False
        if (train.end - ack) & MASK < HALF and train.end != ack:
            return part % train.mss != 0 or part // train.mss >= train.count
    return False


def resent(tcb: "Tcb", segment: SentSegment, now: int) -> None:
    """`segment` was transmitted again: its place in time is the last one."""
    segment.sent_at = now
    segment.transmissions += 1
    tcb.transmissions += 1
    segment.order = tcb.transmissions
    segment.delivered = tcb.delivered
    segment.delivered_at = tcb.delivered_at
    segment.first_sent_at = tcb.first_sent_at
    segment.app_limited = tcb.app_limited > 0
    tcb.by_time.pop(segment, None)
    tcb.by_time[segment] = None


def recount(tcb: "Tcb", segment: SentSegment, count: int) -> None:
    """`segment` stands for `count` segments from now on: put every sum right."""
    change = count - segment.count
    segment.count = count
    tcb.packets_out += change
    if segment.marks & SACKED:
        tcb.sacked_out += change
    if segment.marks & LOST:
        tcb.lost_out += change
    if segment.marks & RETRANS:
        tcb.retrans_out += change


def split(tcb: "Tcb", index: int, size: int, mss: int) -> None:
    """Cut the segment at `index` behind `size` payload bytes; FIN and PSH go with the second part."""
    first = tcb.sent[index]
    second = SentSegment((first.seq + size) & MASK, first.end, first.sent_at, first.flags)
    for name in (
        "marks",
        "order",
        "transmissions",
        "delivered",
        "delivered_at",
        "first_sent_at",
        "app_limited",
    ):
        setattr(second, name, getattr(first, name))
    first.end = second.seq
    first.eor, second.eor = False, first.eor
    first.closes, second.closes = False, first.closes
    first.edge, second.edge = True, first.edge
    first.flags = 0
    second.count = 0
    recount(tcb, first, max(1, -(-size // mss)))
    recount(tcb, second, max(1, -(-second.payload // mss)))
    tcb.sent.insert(index + 1, second)
    if first in tcb.by_time:
        # Behind the first, where it was in time.
        order = list(tcb.by_time)
        at = order.index(first) + 1
        order.insert(at, second)
        tcb.by_time = dict.fromkeys(order)


def recut(tcb: "Tcb", mss: int) -> int:
    """An ACK ended within the first segment, which it shortened: the sk_buff that this belongs to is cut anew
    from there on, into segments of `mss` (Linux: tcp_trim_head). How many fewer segments it has now."""
    sent = tcb.sent
    last = next((i for i, entry in enumerate(sent) if entry.closes or entry.edge), len(sent) - 1)
    group = sent[: last + 1]
    if last <= 0 or any(entry.marks != group[0].marks or entry.count != 1 for entry in group):
        return 0
    end, flags, eor = group[-1].end, group[-1].flags, group[-1].eor
    closes, edge = group[-1].closes, group[-1].edge
    size = ((end - group[0].seq) & MASK) - (flags & FIN)
    kept = min(max(-(-size // mss), 1), len(group))
    seq = group[0].seq
    for entry in group[:kept]:
        entry.seq, entry.end, entry.flags = seq, (seq + mss) & MASK, 0
        entry.eor = entry.closes = entry.edge = False
        seq = entry.end
    final = group[kept - 1]
    final.end, final.flags, final.eor, final.closes, final.edge = end, flags, eor, closes, edge
    for entry in group[kept:]:
        recount(tcb, entry, 0)
        tcb.by_time.pop(entry, None)
        if tcb.retransmit_hint is entry:
            tcb.retransmit_hint = final
    del sent[kept : last + 1]
    return len(group) - kept


def rejoin(tcb: "Tcb", mss: int) -> None:
    """The MSS has become `mss`: segments above it that left as one sk_buff, and of which nothing is known,
    are one entry, to be cut anew."""
    kept: list[SentSegment] = []
    for entry in tcb.sent:
        before = kept[-1] if kept else None
        if (
            before is None
            or before.closes
            or before.edge
            or before.marks
            or entry.marks
            or before.payload <= mss
            or before.flags
        ):
            kept.append(entry)
            continue
        before.end, before.flags = entry.end, entry.flags
        before.eor, before.closes, before.edge = entry.eor, entry.closes, entry.edge
        before.count += entry.count
        tcb.by_time.pop(entry, None)
    tcb.sent[:] = kept


def mark_lost(tcb: "Tcb", segment: SentSegment) -> None:
    """`segment`, or its retransmission, is thought to be lost."""
    marks = segment.marks
    if marks & SACKED:
        return
    if marks & LOST:
        if not marks & RETRANS:
            return
        segment.marks = marks & ~RETRANS
        tcb.retrans_out -= segment.count
    else:
        segment.marks = marks | LOST
        tcb.lost_out += segment.count
    tcb.lost += segment.count
    hint = tcb.retransmit_hint
    if hint is None or (segment.seq - hint.seq) & MASK > 1 << 31:
        tcb.retransmit_hint = segment if hint is not None else None
