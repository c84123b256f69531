"""Does the NIC keep the rules of the packed ring (virtio 1.2 §2.8) and of its memory?

Independent of the golden model: it reads the rings from what the NIC itself read, counts descriptors
without end (position p is slot p mod size, and the wrap counter is 1 in even laps), and keeps for each
chain what was done to it. It knows nothing of frames. Each broken rule is a mismatch of a fixed kind:

`descriptor used twice`, `used entry unknown`, `used entry slot`, `wrap error`, `used entry torn`,
`used before payload`, `write outside buffers`, `access to stopped ring`, `event suppression`,
`used entry flags`, `asleep with notifications disabled`, `no last look`, `notification ignored`,
`chain never used`.
"""

from collections import deque
from typing import Final

from pymodel.regs import DESC_BYTES, EVENT_BYTES, DescFlag, EventFlag
from pymodel.simtime import US
from tb.lockstep.buffers import Buffer, ChainRecord
from tb.lockstep.tally import Tally

LONGEST: Final = 12 * US
"""How long after a queue was stopped what had begun may go on (ps) while the device has not said that it has
ended: the rest of the longest frame in slow memory. Far longer, and the memory may be another ring's."""

PREFETCHED: Final = 64 - 8
"""With more descriptors than this in hand the NIC need not look for others (fdw_ring_fetch: DEPTH, BURST)."""

_NEXT: Final = int(DescFlag.NEXT)
_WRITE: Final = int(DescFlag.WRITE)
_INDIRECT: Final = int(DescFlag.INDIRECT)
_AVAIL: Final = int(DescFlag.AVAIL)
_USED: Final = int(DescFlag.USED)
_REMEMBERED: Final = 64
_WRAP: Final = 0x8000


class QueueProtocol:
    """The rules of one life of one ring, from the moment it runs until it is stopped.

    `base`, `size`, `driver_event`, `device_event`: its areas. `receives`: its buffers are written.
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
        receives: bool,
        indirect: bool = False,
        event_idx: bool = False,
    ) -> None:
        self.base = base
        self.end = base + DESC_BYTES * size
        self.size = size
        self.driver_event = driver_event
        self.device_event = device_event
        self.stopped_at: int | None = None
        self.ended_at: int | None = None
        """When the device said that nothing is under way any more."""
        self.faulty = False
        """A transfer failed or a descriptor is bad: the device may leave everything as it is."""
        self.passed = 0
        """Slots that the driver sees as used, from the first on without a gap."""
        self.entries = 0
        """Used entries written."""
        self._tally = tally
        self._name = name
        self._receives = receives
        self._indirect = indirect
        self._event_idx = event_idx
        self._next = 0
        self._ahead: dict[int, int] = {}
        """Used entries behind a gap: position → slots."""
        self._open: ChainRecord | None = None
        self._chains: list[ChainRecord] = []
        self._tables: deque[ChainRecord] = deque()
        self._recent: list[int] = []
        self._clock = 0
        self._used_requests: deque[int] = deque()
        self._read_requests: deque[int] = deque()
        self._disabled = False
        self._empty = False
        self._looked_at = 0
        self._enabled_at: int | None = None
        self._kicked_at: int | None = None

    def join(self, position: int) -> None:
        """Everything before `position` has been used."""
        self._next = self.passed = position

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
        if self.stopped_at is None:
            return
        last = self.stopped_at + LONGEST if self.ended_at is None else self.ended_at
        if time > last:
            self._bad(time, "access to stopped ring", f"{what} was accessed")

    def tables(self) -> list[tuple[int, int]]:
        """Start and end of the indirect tables that were not read whole yet."""
        return [(chain.table.start, chain.table.end) for chain in self._tables if chain.table is not None]

    def reads_table(self, address: int) -> bool:
        """May a read at `address` be one of an indirect table of this ring?"""
        return bool(self._tables) and any(chain.reads(address) for chain in self._tables)

    # ------------------------------------------------------------------ the driver's side

    def kicked(self, time: int) -> None:
        """The driver notified this queue."""
        self._kicked_at = time

    def failed(self, write: bool) -> None:
        """A burst to the ring was answered with an error."""
        requests = self._used_requests if write else self._read_requests
        if requests:
            requests.popleft()

    def ring_read(self, time: int, address: int, data: bytes) -> None:
        """A burst of descriptors has been read: take those that are next and available."""
        asked = self._read_requests.popleft() if self._read_requests else time
        slot = self._next % self.size
        offset = self.base + DESC_BYTES * slot - address
        if not 0 <= offset < len(data):
            return
        self._looked_at = asked
        while offset < len(data) and address + offset < self.end:
            flags = data[offset + 14] | data[offset + 15] << 8
            wrap = not self._next // self.size & 1
            self._empty = bool(flags & _AVAIL) != wrap or bool(flags & _USED) == wrap
            if self._empty:
                return
            self._take(data, offset, flags)
            offset += DESC_BYTES
            if self._next % self.size == 0:
                return

    def _take(self, data: bytes, offset: int, flags: int) -> None:
        start = int.from_bytes(data[offset : offset + 8], "little")
        length = int.from_bytes(data[offset + 8 : offset + 12], "little")
        chain = self._open
        if chain is None:
            chain = self._open = ChainRecord(self._next)
        if flags & _INDIRECT and self._indirect:
            chain.table = Buffer(start, min(length, DESC_BYTES * self.size))
            self._tables.append(chain)
        else:
            chain.buffers.append(Buffer(start, length))
        chain.slots += 1
        self._next += 1
        if not flags & _NEXT:
            chain.buffer_id = data[offset + 12] | data[offset + 13] << 8
            self._chains.append(chain)
            self._open = None

    # ------------------------------------------------------------------ payload

    def payload_read(self, address: int, data: bytes) -> None:
        """The NIC has read `data`: table entries, or bytes of chains; of several that have the very same
        buffer, the oldest.

        It may begin with a chain whose last descriptors it has not read yet.
        """
        end = address + len(data)
        for chain in self._tables:
            if chain.reads(address):
                chain.read_table(address, data)
        while self._tables and self._tables[0].table is None:
            self._tables.popleft()
        if self._receives:
            return
        touched: list[tuple[int, int]] = []
        for chain in self._known():
            for buffer in chain.buffers:
                place = buffer.start, buffer.end
                if not buffer.whole and buffer.start < end and address < buffer.end and place not in touched:
                    buffer.touch(address, end)
                    touched.append(place)

    def _known(self) -> list[ChainRecord]:
        return self._chains if self._open is None else [*self._chains, self._open]

    def payload_write(self, address: int, data: bytes) -> bool:
        """The NIC has written `data`; False if that is no buffer for it in this queue.

        Any buffer will do, until its chain is used: what is written may be overwritten (cut-through).
        """
        end = address + len(data)
        for chain in self._known() if self._receives else ():
            for buffer in chain.buffers:
                if buffer.start <= address and end <= buffer.end:
                    buffer.store(address, data)
                    self._clock += 1
                    chain.touched = self._clock
                    return True
        return False

    # ------------------------------------------------------------------ used entries

    def used_write(self, time: int, address: int, data: bytes) -> ChainRecord | None:
        """A write to the ring: it must be a used entry that §2.8 allows now. The chain that it gives back."""
        self._tally.counts["ring rules"] += 1
        asked = self._used_requests.popleft() if self._used_requests else self._clock
        if len(data) != DESC_BYTES or (address - self.base) % DESC_BYTES:
            self._bad(
                time, "used entry torn", f"{len(data)} bytes at slot {self._slot(address)} + "
                f"{(address - self.base) % DESC_BYTES}; one aligned write of {DESC_BYTES} expected"
            )  # fmt: skip
            return None
        buffer_id = data[12] | data[13] << 8
        flags = data[14] | data[15] << 8
        chain = self._find(buffer_id, self._slot(address))
        if chain is None:
            kind = "descriptor used twice" if buffer_id in self._recent else "used entry unknown"
            self._bad(time, kind, f"used entry for buffer id {buffer_id} in slot {self._slot(address)}")
            return None
        self._check_entry(time, chain, address, flags)
        self._check_payload(time, chain, int.from_bytes(data[8:12], "little"), asked)
        self._chains.remove(chain)
        self._recent.append(buffer_id)
        if len(self._recent) > _REMEMBERED:
            del self._recent[0]
        self.entries += 1
        self._ahead[chain.position] = chain.slots
        while self.passed in self._ahead:
            self.passed += self._ahead.pop(self.passed)
        return chain

    def _find(self, buffer_id: int, slot: int) -> ChainRecord | None:
        """The chain with that id; in that slot, if there are several because the driver gave it twice."""
        found = [chain for chain in self._chains if chain.buffer_id == buffer_id]
        return next(
            (chain for chain in found if chain.position % self.size == slot), found[0] if found else None
        )

    def _check_entry(self, time: int, chain: ChainRecord, address: int, flags: int) -> None:
        """Chains are used in the order of the ring, so each entry belongs into its chain's first slot."""
        slot, expected = self._slot(address), chain.position % self.size
        if slot != expected:
            self._bad(
                time, "used entry slot", f"buffer id {chain.buffer_id} in slot {slot}, {expected} expected"
            )
        wrap = not chain.position // self.size & 1
        if bool(flags & _AVAIL) != wrap or bool(flags & _USED) != wrap:
            self._bad(time, "wrap error", f"flags {flags:#06x} in slot {slot}, wrap counter {int(wrap)}")
        if bool(flags & _WRITE) != self._receives:
            self._bad(
                time, "used entry flags", f"WRITE is wrong in {flags:#06x} for buffer id {chain.buffer_id}"
            )

    def _check_payload(self, time: int, chain: ChainRecord, length: int, asked: int) -> None:
        if not self._receives:
            return
        missing = chain.missing(length)
        if missing:
            self._bad(
                time, "used before payload",
                f"buffer id {chain.buffer_id} is used with {length - missing} of {length} bytes transferred",
            )  # fmt: skip
        elif length > chain.length:
            self._bad(
                time, "used before payload",
                f"buffer id {chain.buffer_id} has {chain.length} bytes, and is used with {length}",
            )  # fmt: skip
        elif chain.touched > asked:
            self._bad(
                time, "used before payload",
                f"buffer id {chain.buffer_id}: used entry asked for before its payload was in memory",
            )  # fmt: skip

    # ------------------------------------------------------------------ event suppression

    def event_write(self, time: int, address: int, data: bytes) -> None:
        """A write to the device event suppression structure."""
        self._tally.counts["ring rules"] += 1
        if address != self.device_event or len(data) != EVENT_BYTES:
            self._bad(time, "event suppression", f"{data.hex()} written at {address - self.device_event:+d}")
            return
        named = int.from_bytes(data[:2], "little")
        flags = int.from_bytes(data[2:], "little")
        if self._event_idx:
            wrap = not self._next // self.size & 1
            expected = self._next % self.size | _WRAP * wrap
            right = (named, flags) == (expected, EventFlag.DESC)
            wanted = f"DESC with {expected:#06x}"
        else:
            right = not named and flags in (EventFlag.ENABLE, EventFlag.DISABLE)
            wanted = "ENABLE or DISABLE"
        if not right:
            self._bad(time, "event suppression", f"{data.hex()} written, {wanted} expected")
            return
        self._disabled = flags == EventFlag.DISABLE
        if not self._disabled:
            self._enabled_at = time

    # ------------------------------------------------------------------ the end

    def stop(self, time: int) -> None:
        """The ring may not be touched any more; what was asked for before may still end."""
        if self.stopped_at is None:
            self.stopped_at = time

    def ended(self, time: int) -> None:
        """The device has said that nothing of what was asked for before is under way any more."""
        if self.stopped_at is not None:
            self.ended_at = time

    def finish(self, time: int) -> None:
        """The run has ended at `time`, with everything done: the NIC must sleep properly."""
        if self.stopped_at is not None or self.faulty:
            return
        # How many descriptors the NIC can store is its own affair: it looks again when some are used.
        stocked = sum(len(chain.buffers) for chain in self._known()) > PREFETCHED
        if self._empty and not stocked:
            if self._disabled:
                self._bad(
                    time,
                    "asleep with notifications disabled",
                    "the ring was found empty, DISABLE still stands",
                )
            elif self._enabled_at is not None and self._looked_at < self._enabled_at:
                self._bad(time, "no last look", "ENABLE was written, and the ring not looked at since")
        waiting = (self._empty and not stocked) or self._next == 0
        if waiting and self._kicked_at is not None and self._looked_at < self._kicked_at:
            self._bad(time, "notification ignored", f"the ring was not looked at since {self._kicked_at} ps")
        if not self._receives:
            for chain in self._chains:
                self._bad(
                    time, "chain never used", f"buffer id {chain.buffer_id} was read and not given back"
                )
        if self._ahead:
            self._bad(time, "chain never used", f"{len(self._ahead)} used entries stand behind a gap")
        if self._open is not None and self._empty:
            self._bad(time, "chain never used", "a chain without end was read")

    def _slot(self, address: int) -> int:
        return (address - self.base) // DESC_BYTES

    def _bad(self, time: int, kind: str, text: str) -> None:
        self._tally.mismatch(time, kind, f"{self._name}: {text}")
