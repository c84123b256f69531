"""A driver for tests of the device side, written from virtio 1.2 §2.8 with the numbers of the specification.

It takes nothing from `pymodel.golden` or `pymodel.driver`, so a mistake cannot be on both sides.
"""

import itertools
import struct
from collections.abc import Sequence

from pymodel.hostmem import HostMemory
from pymodel.ports import DevicePort
from pymodel.scheduler import Scheduler

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
ENABLE, DISABLE = 0, 1
FEATURES = 1 << 32 | 1 << 34 | 1 << 16


class MiniQueue:
    """One packed ring seen from the driver."""

    def __init__(self, driver: "MiniDriver", index: int, size: int) -> None:
        self.driver = driver
        self.memory = driver.memory
        self.index = index
        self.size = size
        self.ring = self.memory.alloc(16 * size, 16)
        self.driver_event = self.memory.alloc(4, 4)
        self.device_event = self.memory.alloc(4, 4)
        self.restart()

    def restart(self) -> None:
        for address, length in ((self.ring, 16 * self.size), (self.driver_event, 4), (self.device_event, 4)):
            self.memory.write(address, bytes(length))
        self.next = 0
        self.wrap = 1
        self.used_next = 0
        self.used_wrap = 1
        self.counts: dict[int, int] = {}

    def post(
        self,
        buffers: Sequence[tuple[int, int]],
        buffer_id: int,
        *,
        extra_flags: Sequence[int] | None = None,
        kick: bool = True,
    ) -> None:
        """Make a chain available; the head's flags are written last."""
        head = self.next
        head_flags = 0
        direction = WRITE if self.index == 0 else 0
        for i, (address, length) in enumerate(buffers):
            flags = AVAIL if self.wrap else USED
            flags |= direction | (NEXT if i < len(buffers) - 1 else 0)
            if extra_flags is not None:
                flags ^= extra_flags[i]
            last = i == len(buffers) - 1
            at = self.ring + 16 * self.next
            self.memory.write(at, struct.pack("<QIH", address, length, buffer_id if last else 0xDEAD))
            if i == 0:
                head_flags = flags
            else:
                self.memory.write(at + 14, struct.pack("<H", flags))
            self.next += 1
            if self.next == self.size:
                self.next = 0
                self.wrap ^= 1
        self.memory.write(self.ring + 16 * head + 14, struct.pack("<H", head_flags))
        self.counts[buffer_id] = len(buffers)
        if kick:
            self.driver.port.write(0x50, self.index)

    def suppress(self, flags: int) -> None:
        self.memory.write(self.driver_event, struct.pack("<HH", 0, flags))

    def device_flags(self) -> int:
        return int(struct.unpack("<HH", self.memory.read(self.device_event, 4))[1])

    def poll(self) -> list[tuple[int, int]]:
        """(id, len) of the used entries that have come."""
        found: list[tuple[int, int]] = []
        while True:
            address, length, buffer_id, flags = struct.unpack(
                "<QIHH", self.memory.read(self.ring + 16 * self.used_next, 16)
            )
            if bool(flags & USED) != bool(self.used_wrap) or bool(flags & AVAIL) != bool(flags & USED):
                return found
            assert address == 0, "a used entry has no address"
            assert bool(flags & WRITE) == (self.index == 0)
            found.append((buffer_id, length))
            self.used_next += self.counts.pop(buffer_id)
            if self.used_next >= self.size:
                self.used_next -= self.size
                self.used_wrap ^= 1


class MiniDriver:
    """Brings a device up and keeps its two queues; `run` lets simulated time pass."""

    def __init__(self, scheduler: Scheduler, memory: HostMemory, port: DevicePort) -> None:
        self.scheduler = scheduler
        self.memory = memory
        self.port = port
        self.levels: list[tuple[int, bool]] = []
        port.set_interrupt_handler(lambda level: self.levels.append((scheduler.now, level)))
        self.rx: MiniQueue
        self.tx: MiniQueue

    def run(self, duration: int) -> None:
        self.scheduler.run_until(self.scheduler.now + duration)

    def read(self, offset: int, size: int = 4) -> int:
        values: list[int] = []
        self.port.read(offset, size, values.append)
        while not values:
            assert self.scheduler.step()
        return values[0]

    def counter(self, offset: int) -> int:
        low = self.read(offset)
        return low | self.read(offset + 4) << 32

    def allocate(self, rx_size: int, tx_size: int) -> None:
        self.rx = MiniQueue(self, 0, rx_size)
        self.tx = MiniQueue(self, 1, tx_size)

    def start(self, rx_size: int = 16, tx_size: int = 16, features: int = FEATURES) -> None:
        self.allocate(rx_size, tx_size)
        self.bring_up(features)

    def negotiate(self, features: int = FEATURES) -> int:
        write = self.port.write
        write(0x70, 0)
        while self.read(0x70) != 0:
            pass
        write(0x70, 1)
        write(0x70, 3)
        write(0x24, 0)
        write(0x20, features & 0xFFFFFFFF)
        write(0x24, 1)
        write(0x20, features >> 32)
        write(0x70, 11)
        return self.read(0x70)

    def set_up_queue(self, queue: MiniQueue) -> None:
        write = self.port.write
        write(0x30, queue.index)
        write(0x38, queue.size)
        for offset, address in ((0x80, queue.ring), (0x90, queue.driver_event), (0xA0, queue.device_event)):
            write(offset, address & 0xFFFFFFFF)
            write(offset + 4, address >> 32)
        write(0x44, 1)

    def bring_up(self, features: int = FEATURES) -> None:
        assert self.negotiate(features) & 8, "FEATURES_OK did not stick"
        for queue in (self.rx, self.tx):
            queue.restart()
            self.set_up_queue(queue)
        self.port.write(0x70, 15)

    def buffer(self, data: bytes = b"", size: int = 0, align: int = 64, skew: int = 0) -> int:
        """`data` (or `size` bytes) in host memory, `skew` bytes beyond an aligned address."""
        address = self.memory.alloc(skew + (size or len(data)), align) + skew
        if data:
            self.memory.write(address, data)
        return address

    def send(self, frame: bytes, buffer_id: int = 0, cuts: Sequence[int] = (), kick: bool = True) -> None:
        """Post header and frame, cut at `cuts` into several descriptors with odd alignments."""
        data = bytes(12) + frame
        edges = [0, *cuts, len(data)]
        buffers = []
        for i, (a, b) in enumerate(itertools.pairwise(edges)):
            buffers.append((self.buffer(data[a:b], skew=i % 16), b - a))
        self.tx.post(buffers, buffer_id, kick=kick)

    def post_rx(
        self, sizes: Sequence[int] = (1530,), buffer_id: int = 0, kick: bool = True
    ) -> list[tuple[int, int]]:
        buffers = [(self.buffer(size=size, skew=2), size) for size in sizes]
        self.rx.post(buffers, buffer_id, kick=kick)
        return buffers
