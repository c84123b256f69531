"""Does the NIC keep the rules of the packed ring (virtio 1.2 §2.8) and of its memory?

Independent of the golden model: it reads the rings from what the NIC itself read, counts descriptors
without end (position p is slot p mod size, and the wrap counter is 1 in even laps), and keeps for each
chain what was done to it. It knows nothing of frames. Each broken rule is a mismatch of a fixed kind:

`descriptor used twice`, `used entry unknown`, `used entry slot`, `wrap error`, `used entry torn`,
`used before payload`, `write outside buffers`, `access to stopped ring`, `event suppression`,
`used entry flags`, `asleep with notifications disabled`, `no last look`, `notification ignored`,
`chain never used`.
"""

from dataclasses import dataclass, field
from typing import Final

from pymodel.regs import DESC_BYTES, EVENT_BYTES, DescFlag, EventFlag
from pymodel.simtime import CYCLE
from tb.lockstep.tally import Tally

SETTLE: Final = 32 * CYCLE
"""How long after a queue was stopped a request made before may still be on its way (ps)."""

_NEXT: Final = int(DescFlag.NEXT)
_WRITE: Final = int(DescFlag.WRITE)
_AVAIL: Final = int(DescFlag.AVAIL)
_USED: Final = int(DescFlag.USED)
_REMEMBERED: Final = 64


@dataclass(slots=True)
class _Buffer:
    """One descriptor: where it lies and which of its bytes the NIC has not touched yet."""

    start: int
    end: int
    missing: list[tuple[int, int]]

    def touch(self, start: int, end: int) -> None:
        """The NIC has transferred the bytes start…end."""
        first = self.missing[0] if self.missing else None
        if first is not None and start <= first[0] and len(self.missing) == 1:
            if end >= first[1]:
                self.missing.clear()
            elif end > first[0]:
                self.missing[0] = (end, first[1])
            return
        left: list[tuple[int, int]] = []
        for a, b in self.missing:
            if a < start:
                left.append((a, min(b, start)))
            if b > end:
                left.append((max(a, end), b))
        self.missing = left


@dataclass(slots=True)
class _Chain:
    """A chain that the NIC has read and not used. `touched`: when a byte of it was last transferred."""

    position: int
    buffer_id: int = 0
    buffers: list[_Buffer] = field(default_factory=list)
    touched: int = 0

    @property
    def missing(self) -> int:
        """Bytes of its buffers that were not transferred."""
        return sum(b - a for buffer in self.buffers for a, b in buffer.missing)

    @property
    def length(self) -> int:
        """Bytes of its buffers."""
        return sum(buffer.end - buffer.start for buffer in self.buffers)


class QueueProtocol:
    """The rules of one life of one ring, from the moment it runs until it is stopped.

    `base`, `size`, `driver_event`, `device_event`: its areas. `max_read`: bytes of a TX chain that the NIC
    has to read at most (a longer frame is not sent); None for a receive queue.
    """

    def __init__(
        self,
        tally: Tally,
        name: str,
        *,
        base: int,
        size: int,
        driver_event: int,
        device_event: int,
        max_read: int | None,
    ) -> None:
        self.base = base
        self.end = base + DESC_BYTES * size
        self.driver_event = driver_event
        self.device_event = device_event
        self.stopped_at: int | None = None
        self.faulty = False
        """A transfer failed or a descriptor is bad: the device may leave everything as it is."""
        self._tally = tally
        self._name = name
        self._size = size
        self._max_read = max_read
        self._receives = max_read is None
        self._next = 0
        self._used = 0
        self._open: _Chain | None = None
        self._chains: list[_Chain] = []
        self._recent: list[int] = []
        self._clock = 0
        self._used_requests: list[int] = []
        self._read_requests: list[int] = []
        self._disabled = False
        self._empty = False
        self._looked_at = 0
        self._enabled_at: int | None = None
        self._kicked_at: int | None = None

    # ------------------------------------------------------------------ requests

    def request(self, time: int, address: int, write: bool) -> None:
        """A burst to the ring was asked for."""
        self.area_request(time, f"slot {self._slot(address)}")
        if write:
            self._used_requests.append(self._clock)
        else:
            self._read_requests.append(time)

    def area_request(self, time: int, what: str) -> None:
        """A burst to `what`, one of the queue's areas, was asked for: not allowed when it is stopped."""
        if self.stopped_at is not None and time > self.stopped_at + SETTLE:
            self._bad(time, "access to stopped ring", f"{what} was accessed")

    @property
    def reading(self) -> bool:
        """Is a read of this ring under way?"""
        return bool(self._read_requests)

    # ------------------------------------------------------------------ the driver's side

    def kicked(self, time: int) -> None:
        """The driver notified this queue."""
        self._kicked_at = time

    def knows(self, used_entry: bytes) -> bool:
        """Is the buffer id of `used_entry` one that the NIC has read and not used?"""
        buffer_id = int.from_bytes(used_entry[12:14], "little")
        return any(chain.buffer_id == buffer_id for chain in self._chains)

    def failed(self, write: bool) -> None:
        """A burst to the ring was answered with an error."""
        requests = self._used_requests if write else self._read_requests
        if requests:
            del requests[0]

    def ring_read(self, time: int, address: int, data: bytes) -> None:
        """A burst of descriptors has been read: take those that are next and available."""
        asked = self._read_requests.pop(0) if self._read_requests else time
        slot = self._next % self._size
        offset = self.base + DESC_BYTES * slot - address
        if not 0 <= offset < len(data):
            return
        self._looked_at = asked
        while offset < len(data) and address + offset < self.end:
            flags = data[offset + 14] | data[offset + 15] << 8
            wrap = not self._next // self._size & 1
            self._empty = bool(flags & _AVAIL) != wrap or bool(flags & _USED) == wrap
            if self._empty:
                return
            self._take(data, offset, flags)
            offset += DESC_BYTES
            if self._next % self._size == 0:
                return

    def _take(self, data: bytes, offset: int, flags: int) -> None:
        start = int.from_bytes(data[offset : offset + 8], "little")
        end = start + int.from_bytes(data[offset + 8 : offset + 12], "little")
        chain = self._open
        if chain is None:
            chain = self._open = _Chain(self._next)
        chain.buffers.append(_Buffer(start, end, [(start, end)]))
        self._next += 1
        if not flags & _NEXT:
            chain.buffer_id = data[offset + 12] | data[offset + 13] << 8
            self._chains.append(chain)
            self._open = None

    # ------------------------------------------------------------------ payload

    def payload_read(self, address: int, end: int) -> None:
        """The NIC has read address…end: these bytes count as read in the oldest chains they lie in.

        It may begin with a chain whose last descriptors it has not read yet.
        """
        for chain in self._known():
            for buffer in chain.buffers:
                if buffer.missing and buffer.start < end and address < buffer.end:
                    buffer.touch(address, end)
                    if buffer.end >= end:
                        return

    def _known(self) -> list[_Chain]:
        return self._chains if self._open is None else [*self._chains, self._open]

    def _find(self, address: int, end: int) -> tuple[_Chain, _Buffer] | None:
        for chain in self._known():
            for buffer in chain.buffers:
                if buffer.start <= address and end <= buffer.end:
                    return chain, buffer
        return None

    def payload_write(self, time: int, address: int, end: int) -> bool:
        """The NIC has written address…end; False if that is no buffer of this queue."""
        found = self._find(address, end)
        if found is None:
            return False
        chain, buffer = found
        buffer.touch(address, end)
        self._clock += 1
        chain.touched = self._clock
        return True

    # ------------------------------------------------------------------ used entries

    def used_write(self, time: int, address: int, data: bytes) -> None:
        """A write to the ring: it must be a used entry that §2.8 allows now."""
        self._tally.counts["ring rules"] += 1
        asked = self._used_requests.pop(0) if self._used_requests else self._clock
        if len(data) != DESC_BYTES or (address - self.base) % DESC_BYTES:
            self._bad(
                time, "used entry torn", f"{len(data)} bytes at slot {self._slot(address)} + "
                f"{(address - self.base) % DESC_BYTES}; one aligned write of {DESC_BYTES} expected"
            )  # fmt: skip
            return
        buffer_id = data[12] | data[13] << 8
        flags = data[14] | data[15] << 8
        length = int.from_bytes(data[8:12], "little")
        chain = next((c for c in self._chains if c.buffer_id == buffer_id), None)
        if chain is None:
            kind = "descriptor used twice" if buffer_id in self._recent else "used entry unknown"
            self._bad(time, kind, f"used entry for buffer id {buffer_id} in slot {self._slot(address)}")
            return
        expected = self._used % self._size
        if self._slot(address) != expected:
            text = f"buffer id {buffer_id} in slot {self._slot(address)}, {expected} expected"
            self._bad(time, "used entry slot", text)
        wrap = not self._used // self._size & 1
        if bool(flags & _AVAIL) != wrap or bool(flags & _USED) != wrap:
            self._bad(
                time,
                "wrap error",
                f"flags {flags:#06x} in slot {self._slot(address)}, wrap counter {int(wrap)}",
            )
        if bool(flags & _WRITE) != self._receives:
            self._bad(time, "used entry flags", f"WRITE is wrong in {flags:#06x} for buffer id {buffer_id}")
        self._check_payload(time, chain, length, asked)
        self._used += len(chain.buffers)
        self._chains.remove(chain)
        self._recent.append(buffer_id)
        if len(self._recent) > _REMEMBERED:
            del self._recent[0]

    def _check_payload(self, time: int, chain: _Chain, length: int, asked: int) -> None:
        if self._max_read is not None:
            needed = chain.length if chain.length <= self._max_read else 0
        else:
            needed = length if length else chain.length
        done = chain.length - chain.missing
        if done < needed:
            self._bad(
                time, "used before payload",
                f"buffer id {chain.buffer_id} is used with {done} of {needed} bytes transferred",
            )  # fmt: skip
        elif self._receives and chain.touched > asked:
            self._bad(
                time, "used before payload",
                f"buffer id {chain.buffer_id}: used entry asked for before its payload was in memory",
            )  # fmt: skip

    # ------------------------------------------------------------------ event suppression

    def event_write(self, time: int, address: int, data: bytes) -> None:
        """A write to the device event suppression structure."""
        self._tally.counts["ring rules"] += 1
        flags = int.from_bytes(data[2:4], "little")
        if (
            address != self.device_event
            or len(data) != EVENT_BYTES
            or data[:2] != b"\0\0"
            or flags not in (EventFlag.ENABLE, EventFlag.DISABLE)
        ):
            self._bad(time, "event suppression", f"{data.hex()} written at {address - self.device_event:+d}")
            return
        self._disabled = flags == EventFlag.DISABLE
        if not self._disabled:
            self._enabled_at = time

    # ------------------------------------------------------------------ the end

    def stop(self, time: int) -> None:
        """The ring may not be touched any more; what was asked for before may still end."""
        if self.stopped_at is None:
            self.stopped_at = time

    def finish(self, time: int) -> None:
        """The run has ended at `time`, with everything done: the NIC must sleep properly."""
        if self.stopped_at is not None or self.faulty:
            return
        if self._empty:
            if self._disabled:
                self._bad(
                    time,
                    "asleep with notifications disabled",
                    "the ring was found empty, DISABLE still stands",
                )
            elif self._enabled_at is not None and self._looked_at < self._enabled_at:
                self._bad(time, "no last look", "ENABLE was written, and the ring not looked at since")
        waiting = self._empty or self._next == 0
        if waiting and self._kicked_at is not None and self._looked_at < self._kicked_at:
            self._bad(time, "notification ignored", f"the ring was not looked at since {self._kicked_at} ps")
        if not self._receives:
            for chain in self._chains:
                self._bad(
                    time, "chain never used", f"buffer id {chain.buffer_id} was read and not given back"
                )
        if self._open is not None and self._empty:
            self._bad(time, "chain never used", "a chain without end was read")

    def _slot(self, address: int) -> int:
        return (address - self.base) // DESC_BYTES

    def _bad(self, time: int, kind: str, text: str) -> None:
        self._tally.mismatch(time, kind, f"{self._name}: {text}")
