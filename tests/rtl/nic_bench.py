"""The whole NIC with independent models around it, and a small virtio-net driver of the tests' own.

Registers are reached by cocotbext-axi's `AxiLiteMaster`, the wire by cocotbext-eth's XGMII source and sink,
memory is `ring_bench.HostRam`. Offsets and bits below are from virtio 1.2 (§ given), not from the design.
"""

import random
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from clocked import start
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from cocotbext.eth import XgmiiFrame, XgmiiSink, XgmiiSource
from ring_bench import AVAIL, WRITE, DriverRing, HostRam, Used

from tb import toolchain
from tb.buses.memory import PERIOD_PS, HostBus

SOURCES = sorted(str(path.relative_to(toolchain.RTL)) for path in toolchain.RTL.rglob("*.v"))

RX, TX = 0, 1

# §4.2.2
DRIVER_FEATURES, DRIVER_FEATURES_SEL, QUEUE_SEL, QUEUE_NUM, QUEUE_READY = 0x020, 0x024, 0x030, 0x038, 0x044
QUEUE_NOTIFY, INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x050, 0x060, 0x064, 0x070
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE, QUEUE_RESET = 0x080, 0x090, 0x0A0, 0x0C0
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 0x40
FEATURES = 1 << 32 | 1 << 33 | 1 << 34 | 1 << 36 | 1 << 5 | 1 << 16 | 1 << 3

HEADER = bytes(10) + b"\x01\x00"
"""§5.1.6.4.1: what precedes a received frame."""


def ethernet(generator: random.Random, length: int) -> bytes:
    """A frame of `length` bytes without FCS and without meaning."""
    return generator.randbytes(length)


def pieces(generator: random.Random, length: int, count: int) -> list[int]:
    """`length` split into at most `count` parts of at least one byte."""
    cuts = sorted(generator.sample(range(1, length), min(count, length) - 1)) if length > 1 else []
    return [b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True)]


class Nic:
    """`dut` brought to life. `rings` are the two queues; `sent` collects what came out of the wire."""

    def __init__(self, dut: Any, generator: random.Random, memory: int = 1 << 22) -> None:
        self.dut = dut
        self.random = generator
        self.ram = HostRam(memory)
        self.bus = HostBus(dut, self.ram)
        self.regs = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)
        self.sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
        for model in (self.regs.write_if, self.regs.read_if, self.source, self.sink):
            model.log.setLevel("ERROR")
        self.rings: list[DriverRing] = []
        self.buffers: dict[int, list[tuple[int, int]]] = {}
        self.received: list[tuple[Used, bytes]] = []
        self.reclaimed: list[Used] = []
        self.broken: list[bytes] = []
        self.tx_order: deque[int] = deque()
        self._pool = self.ram.alloc(memory // 2, 4096)
        self._pool_size = memory // 2
        self._pool_at = 0

    # ------------------------------------------------------------------ registers

    async def start(self) -> None:
        await start(self.dut, link_up=1)
        await ClockCycles(self.dut.clk, 2)

    async def write(self, offset: int, value: int) -> None:
        await with_timeout(self.regs.write_dword(offset, value), 2000 * PERIOD_PS, "ps")

    async def read(self, offset: int) -> int:
        return int(await with_timeout(self.regs.read_dword(offset), 2000 * PERIOD_PS, "ps"))

    async def statistic(self, offset: int) -> int:
        low = await self.read(offset)
        return low | await self.read(offset + 4) << 32

    async def until(
        self, condition: Callable[[], bool], what: str, cycles: int = 20_000, step: int = 8
    ) -> None:
        """Run, polling the rings, until `condition()`; fails after `cycles`, naming `what`."""
        for _ in range(cycles // step):
            self.poll()
            if condition():
                return
            await ClockCycles(self.dut.clk, step)
        assert condition(), f"{what}: not within {cycles} cycles"

    async def reset(self) -> None:
        """§2.4.1: write 0, wait until it reads 0."""
        await self.write(STATUS, 0)
        for _ in range(1000):
            if await self.read(STATUS) == 0:
                return
        raise AssertionError("the device does not come out of reset")

    async def queue(self, index: int) -> None:
        """Tell the device where ring `index` is, and that it is ready."""
        ring = self.rings[index]
        await self.write(QUEUE_SEL, index)
        await self.write(QUEUE_NUM, ring.size)
        for register, address in (
            (QUEUE_DESC, ring.ring),
            (QUEUE_DRIVER, ring.driver_area),
            (QUEUE_DEVICE, ring.device_area),
        ):
            await self.write(register, address & 0xFFFF_FFFF)
            await self.write(register + 4, address >> 32)
        await self.write(QUEUE_READY, 1)

    async def init(self, rx: int = 16, tx: int = 16, offset: int = 0, features: int = FEATURES) -> None:
        """§3.1.1 and §4.2.3.2 with fresh rings of `rx` and `tx` descriptors, and `features` accepted."""
        await self.reset()
        self.ram.take_back()
        self.buffers.clear()
        self.tx_order.clear()
        self.received.clear()
        self.reclaimed.clear()
        self.sink.clear()
        await self.write(STATUS, ACKNOWLEDGE)
        await self.write(STATUS, ACKNOWLEDGE | DRIVER)
        for half in (0, 1):
            await self.write(DRIVER_FEATURES_SEL, half)
            await self.write(DRIVER_FEATURES, features >> 32 * half & 0xFFFF_FFFF)
        await self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert await self.read(STATUS) & FEATURES_OK
        self.rings = [DriverRing(self.ram, rx, offset), DriverRing(self.ram, tx, offset)]
        await self.queue(RX)
        await self.queue(TX)
        await self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    async def kick(self, queue: int, force: bool = False) -> None:
        """Notify, if the device wants it (§2.8.10)."""
        if force or self.rings[queue].wants_kick:
            await self.write(QUEUE_NOTIFY, queue)

    # ------------------------------------------------------------------ buffers

    def place(self, length: int, align: int | None = None) -> int:
        """Address of `length` bytes of the pool, which goes round: nothing in flight may be that old."""
        align = self.random.randrange(64) if align is None else align
        start = (self._pool_at + 63) // 64 * 64 + align
        if start + length > self._pool_size:
            start = align
        self._pool_at = start + length
        return self._pool + start

    def chain(
        self, data: bytes, lengths: Sequence[int], align: int | None = None
    ) -> list[tuple[int, int, int]]:
        """A device-readable chain of buffers of `lengths` that hold `data`."""
        out = []
        at = 0
        for length in lengths:
            address = self.place(length, align)
            self.ram.poke(address, data[at : at + length])
            out.append((address, length, 0))
            at += length
        return out

    def transmit(self, frame: bytes, count: int = 1, align: int | None = None) -> int:
        """Post `frame` behind an arbitrary header in `count` buffers; the chain's id. No kick."""
        data = self.random.randbytes(12) + frame
        chain_id = self.rings[TX].post(self.chain(data, pieces(self.random, len(data), count), align))
        self.tx_order.append(chain_id)
        return chain_id

    def receive(self, lengths: Sequence[int], align: int | None = None) -> int:
        """Post a chain of receive buffers of `lengths`; its id. No kick."""
        chain = []
        for length in lengths:
            address = self.place(length, align)
            self.ram.poke(address, b"\xee" * length)
            self.ram.give(address, length)
            chain.append((address, length, WRITE))
        chain_id = self.rings[RX].post(chain)
        self.buffers[chain_id] = [(address, length) for address, length, _ in chain]
        return chain_id

    def poll(self) -> None:
        """Take used entries of both rings: `received` and `reclaimed` grow; what can be checked is."""
        if not self.rings:
            return
        for used in self.rings[TX].poll():
            assert used.length == 0 and not used.flags & WRITE, f"TX {used}"
            assert used.id == self.tx_order.popleft(), "used out of order, which in-order processing excludes"
            self.reclaimed.append(used)
        for used in self.rings[RX].poll():
            assert used.flags & WRITE, f"RX {used}"
            data = b""
            for address, length in self.buffers.pop(used.id):
                data += self.ram.peek(address, length)
                self.ram.take_back(address, length)
            self.received.append((used, data))

    def frames(self) -> list[bytes]:
        """What the sink has caught since: frames without FCS; a bad FCS or preamble is an assertion.

        Of those that broke off with /E/ the beginnings go to `broken`.
        """
        out = []
        while not self.sink.empty():
            frame = self.sink.recv_nowait()
            if frame.ctrl is not None and any(frame.ctrl):
                self.broken.append(bytes(frame.data[8 : frame.ctrl.index(1)]))
                continue
            assert frame.check_fcs(), "bad FCS on the wire"
            out.append(bytes(frame.get_payload()))
        return out

    async def leaves(self, frame: bytes, what: str = "the frame on the wire") -> list[bytes]:
        """Wait until `frame` has left, padded and whole; those that left before it.

        That something has left does not say so: for memory that is slow now and then the NIC breaks it off
        and sends it again.
        """
        out: list[bytes] = []

        def left() -> bool:
            out.extend(self.frames())
            return padded(frame) in out

        await self.until(left, what)
        assert out.pop() == padded(frame), f"{what}: another one behind it"
        return out

    def inject(self, frame: bytes) -> None:
        """Send `frame` (without FCS, at least 60 bytes) to the NIC."""
        self.source.send_nowait(XgmiiFrame.from_payload(frame))

    def finish(self) -> None:
        """Nothing was written that the device did not own."""
        assert not self.ram.stray, f"writes outside posted buffers: {self.ram.stray[:3]}"


def padded(frame: bytes) -> bytes:
    """IEEE 802.3 §4.2.8: zeros up to 60 bytes."""
    return frame.ljust(60, b"\0")


def bad_descriptor(ring: DriverRing, address: int, length: int, flags: int) -> None:
    """A single descriptor with these flags, whatever they are, made available."""
    slot = ring.slot(0)
    ring.ram.poke(slot, struct.pack("<QIHH", address, length, 7, flags | AVAIL))


async def echo_works(nic: Nic) -> None:
    """One frame each way arrives."""
    up, down = ethernet(nic.random, 100), ethernet(nic.random, 100)
    nic.transmit(up, 2)
    nic.receive([50, 2000])
    await nic.kick(TX)
    await nic.kick(RX)
    nic.inject(down)
    await nic.until(lambda: len(nic.received) == 1 and not nic.tx_order, "a frame each way")
    assert nic.received[0][1][:112] == HEADER + down
    assert await nic.leaves(up) == []
