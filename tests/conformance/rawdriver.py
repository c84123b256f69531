"""A small driver of the test's own at register and ring level, written from virtio 1.2 (§2.8, §4.2.2).

It shares no code with `pymodel.driver` and does what a real driver would not: any chain, any flag, any
order of register writes. Its numbers are typed from the specification, not taken from the project. Nor does
it share the ring with `tests/campaign/vring.py`: where two readings of §2.8 disagree, one of them is wrong.
"""

from dataclasses import dataclass

from bench import Bench, until

from pymodel.hostmem import HostMemory
from pymodel.iommu import DmaDirection
from pymodel.simtime import NS

# §4.2.2
MAGIC, VERSION, DEVICE_ID, VENDOR_ID = 0x000, 0x004, 0x008, 0x00C
DEVICE_FEATURES, DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x010, 0x014, 0x020, 0x024
QUEUE_SEL, QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY = 0x030, 0x034, 0x038, 0x044, 0x050
INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x060, 0x064, 0x070
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x080, 0x090, 0x0A0
CONFIG_GENERATION, CONFIG = 0x0FC, 0x100
# §2.1
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 64
# §5.1.3, §6
F_GUEST_CSUM, F_MRG_RXBUF = 1 << 1, 1 << 15
F_CSUM, F_HOST_TSO4, F_HOST_TSO6, F_HOST_ECN, F_INDIRECT_DESC = 1 << 0, 1 << 11, 1 << 12, 1 << 13, 1 << 28
F_MTU, F_MAC, F_STATUS, F_EVENT_IDX, F_RING_RESET = 1 << 3, 1 << 5, 1 << 16, 1 << 29, 1 << 40
F_VERSION_1, F_ACCESS_PLATFORM, F_RING_PACKED, F_ORDER_PLATFORM = 1 << 32, 1 << 33, 1 << 34, 1 << 36
# §2.8
NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
ENABLE, DISABLE, DESC = 0, 1, 2
RX, TX = 0, 1
USED_BUFFER, CONFIG_CHANGE = 1, 2

BOTH, TO_DEVICE, FROM_DEVICE = DmaDirection
Mapping = tuple[int, int, DmaDirection]
"""Address, length, and which way the data go."""

HEADER = 12
"""struct virtio_net_hdr with VERSION_1 (§5.1.6)."""


@dataclass
class Buffer:
    """One descriptor to be: `extra` flags are or-ed in, right or wrong."""

    address: int
    length: int
    writable: bool = False
    extra: int = 0


@dataclass
class Used:
    """A used entry as the device wrote it."""

    ident: int
    length: int
    flags: int
    address: int


class RawQueue:
    """One packed virtqueue in host memory, driver side, with ids handed out in turn."""

    def __init__(self, memory: HostMemory, index: int, size: int) -> None:
        self.memory, self.index, self.size = memory, index, size
        self.desc = memory.alloc(16 * size, 64)
        self.driver = memory.alloc(4)
        self.device = memory.alloc(4)
        self._mapped: dict[int, list[Mapping]] = {}
        self._map((self.desc, 16 * size, BOTH), (self.driver, 4, TO_DEVICE), (self.device, 4, FROM_DEVICE))
        self.restart()

    def restart(self) -> None:
        """The state before the queue is made ready (§2.8.1): everything zero, wrap counters 1."""
        for address, length in ((self.desc, 16 * self.size), (self.driver, 4), (self.device, 4)):
            self.memory.write(address, bytes(length))
        self.next, self.wrap = 0, 1
        self.used_next, self.used_wrap = 0, 1
        self.free = self.size
        self.lengths: dict[int, int] = {}
        self._ident = 0
        for ident in list(self._mapped):
            self._unmap(ident)

    def _map(self, *mappings: Mapping) -> list[Mapping]:
        """Behind an IOMMU: map all that has a length (§6.1, ACCESS_PLATFORM)."""
        if self.memory.iommu is None:
            return []
        done = [mapping for mapping in mappings if mapping[1]]
        for mapping in done:
            self.memory.iommu.dma_map(*mapping)
        return done

    def _unmap(self, ident: int) -> None:
        assert self.memory.iommu is not None
        for mapping in self._mapped.pop(ident):
            self.memory.iommu.dma_unmap(*mapping)

    def _reached(self, buffer: Buffer) -> list[Mapping]:
        """What the device may reach because of `buffer`, and how; that of a table's entries, too (§2.8.7)."""
        if not buffer.extra & INDIRECT:
            return [(buffer.address, buffer.length, FROM_DEVICE if buffer.writable else TO_DEVICE)]
        reached = [(buffer.address, buffer.length, TO_DEVICE)]
        for at in range(buffer.address, buffer.address + buffer.length - 15, 16):
            raw = self.memory.read(at, 16)
            way = FROM_DEVICE if self.index == RX else TO_DEVICE
            reached.append((int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:12], "little"), way))
        return reached

    def post(self, *buffers: Buffer) -> int:
        """Make one chain available, tail first and its head's flags last; its buffer id."""
        assert len(buffers) <= self.free, "the test posts more than fits"
        while self._ident in self.lengths:
            self._ident = (self._ident + 1) % self.size
        ident = self._ident
        self._ident = (ident + 1) % self.size
        if self.memory.iommu is not None:
            self._mapped[ident] = self._map(*(one for buffer in buffers for one in self._reached(buffer)))
        slots = []
        for number, buffer in enumerate(buffers):
            flags = buffer.extra | (WRITE if buffer.writable else 0)
            flags |= NEXT if number < len(buffers) - 1 else 0
            flags |= AVAIL if self.wrap else USED
            slots.append((self.desc + 16 * self.next, buffer, flags))
            self.next += 1
            if self.next == self.size:
                self.next, self.wrap = 0, 1 - self.wrap
        for at, buffer, flags in reversed(slots):
            body = buffer.address.to_bytes(8, "little") + buffer.length.to_bytes(4, "little")
            # §2.8.5: the id counts in the last descriptor only; elsewhere it is nonsense on purpose.
            last = at == slots[-1][0]
            self.memory.write(at, body + (ident if last else 0xDEAD).to_bytes(2, "little"))
            self.memory.write(at + 14, flags.to_bytes(2, "little"))
        self.lengths[ident] = len(buffers)
        self.free -= len(buffers)
        return ident

    def used(self) -> Used | None:
        """Take the next used entry; None when there is none. Asserts that its id is out."""
        raw = self.memory.read(self.desc + 16 * self.used_next, 16)
        flags = int.from_bytes(raw[14:16], "little")
        if bool(flags & AVAIL) != bool(self.used_wrap) or bool(flags & USED) != bool(self.used_wrap):
            return None
        entry = Used(
            ident=int.from_bytes(raw[12:14], "little"),
            length=int.from_bytes(raw[8:12], "little"),
            flags=flags,
            address=int.from_bytes(raw[0:8], "little"),
        )
        assert entry.ident in self.lengths, f"used entry for id {entry.ident}, which is not out"
        count = self.lengths.pop(entry.ident)
        if self.memory.iommu is not None:
            self._unmap(entry.ident)
        self.free += count
        self.used_next += count
        if self.used_next >= self.size:
            self.used_next, self.used_wrap = self.used_next - self.size, 1 - self.used_wrap
        return entry

    def interrupts(self, flags: int) -> None:
        """Write the driver event suppression structure: ENABLE, DISABLE or DESC."""
        self.memory.write(self.driver, bytes(2) + flags.to_bytes(2, "little"))

    def device_event(self) -> tuple[int, int]:
        """The device event suppression structure: (off_wrap, flags)."""
        raw = self.memory.read(self.device, 4)
        return int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "little")


class RawDriver:
    """Registers and two queues of one bench's device. `irq`: the line now; `rises`: how often it rose."""

    MINIMAL = F_VERSION_1 | F_RING_PACKED
    ALL = MINIMAL | F_ACCESS_PLATFORM | F_ORDER_PLATFORM | F_MAC | F_STATUS | F_MTU
    OFFERED = ALL | F_CSUM | F_GUEST_CSUM | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_MRG_RXBUF
    OFFERED |= F_INDIRECT_DESC | F_EVENT_IDX | F_RING_RESET

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.port, self.memory = bench.port, bench.memory
        self.irq = False
        self.rises = 0
        self.rx: RawQueue
        self.tx: RawQueue
        self.port.set_interrupt_handler(self._line)

    def _line(self, level: bool) -> None:
        self.irq = level
        self.rises += level

    # --- registers ------------------------------------------------------------------------------

    async def read(self, offset: int, size: int = 4) -> int:
        """A register read."""
        values: list[int] = []
        self.port.read(offset, size, values.append)
        await until(self.bench, lambda: bool(values), f"a read of {offset:#x} to complete")
        return values[0]

    def write(self, offset: int, value: int) -> None:
        """A posted register write."""
        self.port.write(offset, value)

    async def read64(self, offset: int) -> int:
        """A statistics register: low word first (it latches the high one)."""
        low = await self.read(offset)
        return low | (await self.read(offset + 4)) << 32

    async def features_offered(self) -> int:
        """All 64 offered feature bits."""
        value = 0
        for word in (0, 1):
            self.write(DEVICE_FEATURES_SEL, word)
            value |= (await self.read(DEVICE_FEATURES)) << 32 * word
        return value

    async def reset(self) -> None:
        """Write status 0 and wait until it reads 0 (§2.4.2)."""
        self.write(STATUS, 0)
        for _ in range(1000):
            if not await self.read(STATUS):
                return
            await self.bench.run_for(200 * NS)
        raise AssertionError("the device does not finish its reset")

    async def accept(self, features: int) -> bool:
        """From a fresh reset: ACKNOWLEDGE, DRIVER, these features; whether FEATURES_OK stuck."""
        self.write(STATUS, ACKNOWLEDGE)
        self.write(STATUS, ACKNOWLEDGE | DRIVER)
        for word in (0, 1):
            self.write(DRIVER_FEATURES_SEL, word)
            self.write(DRIVER_FEATURES, features >> 32 * word & 0xFFFFFFFF)
        self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        return bool(await self.read(STATUS) & FEATURES_OK)

    def give_queue(self, queue: RawQueue, *, ready: bool = True) -> None:
        """Tell the device about `queue` (§4.2.3.2)."""
        self.write(QUEUE_SEL, queue.index)
        self.write(QUEUE_NUM, queue.size)
        for register, address in (
            (QUEUE_DESC, queue.desc),
            (QUEUE_DRIVER, queue.driver),
            (QUEUE_DEVICE, queue.device),
        ):
            self.write(register, address & 0xFFFFFFFF)
            self.write(register + 4, address >> 32)
        if ready:
            self.write(QUEUE_READY, 1)

    async def start(self, rx_size: int = 16, tx_size: int = 16, *, features: int = ALL) -> None:
        """Reset and bring the device to DRIVER_OK with two empty queues of these sizes."""
        await self.reset()
        assert await self.accept(features), f"features {features:#x} were refused"
        self.rx = RawQueue(self.memory, RX, rx_size)
        self.tx = RawQueue(self.memory, TX, tx_size)
        self.give_queue(self.rx)
        self.give_queue(self.tx)
        self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
        assert await self.read(STATUS) == ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK

    def notify(self, queue: int) -> None:
        """Ring the doorbell."""
        self.write(QUEUE_NOTIFY, queue)

    # --- chains ---------------------------------------------------------------------------------

    def place(self, data: bytes, alignment: int = 0) -> int:
        """`data` somewhere in memory at `alignment` modulo 16; its address."""
        address = self.memory.alloc(len(data) + 16, 16) + alignment
        self.memory.write(address, data)
        return address

    def pieces(self, data: bytes, cuts: list[int], alignment: int = 0) -> list[Buffer]:
        """Device-readable buffers of the lengths `cuts` (the rest in a last one) that hold `data`."""
        buffers = []
        at = 0
        for length in [*cuts, len(data) - sum(cuts)]:
            if length:
                buffers.append(Buffer(self.place(data[at : at + length], alignment), length))
                at += length
        return buffers

    def post_tx(self, frame: bytes, *, alignment: int = 0, header_alignment: int = 0) -> int:
        """A chain of header and frame, one buffer each."""
        return self.tx.post(
            Buffer(self.place(bytes(HEADER), header_alignment), HEADER),
            Buffer(self.place(frame, alignment), len(frame)),
        )

    def table(self, *buffers: Buffer, alignment: int = 0) -> Buffer:
        """A descriptor of a table of `buffers` (§2.8.7), whose ids, and all flags but WRITE, are nonsense."""
        noise = 0xFFFF & ~WRITE
        rows = (
            buffer.address.to_bytes(8, "little")
            + buffer.length.to_bytes(4, "little")
            + (0xDEAD | (noise | WRITE * buffer.writable) << 16).to_bytes(4, "little")
            for buffer in buffers
        )
        return Buffer(self.place(b"".join(rows), alignment), 16 * len(buffers), extra=INDIRECT)

    def space(self, length: int, alignment: int = 0) -> Buffer:
        """A device-writable buffer filled with 0xa5, with 16 guard bytes of it on both sides."""
        address = self.memory.alloc(length + 48, 16)
        self.memory.write(address, b"\xa5" * (length + 48))
        return Buffer(address + 16 + alignment, length, writable=True)

    async def used(self, queue: RawQueue, what: str = "a used entry") -> Used:
        """Wait for the next used entry of `queue`."""
        got: list[Used] = []

        def poll() -> bool:
            entry = queue.used()
            if entry is not None:
                got.append(entry)
            return bool(got)

        await until(self.bench, poll, what)
        return got[0]

    async def send(self, *chain: Buffer) -> bytes:
        """Post a TX chain, notify, wait until it is used and its frame sent; the frame with FCS."""
        before = len(self.bench.sent)
        ident = self.tx.post(*chain)
        self.notify(TX)
        entry = await self.used(self.tx, "the TX chain to be used")
        assert (entry.ident, entry.length) == (ident, 0)
        await until(self.bench, lambda: len(self.bench.sent) > before, "the frame on the wire")
        return self.bench.sent[-1].data

    async def receive(self, frame: bytes, *chain: Buffer) -> Used:
        """Post an RX chain, put `frame` on the wire, wait until the chain is used."""
        ident = self.rx.post(*chain)
        self.notify(RX)
        await self.bench.wire_send(frame)
        entry = await self.used(self.rx, "the RX chain to be used")
        assert entry.ident == ident
        return entry

    def stored(self, chain: tuple[Buffer, ...], length: int) -> bytes:
        """The first `length` bytes that the device wrote into `chain`."""
        data = b"".join(self.memory.read(buffer.address, buffer.length) for buffer in chain)
        return data[:length]

    def guards_intact(self, chain: tuple[Buffer, ...]) -> bool:
        """Nothing was written just outside the buffers of `chain` (made by `space`)."""
        guard = b"\xa5" * 16
        return all(
            self.memory.read(buffer.address - 16, 16) == guard
            and self.memory.read(buffer.address + buffer.length, 16) == guard
            for buffer in chain
        )
