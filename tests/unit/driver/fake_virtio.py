"""A virtio-net device for driver tests, written from virtio 1.2 by the test's own hand: it can lie.

Register accesses take `latency` ps each way. Tests move its rings by hand (`tx`, `rx`) or let it answer
notifications itself (`auto`). Everything written to it is in `log`.
"""

from collections.abc import Callable

from virtio_device_ring import Chain, DeviceRing

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler

VERSION_1, RING_PACKED, MAC, STATUS, MTU = 1 << 32, 1 << 34, 1 << 5, 1 << 16, 1 << 3
CSUM, GUEST_CSUM, HOST_TSO4, HOST_ECN, MRG_RXBUF = 1 << 0, 1 << 1, 1 << 11, 1 << 13, 1 << 15
INDIRECT_DESC, EVENT_IDX, RING_RESET = 1 << 28, 1 << 29, 1 << 40
OFFLOADS = CSUM | GUEST_CSUM | HOST_TSO4 | HOST_ECN | MRG_RXBUF | INDIRECT_DESC | EVENT_IDX | RING_RESET
NEEDS_RESET = 64


class FakeVirtio:
    """A `DevicePort`. `registers` overrides what reads return: a value, or a callable that makes it."""

    def __init__(self, scheduler: Scheduler, memory: HostMemory | None = None, latency: int = 50_000) -> None:
        self.scheduler = scheduler
        self.memory = memory or HostMemory(8 << 20)
        self.latency = latency
        self.offered = VERSION_1 | RING_PACKED | MAC | STATUS | MTU
        self.config = bytearray(bytes.fromhex("0200c0ffee01 0100 0100 dc05"))
        self.registers: dict[int, int | Callable[[], int]] = {0: 0x74726976, 4: 2, 8: 1, 0x34: 256, 0xFC: 0}
        self.accept_features = True
        self.reset_finishes = True
        self.queue_reset_finishes = True
        self.auto = True
        self.log: list[tuple[int, int]] = []
        self.sent: list[bytes] = []
        self.level = False
        self.interrupt_status = 0
        self._handler: Callable[[bool], None] | None = None
        self._clear()

    def _clear(self) -> None:
        self.status = 0
        self.accepted = 0
        self.rings: dict[int, DeviceRing] = {}
        self._queue: dict[int, dict[int, int]] = {0: {}, 1: {}}
        self._select: dict[int, int] = {}
        self.set_interrupt(0)

    # --- DevicePort -----------------------------------------------------------------------------

    def write(self, offset: int, value: int, size: int = 4) -> None:
        assert size == 4, "§4.2.2: registers are written as words"
        self.scheduler.after(self.latency, lambda: self._write(offset, int(value)))

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        def sample() -> None:
            value = self._read(offset, size)
            self.scheduler.after(self.latency, lambda: done(value))

        self.scheduler.after(self.latency, sample)

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        self._handler = handler

    def reset(self) -> None:
        self._clear()

    # --- registers ------------------------------------------------------------------------------

    def _read(self, offset: int, size: int) -> int:
        if 0x100 <= offset < 0x10C:
            at = offset - 0x100
            return int.from_bytes(self.config[at : at + size], "little")
        assert size == 4, "§4.2.2: only the configuration is read in other widths"
        if offset == 0x60:
            return self.interrupt_status
        if offset == 0x70:
            return self.status
        if offset == 0x10:
            return self.offered >> 32 * self._select.get(0x14, 0) & 0xFFFFFFFF
        if offset in (0x44, 0xC0) and offset not in self.registers:
            return self._queue[self._select[0x30]].get(offset, 0)
        value = self.registers.get(offset, 0)
        return value() if callable(value) else value

    def _write(self, offset: int, value: int) -> None:
        self.log.append((offset, value))
        match offset:
            case 0x70 if value == 0:
                if self.reset_finishes:
                    self._clear()
                else:
                    self.status = 0x0F
            case 0x70:
                if not self.accept_features:
                    value &= ~8
                self.status = value | self.status & NEEDS_RESET
            case 0x14 | 0x24 | 0x30:
                self._select[offset] = value
            case 0x20:
                self.accepted |= value << 32 * self._select.get(0x24, 0)
            case 0x64:
                self.set_interrupt(self.interrupt_status & ~value)
            case 0x50:
                if self.auto and value == 1:
                    self.drain_tx()
            case _:
                registers = self._queue[self._select[0x30]]
                registers[offset] = value
                if offset == 0x44 and value:
                    areas = [registers[at] | registers[at + 4] << 32 for at in (0x80, 0x90, 0xA0)]
                    self.rings[self._select[0x30]] = DeviceRing(
                        self.memory,
                        *areas,
                        registers[0x38],
                        indirect=bool(self.accepted & INDIRECT_DESC),
                        event_idx=bool(self.accepted & EVENT_IDX),
                    )
                if offset == 0xC0 and value:
                    assert self.accepted & RING_RESET, "RING_RESET was not negotiated"
                    registers[0x44] = 0
                    registers[0xC0] = int(not self.queue_reset_finishes)
                    self.rings.pop(self._select[0x30], None)

    # --- what a test makes the device do -----------------------------------------------------------

    @property
    def rx(self) -> DeviceRing:
        return self.rings[0]

    @property
    def tx(self) -> DeviceRing:
        return self.rings[1]

    def set_interrupt(self, status: int) -> None:
        """InterruptStatus becomes `status`; the line follows."""
        self.interrupt_status = status
        if bool(status) != self.level:
            self.level = bool(status)
            if self._handler is not None:
                self._handler(self.level)

    def use(self, ring: DeviceRing, chain: Chain, length: int) -> None:
        """Give a chain back and interrupt if the driver wants it."""
        ring.use(chain, length)
        if ring.wants_interrupt():
            self.set_interrupt(self.interrupt_status | 1)

    def drain_tx(self) -> None:
        """Send and give back everything there is."""
        while (chain := self.tx.fetch()) is not None:
            self.sent.append(self.tx.read(chain))
            self.use(self.tx, chain, 0)

    def receive(self, frame: bytes, flags: int = 0) -> bool:
        """A frame arrives; False when there is no buffer for it. `flags`: of its virtio_net_hdr."""
        if self.accepted & MRG_RXBUF:
            return self._receive_merged(frame, flags)
        chain = self.rx.fetch()
        if chain is None:
            return False
        length = self.rx.write(chain, bytes([flags]) + bytes(9) + b"\x01\x00" + frame)
        self.use(self.rx, chain, length)
        return True

    def _receive_merged(self, frame: bytes, flags: int) -> bool:
        """§5.1.6.4.1: as many buffers as it needs, each filled but the last."""
        chains: list[Chain] = []
        while sum(n for chain in chains for _, n, _ in chain.buffers) < 12 + len(frame):
            chain = self.rx.fetch()
            if chain is None:
                return False
            chains.append(chain)
        data = bytes([flags]) + bytes(9) + len(chains).to_bytes(2, "little") + frame
        lengths = []
        for chain in chains:
            lengths.append(self.rx.write(chain, data))
            data = data[lengths[-1] :]
        for chain, length in zip(chains, lengths, strict=True):
            self.rx.use(chain, length)
        if self.rx.wants_interrupt():
            self.set_interrupt(self.interrupt_status | 1)
        return True

    def ask_for_reset(self) -> None:
        """§2.1.2: DEVICE_NEEDS_RESET and a configuration interrupt."""
        self.status |= NEEDS_RESET
        self.set_interrupt(self.interrupt_status | 2)
