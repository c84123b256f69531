"""What the ring and whole-NIC tests share: host memory behind AXI4, and the driver's side of a packed ring.

Memory is behind `tb.buses.memory`, the ring is written from virtio 1.2 §2.8 alone: neither shares anything
with the design or with pymodel.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from clocked import now

BASE = 0x7_6543_0000
"""Bus address of the first byte of host memory: bits above 32 are in use, so that a lost one shows."""

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
ENABLE, DISABLE, DESC = 0, 1, 2


class Access(NamedTuple):
    """One beat of a DMA access: `cycle` is when the memory was read or changed."""

    cycle: int
    write: bool
    address: int
    data: bytes


class HostRam:
    """`size` bytes at BASE, logging every access. `hooks`: word address → called just after it was read.

    An access outside of it, or to a word in `forbidden`, is answered SLVERR and kept in `failed`. A write to
    a byte the device was not given (`give`, `take_back`) is answered so, too, and kept in `stray`.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.bytes = bytearray(size)
        self.log: list[Access] = []
        self.failed: list[int] = []
        self.stray: list[tuple[int, bytes]] = []
        self.forbidden: set[int] = set()
        self._given = bytearray(size)
        self.hooks: dict[int, Callable[[], None]] = {}
        self._top = 0

    def alloc(self, size: int, align: int = 16, offset: int = 0) -> int:
        """Bus address of `size` fresh bytes, `offset` bytes behind a multiple of `align`."""
        start = (self._top + align - 1) // align * align + offset
        self._top = start + size
        assert self._top <= self.size, "the test's memory is too small"
        return BASE + start

    def peek(self, address: int, length: int) -> bytes:
        return bytes(self.bytes[address - BASE : address - BASE + length])

    def poke(self, address: int, data: bytes) -> None:
        assert 0 <= address - BASE <= self.size - len(data)
        self.bytes[address - BASE : address - BASE + len(data)] = data

    def give(self, address: int, length: int) -> None:
        """The device may write these bytes from now on."""
        self._given[address - BASE : address - BASE + length] = b"\1" * length

    def take_back(self, address: int = BASE, length: int | None = None) -> None:
        """The device may not write these bytes (all, by default) any more."""
        length = self.size if length is None else length
        self._given[address - BASE : address - BASE + length] = bytes(length)

    def _check(self, address: int, length: int) -> None:
        word = address & ~15
        if not BASE <= address <= BASE + self.size - length or word in self.forbidden:
            self.failed.append(address)
            raise ValueError(f"no memory at {address:#x}")

    async def read(self, address: int, length: int) -> bytes:
        self._check(address, length)
        data = self.peek(address, length)
        self.log.append(Access(now(), False, address, data))
        hook = self.hooks.pop(address, None)
        if hook is not None:
            hook()
        return data

    async def write(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        if not all(self._given[address - BASE : address - BASE + len(data)]):
            self.stray.append((address, bytes(data)))
            raise ValueError(f"{address:#x} is not the device's to write")
        self.log.append(Access(now(), True, address, bytes(data)))
        self.poke(address, data)

    def accesses(self, write: bool, address: int, length: int) -> list[Access]:
        """Logged accesses that touch `length` bytes at `address`."""
        return [
            a for a in self.log
            if a.write == write and a.address < address + length and address < a.address + len(a.data)
        ]  # fmt: skip


class Used(NamedTuple):
    id: int
    length: int
    flags: int
    slot: int


class DriverRing:
    """The driver's side of one packed virtqueue (§2.8) of `size` descriptors in `ram`."""

    def __init__(self, ram: HostRam, size: int, offset: int = 0) -> None:
        """`offset`: bytes (a multiple of 16) by which the ring is off a 4 KiB boundary."""
        self.ram = ram
        self.size = size
        self.ring = ram.alloc(16 * size, 4096, offset)
        self.driver_area = ram.alloc(4, 4)
        self.device_area = ram.alloc(4, 4)
        self.free = size
        self._avail = 0
        self._avail_wrap = True
        self._used = 0
        self._used_wrap = True
        self._since_kick: list[int] = []
        self._counts: dict[int, int] = {}
        self._ids = deque(range(size))
        ram.poke(self.ring, bytes(16 * size))
        self.suppress(ENABLE)
        ram.poke(self.device_area, bytes(4))
        ram.give(self.ring, 16 * size)
        ram.give(self.device_area, 4)

    def suppress(self, flags: int, off_wrap: int = 0) -> None:
        """Set the driver event suppression structure (§2.8.10)."""
        self.ram.poke(self.driver_area, struct.pack("<HH", off_wrap, flags))

    @property
    def wants_kick(self) -> bool:
        """What the device event suppression structure says."""
        off_wrap, flags = struct.unpack("<HH", self.ram.peek(self.device_area, 4))
        assert off_wrap == 0 and flags in (ENABLE, DISABLE), f"the device wrote {off_wrap:#x}, {flags:#x}"
        return bool(flags == ENABLE)

    def needs_kick(self) -> bool:
        """With EVENT_IDX (§2.8.10): must the driver kick for what it has added since it asked last?"""
        off_wrap, flags = struct.unpack("<HH", self.ram.peek(self.device_area, 4))
        assert flags in (ENABLE, DESC), f"the device wrote flags {flags}"
        added, self._since_kick = self._since_kick, []
        return bool(added) and (flags == ENABLE or off_wrap in added)

    @property
    def here(self) -> int:
        """The next slot to be made available, and its wrap counter, as an off_wrap."""
        return self._avail | int(self._avail_wrap) << 15

    def slot(self, index: int) -> int:
        return self.ring + 16 * index

    def add(self, chain: Sequence[tuple[int, int, int]], extra: int = 0) -> tuple[int, Callable[[], None]]:
        """Write a chain of (address, length, flags) but its head's flags (§2.8.21): (id, publish).

        `publish()` makes it available. `extra` flags go into the last descriptor.
        """
        assert 0 < len(chain) <= self.free, "no room in the ring"
        head = self._avail
        chain_id = self._ids.popleft()
        head_flags = 0
        for n, (address, length, flags) in enumerate(chain):
            flags |= AVAIL if self._avail_wrap else USED
            flags |= NEXT if n + 1 < len(chain) else extra
            # The id counts in the last descriptor only (§2.8.6): another one elsewhere must not matter.
            ident = chain_id if n + 1 == len(chain) else 0xDEAD
            body = struct.pack("<QIH", address, length, ident)
            self.ram.poke(self.slot(self._avail), body)
            if n == 0:
                head_flags = flags
            else:
                self.ram.poke(self.slot(self._avail) + 14, struct.pack("<H", flags))
            self._since_kick.append(self.here)
            self._avail += 1
            if self._avail == self.size:
                self._avail = 0
                self._avail_wrap = not self._avail_wrap
        self.free -= len(chain)
        self._counts[chain_id] = len(chain)

        def publish() -> None:
            self.ram.poke(self.slot(head) + 14, struct.pack("<H", head_flags))

        return chain_id, publish

    def post(self, chain: Sequence[tuple[int, int, int]]) -> int:
        """Make a chain available at once; its id."""
        chain_id, publish = self.add(chain)
        publish()
        return chain_id

    def post_table(self, entries: Sequence[tuple[int, int, int]], address: int, flags: int = 0) -> int:
        """Write a table (§2.8.7) of (address, length, flags) to `address` and post a descriptor of it."""
        rows = (struct.pack("<QIHH", a, n, 0xBEEF, f) for a, n, f in entries)
        self.ram.poke(address, b"".join(rows))
        return self.post([(address, 16 * len(entries), flags | INDIRECT)])

    def release(self, chain_id: int) -> int:
        """Count a chain as given back, whoever did it; how many descriptors it had."""
        count = self._counts.pop(chain_id)
        self._ids.append(chain_id)
        self.free += count
        return count

    def poll(self) -> Iterable[Used]:
        """Take the used entries that are there (§2.8.2); an id that is not out is an assertion."""
        while True:
            address, length, ident, flags = struct.unpack("<QIHH", self.ram.peek(self.slot(self._used), 16))
            avail, used = bool(flags & AVAIL), bool(flags & USED)
            if avail != used or used != self._used_wrap:
                return
            assert address == 0 and ident in self._counts, f"used entry with id {ident} address {address:#x}"
            entry = Used(ident, length, flags, self._used)
            self._used += self.release(ident)
            if self._used >= self.size:
                self._used -= self.size
                self._used_wrap = not self._used_wrap
            yield entry
