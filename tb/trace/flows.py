"""Which segment a piece of TCP belongs to: by connection and sequence number, wherever it is seen."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

STRETCH = 1 << 16
"""Sequence numbers whose segments are looked through for one that has a certain one."""
MASK = 0xFFFFFFFF
_NAMES = ((2, "SYN"), (1, "FIN"), (4, "RST"), (8, "PSH"), (32, "URG"), (16, "ACK"))


class Ends(NamedTuple):
    """One direction of a connection: packed addresses and ports."""

    src: bytes
    sport: int
    dst: bytes
    dport: int

    def back(self) -> "Ends":
        """The other direction."""
        return Ends(self.dst, self.dport, self.src, self.sport)

    def __str__(self) -> str:
        return f"{_dotted(self.src)}:{self.sport} → {_dotted(self.dst)}:{self.dport}"


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))


class Segment(NamedTuple):
    """What RFC 9293 §3.1 says of a segment. `size`: sequence numbers that it takes, SYN and FIN included."""

    ends: Ends
    seq: int
    ack: int
    size: int
    flags: int

    def __str__(self) -> str:
        said = [name for bit, name in _NAMES if self.flags & bit]
        payload = self.size - bool(self.flags & 1) - bool(self.flags & 2)
        return ",".join(said) + (f" {payload} bytes" if payload else "")


def of_tcp(header: bytes, total: int, src: bytes, dst: bytes) -> Segment:
    """From at least 14 bytes of a TCP header; `total`: bytes from there to the segment's end."""
    flags = header[13]
    size = total - 4 * (header[12] >> 4) + bool(flags & 1) + bool(flags & 2)
    ends = Ends(src, int.from_bytes(header[:2], "big"), dst, int.from_bytes(header[2:4], "big"))
    return Segment(ends, int.from_bytes(header[4:8], "big"), int.from_bytes(header[8:12], "big"), size, flags)


def of_frame(frame: bytes, *, total: int | None = None) -> Segment | None:
    """From the beginning of an Ethernet frame, headers at least; None if it is not TCP over IPv4.

    `total`: bytes of the whole frame where IP's own length does not say so (a train not yet cut).
    """
    if len(frame) < 48 or frame[12:14] != b"\x08\0" or frame[23] != 6:
        return None
    at = 14 + 4 * (frame[14] & 15)
    if len(frame) < at + 14:
        return None
    end = total if total is not None else 14 + int.from_bytes(frame[16:18], "big")
    return of_tcp(frame[at : at + 14], end - at, frame[26:30], frame[30:34])


class _Sent(NamedTuple):
    """A segment that was sent: its first sequence number, how many it takes, its number."""

    seq: int
    size: int
    flow: int

    def common(self, seq: int, size: int) -> int:
        """How many of sequence numbers `seq` … `seq + size - 1` it takes."""
        begin = ((self.seq - seq + (1 << 31)) & MASK) - (1 << 31)
        return min(begin + self.size, size) - max(begin, 0)


class Flows:
    """Numbers for segments from 1 on. What takes no sequence number is known by its ACK as well."""

    def __init__(self) -> None:
        self._last = 0
        self._segments: dict[tuple[Ends, int], list[_Sent]] = {}
        """By the stretches of sequence numbers that they have a part of."""
        self._empty: dict[tuple[Ends, int, int], int] = {}

    def begin(self, segment: Segment) -> int:
        """A number for `segment`, which leaves TCP now; one sent again gets another."""
        self._last += 1
        if segment.size:
            sent = _Sent(segment.seq, segment.size, self._last)
            for stretch in _stretches(segment.seq, segment.size):
                self._segments.setdefault((segment.ends, stretch), []).append(sent)
        else:
            self._empty[segment.ends, segment.seq, segment.ack] = self._last
        return self._last

    def skip(self) -> None:
        """Leave out a number: it is of something that is no segment."""
        self._last += 1

    def find(self, segment: Segment) -> list[int]:
        """What `segment`, a part of one or several joined, was when it left TCP; newest only, in order."""
        if not segment.size:
            found = self._empty.get((segment.ends, segment.seq, segment.ack))
            return [] if found is None else [found]
        return self.covering(segment.ends, segment.seq, segment.size)

    def covering(self, ends: Ends, seq: int, size: int) -> list[int]:
        """The flows that carried sequence numbers `seq` … `seq + size - 1`, each the newest to do so."""
        found: list[int] = []
        missing = size
        for sent in reversed(self._near(ends, seq, size)):
            common = sent.common(seq, size)
            if common > 0:
                found.append(sent.flow)
                missing -= common
                if missing <= 0:
                    break
        return sorted(found)

    def every(self, ends: Ends, seq: int, size: int) -> list[int]:
        """All flows that carried some of these sequence numbers, retransmissions too, in order."""
        return [sent.flow for sent in self._near(ends, seq, size) if sent.common(seq, size) > 0]

    def _near(self, ends: Ends, seq: int, size: int) -> list[_Sent]:
        """What may have carried some of these sequence numbers, in the order of their flows."""
        lists = [self._segments.get((ends, stretch), ()) for stretch in _stretches(seq, size)]
        return sorted(dict.fromkeys(itertools.chain(*lists)), key=lambda sent: sent.flow)


def _stretches(seq: int, size: int) -> Iterator[int]:
    """The stretches of sequence numbers in which `seq` … `seq + size - 1` are, modulo 2³²."""
    for stretch in range(seq // STRETCH, (seq + size - 1) // STRETCH + 1):
        yield stretch % (MASK // STRETCH + 1)
