"""TCP connections as they were seen on the wire, each a row of steps of which long alike runs are folded."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pymodel.wire import tcp
from tb.report.frames import Seen, dotted, ip_header, names, tcp_header

MASK = 0xFFFFFFFF
FOLDED = 10
"""Plain segments in a row from which on they are folded, but for the first and last few."""
AHEAD, BEHIND = 3, 2
PLAIN = ("data", "ack")


@dataclass(frozen=True, slots=True)
class Step:
    """One segment. `seq` and `ack` count from the SYN of either side; `ack` is None without ACK.

    `kind`: "syn", "fin", "rst", "again" (sequence numbers that were sent before), "data" or "ack".
    """

    frame: Seen
    kind: str
    seq: int
    ack: int | None
    payload: int
    flags: int

    @property
    def label(self) -> str:
        """In words."""
        said = [names(self.flags)]
        if self.payload:
            said.append(f"{self.payload:,} bytes, seq {self.seq:,}–{self.seq + self.payload - 1:,}")
        elif self.kind != "ack":
            said.append(f"seq {self.seq:,}")
        if self.ack is not None:
            said.append(f"ack {self.ack:,}")
        if self.kind == "again":
            said.append("retransmission")
        if self.frame.fate:
            said.append(f"{self.frame.fate} on its way")
        return " · ".join(said)


@dataclass(frozen=True, slots=True)
class Fold:
    """Several plain segments that are shown as one line until it is opened."""

    steps: list[Step]


@dataclass(slots=True)
class Connection:
    """`ends`: address and port at A and at B."""

    ends: tuple[str, str]
    steps: list[Step] = field(default_factory=list)
    first: dict[bool, int] = field(default_factory=dict)
    """Sequence number that counts as 0, for A to B (True) and B to A."""
    sent: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    """The highest sequence number sent, and one."""

    def rows(self) -> Iterator[Step | Fold]:
        """The steps, folded."""
        run: list[Step] = []
        for step in [*self.steps, None]:
            if step is not None and step.kind in PLAIN and not step.frame.fate:
                run.append(step)
                continue
            if len(run) >= FOLDED:
                yield from run[:AHEAD]
                yield Fold(run[AHEAD:-BEHIND])
                yield from run[-BEHIND:]
            else:
                yield from run
            run = []
            if step is not None:
                yield step

    def payload(self, a_to_b: bool) -> int:
        """Bytes of data in one direction, those sent again included."""
        return sum(step.payload for step in self.steps if step.frame.a_to_b is a_to_b)

    @property
    def again(self) -> int:
        """Segments sent again."""
        return sum(step.kind == "again" for step in self.steps)


@dataclass(frozen=True, slots=True)
class Fate:
    """What came before and after a segment, each a frame's index: the one that carried its first byte before,
    the next that carries it again, and the one by which the other side first acknowledged all of it."""

    before: int | None = None
    again: int | None = None
    acked: int | None = None


def fates(connection: Connection) -> dict[int, Fate]:
    """Of each segment that takes sequence numbers, by its frame's index; a lost one acknowledges nothing."""
    found: dict[int, Fate] = {}
    sent: dict[bool, dict[int, int]] = {True: {}, False: {}}
    waiting: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for step in connection.steps:
        way, index = step.frame.a_to_b, step.frame.index
        takes = step.payload + bool(step.flags & tcp.SYN) + bool(step.flags & tcp.FIN)
        if takes:
            before = sent[way].get(step.seq)
            found[index] = Fate(before)
            if before is not None:
                found[before] = replace(found[before], again=index)
            sent[way][step.seq] = index
            heapq.heappush(waiting[way], (step.seq + takes, index))
        if step.ack is not None and not step.frame.fate:
            theirs = waiting[not way]
            while theirs and theirs[0][0] <= step.ack:
                _, done = heapq.heappop(theirs)
                found[done] = replace(found[done], acked=index)
    return found


def find(frames: list[Seen]) -> tuple[list[Connection], list[Seen]]:
    """The connections in the order of their first segments, and the frames that are of none."""
    found: list[Connection] = []
    current: dict[tuple[str, str], Connection] = {}
    others: list[Seen] = []
    for frame in frames:
        ip = ip_header(frame.head)
        header = tcp_header(frame.head, ip) if ip is not None else None
        if ip is None or header is None:
            others.append(frame)
            continue
        source, target = f"{dotted(ip.src)}:{header.sport}", f"{dotted(ip.dst)}:{header.dport}"
        ends = (source, target) if frame.a_to_b else (target, source)
        connection = current.get(ends)
        opens = header.flags & (tcp.SYN | tcp.ACK) == tcp.SYN
        if connection is None or (opens and connection.first.get(frame.a_to_b) not in (None, header.seq)):
            connection = current[ends] = Connection(ends)
            found.append(connection)
        _add(connection, frame, header, ip.total_len - ip.header_len - header.header_len)
    return found, others


def _add(connection: Connection, frame: Seen, header: tcp.TcpHeader, payload: int) -> None:
    way = frame.a_to_b
    first = connection.first.setdefault(way, header.seq)
    seq = (header.seq - first) & MASK
    ack = None
    if header.flags & tcp.ACK:
        ack = (header.ack - connection.first.setdefault(not way, (header.ack - 1) & MASK)) & MASK
    flags = header.flags
    takes = payload + bool(flags & tcp.SYN) + bool(flags & tcp.FIN)
    if takes and seq < connection.sent[way]:
        kind = "again"
    elif flags & tcp.RST:
        kind = "rst"
    elif flags & tcp.SYN:
        kind = "syn"
    elif flags & tcp.FIN:
        kind = "fin"
    else:
        kind = "data" if payload else "ack"
    connection.sent[way] = max(connection.sent[way], seq + takes)
    connection.steps.append(Step(frame, kind, seq, ack, payload, flags))
