"""fdw_ring_used: what it writes and in which order, when it reads event suppression, when it interrupts."""

import struct
from collections.abc import Callable
from typing import Any

import cocotb
from clocked import now, rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from ring_bench import AVAIL, DISABLE, ENABLE, USED, WRITE, DriverRing, HostRam
from simulators import SIMULATORS
from test_ring_fetch import SOURCES

from tb.block import run_block
from tb.buses.memory import HostBus


class Bench:
    """The block, its memory, and a count of its pulses."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.random = rng()
        self.ram = HostRam(1 << 18)
        self.bus = HostBus(dut, self.ram)
        self.interrupts: list[int] = []
        self.errors = 0

    async def start(self) -> None:
        names = (
            "enable",
            "ring_addr",
            "ring_size",
            "device_event_addr",
            "driver_event_addr",
            "kick",
            "settled",
        )
        used = (
            "used_valid",
            "used_id",
            "used_len",
            "used_write",
            "used_count",
            "used_hold",
            "used_release",
            "event_idx",
            "desc_ready",
        )
        await start(self.dut, **dict.fromkeys(names + used, 0))
        await ClockCycles(self.dut.clk, 2)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.interrupt_pulse.value == 1:
                self.interrupts.append(now())
            self.errors += int(self.dut.used_error.value)

    def enable(self, ring: DriverRing) -> None:
        dut = self.dut
        dut.ring_addr.value = ring.ring
        dut.ring_size.value = ring.size
        dut.driver_event_addr.value = ring.driver_area
        dut.device_event_addr.value = ring.device_area
        dut.enable.value = 1

    async def disable(self) -> None:
        self.dut.enable.value = 0
        await ClockCycles(self.dut.clk, 2)
        await self.until(
            lambda: self.dut.used_busy.value == 0 and self.dut.fetch_busy.value == 0, "busy to fall"
        )

    async def until(self, condition: Callable[[], bool], what: str, cycles: int = 3000) -> None:
        for _ in range(cycles):
            if condition():
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"{what}: not within {cycles} cycles")

    async def use(
        self, ident: int, length: int, write: bool, count: int, *, hold: bool = False, release: bool = False
    ) -> None:
        """Hand over one chain; returns when it has been taken."""
        dut = self.dut
        dut.used_id.value = ident
        dut.used_len.value = length
        dut.used_write.value = write
        dut.used_count.value = count
        dut.used_hold.value = hold
        dut.used_release.value = release
        dut.used_valid.value = 1
        await RisingEdge(dut.clk)
        await self.until(lambda: dut.used_ready.value == 1, "used_ready")
        dut.used_valid.value = 0
        # ready was seen before the edge that takes the request
        await RisingEdge(dut.clk)

    async def idle(self) -> None:
        await ClockCycles(self.dut.clk, 2)
        await self.until(lambda: self.dut.used_busy.value == 0, "busy to fall")
        await RisingEdge(self.dut.clk)


def entry(ident: int, length: int, write: bool, wrap: bool) -> bytes:
    """§2.8.2, §2.8.13: what the driver must find."""
    flags = (WRITE if write else 0) | (AVAIL | USED if wrap else 0)
    return struct.pack("<QIHH", 0, length, ident, flags)


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def entries_go_to_the_next_free_slot_and_flip_flags_at_each_wrap(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for size in (1, 2, 3, 7, 64, 255, 32768):
        ram = bench.ram
        ram._top = 0
        ring = DriverRing(ram, min(size, 1024), offset=16 * bench.random.randrange(256))
        ring.size = size
        bench.bus.latency = bench.random.choice((0, 20))
        bench.enable(ring)
        slot, wrap = 0, True
        expected = []
        ram.log.clear()
        for _ in range(60):
            # In a ring of 32768 only the first 1024 slots have memory: small steps there.
            count = bench.random.randint(1, min(size, 17) if size < 32768 else 10)
            ident, length = bench.random.getrandbits(16), bench.random.getrandbits(32)
            write = bench.random.random() < 0.5
            await bench.use(ident, length, write, count)
            expected.append((ring.slot(slot), entry(ident, length, write, wrap)))
            slot += count
            if slot >= size:
                slot -= size
                wrap = not wrap
        await bench.idle()
        written = [(a.address, a.data) for a in ram.log if a.write and a.address >= ring.ring]
        written = [w for w in written if w[0] < ring.ring + 16 * 1024 and len(w[1]) == 16]
        assert written == expected, f"ring of {size}"
        await bench.disable()
    assert not bench.errors and not bench.ram.stray


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def interrupt_follows_the_flags_the_driver_has_when_the_entry_is_visible(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    # The structure in each of the four words of a 16-byte beat.
    for place in range(4):
        ring = DriverRing(bench.ram, 8)
        ring.driver_area = bench.ram.alloc(4, 16, 4 * place)
        bench.ram.poke(ring.driver_area & ~15, b"\xff" * 16)
        bench.enable(ring)
        for flags, due in ((ENABLE, 1), (DISABLE, 0), (2, 1), (3, 1), (DISABLE | 0xFFFC, 0), (0xFFFC, 1)):
            ring.suppress(flags, off_wrap=0x5555)
            bench.interrupts.clear()
            await bench.use(1, 0, False, 1)
            await bench.idle()
            assert len(bench.interrupts) == due, f"flags {flags:#x} in word {place}"
        await bench.disable()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def event_suppression_is_read_after_the_response_and_fast_entries_share_a_read(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.bus.latency = 50
    ring = DriverRing(bench.ram, 64)
    bench.enable(ring)
    # Seen by the device only if it looks after the response, which comes 50 cycles after the write.
    ring.suppress(DISABLE)
    await bench.use(1, 0, False, 1)
    await bench.until(lambda: bool(bench.ram.accesses(True, ring.ring, 16)), "the entry")
    await ClockCycles(dut.clk, 40)
    ring.suppress(ENABLE)
    await bench.idle()
    assert len(bench.interrupts) == 1
    bench.ram.log.clear()
    bench.interrupts.clear()
    for n in range(24):
        await bench.use(n, 0, False, 1)
    await bench.idle()
    entries = bench.ram.accesses(True, ring.ring, 16 * 64)
    reads = bench.ram.accesses(False, ring.driver_area, 4)
    assert len(entries) == 24
    assert 1 <= len(reads) <= 4 and len(bench.interrupts) == len(reads)
    assert reads[-1].cycle >= entries[-1].cycle + 50, "the last entry was not followed by a look"
    assert bench.interrupts[-1] > reads[-1].cycle


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def entry_that_becomes_visible_during_an_event_read_gets_one_of_its_own(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.bus.latency = 50
    ring = DriverRing(bench.ram, 8)
    bench.enable(ring)
    await ClockCycles(dut.clk, 300)
    for distance in (10, 25, 40):
        bench.ram.log.clear()
        bench.interrupts.clear()
        await bench.use(1, 0, False, 1)
        await ClockCycles(dut.clk, distance)
        await bench.use(2, 0, False, 1)
        await bench.idle()
        reads = bench.ram.accesses(False, ring.driver_area, 4)
        assert len(reads) == len(bench.interrupts) == 2, f"{distance} cycles apart"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def disabled_at_any_moment_it_forgets_and_begins_at_slot_0(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for _ in range(40):
        bench.bus.latency = bench.random.choice((0, 10, 60))
        bench.ram._top = 0
        ring = DriverRing(bench.ram, 5)
        bench.enable(ring)
        for n in range(bench.random.randint(1, 12)):
            await bench.use(n, 0, True, 1)
        await ClockCycles(dut.clk, bench.random.randrange(40))
        dut.enable.value = 0
        await ClockCycles(dut.clk, bench.random.choice((2, 100)))
        bench.interrupts.clear()
        other = DriverRing(bench.ram, 5)
        bench.enable(other)
        await ClockCycles(dut.clk, 2)
        await bench.use(77, 5, True, 2)
        await bench.idle()
        written = [a.data for a in bench.ram.accesses(True, other.ring, 16)]
        assert written[-1:] == [entry(77, 5, True, True)]
        assert len(bench.interrupts) == 1, "an interrupt of the former life"
        await bench.disable()
        bench.ram.log.clear()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def bus_error_on_entry_or_event_area_gives_an_error_and_no_interrupt(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for pick in range(2):
        ring = DriverRing(bench.ram, 8)
        bench.enable(ring)
        await ClockCycles(dut.clk, 200)  # fetch has found the ring empty
        bench.ram.forbidden = {ring.slot(0) if pick == 0 else ring.driver_area & ~15}
        bench.errors = 0
        bench.interrupts.clear()
        await bench.use(1, 0, False, 1)
        await bench.idle()
        assert bench.errors == 1 and not bench.interrupts
        bench.ram.forbidden.clear()
        await bench.disable()


class Place:
    """A slot of a ring and the wrap counter in it (§2.8.1)."""

    def __init__(self, size: int) -> None:
        self.size, self.slot, self.wrap = size, 0, 1

    def advance(self, count: int) -> list[int]:
        """Go `count` slots on; each slot that was passed, as an off_wrap."""
        passed = []
        for _ in range(count):
            passed.append(self.slot | self.wrap << 15)
            self.slot += 1
            if self.slot == self.size:
                self.slot, self.wrap = 0, self.wrap ^ 1
        return passed


@cocotb.test(timeout_time=16, timeout_unit="ms")
async def event_idx_interrupts_when_the_named_slot_is_among_those_passed_and_not_otherwise(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    dut.event_idx.value = 1
    seen = {True: 0, False: 0}
    for size in (1, 2, 3, 7, 64, 255):
        ring = DriverRing(bench.ram, size)
        bench.ram._top = 0
        bench.enable(ring)
        place = Place(size)
        for _ in range(120):
            count = bench.random.randint(1, min(size, 9))
            here = place.slot | place.wrap << 15
            passed = place.advance(count)
            after = place.slot | place.wrap << 15
            named = bench.random.choice(
                (
                    *(here, passed[-1], after, here ^ 1 << 15, passed[-1] ^ 1 << 15),
                    bench.random.choice(passed),
                    bench.random.randrange(size) | bench.random.getrandbits(1) << 15,
                    size | here & 1 << 15,  # names no slot of the ring
                    0x7FFF,
                )
            )
            ring.suppress(2 | bench.random.getrandbits(14) << 2, named)
            bench.interrupts.clear()
            await bench.use(3, 0, False, count)
            await bench.idle()
            due = named in passed
            seen[due] += 1
            assert len(bench.interrupts) == due, f"{named:#x} named, {passed[0]:#x}..{passed[-1]:#x} passed"
        for flags, due in ((ENABLE, True), (DISABLE, False), (3, True)):
            ring.suppress(flags, 0x7FFF)
            bench.interrupts.clear()
            place.advance(1)
            await bench.use(3, 0, False, 1)
            await bench.idle()
            assert len(bench.interrupts) == due, f"flags {flags}"
        await bench.disable()
    assert min(seen.values()) > 100


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def event_idx_read_looks_at_all_slots_passed_since_the_read_before_even_laps(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    dut.event_idx.value = 1
    for size, chains in ((1, 2), (1, 3), (1, 4), (2, 4), (2, 5), (3, 6), (3, 5), (16, 12)):
        for back in range(chains + 1):
            ring = DriverRing(bench.ram, size)
            bench.ram._top = 0
            bench.enable(ring)
            place = Place(size)
            bench.bus.latency = 0
            await ClockCycles(dut.clk, 300)  # fetch has found the ring empty
            bench.ram.log.clear()
            # The first entry's read is under way while the others become visible: the second read is theirs.
            bench.bus.latency = 100
            ring.suppress(DISABLE)
            place.advance(1)
            await bench.use(1, 0, False, 1)
            await bench.until(lambda: dut.m_axi_arvalid.value == 1, "the read")
            await ClockCycles(dut.clk, 3)
            bench.bus.latency = 0
            passed = place.advance(chains)
            after = place.slot | place.wrap << 15
            named = passed[-back] if back else after
            for _ in range(chains):
                await bench.use(1, 0, False, 1)
            await ClockCycles(dut.clk, 10)
            area = ring.driver_area
            assert not bench.ram.accesses(False, area, 4), "the first read has ended already"
            await bench.until(lambda area=area: bool(bench.ram.accesses(False, area, 4)), "its answer")
            ring.suppress(2, named)
            bench.interrupts.clear()
            await bench.idle()
            assert len(bench.ram.accesses(False, area, 4)) == 2
            due = named in passed
            assert len(bench.interrupts) == due, f"ring of {size}: {named:#x} named, {passed} passed"
            bench.ram.log.clear()
            await bench.disable()


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def driver_that_waits_at_a_slot_by_event_idx_never_waits_for_ever(dut: Any) -> None:
    """It names the next slot (or one further on), looks once more, and then only an interrupt wakes it."""
    bench = Bench(dut)
    await bench.start()
    dut.event_idx.value = 1
    ring = DriverRing(bench.ram, 7)
    bench.enable(ring)
    visible = Place(7)
    made = 0
    asleep_at = None
    pending = 0
    for _ in range(500):
        bench.bus.latency = bench.random.choice((0, 3, 20, 60))
        if asleep_at is None:
            ahead = Place(7)
            ahead.slot, ahead.wrap = visible.slot, visible.wrap
            ahead.advance(bench.random.randrange(4))
            asleep_at = made + (ahead.slot - visible.slot) % 7 + 1
            bench.interrupts.clear()
            ring.suppress(2, ahead.slot | ahead.wrap << 15)
        await bench.use(5, 0, False, 1)
        pending += 1
        if made + pending >= asleep_at:
            await bench.until(lambda: bool(bench.interrupts), "the interrupt", cycles=600)
            await bench.idle()
            made += pending
            visible.advance(pending)
            pending, asleep_at = 0, None
        await ClockCycles(dut.clk, bench.random.randrange(30))
    assert not bench.errors


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def first_of_several_chains_that_belong_together_becomes_used_last(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    for size in (2, 5, 64):
        ring = DriverRing(bench.ram, size)
        bench.ram._top = 0
        bench.enable(ring)
        await ClockCycles(dut.clk, 200)
        place = Place(size)
        for _ in range(12):
            bench.bus.latency = bench.random.choice((0, 30))
            bench.ram.log.clear()
            bench.interrupts.clear()
            chains = bench.random.randint(2, min(size, 8))
            counts = [1] * chains
            if size > chains:
                counts[bench.random.randrange(chains)] += bench.random.randrange(size - chains)
            places = []
            for n, count in enumerate(counts):
                places.append((place.slot, bool(place.wrap)))
                place.advance(count)
                await bench.use(0xBAD if n == 0 else n, 100 + n, True, count, hold=n == 0)
            await bench.use(77, 55, True, 0, release=True)
            # A frame of one chain may follow at once.
            alone = (place.slot, bool(place.wrap))
            place.advance(1)
            await bench.use(88, 66, True, 1)
            await bench.idle()
            log = [a for a in bench.ram.log if a.write and len(a.data) == 16]
            expected = [
                (ring.slot(slot), entry(n, 100 + n, True, wrap)) for n, (slot, wrap) in enumerate(places) if n
            ]
            expected.append((ring.slot(places[0][0]), entry(77, 55, True, places[0][1])))
            expected.append((ring.slot(alone[0]), entry(88, 66, True, alone[1])))
            assert [(a.address, a.data) for a in log] == expected
            others, release = log[:-2], log[-2]
            assert release.cycle > max(a.cycle for a in others) + bench.bus.latency, (
                "not after their responses"
            )
            reads = bench.ram.accesses(False, ring.driver_area, 4)
            assert all(r.cycle > release.cycle for r in reads), "event suppression read for a part of a frame"
            assert 1 <= len(reads) <= 2 and len(bench.interrupts) == len(reads)
        await bench.disable()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def slots_of_chains_that_belong_together_count_as_passed_with_the_first_one(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    dut.event_idx.value = 1
    ring = DriverRing(bench.ram, 11)
    bench.enable(ring)
    place = Place(11)
    for n in range(40):
        passed = place.advance(6)
        named = bench.random.choice((*passed, place.slot | place.wrap << 15, passed[0] ^ 1 << 15))
        ring.suppress(2, named)
        bench.interrupts.clear()
        await bench.use(0, 0, True, 2, hold=True)
        await bench.use(1, 20, True, 3)
        await bench.use(2, 20, True, 1)
        await bench.use(0, 20, True, 0, release=True)
        await bench.idle()
        assert len(bench.interrupts) == (named in passed), f"frame {n}: {named:#x} named"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def disabled_while_an_entry_is_held_back_it_is_forgotten(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    ring = DriverRing(bench.ram, 8)
    bench.enable(ring)
    await bench.use(0, 0, True, 2, hold=True)
    await bench.use(1, 20, True, 1)
    await bench.disable()
    bench.interrupts.clear()
    bench.ram.log.clear()
    bench.enable(ring)
    await bench.use(5, 21, True, 1)
    await bench.idle()
    assert [a.data for a in bench.ram.accesses(True, ring.ring, 128)] == [entry(5, 21, True, True)]
    assert len(bench.interrupts) == 1


@SIMULATORS
def test_ring_used(simulator: str) -> None:
    run_block("ring_wrap", SOURCES, __name__, simulator=simulator, wrappers=["ring_wrap.v"])
