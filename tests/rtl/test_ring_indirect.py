"""fdw_ring_fetch and fdw_ring_indirect with tables (virtio 1.2 §2.8.7): place, order, rate, faults."""

import itertools
import os
import struct
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles
from ring_bench import BASE, INDIRECT, WRITE, DriverRing
from simulators import SIMULATORS
from test_ring_fetch import SOURCES, Bench

from tb.block import run_block
from tb.buses.memory import pauses

Chain = list[tuple[int, int, int]]

DIRECTION = WRITE if os.environ.get("FDWIRE_RING_QUEUE") == "receive" else 0
"""Which way the buffers of the build under test go."""


async def started(dut: Any) -> Bench:
    bench = Bench(dut)
    bench.direction = DIRECTION
    await bench.start()
    dut.indirect.value = 1
    return bench


def place(bench: Bench, length: int) -> int:
    """An address for a table of `length` bytes: any, often across 4 KiB, often with an entry across it."""
    top = bench.ram._top
    page = (top + 40 + 4095) // 4096 * 4096
    at = bench.random.choice(
        (
            top + bench.random.randrange(40),
            top + bench.random.randrange(40),
            page - bench.random.randrange(1, 40),
            page - 16 * bench.random.randrange(1, 3),
        )
    )
    bench.ram._top = at + length
    return BASE + at


@cocotb.test(timeout_time=16, timeout_unit="ms")
async def tables_anywhere_among_direct_chains_come_in_order_as_chains_of_one_slot(dut: Any) -> None:
    bench = await started(dut)
    for size in (1, 2, 7, 64, 100, 256):
        bench.ram._top = 0
        bench.bus.latency = bench.random.choice((0, 5, 60, 156))
        bench.bus.pause(bench.random, bench.random.choice((0.0, 0.3)))
        bench.pause = pauses(bench.random, bench.random.choice((0.0, 0.5)))
        ring = DriverRing(bench.ram, size, offset=16 * bench.random.randrange(256))
        extent = set()
        expected: list[tuple[int, int, bool, bool]] = []
        tails: list[tuple[int, int]] = []
        while ring.free:
            if bench.random.random() < 0.7:
                count = min(bench.random.choice((1, 2, 2, 3, 17)), size)
                chain = bench.chain(count)
                address = place(bench, 16 * count)
                extent |= set(range(address & ~15, address + 16 * count, 16))
                # Only WRITE of an entry's flags means anything, and not where it is only read; in the ring it
                # never does (§2.8.7).
                entries = [(a, n, bench.random.getrandbits(16) | DIRECTION) for a, n, _ in chain]
                tails.append((ring.post_table(entries, address, bench.random.choice((0, WRITE))), 1))
            else:
                chain = bench.chain(bench.random.randint(1, min(ring.free, 3)))
                tails.append((ring.post(chain), len(chain)))
            expected += [(a, n, k == 0, k == len(chain) - 1) for k, (a, n, _) in enumerate(chain)]
        bench.ram.log.clear()
        bench.enable(ring)
        await bench.has_taken(len(expected), f"descriptors of a ring of {size}", 50_000)
        assert [(t.address, t.length, t.first, t.last) for t in bench.taken] == expected
        assert [(t.id, t.slots) for t in bench.taken if t.last] == tails
        reads = {a.address & ~15 for a in bench.ram.log if not a.write}
        assert reads - extent <= {ring.slot(n) for n in range(size)}, "a read beside ring and tables"
        assert extent <= reads
        await bench.disable()
    assert not bench.errors and not bench.ram.failed and not bench.ram.stray


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(skew=[0, 7])
async def full_ring_of_tables_of_2_at_1us_memory_latency_keeps_the_line_rate(dut: Any, skew: int) -> None:
    bench = await started(dut)
    bench.bus.latency = 156
    ring = DriverRing(bench.ram, 256)
    for n in range(256):
        ring.post_table(bench.chain(2), BASE + 0x10000 + 64 * n + skew)
    bench.enable(ring)
    await bench.has_taken(512, "all", 10_000)
    cycles = (bench.taken[-1].cycle - bench.taken[255].cycle) / 128
    dut._log.info(f"{cycles:.2f} cycles a chain of 2 in a table {skew} bytes off a beat")
    assert cycles < 10.5


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def table_as_long_as_the_ring_is_read_as_far_as_there_is_room_and_comes_whole(dut: Any) -> None:
    bench = await started(dut)
    bench.bus.latency = 20
    for skew in (0, 1, 15):
        bench.pause = itertools.repeat(True)
        ring = DriverRing(bench.ram, 256)
        bench.ram._top = 0
        chain = bench.chain(256)
        table = BASE + 0x10000 + skew
        ring.post_table(chain, table)
        ring.post(bench.chain(1))
        bench.ram.log.clear()
        bench.enable(ring)
        await ClockCycles(dut.clk, 1500)
        assert not bench.taken
        read = bench.ram.accesses(False, table & ~15, 16 * 257)
        assert 56 <= len(read) <= 64 + bool(skew), "DEPTH entries, not more"
        bench.pause = pauses(bench.random, 0.2)
        await bench.has_taken(257, "all", 10_000)
        assert [t.address for t in bench.taken[:256]] == [a for a, _, _ in chain]
        assert [t.last for t in bench.taken] == [False] * 255 + [True, True]
        await bench.disable()


GOOD = (BASE, 64, DIRECTION)
TABLE = BASE + 0x8005

RING_FAULTS: dict[str, Chain] = {
    "length no multiple of 16": [(TABLE, 40, INDIRECT)],
    "length 8": [(TABLE, 8, INDIRECT)],
    "length 0": [(TABLE, 0, INDIRECT)],
    "one entry more than the ring has": [(TABLE, 16 * 9, INDIRECT)],
    "512 KiB": [(TABLE, 1 << 19, INDIRECT)],
    "4 GiB less 16": [(TABLE, 0xFFFF_FFF0, INDIRECT)],
    "with NEXT": [(TABLE, 32, INDIRECT), GOOD],
    "at a chain's end": [GOOD, (TABLE, 32, INDIRECT)],
    "in a chain's middle": [GOOD, (TABLE, 32, INDIRECT), GOOD],
}
ENTRY_FAULTS: dict[str, Chain] = {
    "only entry of length 0": [(BASE, 0, DIRECTION)],
    "last entry of length 0": [GOOD, GOOD, (BASE, 0, DIRECTION)],
}
if DIRECTION:
    ENTRY_FAULTS |= {
        "first entry not writable": [(BASE, 5, 0), GOOD],
        "middle entry not writable": [GOOD, (BASE, 5, 0xFFFF & ~WRITE), GOOD],
    }


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def bad_table_descriptor_or_entry_is_reported_once_settled_and_ends_the_stream(dut: Any) -> None:
    bench = await started(dut)
    bench.ram.poke(TABLE, b"".join(struct.pack("<QIHH", *GOOD[:2], 0, DIRECTION) for _ in range(9)))
    for name in (*RING_FAULTS, *ENTRY_FAULTS):
        bench.ram._top = 0
        ring = DriverRing(bench.ram, 8)
        before = bench.chain(2)
        ring.post_table(before, BASE + 0x9003)
        if name in RING_FAULTS:
            chain = RING_FAULTS[name]
            ring.post(chain)
            handed = list(itertools.takewhile(lambda d: not d[2] & INDIRECT, chain))
        else:
            chain = ENTRY_FAULTS[name]
            ring.post_table(chain, TABLE + 0x4000)
            handed = list(itertools.takewhile(lambda d: d[1] and d[2] & WRITE == DIRECTION, chain))
        ring.post_table(bench.chain(2), BASE + 0xA003)
        ring.post(bench.chain(1))
        await bench.refuses(ring, name)
        assert [t.address for t in bench.taken] == [a for a, _, _ in before + handed], name
        await bench.disable()
    dut.indirect.value = 0
    ring = DriverRing(bench.ram, 8)
    ring.post_table(bench.chain(2), TABLE)
    bench.errors = 0
    bench.enable(ring)
    await ClockCycles(dut.clk, 200)
    assert bench.errors == 1 and not bench.taken, "INDIRECT without the feature"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def bus_error_on_any_beat_of_a_table_is_reported_once(dut: Any) -> None:
    bench = await started(dut)
    for beat in (0, 1, 9, 12):
        bench.ram._top = 0
        ring = DriverRing(bench.ram, 16)
        table = BASE + 0x8003
        ring.post_table(bench.chain(12), table)
        ring.post_table(bench.chain(2), BASE + 0x9000)
        bench.ram.forbidden = {(table & ~15) + 16 * beat}
        bench.errors = 0
        bench.enable(ring)
        await ClockCycles(dut.clk, 300)
        assert bench.errors == 1 and len(bench.taken) < 12
        bench.ram.forbidden.clear()
        await bench.disable()


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def disabled_at_any_moment_it_forgets_its_tables_and_begins_anew(dut: Any) -> None:
    bench = await started(dut)
    for _ in range(60):
        bench.ram._top = 0
        bench.bus.latency = bench.random.choice((0, 10, 100))
        ring = DriverRing(bench.ram, 33)
        for n in range(bench.random.randint(1, 33)):
            ring.post_table(bench.chain(bench.random.choice((1, 2, 30))), BASE + 0x10000 + 512 * n + 3)
        bench.enable(ring)
        await ClockCycles(dut.clk, bench.random.randrange(350))
        dut.enable.value = 0
        await ClockCycles(dut.clk, 2)
        if bench.random.random() < 0.5:
            await bench.until(lambda: not bench.busy, "busy to fall")
            quiet = len(bench.ram.log)
            await ClockCycles(dut.clk, 150)
            assert len(bench.ram.log) == quiet, "an access after busy fell"
        bench.taken.clear()
        ring = DriverRing(bench.ram, 7, offset=2048)
        chains = [bench.chain(2) for _ in range(5)]
        for n, chain in enumerate(chains):
            if n == 2:
                ring.post(chain[:1])
            else:
                ring.post_table(chain, BASE + 0x20000 + 64 * n + n)
        expected = [a for n, c in enumerate(chains) for a, _, _ in (c[:1] if n == 2 else c)]
        bench.enable(ring)
        await bench.has_taken(len(expected), "the new ring's descriptors")
        assert [t.address for t in bench.taken] == expected
        await bench.disable()
    assert not bench.errors


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def table_rewritten_while_it_is_read_gives_only_entries_that_were_there(dut: Any) -> None:
    """An adversary changes entries as they are read: each is taken once, from one moment or another."""
    bench = await started(dut)
    bench.bus.latency = 10
    for _ in range(20):
        bench.ram._top = 0
        ring = DriverRing(bench.ram, 16)
        table = BASE + 0x8000
        old, new = bench.chain(16), bench.chain(16)
        rows = [b"".join(struct.pack("<QIHH", a, n, 0, f) for a, n, f in rows) for rows in (old, new)]
        ring.post_table(old, table)

        def rewrite(rows: list[bytes] = rows, ring: DriverRing = ring, table: int = table) -> None:
            bench.ram.poke(table, rows[1])
            bench.ram.poke(ring.slot(0), bytes(16))

        bench.ram.hooks[table + 16 * bench.random.randrange(16)] = rewrite
        bench.enable(ring)
        await bench.has_taken(16, "the table")
        for taken, before, after in zip(bench.taken, old, new, strict=True):
            assert (taken.address, taken.length) in (before[:2], after[:2])
        await bench.disable()
    assert not bench.errors


@SIMULATORS
@pytest.mark.parametrize("queue", ["transmit", "receive"])
def test_ring_indirect(queue: str, simulator: str) -> None:
    parameters = {"DEVICE_WRITES": int(queue == "receive")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FDWIRE_RING_QUEUE", queue)
        run_block("ring_wrap", SOURCES, __name__, parameters, simulator, ["ring_wrap.v"])
