"""Device side of a packed virtqueue (virtio 1.2 §2.8): what the bytes of a ring mean to the device.

`PackedRing` holds the device's two positions in one ring and is fed the descriptors it reads, in ring
order. It does no I/O: the caller reads `slot_address(index)` and passes the bytes to `push`, and writes
what `use` returns. A driver that breaks the rules raises `RingFault`.
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from pymodel.regs import DESC_BYTES, DescFlag

_DESCRIPTOR: Final = struct.Struct("<QIHH")
_NEXT: Final = int(DescFlag.NEXT)
_WRITE: Final = int(DescFlag.WRITE)
_INDIRECT: Final = int(DescFlag.INDIRECT)
_AVAIL: Final = int(DescFlag.AVAIL)
_USED: Final = int(DescFlag.USED)
_BOTH: Final = _AVAIL | _USED


class RingFault(Exception):
    """The driver broke the ring contract: the device sets DEVICE_NEEDS_RESET. `reason` in words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Descriptor(NamedTuple):
    """One buffer of a chain: `length` bytes at bus address `address`."""

    address: int
    length: int


@dataclass(slots=True)
class Chain:
    """A complete descriptor chain, in the order of its buffers.

    `buffer_id` is that of the last descriptor (§2.8.6); `slot` the ring index of the first and `wrap` the
    wrap counter there. `slots`: by how much it advances the ring. `table`: where its descriptors are, if it
    is an indirect one; they are then none until `PackedRing.resolve` has them.
    """

    slot: int
    wrap: bool
    descriptors: list[Descriptor]
    length: int
    buffer_id: int = 0
    slots: int = 0
    table: Descriptor | None = None


class UsedEntry(NamedTuple):
    """A used entry ready to be written: 16 bytes at bus address `address`."""

    address: int
    data: bytes


class PackedRing:
    """One ring of `size` descriptors at `base`; `writable` says which direction its buffers must have.

    `indirect`: may a descriptor point to a table of them (§2.8.7)? The position begins at index 0 with wrap
    counter 1 (§2.8.1).
    """

    __slots__ = ("_chain", "avail_index", "avail_wrap", "base", "indirect", "size", "writable")

    def __init__(self, base: int, size: int, *, writable: bool, indirect: bool = False) -> None:
        self.base = base
        self.size = size
        self.writable = writable
        self.indirect = indirect
        self.avail_index = 0
        self.avail_wrap = True
        self._chain: Chain | None = None

    def slot_address(self, index: int) -> int:
        """Bus address of the ring's slot `index`."""
        return self.base + DESC_BYTES * index

    def available(self, flags: int) -> bool:
        """Is a descriptor with `flags` at the avail position available (§2.8.1)?

        AVAIL must equal the wrap counter and USED must differ from it: zeroed memory is not available.
        """
        return flags & _BOTH == (_AVAIL if self.avail_wrap else _USED)

    @property
    def inside_chain(self) -> bool:
        """Of the chain at the avail position, only the first descriptors were pushed."""
        return self._chain is not None

    def push(self, raw: bytes | memoryview, offset: int = 0) -> tuple[bool, Chain | None]:
        """Take the 16 bytes at the avail position: (was it available, the chain it completed or None).

        Raises `RingFault` for what the contract calls an error: length 0, a wrong direction, a chain of more
        descriptors than the ring has, INDIRECT where it may not be.
        """
        address, length, buffer_id, flags = _DESCRIPTOR.unpack_from(raw, offset)
        if not self.available(flags):
            return False, None
        if length == 0:
            raise RingFault("descriptor of length 0")
        chain = self._chain
        if flags & _INDIRECT:
            if chain is not None:
                raise RingFault("INDIRECT descriptor inside a chain")
            self._check_table(length, flags)
            chain = Chain(self.avail_index, self.avail_wrap, [], 0, buffer_id, 1, Descriptor(address, length))
            self._advance()
            return True, chain
        self._check_direction(flags)
        if chain is None:
            chain = self._chain = Chain(self.avail_index, self.avail_wrap, [], 0)
        chain.descriptors.append(Descriptor(address, length))
        chain.length += length
        chain.slots += 1
        self._advance()
        if flags & _NEXT:
            if chain.slots == self.size:
                raise RingFault(f"chain of more descriptors than the ring's {self.size}")
            return True, None
        chain.buffer_id = buffer_id
        self._chain = None
        return True, chain

    def resolve(self, chain: Chain, table: bytes | memoryview) -> None:
        """Take the descriptors of an indirect `chain` from the bytes of its `table`.

        Of an entry's flags only WRITE counts, and that only where the device writes: a table of what it only
        reads may be marked anyhow (§2.8 has "SHOULD NOT"; DPDK 22.11 marks it so). Raises `RingFault` as
        `push` does.
        """
        for offset in range(0, len(table), DESC_BYTES):
            address, length, _, flags = _DESCRIPTOR.unpack_from(table, offset)
            if length == 0:
                raise RingFault("descriptor of length 0 in an indirect table")
            if self.writable:
                self._check_direction(flags)
            chain.descriptors.append(Descriptor(address, length))
            chain.length += length

    def use(self, chain: Chain, length: int) -> UsedEntry:
        """The used entry that gives `chain` back. It lies in the chain's own first slot, because chains
        are used in the order of the ring.

        `length` is the number of bytes written to the chain (§2.8.7).
        """
        flags = _BOTH if chain.wrap else 0
        if self.writable:
            flags |= _WRITE
        return UsedEntry(self.slot_address(chain.slot), _DESCRIPTOR.pack(0, length, chain.buffer_id, flags))

    def _advance(self) -> None:
        self.avail_index += 1
        if self.avail_index == self.size:
            self.avail_index = 0
            self.avail_wrap = not self.avail_wrap

    def _check_table(self, length: int, flags: int) -> None:
        if not self.indirect:
            raise RingFault("INDIRECT descriptor, which was not negotiated")
        if flags & _NEXT:
            raise RingFault("INDIRECT together with NEXT")
        if length % DESC_BYTES:
            raise RingFault(f"indirect table of {length} bytes, no multiple of {DESC_BYTES}")
        if length > DESC_BYTES * self.size:
            raise RingFault(f"indirect table of more descriptors than the ring's {self.size}")

    def _check_direction(self, flags: int) -> None:
        if bool(flags & _WRITE) != self.writable:
            raise RingFault(
                "device-readable descriptor in an RX chain"
                if self.writable
                else "device-writable descriptor in a TX chain"
            )
