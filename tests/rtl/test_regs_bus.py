"""`fdw_regs` as an AXI-Lite slave and as a set of counters: orders, strobes, backpressure, carries."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout
from regs_bench import RINGS, SOURCES, Bench, Ring, seeded, started
from simulators import SIMULATORS

from pymodel.regs import REGISTERS, Config, Interrupt, Reg, RxStatus, Side, Stat
from tb.block import run_block

RX_STATUS_COUNTER = {
    RxStatus.BAD_PREAMBLE: "RX_BAD_PREAMBLE",
    RxStatus.CODE_ERROR: "RX_CODE_ERROR",
    RxStatus.UNDERSIZE: "RX_UNDERSIZE",
    RxStatus.OVERSIZE: "RX_OVERSIZE",
    RxStatus.FCS_ERROR: "RX_FCS_ERROR",
    RxStatus.DISABLED: "RX_DISABLED",
    RxStatus.OVERFLOW: "RX_OVERFLOW",
    RxStatus.STORED: "RX_FRAMES",
}


def pause_first(cycles: int) -> Iterator[bool]:
    """Hold a channel for some cycles, then let it go."""
    return itertools.chain(itertools.repeat(True, cycles), itertools.repeat(False))


def pause_often(rng: random.Random, rate: float) -> Iterator[bool]:
    """Hold a channel in a share `rate` of the cycles."""
    while True:
        yield rng.random() < rate


def channels(bench: Bench) -> tuple[Any, ...]:
    """The five channels of the master: AW, W, B, AR, R."""
    write, read = bench.axil.write_if, bench.axil.read_if
    return (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)


@cocotb.test()
async def address_and_data_in_either_order_and_at_any_distance_write_once(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    write = bench.axil.write_if
    kicks = 0
    for channel in (write.aw_channel, write.w_channel, write.b_channel):
        for distance in range(7):
            channel.set_pause_generator(pause_first(distance))
            await with_timeout(bench.write(Reg.QUEUE_NOTIFY, 1), 1, "us")
            channel.clear_pause_generator()
            channel.pause = False
            kicks += 1
            await bench.cycles(3)
            assert bench.kicks[1] == kicks


@cocotb.test()
async def writes_sent_back_to_back_arrive_in_order(dut: Any) -> None:
    bench = await started(dut)
    events = []
    for value in range(1, 9):
        for offset in (Reg.QUEUE_DESC_LOW, Reg.QUEUE_DEVICE_HIGH):
            event = cocotb.triggers.Event()
            bench.axil.init_write(offset, value.to_bytes(4, "little"), event=event)
            events.append(event)
    for event in events:
        await with_timeout(event.wait(), 1, "us")
    assert bench.slice("desc_addr", 0, 64) == 8
    assert bench.slice("device_addr", 0, 64) == 8 << 32


@cocotb.test()
async def write_strobes_select_the_bytes(dut: Any) -> None:
    bench = await started(dut)
    registers = {
        "desc_addr": Reg.QUEUE_DESC_LOW,
        "driver_addr": Reg.QUEUE_DRIVER_LOW,
        "device_addr": Reg.QUEUE_DEVICE_LOW,
    }
    rng = seeded()
    for port, base in registers.items():
        expected = bytearray(8)
        for _ in range(40):
            size = rng.choice((1, 2, 4))
            at = rng.randrange(0, 8, size)
            value = rng.randbytes(size)
            expected[at : at + size] = value
            await bench.write(base + at, int.from_bytes(value, "little"), size)
            assert bench.slice(port, 0, 64) == int.from_bytes(expected, "little")
    await bench.write(Reg.QUEUE_NUM, 0x0101)
    assert bench.slice("queue_size", 0, 16) == 0, "257 is refused"
    await bench.write(Reg.QUEUE_NUM, 0x40, 1)
    assert bench.slice("queue_size", 0, 16) == 0x40


@cocotb.test()
async def action_registers_without_byte_lane_0_do_nothing(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    await bench.write(Reg.STATUS + 1, 0, 1)
    await bench.write(Reg.STATUS + 2, 0, 2)
    await bench.write(Reg.QUEUE_READY + 1, 0, 1)
    await bench.write(Reg.QUEUE_NOTIFY + 2, 0, 2)
    await bench.cycles(5)
    assert dut.device_reset.value == 0
    assert dut.queue_enable.value == 3
    assert bench.kicks == [0, 0]
    await bench.write(Reg.QUEUE_NOTIFY, 1, 1)
    await bench.cycles(2)
    assert bench.kicks == [0, 1]
    await bench.write(Reg.STATUS, 0, 1)
    assert dut.device_reset.value == 1


@cocotb.test()
async def every_event_counts_in_its_counter_and_no_other(dut: Any) -> None:
    bench = await started(dut)
    expected = dict.fromkeys((stat.name for stat in Stat), 0)
    dut.stat_rx_bytes.value = 1000
    dut.stat_rx_fcs_wrong.value = 1
    dut.stat_rx_broadcast.value = 1
    for repeat, (status, counter) in enumerate(RX_STATUS_COUNTER.items(), 1):
        dut.stat_rx_status.value = int(status)
        for _ in range(repeat):
            await bench.pulse("stat_rx_valid")
        expected[counter] += repeat
    expected["RX_BYTES"] = 1000 * expected["RX_FRAMES"]
    good = expected["RX_FRAMES"] + expected["RX_DISABLED"] + expected["RX_OVERFLOW"]
    expected |= {"RX_512_1023": good, "RX_BROADCAST": good}
    expected |= {"RX_FRAGMENTS": expected["RX_UNDERSIZE"], "RX_JABBERS": expected["RX_OVERSIZE"]}
    assert await bench.counters() == expected
    dut.stat_rx_fcs_wrong.value = 0
    for status in (RxStatus.UNDERSIZE, RxStatus.OVERSIZE):
        dut.stat_rx_status.value = int(status)
        await bench.pulse("stat_rx_valid")
        expected[RX_STATUS_COUNTER[status]] += 1
    assert await bench.counters() == expected
    dut.stat_tx_bytes.value = 64
    dut.stat_tx_multicast.value = 1
    for pin, counter in (
        ("stat_tx_valid", "TX_FRAMES"),
        ("stat_tx_oversize", "TX_OVERSIZE"),
        ("stat_tx_underflow", "TX_UNDERFLOW"),
        ("stat_tx_bad_offload", "TX_BAD_OFFLOAD"),
        ("stat_tx_tso", "TX_TSO"),
        ("stat_rx_truncated", "RX_TRUNCATED"),
    ):
        await bench.pulse(pin)
        expected[counter] += 1
        expected |= {"TX_BYTES": 64, "TX_64": 1, "TX_MULTICAST": 1}
        assert await bench.counters() == expected
    await bench.initialise()
    for queue, counter in ((0, "RX_KICKS"), (1, "TX_KICKS"), (1, "TX_KICKS")):
        await bench.write(Reg.QUEUE_NOTIFY, queue)
        expected[counter] += 1
        assert await bench.counters() == expected
    await bench.reset_device()
    assert await bench.counters() == expected, "a device reset must keep the statistics"


def random_length(rng: random.Random) -> int:
    """A frame's length, with FCS: often at the edge of a size class."""
    edges = (64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1518, 1519)
    return rng.choice((*edges, rng.randrange(64, 1600), rng.randrange(64, 1 << 16)))


def count_rmon(counters: dict[str, int], direction: str, length: int, kind: str) -> None:
    """RFC 2819 §5: one size class for each frame, and one of two kinds of group address."""
    for name in ("64", "65_127", "128_255", "256_511", "512_1023", "1024_1518"):
        least, _, most = name.partition("_")
        if int(least) <= length <= int(most or least):
            counters[f"{direction}_{name}"] += 1
    counters[f"{direction}_1519_MAX"] += length >= 1519
    if kind != "unicast":
        counters[f"{direction}_{kind.upper()}"] += 1


@cocotb.test()
async def events_every_cycle_on_all_inputs_are_all_counted(dut: Any) -> None:
    bench = Bench(dut, watched=False)
    await bench.start()
    rng = seeded()
    expected = dict.fromkeys((stat.name for stat in Stat), 0)
    pins = {
        "stat_tx_oversize": "TX_OVERSIZE",
        "stat_tx_underflow": "TX_UNDERFLOW",
        "stat_rx_truncated": "RX_TRUNCATED",
        "stat_tx_bad_offload": "TX_BAD_OFFLOAD",
        "stat_tx_tso": "TX_TSO",
    }
    for _ in range(400):
        rx, tx = rng.random() < 0.7, rng.random() < 0.7
        status, rx_bytes, tx_bytes = (
            RxStatus(rng.randrange(8)),
            random_length(rng),
            random_length(rng),
        )
        dut.stat_rx_valid.value, dut.stat_tx_valid.value = int(rx), int(tx)
        dut.stat_rx_status.value = int(status)
        dut.stat_rx_bytes.value, dut.stat_tx_bytes.value = rx_bytes, tx_bytes
        kinds = [rng.choice(("multicast", "broadcast", "unicast")) for _ in range(2)]
        for direction, kind in zip(("rx", "tx"), kinds, strict=True):
            for pin in ("multicast", "broadcast"):
                getattr(dut, f"stat_{direction}_{pin}").value = int(kind == pin)
        fcs_wrong = rng.randrange(2)
        dut.stat_rx_fcs_wrong.value = fcs_wrong
        for pin, counter in pins.items():
            level = rng.randrange(2)
            getattr(dut, pin).value = level
            expected[counter] += level
        if rx:
            expected[RX_STATUS_COUNTER[status]] += 1
            expected["RX_BYTES"] += rx_bytes if status is RxStatus.STORED else 0
            if status in (RxStatus.DISABLED, RxStatus.OVERFLOW, RxStatus.STORED):
                count_rmon(expected, "RX", rx_bytes, kinds[0])
            if fcs_wrong and status in (RxStatus.UNDERSIZE, RxStatus.OVERSIZE):
                expected["RX_FRAGMENTS" if status is RxStatus.UNDERSIZE else "RX_JABBERS"] += 1
        if tx:
            expected["TX_FRAMES"] += 1
            expected["TX_BYTES"] += tx_bytes
            count_rmon(expected, "TX", tx_bytes, kinds[1])
        await RisingEdge(dut.clk)
    for pin in (*pins, "stat_rx_valid", "stat_tx_valid"):
        getattr(dut, pin).value = 0
    assert await bench.counters() == expected


@cocotb.test()
async def carry_between_low_and_high_read_does_not_tear_the_number(dut: Any) -> None:
    bench = Bench(dut, watched=False)
    await bench.start()
    dut.stat_rx_status.value = int(RxStatus.STORED)
    dut.stat_rx_bytes.value = 0xFFFF
    dut.stat_tx_bytes.value = 0xFFFF
    dut.stat_rx_valid.value = 1
    dut.stat_tx_valid.value = 1
    await bench.cycles(1 << 16)
    dut.stat_rx_valid.value = 0
    dut.stat_tx_valid.value = 0
    before = 0xFFFF << 16
    assert await bench.read(Stat.RX_BYTES) == before
    for pin in ("stat_rx_valid", "stat_tx_valid"):
        for _ in range(2):
            await bench.pulse(pin)
    after = before + 2 * 0xFFFF
    assert after >> 32 == 1
    assert await bench.read(Stat.TX_BYTES) == after & 0xFFFF_FFFF
    assert await bench.read(Stat.RX_BYTES + 4) == 0, "latched with its own low word, before the carry"
    assert await bench.read(Stat.TX_BYTES + 4) == 1
    assert await bench.read(Stat.RX_BYTES, 8) == after
    await bench.pulse("rst")
    await bench.cycles(1)
    assert await bench.read(Stat.RX_BYTES + 4) == 0
    assert await bench.read(Stat.RX_BYTES, 8) == 0


@cocotb.test()
async def low_words_read_while_every_cycle_counts_are_never_torn(dut: Any) -> None:
    bench = await started(dut)
    rng = seeded()
    for channel in channels(bench):
        channel.set_pause_generator(pause_often(rng, 0.4))
    dut.stat_tx_bytes.value = 1
    dut.stat_tx_valid.value = 1
    last = 0
    for _ in range(60):
        value = await bench.read(Stat.TX_FRAMES, 8)
        assert last < value <= last + 200
        last = value


@cocotb.test()
async def random_accesses_under_random_backpressure_never_wedge_the_slave(dut: Any) -> None:
    bench = await started(dut)
    rng = seeded()
    known = [register.offset for register in REGISTERS]
    values = (0, 1, 2, 5, 8, 256, 257, 0x1000, 0xFFFF_FFFF)
    for _ in range(4):
        for channel in channels(bench):
            channel.set_pause_generator(pause_often(rng, rng.random() * 0.8))
        pending = []
        for _ in range(150):
            size = rng.choice((1, 2, 4, 4, 4, 4))
            offset = rng.choice(known) if rng.random() < 0.9 else rng.randrange(1 << 13)
            offset -= offset % size
            event = cocotb.triggers.Event()
            if rng.random() < 0.7:
                value = rng.choice(values) if rng.random() < 0.8 else rng.randrange(1 << 32)
                data = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
                bench.axil.init_write(offset, data, event=event)
            else:
                bench.axil.init_read(offset, size, event=event)
            pending.append(event)
            if rng.random() < 0.3:
                dut.queue_idle.value = rng.randrange(4)
                dut.device_idle.value = rng.randrange(2)
                dut.link_up.value = rng.randrange(2)
                await bench.pulse(rng.choice(("used_interrupt", "stat_rx_valid", "stat_tx_valid", "fatal")))
        for event in pending:
            await with_timeout(event.wait(), 100, "us")
        for channel in channels(bench):
            channel.clear_pause_generator()
            channel.pause = False
        dut.queue_idle.value = 3
        dut.device_idle.value = 1
        await bench.cycles(2)
        await bench.reset_device()
        await bench.initialise()
        before = list(bench.kicks)
        await bench.write(Reg.QUEUE_NOTIFY, 0)
        await bench.cycles(2)
        assert bench.kicks == [before[0] + 1, before[1]]
        await bench.reset_device()
        # One of the accesses above may have set it: a device reset keeps it.
        await bench.write(Side.MTU, 1500)
        assert await bench.read(Config.MTU, 2) == 1500


@cocotb.test()
async def random_queue_control_keeps_the_rules_of_the_ring_outputs(dut: Any) -> None:
    """The watch checks the rules; here every queue is stopped and started against a busy ring."""
    bench = await started(dut)
    rng = seeded()
    await bench.initialise()
    for step in range(120):
        dut.queue_idle.value = rng.randrange(4)
        queue = rng.randrange(2)
        await bench.write(Reg.QUEUE_SEL, queue)
        match rng.randrange(4):
            case 0:
                await bench.write(Reg.QUEUE_READY, 0)
                assert not bench.enabled(queue)
            case 1:
                num = rng.randrange(1, 257)
                ready = await bench.configure(queue, Ring(num, step << 4, step << 2, step << 2))
                assert ready == 1
            case 2:
                await bench.write(Reg.QUEUE_NOTIFY, queue)
            case 3:
                await bench.pulse("used_interrupt", 1 << queue)
                await bench.write(Reg.INTERRUPT_ACK, Interrupt.USED_BUFFER)
    dut.queue_idle.value = 3
    for queue, ring in enumerate(RINGS):
        await bench.write(Reg.QUEUE_SEL, queue)
        await bench.write(Reg.QUEUE_READY, 0)
        assert await bench.configure(queue, ring) == 1
    await bench.cycles(20)
    assert dut.queue_enable.value == 3


@SIMULATORS
def test_regs_bus(simulator: str) -> None:
    run_block("fdw_regs", SOURCES, __name__, {}, simulator)
