"""fdw_ring_fetch against a driver written from the specification: order, wraps, late heads, kicks, errors."""

import itertools
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cocotb
from clocked import now, rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from ring_bench import AVAIL, BASE, DESC, DISABLE, ENABLE, INDIRECT, NEXT, USED, WRITE, DriverRing, HostRam
from simulators import SIMULATORS

from tb.block import run_block
from tb.buses.memory import HostBus, pauses

SOURCES = [
    "ring/fdw_ring_fetch.v", "ring/fdw_ring_used.v", "ring/fdw_ring_event.v", "ring/fdw_ring_indirect.v",
    "dma/fdw_axi_read_mux.v", "dma/fdw_axi_write_mux.v",
    "lib/fdw_fifo.v", "lib/fdw_skid.v", "lib/fdw_arbiter.v",
]  # fmt: skip


class Taken(NamedTuple):
    cycle: int
    address: int
    length: int
    id: int
    first: bool
    last: bool
    slots: int


class Bench:
    """The block, its memory, and someone who takes the descriptors (with pauses)."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.random = rng()
        self.ram = HostRam(1 << 20)
        self.bus = HostBus(dut, self.ram)
        self.taken: list[Taken] = []
        self.errors = 0
        self.direction = 0
        self.pause: Iterator[bool] = itertools.repeat(False)

    async def start(self) -> None:
        idle = dict.fromkeys(
            ("enable", "ring_addr", "ring_size", "device_event_addr", "driver_event_addr", "kick", "settled"),
            0,
        )
        used = dict.fromkeys(
            ("used_valid", "used_id", "used_len", "used_write", "used_count", "used_hold", "used_release"), 0
        ) | {"desc_ready": 0, "event_idx": 0, "indirect": 0}
        await start(self.dut, **idle, **used)
        await ClockCycles(self.dut.clk, 2)
        self.dut.settled.value = 1
        cocotb.start_soon(self._take())

    async def _take(self) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        ready = False
        held = None
        while True:
            await edge
            self.errors += int(dut.fetch_error.value) + int(dut.table_error.value)
            if dut.desc_valid.value == 1:
                # What Verilator and Icarus sample here is from before the edge.
                fields = (
                    dut.desc_addr,
                    dut.desc_len,
                    dut.desc_id,
                    dut.desc_first,
                    dut.desc_last,
                    dut.desc_slots,
                )
                a, length, i, first, last, slots = (int(x.value) for x in fields)
                beat = (a, length, i, first, last, slots)
                assert held in (None, beat), "a descriptor changed while it was not taken"
                held = None if ready else beat
                if ready:
                    self.taken.append(Taken(now(), a, length, i, bool(first), bool(last), slots))
            else:
                held = None
            ready = not next(self.pause)
            dut.desc_ready.value = ready

    def enable(self, ring: DriverRing) -> None:
        self.dut.ring_addr.value = ring.ring
        self.dut.ring_size.value = ring.size
        self.dut.device_event_addr.value = ring.device_area
        self.dut.enable.value = 1

    @property
    def busy(self) -> bool:
        """Has the block a transfer in flight?"""
        return bool(self.dut.fetch_busy.value == 1 or self.dut.table_busy.value == 1)

    async def disable(self) -> None:
        self.dut.enable.value = 0
        await ClockCycles(self.dut.clk, 2)
        await self.until(lambda: not self.busy, "busy to fall")
        self.taken.clear()

    async def kick(self) -> None:
        self.dut.kick.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.kick.value = 0

    async def refuses(self, ring: DriverRing, name: str) -> None:
        """Enabled, it reports one error, once it is `settled` and no sooner; a kick brings no second one."""
        self.errors = 0
        self.dut.settled.value = 0
        self.enable(ring)
        await ClockCycles(self.dut.clk, 300)
        assert self.errors == 0, f"{name}: reported before settled"
        self.dut.settled.value = 1
        await ClockCycles(self.dut.clk, 100)
        await self.kick()
        await ClockCycles(self.dut.clk, 100)
        assert self.errors == 1, name

    async def has_taken(self, count: int, what: str, cycles: int = 5000) -> None:
        await self.until(lambda: len(self.taken) >= count, what, cycles)
        assert len(self.taken) == count

    async def until(self, condition: Callable[[], bool], what: str, cycles: int = 5000) -> None:
        for _ in range(cycles):
            if condition():
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"{what}: not within {cycles} cycles; {len(self.taken)} taken")

    def chain(self, count: int) -> list[tuple[int, int, int]]:
        r = self.random
        return [(r.getrandbits(64), r.randrange(1, 1 << 32), self.direction) for _ in range(count)]


async def asleep(bench: Bench, ring: DriverRing) -> None:
    """The device asks for a kick and has not touched the bus for a while."""
    quiet = -1
    while quiet != len(bench.ram.log) or not ring.wants_kick:
        quiet = len(bench.ram.log)
        await ClockCycles(bench.dut.clk, 2 * bench.bus.latency + 60)


def chain_spans(last: list[bool]) -> list[tuple[int, int]]:
    """Where each chain begins and ends."""
    ends = [n for n, is_last in enumerate(last) if is_last]
    return list(zip([0, *(end + 1 for end in ends[:-1])], ends, strict=True))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def empty_ring_is_looked_at_twice_and_then_left_until_a_kick(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    ring = DriverRing(bench.ram, 8)
    bench.ram.poke(ring.device_area, bytes((0, 0, DISABLE, 0)))  # as an earlier life may have left it
    bench.enable(ring)
    await asleep(bench, ring)
    reads = bench.ram.accesses(False, ring.ring, 16)
    (event,) = bench.ram.accesses(True, ring.device_area, 4)
    assert event.data == bytes((0, 0, ENABLE, 0))
    assert len(reads) == 2 and reads[0].cycle < event.cycle < reads[1].cycle
    quiet = len(bench.ram.log)
    await ClockCycles(dut.clk, 500)
    assert len(bench.ram.log) == quiet and not bench.taken
    await bench.kick()
    await asleep(bench, ring)
    events = bench.ram.accesses(True, ring.device_area, 4)
    assert [e.data[2] for e in events] == [ENABLE, DISABLE, ENABLE]
    assert not bench.taken and not bench.errors


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def chains_on_rings_of_any_size_come_in_order_across_wraps(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for size in (1, 2, 3, 5, 7, 8, 9, 31, 64, 100, 257):
        bench.bus.latency = bench.random.choice((0, 5, 156))
        bench.bus.pause(bench.random, bench.random.choice((0.0, 0.3)))
        bench.pause = pauses(bench.random, bench.random.choice((0.0, 0.5)))
        ring = DriverRing(bench.ram, size, offset=16 * bench.random.randrange(256))
        bench.enable(ring)
        expected: list[tuple[int, int, bool, bool]] = []
        ids: list[int] = []
        out: list[int] = []
        given_back = 0
        for _ in range(3 * min(size, 100) + 6):
            count = bench.random.randint(1, min(size, 6))
            waited = 0
            while ring.free < count:
                # Chains are given back in order, when all their descriptors have been taken.
                taken_chains = sum(t.last for t in bench.taken)
                if given_back < taken_chains:
                    ring.release(out.pop(0))
                    given_back += 1
                else:
                    waited += 4
                    assert waited < 20_000, f"after {given_back} chains nothing comes any more"
                    await ClockCycles(dut.clk, 4)
            chain = bench.chain(count)
            chain_id = ring.post(chain)
            out.append(chain_id)
            ids.append(chain_id)
            expected += [(a, n, k == 0, k == count - 1) for k, (a, n, _) in enumerate(chain)]
            if ring.wants_kick:
                await bench.kick()
            if bench.random.random() < 0.2:
                await ClockCycles(dut.clk, bench.random.randrange(100))
        await bench.has_taken(len(expected), f"descriptors of a ring of {size}")
        assert [(t.address, t.length, t.first, t.last) for t in bench.taken] == expected
        assert [t.id for t in bench.taken if t.last] == ids
        lengths = [1 + n - start for start, n in chain_spans([t.last for t in bench.taken])]
        assert [t.slots for t in bench.taken if t.last] == lengths
        touched = [a for a in bench.ram.log if not a.write]
        assert all(ring.ring <= a.address < ring.slot(size) for a in touched), "a read beside the ring"
        await bench.disable()
        bench.ram.log.clear()
    assert not bench.errors and not bench.ram.stray


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def only_avail_equal_to_the_wrap_counter_and_used_unlike_it_is_available(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for wrap in (1, 0):
        ring = DriverRing(bench.ram, 2)
        if not wrap:
            ring.post(bench.chain(1))
            ring.post(bench.chain(1))
        bench.enable(ring)
        await asleep(bench, ring)
        before = len(bench.taken)
        # Zeroed memory is the first; the other two are a lap old, or used in this one.
        for flags in (0, AVAIL | USED, USED if wrap else AVAIL):
            bench.ram.poke(ring.slot(0), struct.pack("<QIHH", BASE, 64, 0, flags))
            await bench.kick()
            await asleep(bench, ring)
            assert len(bench.taken) == before and not bench.errors, f"flags {flags:#x} at wrap counter {wrap}"
        bench.ram.poke(ring.slot(0), struct.pack("<QIHH", BASE, 64, 0, AVAIL if wrap else USED))
        await bench.kick()
        await bench.has_taken(before + 1, "the available one")
        await bench.disable()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def chain_whose_head_is_not_published_is_not_used(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    ring = DriverRing(bench.ram, 8)
    chain = bench.chain(4)
    _, publish = ring.add(chain)
    bench.enable(ring)
    await bench.kick()
    await asleep(bench, ring)
    assert not bench.taken
    publish()
    await bench.kick()
    await bench.has_taken(4, "the chain")
    assert [t.address for t in bench.taken] == [a for a, _, _ in chain]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def head_published_within_the_burst_that_missed_it_comes_once_and_fresh(dut: Any) -> None:
    """The burst sees slots 1.. available and 0 not; what it saw of them must not be used."""
    bench = Bench(dut)
    await bench.start()
    for latency in (0, 7, 156):
        for slot in range(7):
            bench.bus.latency = latency
            ring = DriverRing(bench.ram, 8)
            before = bench.chain(slot)
            for buffer in before:
                ring.post([buffer])
            head = bench.chain(2)
            stale = bench.ram.peek(ring.slot(slot), 16)
            assert stale == bytes(16)
            _, publish = ring.add(head)

            def late(
                ring: DriverRing = ring, slot: int = slot, publish: Callable[[], None] = publish
            ) -> None:
                # The second descriptor is rewritten before the head is published, as a driver may.
                publish()
                bench.ram.poke(ring.slot((slot + 1) % 8), (0xABCD).to_bytes(8, "little"))

            bench.ram.hooks[ring.slot(slot)] = late
            bench.enable(ring)
            await asleep(bench, ring)
            if len(bench.taken) < slot + 2:
                await bench.kick()
            await bench.has_taken(slot + 2, "both")
            assert [t.address for t in bench.taken] == [a for a, _, _ in before] + [head[0][0], 0xABCD]
            await asleep(bench, ring)
            assert len(bench.taken) == slot + 2
            await bench.disable()


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def driver_that_kicks_only_when_asked_never_waits_for_ever(dut: Any) -> None:
    """Each descriptor is published at a random moment of the device's way to sleep."""
    bench = Bench(dut)
    await bench.start()
    ring = DriverRing(bench.ram, 5)
    bench.enable(ring)
    for n in range(400):
        bench.bus.latency = bench.random.choice((0, 3, 20))
        chain_id = ring.post(bench.chain(1))
        if ring.wants_kick:
            # The notification takes its time on the way (posted write).
            await ClockCycles(dut.clk, bench.random.randrange(4))
            await bench.kick()
        await bench.has_taken(n + 1, "a descriptor", cycles=1000)
        ring.release(chain_id)
        await ClockCycles(dut.clk, bench.random.randrange(90))
    events = [e.data[2] for e in bench.ram.accesses(True, ring.device_area, 4)]
    assert all(a != b for a, b in itertools.pairwise(events)), "the same event flags written twice"
    assert events.count(DISABLE) > 20, "the way to sleep was hardly ever taken"


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def kick_at_every_cycle_of_the_way_to_sleep_wakes(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for delay in range(90):
        bench.bus.latency = 8
        ring = DriverRing(bench.ram, 4)
        bench.ram._top -= 4096  # the same place every time
        bench.enable(ring)
        await ClockCycles(dut.clk, delay)
        ring.post(bench.chain(1))
        await bench.kick()
        await bench.has_taken(1, f"the descriptor kicked after {delay} cycles", cycles=300)
        await bench.disable()


def event(off_wrap: int, flags: int) -> bytes:
    """§2.8.14."""
    return struct.pack("<HH", off_wrap, flags)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def with_event_idx_it_asks_for_a_kick_at_the_next_slot_and_writes_nothing_on_waking(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    dut.event_idx.value = 1
    for size in (1, 3, 8, 100):
        ring = DriverRing(bench.ram, size)
        bench.ram._top -= 16 * size
        bench.enable(ring)
        expected = []
        for _ in range(2 * size + 3):
            await quiet(bench)
            expected.append(event(ring.here, DESC))
            written = bench.ram.accesses(True, ring.device_area, 4)
            assert [e.data for e in written] == expected
            last_read = max(a.cycle for a in bench.ram.accesses(False, ring.ring, 16 * size))
            assert last_read > written[-1].cycle, "no look at the ring after the event was written"
            await bench.kick()  # for nothing: what was written still holds
            await quiet(bench)
            count = bench.random.randint(1, min(size, 4))
            before = len(bench.taken)
            chain_id = ring.post(bench.chain(count))
            await bench.kick()
            await bench.has_taken(before + count, "the chain")
            ring.release(chain_id)
        assert not bench.errors
        await bench.disable()
        bench.ram.log.clear()


async def quiet(bench: Bench) -> None:
    """The device has not touched the bus for a while."""
    seen = -1
    while seen != len(bench.ram.log):
        seen = len(bench.ram.log)
        await ClockCycles(bench.dut.clk, 2 * bench.bus.latency + 60)


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def driver_that_kicks_by_event_idx_never_waits_for_ever(dut: Any) -> None:
    """Descriptors are published at a random moment of the device's way to sleep, some before one check."""
    bench = Bench(dut)
    await bench.start()
    dut.event_idx.value = 1
    ring = DriverRing(bench.ram, 5)
    bench.enable(ring)
    total = kicks = 0
    for _ in range(300):
        bench.bus.latency = bench.random.choice((0, 3, 20))
        ids = []
        for _ in range(bench.random.randint(1, 3)):
            ids.append(ring.post(bench.chain(1)))
            await ClockCycles(dut.clk, bench.random.choice((0, 0, 3, 10)))
        total += len(ids)
        if ring.needs_kick():
            kicks += 1
            await ClockCycles(dut.clk, bench.random.randrange(4))
            await bench.kick()
        await bench.has_taken(total, "descriptors", cycles=1000)
        for chain_id in ids:
            ring.release(chain_id)
        await ClockCycles(dut.clk, bench.random.randrange(90))
    assert 20 < kicks < 300, f"{kicks} kicks"
    assert not bench.errors


FAULTS = {
    "length 0": [(BASE, 0, 0)],
    "INDIRECT": [(BASE, 16, INDIRECT)],
    "device-writable": [(BASE, 16, WRITE)],
    "second device-writable": [(BASE, 16, 0), (BASE, 16, WRITE)],
}


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def bad_descriptor_is_reported_once_settled_and_ends_the_stream(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for name, chain in FAULTS.items():
        ring = DriverRing(bench.ram, 8)
        good = bench.chain(2)
        ring.post(good)
        ring.post(chain)
        ring.post(bench.chain(1))
        await bench.refuses(ring, name)
        assert [t.address for t in bench.taken] == [a for a, _, _ in good] + [a for a, _, _ in chain[:-1]], (
            name
        )
        quiet = len(bench.ram.log)
        await ClockCycles(dut.clk, 100)
        assert len(bench.ram.log) == quiet
        await bench.disable()
    # As many descriptors as the ring has, and one more announced.
    for size in (1, 2, 5, 8):
        ring = DriverRing(bench.ram, size)
        _, publish = ring.add(bench.chain(size), extra=NEXT)
        publish()
        bench.errors = 0
        bench.enable(ring)
        await ClockCycles(dut.clk, 200)
        assert bench.errors == 1 and len(bench.taken) == size - 1
        await bench.disable()
    ring = DriverRing(bench.ram, 8)
    ring.post(bench.chain(8))
    bench.enable(ring)
    await bench.has_taken(8, "a chain as long as the ring, which is legal")
    await ClockCycles(dut.clk, 100)
    assert bench.errors == 1


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def bus_error_on_ring_or_event_area_is_reported_once(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for slot in (0, 3, None):
        ring = DriverRing(bench.ram, 8)
        bench.ram.forbidden = {ring.device_area & ~15 if slot is None else ring.slot(slot)}
        for _ in range(4):
            ring.post(bench.chain(1))
        bench.errors = 0
        bench.enable(ring)
        await ClockCycles(dut.clk, 300)
        assert bench.errors == 1
        assert len(bench.taken) <= 4
        bench.ram.forbidden.clear()
        await bench.disable()


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def disabled_at_any_moment_it_falls_silent_and_begins_anew(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for _ in range(60):
        bench.bus.latency = bench.random.choice((0, 10, 100))
        ring = DriverRing(bench.ram, 33, offset=16 * bench.random.randrange(256))
        bench.ram._top = 0
        for _ in range(bench.random.randrange(33)):
            ring.post(bench.chain(1))
        bench.enable(ring)
        await ClockCycles(dut.clk, bench.random.randrange(250))
        dut.enable.value = 0
        if bench.random.random() < 0.5:
            await ClockCycles(dut.clk, 2)
            await bench.until(lambda: not bench.busy, "busy to fall")
            quiet = len(bench.ram.log)
            await ClockCycles(dut.clk, 150)
            assert len(bench.ram.log) == quiet, "an access after busy fell"
        else:
            # Enabled again while transfers of the first life are in flight: they must not be mistaken.
            await ClockCycles(dut.clk, 2)
        bench.taken.clear()
        ring = DriverRing(bench.ram, 7, offset=2048)
        chains = [bench.chain(1)[0] for _ in range(5)]
        for buffer in chains:
            ring.post([buffer])
        bench.enable(ring)
        await bench.has_taken(5, "the new ring's descriptors")
        assert [t.address for t in bench.taken] == [a for a, _, _ in chains]
        await bench.disable()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def stalled_consumer_bounds_what_is_read_and_loses_nothing(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.bus.latency = 50
    bench.pause = itertools.repeat(True)
    ring = DriverRing(bench.ram, 256)
    chains = [bench.chain(1)[0] for _ in range(256)]
    for buffer in chains:
        ring.post([buffer])
    bench.enable(ring)
    await ClockCycles(dut.clk, 1500)
    assert not bench.taken
    # The first burst is of four descriptors, the others of eight: another one would not fit.
    assert len(bench.ram.accesses(False, ring.ring, 16 * 256)) == 60, "as many bursts as DEPTH holds"
    bench.pause = pauses(bench.random, 0.3)
    await bench.has_taken(256, "all")
    assert [t.address for t in bench.taken] == [a for a, _, _ in chains]


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def full_ring_at_1us_memory_latency_gives_a_pair_in_less_than_10_cycles(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.bus.latency = 156
    ring = DriverRing(bench.ram, 512)
    for _ in range(512):
        ring.post(bench.chain(1))
    bench.enable(ring)
    await bench.has_taken(512, "all")
    cycles = (bench.taken[-1].cycle - bench.taken[256].cycle) / 255
    dut._log.info(f"{cycles:.2f} cycles a descriptor")
    assert 2 * cycles < 7


@SIMULATORS
def test_ring_fetch(simulator: str) -> None:
    run_block("ring_wrap", SOURCES, __name__, simulator=simulator, wrappers=["ring_wrap.v"])
