"""Driver side of a packed virtqueue (virtio 1.2 §2.8): one ring of descriptors in host memory.

`PackedRing.add` makes a chain of buffers available, `PackedRing.get_used` takes back what the device has
used. The ring knows no device: who adds asks `should_notify` afterwards and writes the doorbell.
With INDIRECT_DESC a chain of several buffers goes into a table of its own and takes one slot (§2.8.7);
EVENT_IDX is `pymodel.driver.notify`'s matter. Behind an IOMMU the ring maps its areas for the device, and
each chain's buffers for as long as it is out (as Linux's virtio_ring.c does with ACCESS_PLATFORM, §6.1).
"""

import struct
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from pymodel.driver.errors import RingError, RingFull
from pymodel.driver.notify import Suppression, off_wrap
from pymodel.hostmem import HostMemory
from pymodel.iommu import DmaDirection
from pymodel.regs import DESC_BYTES, EVENT_BYTES, Desc, DescFlag

__all__ = ["MAX_QUEUE_SIZE", "PackedRing", "Segment"]

MAX_QUEUE_SIZE: Final = 1 << 15
"""§2.8: the limit of a packed virtqueue."""

Segment = tuple[int, int]
"""Bus address and length (> 0) of one buffer."""

_DESC = struct.Struct("<QIHH")  # addr, len, id, flags
_BODY = struct.Struct("<QIH")  # the same without flags
_U16 = struct.Struct("<H")

# Plain ints: IntFlag arithmetic would cost more than the rest of `add`.
_NEXT = int(DescFlag.NEXT)
_WRITE = int(DescFlag.WRITE)
_INDIRECT = int(DescFlag.INDIRECT)
_AVAIL = int(DescFlag.AVAIL)
_USED = int(DescFlag.USED)
_BOTH = _AVAIL | _USED
_FLAGS_AT = int(Desc.FLAGS)

T = TypeVar("T")


class _Table:
    """Memory for an indirect table, kept for the next chain with the same buffer id."""

    __slots__ = ("address", "entries", "window")

    def __init__(self, memory: HostMemory, entries: int) -> None:
        self.address = memory.alloc(entries * DESC_BYTES, DESC_BYTES)
        self.entries = entries
        self.window = memory.slice(self.address, entries * DESC_BYTES)


class PackedRing(Generic[T]):
    """A ring of `size` descriptors (1…32768, any number), zeroed, in `memory`.

    `indirect`, `event_idx`: the features INDIRECT_DESC and EVENT_IDX were negotiated. `desc_address`,
    `driver_address`, `device_address`: bus addresses of the three areas (§2.8). `free`: slots that can be
    taken. A chain carries a token of type T (not None), which comes back when it is used.
    """

    __slots__ = (
        "_added",
        "_avail_flags",
        "_avail_index",
        "_counts",
        "_device_event",
        "_driver_event",
        "_ids",
        "_iommu",
        "_mapped",
        "_memory",
        "_ring",
        "_tables",
        "_tokens",
        "_used_flags",
        "_used_index",
        "desc_address",
        "device_address",
        "driver_address",
        "free",
        "indirect",
        "size",
    )

    def __init__(
        self, memory: HostMemory, size: int, *, indirect: bool = False, event_idx: bool = False
    ) -> None:
        if not 1 <= size <= MAX_QUEUE_SIZE:
            raise ValueError(f"a packed ring of {size} descriptors; 1…{MAX_QUEUE_SIZE} is legal")
        self.size = size
        self.indirect = indirect
        self._memory = memory
        self.desc_address = memory.alloc(size * DESC_BYTES, DESC_BYTES)
        self.driver_address = memory.alloc(EVENT_BYTES)
        self.device_address = memory.alloc(EVENT_BYTES)
        self._ring = memory.slice(self.desc_address, size * DESC_BYTES)
        self._driver_event = Suppression(memory.slice(self.driver_address, EVENT_BYTES), event_idx=event_idx)
        self._device_event = Suppression(memory.slice(self.device_address, EVENT_BYTES), event_idx=event_idx)
        self._tables: dict[int, _Table] = {}
        self._iommu = memory.iommu
        self._mapped: dict[int, list[tuple[int, int, DmaDirection]]] = {}
        """By buffer id, behind an IOMMU: what was mapped for the chain."""
        if self._iommu is not None:
            for area in self._areas():
                self._iommu.dma_map(*area)
        self._start()

    def _areas(self) -> tuple[tuple[int, int, DmaDirection], ...]:
        """What the device reaches as long as there is the ring (Linux: dma_alloc_coherent)."""
        return (
            (self.desc_address, self.size * DESC_BYTES, DmaDirection.BIDIRECTIONAL),
            (self.driver_address, EVENT_BYTES, DmaDirection.TO_DEVICE),
            (self.device_address, EVENT_BYTES, DmaDirection.FROM_DEVICE),
        )

    def _start(self) -> None:
        """The state of §2.8.1: everything zero, both wrap counters 1."""
        self._ring[:] = bytes(len(self._ring))
        self._driver_event.clear()
        self._device_event.clear()
        self.free = self.size
        self._avail_index = 0
        self._avail_flags = _AVAIL  # wrap counter 1: AVAIL set, USED the inverse
        self._used_index = 0
        self._used_flags = _BOTH  # wrap counter 1: a used entry has both set
        self._added = 0
        self._ids = list(range(self.size - 1, -1, -1))
        self._tokens: list[T | None] = [None] * self.size
        self._counts = [0] * self.size

    def slots(self, count: int) -> int:
        """How many slots a chain of `count` buffers takes, if memory for a table can be had."""
        return 1 if self.indirect and 1 < count <= self.size else count

    def add(self, token: T, readable: Sequence[Segment], writable: Sequence[Segment] = ()) -> int:
        """Make one chain available: device-readable buffers, then device-writable ones (§2.8.19.1 order).

        Returns its buffer id. Raises RingFull when it takes more slots than are `free`, ValueError when
        it has no buffer or one of length 0 (§2.8.9 lets no such element in; the device would break).
        """
        count = len(readable) + len(writable)
        if count == 1:
            ((address, length),) = readable or writable
            if length <= 0:
                raise ValueError(f"a buffer of {length} bytes at {address:#x}")
            if self._iommu is not None and self.free:
                self._map(readable, writable)
            return self._add_slot(token, address, length, 0 if readable else _WRITE)
        if self.slots(count) > self.free:
            raise RingFull(f"a chain of {count} descriptors; {self.free} of {self.size} are free")
        if not count:
            raise ValueError("a chain without buffers")
        for address, length in (*readable, *writable):
            # Before the first store: a half-written chain would look available behind the next one.
            if length <= 0:
                raise ValueError(f"a buffer of {length} bytes at {address:#x}")
        if self.indirect and count <= self.size:
            table = self._table(count)
            if table is not None:
                if self._iommu is not None:
                    self._map((*readable, (table.address, count * DESC_BYTES)), writable)
                return self._add_table(token, table, readable, writable)
            if count > self.free:
                raise RingFull(f"no memory for a table of {count}; {self.free} of {self.size} slots are free")
        if self._iommu is not None:
            self._map(readable, writable)
        ring = self._ring
        size = self.size
        ident = self._ids.pop()
        head = index = self._avail_index
        flags = self._avail_flags
        head_flags = 0
        left = count
        kind = 0
        for segments in (readable, writable):
            for address, length in segments:
                left -= 1
                bits = flags | kind | _NEXT if left else flags | kind
                if index == head:
                    _BODY.pack_into(ring, index * DESC_BYTES, address, length, ident)
                    head_flags = bits
                else:
                    _DESC.pack_into(ring, index * DESC_BYTES, address, length, ident, bits)
                index += 1
                if index == size:
                    index = 0
                    flags ^= _BOTH
            kind = _WRITE
        self._tokens[ident] = token
        self._counts[ident] = count
        self._avail_index = index
        self._avail_flags = flags
        self.free -= count
        self._added += count
        # §2.8.19.2: the head's flags are the last store; the device sees the whole chain or none of it.
        _U16.pack_into(ring, head * DESC_BYTES + _FLAGS_AT, head_flags)
        return ident

    def _map(self, readable: Sequence[Segment], writable: Sequence[Segment]) -> None:
        """Let the device reach the next chain's buffers (Linux: dma_map_single)."""
        assert self._iommu is not None
        mapped = [(*segment, DmaDirection.TO_DEVICE) for segment in readable]
        mapped += [(*segment, DmaDirection.FROM_DEVICE) for segment in writable]
        for mapping in mapped:
            self._iommu.dma_map(*mapping)
        self._mapped[self._ids[-1]] = mapped

    def _unmap(self, ident: int) -> None:
        """The chain is out no longer (Linux: dma_unmap_single)."""
        assert self._iommu is not None
        for mapping in self._mapped.pop(ident):
            self._iommu.dma_unmap(*mapping)

    def _table(self, entries: int) -> _Table | None:
        """The table of the next buffer id, for at least `entries`; None when host memory is full."""
        ident = self._ids[-1]
        table = self._tables.get(ident)
        if table is not None and table.entries >= entries:
            return table
        try:
            larger = _Table(self._memory, entries)
        except MemoryError:
            return None
        if table is not None:
            self._memory.free(table.address)
        self._tables[ident] = larger
        return larger

    def _add_table(
        self, token: T, table: _Table, readable: Sequence[Segment], writable: Sequence[Segment]
    ) -> int:
        at = 0
        kind = 0
        for segments in (readable, writable):
            for address, length in segments:
                _DESC.pack_into(table.window, at, address, length, 0, kind)
                at += DESC_BYTES
            kind = _WRITE
        return self._add_slot(token, table.address, at, _INDIRECT)

    def _add_slot(self, token: T, address: int, length: int, kind: int) -> int:
        """A chain of one slot."""
        if not self.free:
            raise RingFull(f"a chain of 1 descriptor; 0 of {self.size} are free")
        ident = self._ids.pop()
        index = self._avail_index
        offset = index * DESC_BYTES
        flags = self._avail_flags | kind
        _BODY.pack_into(self._ring, offset, address, length, ident)
        self._tokens[ident] = token
        self._counts[ident] = 1
        index += 1
        if index == self.size:
            index = 0
            self._avail_flags ^= _BOTH
        self._avail_index = index
        self.free -= 1
        self._added += 1
        _U16.pack_into(self._ring, offset + _FLAGS_AT, flags)
        return ident

    @property
    def outstanding(self) -> int:
        """Chains that the device has and has not given back."""
        return self.size - len(self._ids)

    def has_used(self) -> bool:
        """The device has used a chain that `get_used` has not returned yet."""
        flags: int = _U16.unpack_from(self._ring, self._used_index * DESC_BYTES + _FLAGS_AT)[0]
        return flags & _BOTH == self._used_flags

    def get_used(self) -> tuple[T, int] | None:
        """The next used chain: its token and the length that the device reports; None if there is none.

        Raises RingError when the entry names a chain that is not out.
        """
        offset = self._used_index * DESC_BYTES
        if _U16.unpack_from(self._ring, offset + _FLAGS_AT)[0] & _BOTH != self._used_flags:
            return None
        # The flags were read first: id and length of a used entry are valid once its flags are (§2.8.6).
        _, length, ident = _BODY.unpack_from(self._ring, offset)
        token = self._tokens[ident] if ident < self.size else None
        if token is None:
            raise RingError(f"used entry {self._used_index} names buffer id {ident}, which is not out")
        count = self._counts[ident]
        if self._iommu is not None:
            self._unmap(ident)
        self._tokens[ident] = None
        self._ids.append(ident)
        self.free += count
        index = self._used_index + count
        if index >= self.size:
            index -= self.size
            self._used_flags ^= _BOTH
        self._used_index = index
        return token, length

    @property
    def place(self) -> int:
        """The slot that the next chain begins in, and its wrap counter in bit 15 (§2.8.10)."""
        return off_wrap(self._avail_index, bool(self._avail_flags & _AVAIL))

    def should_notify(self) -> bool:
        """After `add`: does the device want a notification? (§2.8.10, device event suppression.)

        False also when nothing was added since the last call.
        """
        added = self._added
        if not added:
            return False
        self._added = 0
        return self._device_event.wants(self.size, self.place, added)

    def disable_interrupts(self) -> None:
        """Ask the device for no used-buffer notifications; a hint, some may still come (§2.8.10)."""
        self._driver_event.disable()

    def enable_interrupts(self, *, delayed: bool = False) -> bool:
        """Ask for a notification of the next used chain. True: one was used meanwhile, and will not be.

        `delayed`: with EVENT_IDX only when three quarters of the slots that are out have been used (Linux:
        virtqueue_enable_cb_delayed).
        """
        index = self._used_index + ((self.size - self.free) * 3 // 4 if delayed else 0)
        wrap = bool(self._used_flags & _AVAIL)
        if index >= self.size:
            index -= self.size
            wrap = not wrap
        self._driver_event.enable(off_wrap(index, wrap))
        return self.has_used()

    def reset(self) -> list[T]:
        """After a device reset: start over with an empty ring. The tokens of the chains that were out."""
        tokens = [token for token in self._tokens if token is not None]
        for ident in list(self._mapped):
            self._unmap(ident)
        self._start()
        return tokens

    def release(self) -> None:
        """Give the memory back. Only after the device was reset, with no chain out: else RuntimeError."""
        if self.outstanding:
            raise RuntimeError(f"{self.outstanding} chains are still out")
        for area in self._areas():
            if self._iommu is not None:
                self._iommu.dma_unmap(*area)
            self._memory.free(area[0])
        for table in self._tables.values():
            self._memory.free(table.address)
        self._tables.clear()
