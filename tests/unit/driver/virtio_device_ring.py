"""The device's side of a packed virtqueue, for tests: written from virtio 1.2 §2.8, by the test's own hand.

It shares no line with the driver or the golden NIC. It may use chains in any order, as a device without
IN_ORDER may.
"""

from dataclasses import dataclass

from pymodel.hostmem import HostMemory

NEXT, WRITE, INDIRECT = 1, 2, 4
AVAIL, USED = 1 << 7, 1 << 15


@dataclass
class Chain:
    """One fetched chain: its buffer id, (address, length, writable) of each buffer, and its slots."""

    ident: int
    buffers: list[tuple[int, int, bool]]
    slots: int


class DeviceRing:
    """Fetches chains in ring order, writes used entries in the order asked for."""

    def __init__(
        self,
        memory: HostMemory,
        desc: int,
        driver: int,
        device: int,
        size: int,
        *,
        indirect: bool = False,
        event_idx: bool = False,
    ) -> None:
        self.memory = memory
        self.indirect, self.event_idx = indirect, event_idx
        self.passed: list[int] = []  # places used since the driver was last asked, as off_wrap
        self.desc, self.driver, self.device, self.size = desc, driver, device, size
        self.avail_at, self.avail_wrap = 0, True
        self.used_at, self.used_wrap = 0, True

    def _descriptor(self, index: int) -> tuple[int, int, int, int]:
        return self._at(self.desc + 16 * index)

    def _at(self, address: int) -> tuple[int, int, int, int]:
        raw = self.memory.read(address, 16)
        return (
            int.from_bytes(raw[0:8], "little"),
            int.from_bytes(raw[8:12], "little"),
            int.from_bytes(raw[12:14], "little"),
            int.from_bytes(raw[14:16], "little"),
        )

    def available(self) -> bool:
        """§2.8.1: AVAIL equals the wrap counter and USED does not."""
        flags = self._descriptor(self.avail_at)[3]
        return bool(flags & AVAIL) == self.avail_wrap and bool(flags & USED) != self.avail_wrap

    def fetch(self) -> Chain | None:
        """The next available chain, None if there is none; checks what a driver must keep to."""
        if not self.available():
            return None
        buffers = []
        while True:
            address, length, ident, flags = self._descriptor(self.avail_at)
            assert bool(flags & AVAIL) == self.avail_wrap, "a chain is published whole"
            assert bool(flags & USED) != self.avail_wrap, "a chain is published whole"
            assert length > 0
            if flags & INDIRECT:
                assert self.indirect, "INDIRECT was not negotiated"
                assert not buffers and not flags & NEXT, "§2.8.19: a table stands alone"
                self._step()
                return Chain(ident, self._table(address, length), 1)
            writable = bool(flags & WRITE)
            assert writable or not any(earlier[2] for earlier in buffers), "§2.7.4.2: readable ones first"
            buffers.append((address, length, writable))
            self._step()
            if not flags & NEXT:
                return Chain(ident, buffers, len(buffers))
            assert len(buffers) < self.size, "a chain is no longer than the ring"

    def _step(self) -> None:
        self.avail_at += 1
        if self.avail_at == self.size:
            self.avail_at, self.avail_wrap = 0, not self.avail_wrap

    def _table(self, address: int, length: int) -> list[tuple[int, int, bool]]:
        """§2.8.7: a table of descriptors of which only address, length and WRITE count."""
        assert length % 16 == 0 and length // 16 <= self.size
        rows = [self._at(address + offset) for offset in range(0, length, 16)]
        assert all(row[1] > 0 for row in rows)
        return [(row[0], row[1], bool(row[3] & WRITE)) for row in rows]

    def use(self, chain: Chain, length: int) -> None:
        """Give `chain` back, `length` bytes written."""
        flags = WRITE if length else 0
        if self.used_wrap:
            flags |= AVAIL | USED
        at = self.desc + 16 * self.used_at
        body = length.to_bytes(4, "little") + chain.ident.to_bytes(2, "little")
        self.memory.write(at, bytes(8) + body + flags.to_bytes(2, "little"))
        for _ in range(chain.slots):
            self.passed.append(self.used_at | self.used_wrap << 15)
            self.used_at += 1
            if self.used_at == self.size:
                self.used_at, self.used_wrap = 0, not self.used_wrap

    def wants_interrupt(self) -> bool:
        """§2.8.10: what the driver's structure says of the slots passed since the last call."""
        raw = self.memory.read(self.driver, 4)
        event, flags = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "little")
        passed, self.passed = self.passed, []
        if flags == 2:
            assert self.event_idx, "DESC without EVENT_IDX"
            return event in passed
        return flags != 1

    def want_notifications(self, wanted: bool, off_wrap: int | None = None) -> None:
        """Write the device event suppression structure; `off_wrap`: DESC, at that place."""
        flags = 2 if off_wrap is not None else 0 if wanted else 1
        self.memory.write(self.device, (off_wrap or 0).to_bytes(2, "little") + flags.to_bytes(2, "little"))

    @property
    def here(self) -> int:
        """The place of the next descriptor, as off_wrap."""
        return self.avail_at | self.avail_wrap << 15

    def read(self, chain: Chain) -> bytes:
        """The bytes of the device-readable buffers."""
        return b"".join(
            self.memory.read(address, n) for address, n, writable in chain.buffers if not writable
        )

    def write(self, chain: Chain, data: bytes) -> int:
        """Store `data` in the device-writable buffers; how much fitted."""
        done = 0
        for address, n, writable in chain.buffers:
            if writable:
                part = data[done : done + n]
                self.memory.write(address, part)
                done += len(part)
        return done
