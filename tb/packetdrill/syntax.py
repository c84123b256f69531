"""The syntax tree of a script. Times are ps; sequence numbers are as written."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

# ---- values in system calls


class _Any:
    """`...`: whatever it is, it is right."""

    def __repr__(self) -> str:
        return "..."


ANYTHING: Final = _Any()


@dataclass(frozen=True)
class Number:
    """An integer or a fraction, as a literal."""

    value: int | float


@dataclass(frozen=True)
class Text:
    """A string literal."""

    value: bytes


@dataclass(frozen=True)
class Name:
    """A C constant."""

    name: str


@dataclass(frozen=True)
class Unary:
    """`-x`, `~x` or `!x`."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True)
class Binary:
    """`x | y` and the like."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Apply:
    """A macro or function inside an expression: `htons(8080)`."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True)
class Array:
    """`[a, b]`: an array, or a pointer to one thing."""

    items: tuple["Expression", ...]


@dataclass(frozen=True)
class Structure:
    """`{name = value, …}`; members without a name are numbered: "0", "1" …"""

    members: tuple[tuple[str, "Expression"], ...]

    def get(self, *names: str) -> "Expression | None":
        """The first member of one of these names."""
        for name, value in self.members:
            if name in names:
                return value
        return None


Expression = _Any | Number | Text | Name | Unary | Binary | Apply | Array | Structure

# ---- events


class TimeKind(Enum):
    """How an event's time is written."""

    ABSOLUTE = auto()
    RELATIVE = auto()
    """`+t`: after the event before it."""
    ANY = auto()
    """`*`: whenever it happens."""


@dataclass(frozen=True)
class EventTime:
    """When: at `start`, or between `start` and `end`."""

    kind: TimeKind
    start: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Call:
    """A system call. `end`: when a blocking one returns, on the scale of the event's own time.

    `result` is `ANYTHING` for `= ?` or `= ...`; `errno` a name such as EAGAIN.
    """

    name: str
    arguments: tuple[Expression, ...]
    result: Expression
    errno: str | None = None
    end: int | None = None


@dataclass(frozen=True)
class Command:
    """A shell command between back quotes."""

    text: str


@dataclass(frozen=True)
class Code:
    """Python between `%{` and `}%`."""

    text: str


class Ecn(Enum):
    """Codepoints of RFC 3168 §5, as the script names them."""

    NOECN = (0,)
    ECT0 = (2,)
    ECT1 = (1,)
    CE = (3,)
    ECT01 = (1, 2)


@dataclass(frozen=True)
class IpInfo:
    """What the script says in square brackets about the IP header; None: nothing."""

    ecn: Ecn | None = None
    tos: int | None = None
    ttl: int | None = None
    flow_label: int | None = None


@dataclass(frozen=True)
class Option:
    """A TCP option by its packetdrill name (mss, nop, eol, sackOK, sack, wscale, TS, FO, FOEXP, md5, ECN).

    `values`: mss and wscale: one number; TS: val and ecr; sack: edges, flat; ECN: (e0b, ceb, e1b) as
    in `data`; the others carry `data`.
    """

    name: str
    values: tuple[int, ...] = ()
    data: bytes = b""

    def __str__(self) -> str:
        if self.name == "TS":
            return f"TS val {self.values[0]} ecr {self.values[1]}"
        if self.name == "sack":
            edges = self.values
            return "sack " + " ".join(f"{a}:{b}" for a, b in zip(edges[::2], edges[1::2], strict=True))
        parts = [self.name, *map(str, self.values)]
        if self.data:
            parts.append(self.data.hex())
        return " ".join(parts)


@dataclass(frozen=True)
class TcpSegment:
    """`flags` are letters of FSRPEWA plus "." and "U"; `options` None is `<...>`."""

    flags: str
    seq: int
    length: int
    ack: int | None = None
    window: int | None = None
    urgent: int | None = None
    options: tuple[Option, ...] | None = ()


@dataclass(frozen=True)
class UdpDatagram:
    """`udp (length)`."""

    length: int


@dataclass(frozen=True)
class IcmpMessage:
    """An error about a packet: `quoted` is its TCP sequence range (seq, length), or a UDP length."""

    type: int
    code: int
    mtu: int = 0
    quoted_tcp: tuple[int, int] | None = None
    quoted_udp: int | None = None


@dataclass(frozen=True)
class Packet:
    """A packet, `inbound` to the machine under test or out of it."""

    inbound: bool
    ip: IpInfo
    body: TcpSegment | UdpDatagram | IcmpMessage


@dataclass(frozen=True)
class Event:
    """One thing that happens, or must happen. `source`: as written, for reports."""

    line: int
    time: EventTime
    action: Call | Command | Code | Packet
    source: str


@dataclass(frozen=True)
class Script:
    """`options`: (name, value, line) of the `--name=value` lines; `setup`: commands before the events."""

    options: tuple[tuple[str, str, int], ...] = ()
    setup: tuple[tuple[str, int], ...] = ()
    events: tuple[Event, ...] = field(default=())
