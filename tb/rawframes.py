"""Raw frames in batches through the RTL NIC, without a stack: a driver that polls and takes many at once.

Both rings have fixed buffers, slot i always buffer i; a batch is one write to memory for its frames and one
for its descriptors. No interrupts: who uses it looks again after a while of simulated time.
"""

import functools
from collections.abc import Sequence
from itertools import groupby, repeat
from struct import Struct
from typing import Protocol

from pymodel.driver import probe
from pymodel.driver.packed_ring import PackedRing
from pymodel.hostmem import HostMemory
from pymodel.iommu import DmaDirection
from pymodel.ports import DevicePort, WirePort
from pymodel.regs import DescFlag, Feature, Reg
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from pymodel.task import Blocking

HEADER = bytes(12)
"""struct virtio_net_hdr (virtio 1.2 §5.1.6) of a frame that asks for nothing."""

_STRIDE = 2048
_DESC = Struct("<QIHH")  # address, length, id, flags (§2.8.13)
_LENGTH = Struct("<8xI4x")
_FLAGS_HIGH = 15
_RX, _TX = 0, 1


class _Queue:
    """One ring whose chains are single descriptors, which the NIC uses in order (§2.8.1)."""

    def __init__(self, memory: HostMemory, size: int, flags: int) -> None:
        self.ring: PackedRing[None] = PackedRing(memory, size)
        self.size = size
        self.buffers = memory.alloc(size * _STRIDE, _STRIDE)
        self.bytes = memory.slice(self.buffers, size * _STRIDE)
        if memory.iommu is not None:
            way = DmaDirection.FROM_DEVICE if flags & DescFlag.WRITE else DmaDirection.TO_DEVICE
            memory.iommu.dma_map(self.buffers, size * _STRIDE, way)
        self.descriptors = memory.slice(self.ring.desc_address, size * _DESC.size)
        self.posted = 0
        """Chains made available since the start, and those taken back."""
        self.taken = 0
        memory.write(self.ring.driver_address + 2, b"\x01")  # RING_EVENT_FLAGS_DISABLE (§2.8.10)

        @functools.cache
        def image(lap: int, length: int) -> bytes:
            bits = flags | int(DescFlag.USED if lap else DescFlag.AVAIL)
            return b"".join(_DESC.pack(self.buffers + n * _STRIDE, length, n, bits) for n in range(size))

        self._image = image

    def post(self, lengths: Sequence[int]) -> None:
        """Make the next slots available, each with so many bytes of its buffer: at most the free ones."""
        for length, run in groupby(lengths):
            left = len(list(run))
            while left:
                lap, at = divmod(self.posted, self.size)
                end = min(at + left, self.size)
                window = slice(at * _DESC.size, end * _DESC.size)
                self.descriptors[window] = self._image(lap & 1, length)[window]
                self.posted += end - at
                left -= end - at

    def fill(self, chunks: Sequence[bytes]) -> None:
        """Put one chunk in the buffer of each of the next slots."""
        at = self.posted % self.size
        first = self.size - at
        padded = [chunk.ljust(_STRIDE, b"\0") for chunk in chunks]
        for place, parts in ((at, padded[:first]), (0, padded[first:])):
            self.bytes[place * _STRIDE : (place + len(parts)) * _STRIDE] = b"".join(parts)

    def used(self) -> range:
        """Slots that the NIC has used since the last call, from the oldest to the ring's end at most."""
        at = self.taken % self.size
        unused = b"\x80" if self.taken // self.size & 1 else b"\0"
        end = self.descriptors.tobytes()[_FLAGS_HIGH :: _DESC.size].find(unused, at)
        slots = range(at, min(self.size if end < 0 else end, at + self.posted - self.taken))
        self.taken += len(slots)
        return slots


class RawPort(DevicePort, WirePort, Protocol):
    """The RTL NIC, by either attachment."""

    def deliver_many(self, frames: Sequence[bytes], start: int) -> None:
        """`frames` (DA..FCS) arrive from `start` (ps) on, as close to each other as the gap allows."""

    def wire_slack(self, slack: int) -> None:
        """How late (ps) the wire's handler may hear of a frame."""


class RawFrames:
    """Both queues of `nic`, `size` slots each. Frames go without FCS, of at most 2036 bytes.

    Frames that left the NIC reach the wire's handler up to `slack` (ps) late, then together.
    """

    def __init__(self, nic: RawPort, scheduler: Scheduler, *, size: int = 256, slack: int = 1 * US) -> None:
        self._nic = nic
        nic.wire_slack(slack)
        self._scheduler = scheduler
        self._rx = _Queue(nic.memory, size, int(DescFlag.WRITE))
        self._tx = _Queue(nic.memory, size, 0)

    def start(self) -> Blocking[None]:
        """Bring the NIC up with nothing but packed rings negotiated. Raises ProbeError."""
        port = self._nic
        yield from probe.identify(port)
        yield from probe.reset(port, self._scheduler)
        yield from probe.negotiate(port, frozenset({Feature.VERSION_1, Feature.RING_PACKED}))
        for index, queue in ((_RX, self._rx), (_TX, self._tx)):
            yield from probe.queue_size(port, index, queue.size)
            yield from probe.setup_queue(port, index, queue.ring)
        probe.drive(port)
        self._rx.post(list(repeat(_STRIDE, self._rx.size)))
        port.write(Reg.QUEUE_NOTIFY, _RX)

    @property
    def receive_buffers(self) -> tuple[int, int]:
        """Address and size of the block of all receive buffers."""
        return self._rx.buffers, self._rx.size * _STRIDE

    @property
    def room(self) -> int:
        """Frames that `send` takes now."""
        queue = self._tx
        while queue.used():
            pass
        return queue.size - (queue.posted - queue.taken)

    def send(self, frames: Sequence[bytes]) -> None:
        """Transmit `frames`, at most `room` of them. Raises ValueError when they are too many or too long."""
        if len(frames) > self.room:
            raise ValueError(f"{len(frames)} frames; the ring has room for {self.room}")
        chunks = [HEADER + frame for frame in frames]
        lengths = [len(chunk) for chunk in chunks]
        if lengths and max(lengths) > _STRIDE:
            raise ValueError(
                f"a frame of {max(lengths) - len(HEADER)} bytes; {_STRIDE - len(HEADER)} is the limit"
            )
        self._tx.fill(chunks)
        self._tx.post(lengths)
        self._nic.write(Reg.QUEUE_NOTIFY, _TX)

    def received(self) -> list[bytes]:
        """What has come since the last call, in order; its buffers go back to the NIC."""
        queue = self._rx
        frames: list[bytes] = []
        while slots := queue.used():
            first, count = slots.start, len(slots)
            entries = queue.descriptors[first * _DESC.size : (first + count) * _DESC.size]
            block = queue.bytes[first * _STRIDE : (first + count) * _STRIDE].tobytes()
            at = len(HEADER)
            for (length,) in _LENGTH.iter_unpack(entries):
                frames.append(block[at : at + length - len(HEADER)])
                at += _STRIDE
            queue.post(list(repeat(_STRIDE, count)))
        if frames:
            self._nic.write(Reg.QUEUE_NOTIFY, _RX)
        return frames
