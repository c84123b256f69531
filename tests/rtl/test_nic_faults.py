"""The whole NIC when the driver or the memory misbehaves, and when it is reset in the middle of traffic."""

import struct
from collections.abc import Callable
from typing import Any

import cocotb
import pytest
from clocked import now, rng
from cocotb.triggers import ClockCycles
from elaboration import refused
from nic_bench import (
    FEATURES,
    HEADER,
    INTERRUPT_ACK,
    INTERRUPT_STATUS,
    NEEDS_RESET,
    QUEUE_READY,
    QUEUE_SEL,
    RX,
    SOURCES,
    STATUS,
    TX,
    Nic,
    echo_works,
    ethernet,
    padded,
)
from ring_bench import BASE, INDIRECT, NEXT, WRITE, DriverRing
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from simulators import SIMULATORS, fast, whole

from tb.block import run_block

RX_DISABLED, TX_FRAMES = 0x1138, 0x1180
CSUM, HOST_TSO4 = 1 << 0, 1 << 11
NEEDS_CSUM, TCPV4 = 1, 1
"""virtio 1.2 §5.1.3 and §5.1.6."""
NOWHERE = 0x6_0000_0000
"""A bus address without memory: answered SLVERR."""


Fault = Callable[[Nic], object]
"""Something a driver must not do, done."""


async def stands_still(nic: Nic) -> None:
    """NEEDS_RESET and the configuration interrupt are up, kicks do nothing, received frames are counted."""
    await nic.until(lambda: nic.dut.irq.value == 1, "interrupt", cycles=3000)
    for _ in range(20):
        if await nic.read(STATUS) & NEEDS_RESET:
            break
    assert await nic.read(STATUS) & NEEDS_RESET
    assert await nic.read(INTERRUPT_STATUS) & 2
    await nic.write(INTERRUPT_ACK, 3)
    await ClockCycles(nic.dut.clk, 300)
    quiet = len(nic.ram.log), len(nic.ram.failed)
    before = await nic.statistic(RX_DISABLED)
    await nic.kick(TX, force=True)
    await nic.kick(RX, force=True)
    nic.inject(ethernet(nic.random, 60))
    await ClockCycles(nic.dut.clk, 500)
    assert (len(nic.ram.log), len(nic.ram.failed)) == quiet, "ring activity after NEEDS_RESET"
    assert await nic.statistic(RX_DISABLED) == before + 1
    assert nic.dut.irq.value == 0


def tx_chain(*descriptors: tuple[int, int]) -> Fault:
    """Post one TX chain of (length, flags)."""
    return lambda nic: nic.rings[TX].post([(nic.place(n), n, f) for n, f in descriptors])


def rx_chain(*descriptors: tuple[int, int]) -> Fault:
    """Post one RX chain of (length, flags)."""
    return lambda nic: nic.rings[RX].post([(nic.place(n), n, f) for n, f in descriptors])


def tx_at(address: int, length: int) -> Fault:
    return lambda nic: nic.rings[TX].post([(nic.place(100), 100, 0), (address, length, 0)])


def rx_into_nowhere(nic: Nic) -> None:
    nic.rings[RX].post([(nic.place(16), 16, WRITE), (NOWHERE, 2048, WRITE)])
    nic.ram.give(BASE, nic.ram.size)


def long_chain(queue: int, flags: int) -> Fault:
    """A chain as long as the ring whose last descriptor has NEXT, too."""

    def post(nic: Nic) -> None:
        ring = nic.rings[queue]
        _, publish = ring.add([(nic.place(64), 64, flags) for _ in range(ring.size)], extra=NEXT)
        publish()

    return post


def forbid(pick: Callable[[DriverRing], int], queue: int) -> Fault:
    """A word of the ring's memory goes away, then something is posted that makes the device reach for it."""

    def post(nic: Nic) -> None:
        nic.ram.forbidden.add(pick(nic.rings[queue]) & ~15)
        if queue == TX:
            nic.rings[TX].post([(nic.place(100), 100, 0)])
        else:
            nic.receive([2048])

    return post


FAULTS: dict[str, Fault] = {
    "TX descriptor of length 0": tx_chain((0, 0)),
    "TX chain with a descriptor of length 0": tx_chain((30, 0), (0, 0), (30, 0)),
    "TX INDIRECT": tx_chain((16, INDIRECT)),
    "TX descriptor that is device-writable": tx_chain((100, WRITE)),
    "TX chain that becomes device-writable": tx_chain((100, 0), (100, WRITE)),
    "TX chain of more descriptors than the ring": long_chain(TX, 0),
    "TX chain of 25 bytes": tx_chain((25, 0)),
    "TX chain of 25 bytes in pieces": tx_chain((12, 0), (12, 0), (1, 0)),
    "TX chain of 1 byte": tx_chain((1, 0)),
    "TX data where no memory is": tx_at(NOWHERE, 100),
    "RX descriptor of length 0": rx_chain((0, WRITE)),
    "RX INDIRECT": rx_chain((16, WRITE | INDIRECT)),
    "RX descriptor that is device-readable": rx_chain((2048, 0)),
    "RX chain that becomes device-readable": rx_chain((12, WRITE), (2048, 0)),
    "RX chain of more descriptors than the ring": long_chain(RX, WRITE),
    "RX buffer where no memory is": rx_into_nowhere,
    "TX ring that cannot be read": forbid(lambda ring: ring.slot(0), TX),
    "RX ring that cannot be read": forbid(lambda ring: ring.slot(0), RX),
    "TX device area that cannot be written": forbid(lambda ring: ring.device_area, TX),
    "RX device area that cannot be written": forbid(lambda ring: ring.device_area, RX),
    "TX driver area that cannot be read": forbid(lambda ring: ring.driver_area, TX),
    "RX driver area that cannot be read": forbid(lambda ring: ring.driver_area, RX),
}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def each_fault_asks_for_a_reset_stops_the_rings_and_a_reset_mends_it(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    for name, cause in FAULTS.items():
        dut._log.info(name)
        await nic.init(8, 8, offset=16 * nic.random.randrange(256))
        nic.bus.latency = nic.random.choice((0, 40))
        await ClockCycles(dut.clk, 200)
        cause(nic)
        await nic.kick(TX, force=True)
        await nic.kick(RX, force=True)
        await ClockCycles(dut.clk, nic.random.randrange(100))
        if name.startswith("RX"):
            nic.inject(ethernet(nic.random, 200))
        nic.rings.clear()  # whatever the device left in them is not looked at
        await stands_still(nic)
        nic.ram.forbidden.clear()
        await nic.init(8, 8)
        await echo_works(nic)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def tx_chains_before_a_bad_one_are_sent_and_used_first(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    for bad in ((0, 0), (20, 0), (64, WRITE), (64, INDIRECT)):
        await nic.init(tx=16)
        nic.bus.latency = 80
        frames = [ethernet(nic.random, n) for n in (1500, 60, 14, 700)]
        for frame in frames:
            nic.transmit(frame, 3)
        nic.rings[TX].post([(nic.place(64), *bad)])
        nic.transmit(ethernet(nic.random, 60))
        await nic.kick(TX)
        await nic.until(lambda: len(nic.reclaimed) == 4, "what came before")
        await nic.until(lambda: nic.sink.count() == 4, "frames")
        await ClockCycles(dut.clk, 500)
        assert await nic.read(STATUS) & NEEDS_RESET
        nic.poll()
        assert len(nic.reclaimed) == 4 and nic.frames() == [padded(f) for f in frames]
    nic.finish()


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def regression_nothing_is_sent_of_a_segment_whose_bytes_could_not_be_read(dut: Any) -> None:
    """Its checksum would be right for what the bus made up: the peer would take it for data."""
    nic = Nic(dut, rng())
    await nic.start()
    for _ in range(12 if fast() and whole() else 4):
        await nic.init(features=FEATURES | CSUM | HOST_TSO4)
        nic.bus.pause(nic.random, nic.random.choice((0.0, 0.7)))
        payload = nic.random.randbytes(3000)
        size = nic.random.randint(60, 250)
        packet = bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / IP() / TCP(seq=0) / payload)
        header = struct.pack("<BBHHHHH", NEEDS_CSUM, TCPV4, 0, size, 34, 16, 0)
        chain = nic.chain(header + packet, [12 + len(packet)])
        nic.ram.forbidden.add((chain[0][0] + 12 + 54 + nic.random.randrange(len(payload))) & ~15)
        nic.rings[TX].post(chain)
        await nic.kick(TX)
        nic.rings.clear()
        for _ in range(2000):
            if await nic.read(STATUS) & NEEDS_RESET:
                break
        else:
            raise AssertionError("the device does not complain")
        await ClockCycles(dut.clk, 1000)
        for frame in nic.frames():
            at, length = int.from_bytes(frame[38:42], "big"), int.from_bytes(frame[16:18], "big") - 40
            assert frame[54 : 54 + length] == payload[at : at + length], f"bytes from {at} on"
        nic.ram.forbidden.clear()
    await nic.init(8, 8)
    await echo_works(nic)
    nic.finish()


async def traffic(nic: Nic, cycles: int) -> None:
    """Keep both directions busy for so long, without looking at what comes."""
    for _ in range(cycles // 20):
        if nic.rings[TX].free >= 4:
            nic.transmit(ethernet(nic.random, nic.random.randint(14, 1518)), nic.random.randint(1, 4))
        if nic.rings[RX].free >= 4:
            nic.receive([nic.random.randint(1, 600) for _ in range(3)])
        await nic.kick(TX)
        await nic.kick(RX)
        if nic.source.count() < 4:
            nic.inject(ethernet(nic.random, nic.random.randint(60, 1518)))
        await ClockCycles(nic.dut.clk, 20)
        nic.poll()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reset_in_the_middle_of_traffic_ends_every_access_and_leaves_a_working_nic(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    for _ in range(20 if fast() and whole() else 6):
        nic.bus.latency = nic.random.choice((0, 10, 156, 400))
        nic.bus.pause(nic.random, nic.random.choice((0.0, 0.0, 0.4)))
        await nic.init(32, 32)
        await traffic(nic, nic.random.randrange(300, 2500))
        await nic.reset()
        # From here on the memory is somebody else's.
        nic.ram.take_back()
        quiet = len(nic.ram.log)
        await ClockCycles(dut.clk, 30)  # what the MAC still holds of a last frame
        nic.frames()
        await ClockCycles(dut.clk, 600)
        assert len(nic.ram.log) == quiet and not nic.ram.failed, "an access after Status read 0"
        assert nic.sink.empty(), "a frame left after Status read 0"
        assert dut.irq.value == 0 and await nic.read(INTERRUPT_STATUS) == 0
    await nic.until(lambda: nic.source.empty(), "the last frames of the wire")
    await ClockCycles(dut.clk, 400)
    await nic.init(8, 8)
    await echo_works(nic)
    nic.finish()


async def payload_written(nic: Nic) -> None:
    """The first byte of the only receive buffer has been written."""
    ((area, *_),) = nic.buffers.values()
    await nic.until(lambda: bool(nic.ram.accesses(True, *area)), "payload")


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def status_reads_0_only_when_the_last_answer_has_come(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    late = 600
    for what in ("TX descriptors", "RX descriptors", "TX frame", "RX frame"):
        nic.bus.latency = 0
        await nic.init(8, 8)
        queue = TX if what.startswith("TX") else RX
        await ClockCycles(dut.clk, 200)
        if what.endswith("descriptors"):
            nic.bus.latency = late
            await nic.kick(queue)
        elif queue == TX:
            nic.transmit(ethernet(nic.random, 1000))
            nic.ram.hooks[nic.rings[TX].slot(0)] = lambda: setattr(nic.bus, "latency", late)
            await nic.kick(TX)
        else:
            nic.receive([2048])
            await nic.kick(RX)
            await ClockCycles(dut.clk, 200)
            nic.bus.latency = late
            nic.inject(ethernet(nic.random, 64))
            await payload_written(nic)
        await ClockCycles(dut.clk, 20)
        asked = now()
        await nic.reset()
        assert now() >= asked + late - 100, f"{what}: the reset did not wait for an answer"
        quiet = len(nic.ram.log)
        await ClockCycles(dut.clk, 2 * late)
        assert len(nic.ram.log) == quiet, f"{what}: an answer after Status read 0"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def queue_not_ready_in_the_middle_of_traffic_stops_that_ring_only(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    for queue in (TX, RX, TX, RX):
        nic.bus.latency = nic.random.choice((0, 40, 156))
        await nic.init(32, 32)
        await traffic(nic, nic.random.randrange(300, 1500))
        await nic.write(QUEUE_SEL, queue)
        await nic.write(QUEUE_READY, 0)
        assert await nic.read(QUEUE_READY) == 0
        await nic.until(nic.source.empty, "the wire is quiet")
        await ClockCycles(dut.clk, 2000)
        nic.poll()
        old = nic.rings[queue]
        marks = [len(nic.ram.accesses(w, old.ring, 16 * old.size)) for w in (False, True)]
        await nic.kick(queue, force=True)
        await ClockCycles(dut.clk, 300)
        assert marks == [len(nic.ram.accesses(w, old.ring, 16 * old.size)) for w in (False, True)]
        # A new ring in its place; the other one goes on where it was.
        for index in range(2):
            if index == queue:
                nic.rings[index] = DriverRing(nic.ram, 7)
                await nic.queue(index)
        if queue == TX:
            nic.tx_order.clear()
        else:
            nic.buffers.clear()
        await nic.until(lambda: nic.rings[TX].free >= 2 or not nic.tx_order, "room")
        nic.frames()
        nic.received.clear()
        up = ethernet(nic.random, 90)
        nic.transmit(up, 2)
        await nic.kick(TX, force=True)
        await nic.until(lambda: not nic.tx_order, "the frame to be used")
        await nic.leaves(up)
        if queue == RX:
            down = ethernet(nic.random, 77)
            nic.receive([2000])
            await nic.kick(RX)
            nic.inject(down)
            await nic.until(lambda: bool(nic.received), "the frame in the new ring")
            assert nic.received[0][1][:89] == HEADER + down
    nic.finish()


OUTPUTS = [
    *(f"s_axil_{n}" for n in ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")),
    *(f"m_axi_aw{n}" for n in ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "valid")),
    *(f"m_axi_ar{n}" for n in ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "valid")),
    *(f"m_axi_{n}" for n in ("wdata", "wstrb", "wlast", "wvalid", "bready", "rready")),
    *("xgmii_txd", "xgmii_txc", "irq", "tap_rx_valid", "tap_rx_status"),
]


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def hardware_reset_in_the_middle_of_traffic_leaves_no_x_and_a_working_nic(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    for cycles in (0, 400, 1300):
        if cycles:
            await nic.init(16, 16)
            await traffic(nic, cycles)
        nic.source.clear()
        dut.rst.value = 1
        await ClockCycles(dut.clk, 3)
        dut.rst.value = 0
        for _ in range(100):
            await ClockCycles(dut.clk, 1)
            unknown = [name for name in OUTPUTS if not getattr(dut, name).value.is_resolvable]
            assert not unknown, f"X on {unknown}"
            assert dut.irq.value == 0 and dut.m_axi_awvalid.value == 0 and dut.m_axi_arvalid.value == 0
        assert await nic.read(STATUS) == 0
        assert await nic.statistic(RX_DISABLED) == 0 and await nic.statistic(TX_FRAMES) == 0
        nic.sink.clear()
    nic.rings.clear()
    await nic.init(8, 8)
    await echo_works(nic)


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("AXI_ID_WIDTH", 2, "AXI_ID_WIDTH_must_be_at_least_3"),
        ("ADDR_WIDTH", 24, "ADDR_WIDTH_must_be_32_to_64"),
        ("TX_FIFO_BYTES", 5000, "TX_FIFO_BYTES_must_be_a_power_of_two_and_at_least_4096"),
        ("RX_FIFO_BYTES", 2048, "RX_FIFO_BYTES_must_be_a_power_of_two_and_at_least_4096"),
        ("MTU_MAX", 32768, "a_FIFO_must_hold_a_frame_of_MTU_MAX"),
        ("QUEUE_NUM_MAX", 0, "QUEUE_NUM_MAX_must_be_1_to_32768"),
    ],
)
def test_illegal_parameter_dies_at_elaboration_naming_the_rule(parameter: str, value: int, rule: str) -> None:
    assert refused("fdw_nic", SOURCES, rule, **{parameter: value})


@SIMULATORS
def test_nic_faults(simulator: str) -> None:
    run_block("fdw_nic", SOURCES, __name__, simulator=simulator)
