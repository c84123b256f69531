"""Driver side of one packed virtqueue, written from virtio 1.2 §2.8 alone, for drivers with odd habits.

It keeps the rules of the ring (a chain's first flags are published last, ids of chains that are out are
distinct) and nothing else: ids are any 16-bit numbers, areas lie anywhere they may, chains are prepared
together and published in any order. Numbers are typed from the specification.
"""

import random
import struct
from dataclasses import dataclass, field

from pymodel.hostmem import HostMemory

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
ENABLE, DISABLE, DESC = 0, 1, 2

_DESCRIPTOR = struct.Struct("<QIHH")
_GUARD = b"\xa5" * 16
_FILLED = 2048


@dataclass(slots=True)
class Piece:
    """One descriptor: `length` bytes at `address`, `extra` flags flipped; `block` is what was allocated."""

    address: int
    length: int
    extra: int = 0
    block: int = 0


@dataclass(slots=True)
class Chain:
    """A chain that is out. `what`: the owner's note about its content; `indirect`: its pieces in a table.

    `extra`: flags flipped in the ring's descriptor of an indirect chain; `table_length`: what that says, if
    not the truth; `table_at`: where the ring says that the table is; `position`: of the chain's first slot,
    counted without end.
    """

    pieces: list[Piece]
    what: object = None
    indirect: bool = False
    extra: int = 0
    table_length: int | None = None
    ident: int = 0
    table: int = 0
    table_at: int = 0
    position: int = 0

    @property
    def slots(self) -> int:
        """Slots of the ring that it takes."""
        return 1 if self.indirect else len(self.pieces)

    @property
    def capacity(self) -> int:
        """Bytes of its buffers."""
        return sum(piece.length for piece in self.pieces)


@dataclass(slots=True)
class Used:
    """A used entry as the device wrote it, with its chain."""

    chain: Chain
    length: int
    flags: int
    address: int


@dataclass(slots=True)
class Publication:
    """The memory writes that make chains available, in an order that §2.8 allows."""

    writes: list[tuple[int, bytes]] = field(default_factory=list)


class Ring:
    """One virtqueue of `size` descriptors; the three areas lie as `rng` likes it."""

    def __init__(
        self, memory: HostMemory, rng: random.Random, size: int, *, receives: bool, event_idx: bool = False
    ) -> None:
        self.memory, self.size, self.receives, self.event_idx = memory, size, receives, event_idx
        self._rng = rng
        self._blocks: list[int] = []
        self.desc = self._area(16 * size, 16)
        if rng.randrange(3) == 0:  # both event structures in one line of 16 bytes
            line = self._area(16, 16)
            first, second = rng.sample(range(0, 16, 4), 2)
            self.driver, self.device = line + first, line + second
        else:
            self.driver = self._area(64, 16) + rng.randrange(0, 64, 4)
            self.device = self._area(64, 16) + rng.randrange(0, 64, 4)
        self.out: dict[int, Chain] = {}
        self.free = size
        self.next = 0
        """The next slot to fill, counted without end: slot `next` % size, wrap counter 1 in even laps."""
        self.used_next = 0
        self._checked = 0
        memory.write(self.driver, bytes(4))
        memory.write(self.device, bytes(4))

    def _area(self, size: int, align: int) -> int:
        slack = 64
        block = self.memory.alloc(size + slack, 64)
        self._blocks.append(block)
        self.memory.write(block, bytes(size + slack))
        return block + self._rng.randrange(0, slack, align)

    def discard(self) -> None:
        """The device is done with it: give all memory back, that of chains still out, too."""
        for chain in self.out.values():
            self.release(chain)
        self.out.clear()
        for block in self._blocks:
            self.memory.free(block)
        self._blocks.clear()

    def wrap(self, position: int) -> bool:
        """The wrap counter of `position`."""
        return position // self.size % 2 == 0

    def slot(self, position: int) -> int:
        """The address of the descriptor at `position`."""
        return self.desc + 16 * (position % self.size)

    # ------------------------------------------------------------------ buffers

    def piece(self, length: int, data: bytes | None = None) -> Piece:
        """A buffer anywhere; `data`, or 0xa5 with as many guard bytes on both sides."""
        rng = self._rng
        offset = 16 + (rng.randrange(16) if rng.random() < 0.9 else rng.randrange(4096))
        block = self.memory.alloc(offset + length + 16, 16)
        piece = Piece(block + offset, length, block=block)
        if data is not None:
            self.memory.write(piece.address, data)
        else:
            self.memory.write(piece.address - 16, _GUARD + b"\xa5" * min(length, _FILLED))
            self.memory.write(piece.address + length, _GUARD)
        return piece

    def release(self, chain: Chain) -> None:
        """Free the buffers of `chain`, and its table."""
        for piece in chain.pieces:
            if piece.block:
                self.memory.free(piece.block)
        if chain.table:
            self.memory.free(chain.table)

    def content(self, chain: Chain, length: int) -> bytes:
        """The first `length` bytes in the buffers of `chain`."""
        parts = []
        for piece in chain.pieces:
            if length <= 0:
                break
            parts.append(self.memory.read(piece.address, min(piece.length, length)))
            length -= piece.length
        return b"".join(parts)

    def guards_intact(self, chain: Chain) -> bool:
        """Nothing was written just outside the buffers of `chain`."""
        return all(
            self.memory.read(p.address - 16, 16) == _GUARD == self.memory.read(p.address + p.length, 16)
            for p in chain.pieces
            if p.block
        )

    # ------------------------------------------------------------------ making available

    def prepare(self, chains: list[Chain]) -> Publication:
        """Take slots for `chains`, in this order; the writes that publish them."""
        rng = self._rng
        early: list[tuple[int, bytes]] = []
        heads: list[tuple[int, bytes]] = []
        for chain in chains:
            chain.ident = self._unused_id()
            chain.position = self.next
            self.out[chain.ident] = chain
            self.free -= chain.slots
            for number, raw in enumerate(self._descriptors(chain)):
                slot = self.slot(self.next)
                if number:
                    early.append((slot, raw))
                else:
                    early.append((slot, raw[:14]))
                    heads.append((slot + 14, raw[14:]))
                self.next += 1
        rng.shuffle(early)
        if rng.random() < 0.3:
            rng.shuffle(heads)
        return Publication(early + heads)

    def _descriptors(self, chain: Chain) -> list[bytes]:
        """What goes into the ring for `chain`; its table, if it has one, is written at once."""
        direction = WRITE if self.receives else 0
        if chain.indirect:
            self._write_table(chain)
            length = 16 * len(chain.pieces) if chain.table_length is None else chain.table_length
            # §2.8.7: the direction is that of the table's entries.
            flags = INDIRECT | self._rng.choice((0, WRITE)) | self._available(0)
            return [_DESCRIPTOR.pack(chain.table_at, length, chain.ident, flags ^ chain.extra)]
        raw = []
        for number, piece in enumerate(chain.pieces):
            last = number == len(chain.pieces) - 1
            flags = direction ^ piece.extra | self._available(number)
            flags |= 0 if last else NEXT
            # §2.8.6: the id counts in the last descriptor only; elsewhere it is anything.
            ident = chain.ident if last else self._rng.randrange(1 << 16)
            raw.append(_DESCRIPTOR.pack(piece.address, piece.length, ident, flags))
        return raw

    def _available(self, ahead: int) -> int:
        return AVAIL if self.wrap(self.next + ahead) else USED

    def _write_table(self, chain: Chain) -> None:
        """WRITE in entries that the device only reads is noise, too: DPDK 22.11 sets it in all of them."""
        rng = self._rng
        offset = rng.choice((0, rng.randrange(16), rng.randrange(4096)))
        size = max(16 * len(chain.pieces), chain.table_length or 0)
        chain.table = self.memory.alloc(offset + max(size, 16), 16)
        chain.table_at = chain.table_at or chain.table + offset
        table = bytearray()
        for piece in chain.pieces:
            noise = rng.choice((0, 0, NEXT, AVAIL, USED | INDIRECT, 0xFFFF & ~WRITE))
            mark = WRITE ^ piece.extra & WRITE if self.receives else rng.choice((0, WRITE))
            flags = mark | noise
            table += _DESCRIPTOR.pack(piece.address, piece.length, rng.randrange(1 << 16), flags)
        self.memory.write(chain.table + offset, bytes(table).ljust(size, b"\x5a"))

    def _unused_id(self) -> int:
        rng = self._rng
        for _ in range(8):
            ident = rng.randrange(1 << 16) if rng.random() < 0.5 else rng.randrange(4)
            if ident not in self.out:
                return ident
        return next(i for i in range(1 << 16) if i not in self.out)

    # ------------------------------------------------------------------ used

    def used(self) -> Used | None:
        """Take the next used entry, None when there is none. AssertionError for one that cannot be."""
        raw = self.memory.read(self.slot(self.used_next), 16)
        address, length, ident, flags = _DESCRIPTOR.unpack(raw)
        wrap = self.wrap(self.used_next)
        if bool(flags & AVAIL) != wrap or bool(flags & USED) != wrap:
            return None
        assert ident in self.out, f"used entry for id {ident}, which is not out"
        chain = self.out.pop(ident)
        self.free += chain.slots
        self.used_next += chain.slots
        return Used(chain, length, flags & ~(AVAIL | USED), address)

    # ------------------------------------------------------------------ event suppression

    def suppress(self, flags: int, position: int | None = None) -> None:
        """Write the driver event suppression structure; without `position`, its offset is noise."""
        named = self._rng.randbytes(2) if position is None else self.named(position)
        self.memory.write(self.driver, named + flags.to_bytes(2, "little"))

    def named(self, position: int) -> bytes:
        """How event suppression names `position` (§2.8.14): offset, and wrap counter in bit 15."""
        return (position % self.size | self.wrap(position) << 15).to_bytes(2, "little")

    def wants_notification(self) -> bool:
        """Does the device want to hear of what was published since this was asked last (§2.8.10)?"""
        first, self._checked = self._checked, self.next
        raw = self.memory.read(self.device, 4)
        flags = int.from_bytes(raw[2:], "little") & 3
        if flags != DESC or not self.event_idx:
            return flags != DISABLE
        return any(self.named(position) == raw[:2] for position in range(first, self.next))
