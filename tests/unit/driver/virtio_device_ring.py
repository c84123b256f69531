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
    """One fetched chain: its buffer id and (address, length, writable) of each buffer."""

    ident: int
    buffers: list[tuple[int, int, bool]]


class DeviceRing:
    """Fetches chains in ring order, writes used entries in the order asked for."""

    def __init__(self, memory: HostMemory, desc: int, driver: int, device: int, size: int) -> None:
        self.memory = memory
        self.desc, self.driver, self.device, self.size = desc, driver, device, size
        self.avail_at, self.avail_wrap = 0, True
        self.used_at, self.used_wrap = 0, True

    def _descriptor(self, index: int) -> tuple[int, int, int, int]:
        raw = self.memory.read(self.desc + 16 * index, 16)
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
            assert not flags & INDIRECT, "INDIRECT was not negotiated"
            assert length > 0
            writable = bool(flags & WRITE)
            assert writable or not any(earlier[2] for earlier in buffers), "§2.7.4.2: readable ones first"
            buffers.append((address, length, writable))
            self.avail_at += 1
            if self.avail_at == self.size:
                self.avail_at, self.avail_wrap = 0, not self.avail_wrap
            if not flags & NEXT:
                return Chain(ident, buffers)
            assert len(buffers) < self.size, "a chain is no longer than the ring"

    def use(self, chain: Chain, length: int) -> None:
        """Give `chain` back, `length` bytes written."""
        flags = WRITE if length else 0
        if self.used_wrap:
            flags |= AVAIL | USED
        at = self.desc + 16 * self.used_at
        body = length.to_bytes(4, "little") + chain.ident.to_bytes(2, "little")
        self.memory.write(at, bytes(8) + body + flags.to_bytes(2, "little"))
        self.used_at += len(chain.buffers)
        if self.used_at >= self.size:
            self.used_at, self.used_wrap = self.used_at - self.size, not self.used_wrap

    def wants_interrupt(self) -> bool:
        """§2.8.10: the driver event suppression structure does not say DISABLE."""
        return int.from_bytes(self.memory.read(self.driver + 2, 2), "little") & 3 != 1

    def want_notifications(self, wanted: bool) -> None:
        """Write the device event suppression structure."""
        self.memory.write(self.device, bytes(2) + (0 if wanted else 1).to_bytes(2, "little"))

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
