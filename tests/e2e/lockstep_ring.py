"""Driver side of one packed virtqueue, written from virtio 1.2 §2.8 alone, for a driver with odd habits.

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


@dataclass(slots=True)
class Piece:
    """One descriptor: `length` bytes at `address`, `extra` flags or-ed in; `block` is what was allocated."""

    address: int
    length: int
    extra: int = 0
    block: int = 0


@dataclass(slots=True)
class Chain:
    """A chain that is out. `what`: the owner's note about its content."""

    pieces: list[Piece]
    what: object = None
    ident: int = 0


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

    def __init__(self, memory: HostMemory, rng: random.Random, size: int, *, receives: bool) -> None:
        self.memory, self.size, self.receives = memory, size, receives
        self._rng = rng
        self._blocks: list[int] = []
        self.desc = self._area(16 * size, 16)
        layout = rng.randrange(3)
        if layout == 0:  # both event structures in one line of 16 bytes
            line = self._area(16, 16)
            first, second = rng.sample(range(0, 16, 4), 2)
            self.driver, self.device = line + first, line + second
        else:
            self.driver = self._area(64, 16) + rng.randrange(0, 64, 4)
            self.device = self._area(64, 16) + rng.randrange(0, 64, 4)
        self.out: dict[int, Chain] = {}
        self.free = size
        self._next, self._wrap = 0, True
        self._used_next, self._used_wrap = 0, True
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
            shown = min(length, 2048)
            self.memory.write(piece.address - 16, _GUARD + b"\xa5" * shown)
            self.memory.write(piece.address + length, _GUARD)
        return piece

    def release(self, chain: Chain) -> None:
        """Free the buffers of `chain`."""
        for piece in chain.pieces:
            if piece.block:
                self.memory.free(piece.block)

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
        bodies: list[tuple[int, bytes]] = []
        heads: list[tuple[int, bytes]] = []
        for chain in chains:
            chain.ident = self._unused_id()
            self.out[chain.ident] = chain
            self.free -= len(chain.pieces)
            for number, piece in enumerate(chain.pieces):
                last = number == len(chain.pieces) - 1
                flags = piece.extra ^ (WRITE if self.receives else 0)
                flags |= 0 if last else NEXT
                flags |= AVAIL if self._wrap else USED
                # §2.8.6: the id counts in the last descriptor only; elsewhere it is anything.
                ident = chain.ident if last else rng.randrange(1 << 16)
                raw = _DESCRIPTOR.pack(piece.address, piece.length, ident, flags)
                slot = self.desc + 16 * self._next
                if number:
                    bodies.append((slot, raw))
                else:
                    bodies.append((slot, raw[:14]))
                    heads.append((slot + 14, raw[14:]))
                self._next += 1
                if self._next == self.size:
                    self._next, self._wrap = 0, not self._wrap
        rng.shuffle(bodies)
        if rng.random() < 0.3:
            rng.shuffle(heads)
        return Publication(bodies + heads)

    def _unused_id(self) -> int:
        while True:
            ident = self._rng.randrange(1 << 16) if self._rng.random() < 0.5 else self._rng.randrange(4)
            if ident not in self.out:
                return ident
            if len(self.out) >= 4:
                ident = self._rng.randrange(1 << 16)
                if ident not in self.out:
                    return ident

    # ------------------------------------------------------------------ used

    def used(self) -> Used | None:
        """Take the next used entry, None when there is none. AssertionError for one that cannot be."""
        raw = self.memory.read(self.desc + 16 * self._used_next, 16)
        address, length, ident, flags = _DESCRIPTOR.unpack(raw)
        if bool(flags & AVAIL) != self._used_wrap or bool(flags & USED) != self._used_wrap:
            return None
        assert ident in self.out, f"used entry for id {ident}, which is not out"
        chain = self.out.pop(ident)
        self.free += len(chain.pieces)
        self._used_next += len(chain.pieces)
        if self._used_next >= self.size:
            self._used_next, self._used_wrap = self._used_next - self.size, not self._used_wrap
        return Used(chain, length, flags & ~(AVAIL | USED), address)

    # ------------------------------------------------------------------ event suppression

    def suppress(self, flags: int) -> None:
        """Write the driver event suppression structure; its offset, which counts with DESC only, is noise."""
        self.memory.write(self.driver, self._rng.randbytes(2) + flags.to_bytes(2, "little"))

    @property
    def wants_notification(self) -> bool:
        """Does the device event suppression structure ask for notifications?"""
        return int.from_bytes(self.memory.read(self.device + 2, 2), "little") & 3 != DISABLE
