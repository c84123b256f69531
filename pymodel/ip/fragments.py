"""Reassembly of IPv4 fragments (RFC 791 §3.2, RFC 815), bounded in memory and time.

Fragments that overlap are no accident (RFC 5722 §3, which Linux follows for IPv4 too): their datagram is
thrown away whole; an exact duplicate is ignored. Datagrams are told apart by source, destination, protocol
and identification (RFC 6864 §4).
"""

from bisect import insort
from collections.abc import Callable
from typing import Final

from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.wire import ipv4
from pymodel.wire.checksum import checksum

TIMEOUT: Final = 30 * SEC
"""How long the first fragment waits for the others (Linux: ipfrag_time; RFC 1122 §3.3.2 says 60…120 s)."""

MEMORY: Final = 4 << 20
"""Bytes held at most (Linux: ipfrag_high_thresh); the oldest datagram goes first."""

_LARGEST: Final = 0xFFFF
_COST: Final = 256
"""What a fragment costs beside its bytes: many empty ones must not be free."""

Key = tuple[bytes, bytes, int, int]


class _Datagram:
    __slots__ = ("cost", "expires", "first", "length", "parts")

    def __init__(self, expires: int) -> None:
        self.expires = expires
        self.parts: list[tuple[int, bytes]] = []
        self.first = b""
        """The fragment with offset 0, header and all."""
        self.length = -1
        """Bytes of payload, once the last fragment has come."""
        self.cost = 0


class Fragments:
    """The fragments of one host. `expired(packet)` is called with the first fragment of a datagram whose time
    is over, if that fragment has come (RFC 792: time exceeded, code 1)."""

    def __init__(self, scheduler: Scheduler, expired: Callable[[bytes], None]) -> None:
        self._scheduler = scheduler
        self._expired = expired
        self._waiting: dict[Key, _Datagram] = {}
        self._armed = False
        self.held = 0
        """Bytes held, with overhead."""
        self.drops = 0
        """Datagrams given up: overlap, contradiction, time, memory."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, header: ipv4.Ipv4Header, packet: bytes) -> bytes | None:
        """Take one fragment, header first; the whole packet, if that was the last one missing."""
        key = (header.src, header.dst, header.proto, header.ident)
        start = (header.fragment & ipv4.OFFSET_MASK) << 3
        payload = packet[header.header_len : header.total_len]
        more = bool(header.fragment & ipv4.MF)
        end = start + len(payload)
        if (more and (len(payload) % 8 or not payload)) or end > _LARGEST - ipv4.HEADER_LEN:
            self.drops += 1
            return None
        found = self._waiting.get(key)
        if found is None:
            found = self._waiting[key] = _Datagram(self._scheduler.now + TIMEOUT)
            self._arm()
        if not self._fits(found, start, payload, more):
            return None
        if not start:
            found.first = packet
        cost = len(payload) + _COST
        found.cost += cost
        self.held += cost
        whole = self._complete(found)
        if whole is not None:
            self._forget(key)
            return whole
        while self.held > MEMORY:
            self.drops += 1
            self._forget(next(iter(self._waiting)))
        return None

    def _fits(self, found: _Datagram, start: int, payload: bytes, more: bool) -> bool:
        """Enter the fragment; False if it is a duplicate, or has spoilt its datagram."""
        end = start + len(payload)
        if (start, payload) in found.parts:
            return False
        last = max((at + len(part) for at, part in found.parts), default=0)
        wrong = any(at < end and start < at + len(part) for at, part in found.parts)
        if more:
            wrong |= 0 <= found.length < end
        else:
            wrong |= found.length >= 0 or last > end
            found.length = end
        if wrong:
            self.drops += 1
            key = next(k for k, v in self._waiting.items() if v is found)
            self._forget(key)
            return False
        insort(found.parts, (start, payload))
        return True

    def _complete(self, found: _Datagram) -> bytes | None:
        if found.length < 0:
            return None
        at = 0
        for start, part in found.parts:
            if start != at:
                return None
            at += len(part)
        if at != found.length:
            return None
        header = bytearray(found.first[: (found.first[0] & 15) << 2])
        if len(header) + at > _LARGEST:
            return None
        header[2:4] = (len(header) + at).to_bytes(2, "big")
        header[6:8] = bytes(2)
        header[10:12] = bytes(2)
        header[10:12] = checksum(header).to_bytes(2, "big")
        return bytes(header) + b"".join(part for _, part in found.parts)

    def _forget(self, key: Key) -> None:
        self.held -= self._waiting.pop(key).cost

    def _arm(self) -> None:
        if not self._armed and self._waiting:
            self._armed = True
            self._scheduler.at(next(iter(self._waiting.values())).expires, self._tick)

    def _tick(self) -> None:
        self._armed = False
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if oldest.expires > self._scheduler.now:
                break
            self.drops += 1
            self._forget(key)
            if oldest.first:
                self._expired(oldest.first)
        self._arm()
