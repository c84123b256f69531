"""fdw_dma_write against cocotbext-axi's memory: exactly the requested bytes, AXI4 rules, speed, abort."""

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import cocotb
import pytest
from clocked import rng, start
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from dma_bench import BASE, LATENCY_1US, SIZE, WriteMemory, WriteWatch
from simulators import SIMULATORS

from tb.block import run_block
from tb.buses.memory import pauses

SOURCES = ["lib/fdw_fifo.v", "lib/fdw_byte_slicer.v", "dma/fdw_dma_write.v"]

NEVER: Iterator[bool] = itertools.repeat(False)


class Place(NamedTuple):
    address: int  # offset into the memory
    length: int


class Packet(NamedTuple):
    """`places` hold at least `data`; those that it does not reach must never be asked for."""

    data: bytes
    places: tuple[Place, ...]
    more: bool = False  # the next packet belongs to it


class Bench:
    """The design with its memory and watcher; counts the pulses of done and error."""

    def __init__(self, dut: Any, latency: int = 0) -> None:
        self.dut = dut
        self.watch = WriteWatch(dut)
        self.memory = WriteMemory(dut, latency)
        self.done = 0
        self.errors = 0
        self.done_cycles: list[int] = []
        self.errors_at_done: list[int] = []
        self.responses_at_done: list[int] = []
        self.ended = 0
        self._more: list[bool] = []

    async def start(self) -> None:
        await start(self.dut, req_valid=0, s_valid=0, s_last=0, s_more=0, cut=0, abort=0)
        self.model = bytearray(self.memory.mem)
        cocotb.start_soon(self._pulses())

    async def _pulses(self) -> None:
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            self.errors += self.dut.error.value == 1
            if self.dut.ended.value == 1:
                self.ended += 1
                self._more[:1] = []
                self._show_more()
            if self.dut.done.value == 1:
                self.done += 1
                self.done_cycles.append(self.watch.cycle)
                self.errors_at_done.append(self.errors)
                self.responses_at_done.append(self.watch.responses)

    def _show_more(self) -> None:
        self.dut.s_more.value = bool(self._more) and self._more[0]

    async def request(self, places: Sequence[Place], pause: Iterator[bool] = NEVER) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        for place in places:
            while next(pause):
                dut.req_valid.value = 0
                await edge
            dut.req_addr.value = BASE + place.address
            dut.req_len.value = place.length
            dut.req_valid.value = 1
            await edge
            while dut.req_ready.value != 1:
                await edge
        dut.req_valid.value = 0

    async def stream(self, packets: Sequence[bytes], pause: Iterator[bool] = NEVER) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        for packet in packets:
            for at in range(0, len(packet), 16):
                while next(pause):
                    dut.s_valid.value = 0
                    await edge
                piece = packet[at : at + 16]
                dut.s_data.value = int.from_bytes(piece.ljust(16, b"\xee"), "little")
                dut.s_keep.value = (1 << len(piece)) - 1
                dut.s_last.value = at + 16 >= len(packet)
                dut.s_valid.value = 1
                await edge
                while dut.s_ready.value != 1:
                    await edge
        dut.s_valid.value = 0

    def send(
        self,
        packets: Sequence[Packet],
        request_pause: Iterator[bool] = NEVER,
        stream_pause: Iterator[bool] = NEVER,
    ) -> list[Any]:
        """Give places and stream, each in its own time; the model memory gets what must arrive."""
        places = []
        for packet in packets:
            at = 0
            for place in packet.places:
                if at < len(packet.data):
                    piece = packet.data[at : at + place.length]
                    self.model[place.address : place.address + len(piece)] = piece
                    at += place.length
                    places.append(place)
            assert at >= len(packet.data)
        self._more += [packet.more for packet in packets]
        self._show_more()
        return [
            cocotb.start_soon(self.request(places, request_pause)),
            cocotb.start_soon(self.stream([p.data for p in packets], stream_pause)),
        ]

    def forget(self) -> None:
        """The design was reset or aborted: no packet given to it will end."""
        self._more.clear()
        self._show_more()

    async def finish(self, done: int) -> None:
        """Wait for `done` pulses in all, then compare the whole memory; 2000 idle cycles are a hang."""
        moved, since = (self.done, self.watch.responses), self.watch.cycle
        while self.done < done:
            await RisingEdge(self.dut.clk)
            if (self.done, self.watch.responses) != moved:
                moved, since = (self.done, self.watch.responses), self.watch.cycle
            assert self.watch.cycle - since < 2000, f"hangs at packet {self.done} of {done}"
        await ClockCycles(self.dut.clk, 3)
        assert self.done == done, f"{self.done} done for {done} packets"
        assert self.dut.busy.value == 0
        assert self.watch.pending == 0
        self.compare()

    def compare(self) -> None:
        for at in range(0, SIZE, 4096):
            assert self.memory.mem[at : at + 4096] == self.model[at : at + 4096], (
                f"wrong bytes in page {at:#x}"
            )


def packet_of(generator: Random, places: Sequence[Place], unused: int = 0, more: bool = False) -> Packet:
    """A packet that leaves `unused` bytes of its places free."""
    return Packet(generator.randbytes(sum(p.length for p in places) - unused), tuple(places), more)


def random_packets(generator: Random, count: int) -> list[Packet]:
    """1..5 places of any size and alignment without overlap; often the last is larger than what is left."""
    packets: list[Packet] = []
    free = generator.randrange(0x1000)
    for _ in range(count):
        places = []
        for _ in range(generator.choice((1, 1, 2, 3, 5))):
            kind = generator.random()
            length = (
                generator.randint(1, 40) if kind < 0.6 else generator.randint(1, 700 if kind < 0.95 else 9000)
            )
            address = free + generator.choice((0, 1, generator.randint(0, 500)))
            if generator.random() < 0.3:
                address = max(address, (address & ~0xFFF) + 0x1000 - generator.randint(0, length + 16))
            places.append(Place(address, length))
            free = address + length
        if free > SIZE:
            break
        unused = generator.randrange(places[-1].length) if generator.random() < 0.5 else 0
        packets.append(packet_of(generator, places, unused, generator.random() < 0.2))
    return [*packets[:-1], packets[-1]._replace(more=False)]


def done_of(packets: Sequence[Packet]) -> int:
    """Pulses of done that these packets must give."""
    return sum(not packet.more for packet in packets)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(latency=[0, LATENCY_1US], pause=[0.0, 0.4])
async def random_requests_with_pauses_everywhere_write_exactly_their_bytes(
    dut: Any, latency: int, pause: float
) -> None:
    generator = rng()
    bench = Bench(dut, latency)
    if pause:
        for channel in (bench.memory.aw_channel, bench.memory.w_channel, bench.memory.b_channel):
            channel.set_pause_generator(pauses(generator, pause))
    await bench.start()
    packets = random_packets(generator, 80)
    bench.send(packets, pauses(generator, pause), pauses(generator, pause))
    await bench.finish(done_of(packets))
    assert bench.errors == 0
    assert all(strobe for burst in bench.watch.strobes for strobe in burst), "a beat that writes nothing"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_alignment_and_length_around_one_beat_writes_exactly_its_bytes(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut)
    await bench.start()
    packets = [
        packet_of(generator, [Place(0x200 * n + 0x1F0 + a, length)])
        for n, (a, length) in enumerate(itertools.product(range(16), (1, 2, 15, 16, 17, 31, 33)))
    ]
    bench.send(packets)
    await bench.finish(done_of(packets))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def longest_request_at_an_odd_address_writes_all_its_bytes(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.send([packet_of(rng(), [Place(0x0FFD, 65536)])])
    await bench.finish(1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def packet_that_ends_inside_its_place_writes_nothing_behind_it(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=60)
    await bench.start()
    packets = [
        packet_of(generator, [Place(0x1000 * n + n, 700)], unused)
        for n, unused in enumerate((0, 1, 15, 16, 17, 400, 683, 684, 685, 698, 699))
    ]
    bench.send(packets)
    await bench.finish(len(packets))
    assert bench.ended == len(packets)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def packets_with_more_behind_them_are_done_with_the_last_of_them(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=60)
    await bench.start()
    packets = [
        packet_of(generator, [Place(0x105, 300)], more=True),
        packet_of(generator, [Place(0x105, 5), Place(0x10A, 7)]),  # over the same bytes
        packet_of(generator, [Place(0x803, 40)]),
    ]
    bench.send(packets)
    await bench.finish(2)
    bursts = [0, *range(1, len(bench.watch.bursts) + 1)]
    assert bench.responses_at_done == [bursts[-2], bursts[-1]], "done before the B responses of its packets"
    assert bench.ended == 3


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def places_are_asked_for_only_while_bytes_without_one_are_there(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    generator = rng()
    for length in (1, 16, 17, 40):
        assert dut.req_ready.value == 0
        data = generator.randbytes(length)
        bench.send([Packet(data, (Place(0x40, length),)), Packet(b"?", (Place(0x400, 1),))])
        await bench.finish(bench.done + 2)
        assert dut.req_ready.value == 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def packet_cut_at_any_moment_gives_way_to_the_next_and_keeps_its_hands_off_the_rest(dut: Any) -> None:
    """As when a frame turns out bad: some of it may be written, into its places only, and is never done."""
    generator = rng()
    bench = Bench(dut, latency=20)
    await bench.start()
    for channel in (bench.memory.aw_channel, bench.memory.w_channel):
        channel.set_pause_generator(pauses(generator, 0.2))
    edge = RisingEdge(dut.clk)
    for turn in range(150):
        ended = bench.ended
        base = 0x400 * (turn % 64)
        cut = packet_of(generator, [Place(base + 3, generator.randint(1, 90)), Place(base + 200, 300)])
        before = bytes(bench.memory.mem)
        work = bench.send([cut._replace(more=True)], stream_pause=pauses(generator, 0.3))
        beats = generator.randint(1, 8)
        taken = 0
        while taken < beats and bench.ended == ended:
            await edge
            taken += dut.s_valid.value == 1 and dut.s_ready.value == 1
        for task in work:
            task.cancel()
        dut.s_valid.value = 0
        dut.req_valid.value = 0
        if bench.ended == ended:
            dut.cut.value = 1
            await edge
            dut.cut.value = 0
        while bench.ended == ended:
            await edge
        bench.model[:] = before
        over = packet_of(generator, [Place(base + 3, 20), Place(base + 210, 50)])
        bench.send([over])
        done = bench.done
        while bench.done == done:
            await edge
        at = 0
        for place in cut.places:
            piece = cut.data[at : at + place.length]
            at += place.length
            for address, byte in enumerate(piece, place.address):
                if bench.memory.mem[address] == byte:
                    bench.model[address] = byte
        await ClockCycles(dut.clk, 3)
        assert bench.memory.mem[base + 3 : base + 23] == over.data[:20]
        assert bench.memory.mem[base + 210 : base + 260] == over.data[20:]
        bench.compare()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def long_aligned_write_sends_one_beat_every_cycle(dut: Any) -> None:
    bench = Bench(dut, LATENCY_1US)
    await bench.start()
    bench.send([packet_of(rng(), [Place(0x1000, 32768)])])
    await bench.finish(1)
    cycles = bench.watch.cycles_of_w
    dut._log.info("%d beats in %d cycles", len(cycles), cycles[-1] - cycles[0] + 1)
    assert cycles[-1] - cycles[0] + 1 == 2048
    assert cycles[0] <= 32


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(split=[False, True], offset=[0, 9])
async def small_packets_are_written_every_nine_cycles_at_1us_latency(
    dut: Any, split: bool, offset: int
) -> None:
    """72 bytes: a 64-byte frame without FCS and its header; on the wire it takes 10.5 cycles."""
    generator = rng()
    bench = Bench(dut, LATENCY_1US)
    await bench.start()
    packets = []
    for n in range(120):
        at = 0x800 * n % (SIZE - 4096) + offset
        if split:
            packets.append(packet_of(generator, [Place(at, 12), Place(at + 0x407, 60)]))
        else:
            packets.append(packet_of(generator, [Place(at, 72)]))
    bench.send(packets)
    await bench.finish(120)
    per_packet = (bench.done_cycles[119] - bench.done_cycles[20]) / 99
    dut._log.info("72-byte packets: %.2f cycles each", per_packet)
    assert per_packet <= 9


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def stream_that_stops_inside_a_burst_offers_no_address(dut: Any) -> None:
    """The other masters of the port would wait for its data."""
    generator = rng()
    bench = Bench(dut)
    await bench.start()
    packet = packet_of(generator, [Place(0x1000, 512)])
    stop = itertools.chain(itertools.repeat(False, 17), itertools.repeat(True, 200), itertools.repeat(False))
    bench.send([packet], stream_pause=stop)
    await ClockCycles(dut.clk, 150)
    assert bench.watch.bursts == [(BASE + 0x1000, 16)], "only the first 256 bytes are there"
    assert dut.m_axi_awvalid.value == 0
    await bench.finish(1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bus_error_gives_one_pulse_per_burst_and_no_done_until_an_abort(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=30)
    await bench.start()
    bench.memory.faults = range(0x2000, 0x2200)
    places = [Place(0x1F00, 256), Place(0x1F80, 256), Place(0x2000, 512), Place(0x2200, 16)]
    bench.send([packet_of(generator, [p]) for p in places])
    await ClockCycles(dut.clk, 400)
    assert bench.watch.pending == 0 and bench.watch.responses == len(bench.watch.bursts)
    assert bench.done == 1, "a packet that failed, or one behind it, was called done"
    assert bench.errors == sum(address % SIZE in bench.memory.faults for address, _ in bench.watch.bursts)
    assert bench.errors >= 2
    for at in range(0x2000, 0x2200):
        bench.model[at] = bench.memory.mem[at]
    bench.memory.faults = range(0)
    dut.abort.value = 1
    await RisingEdge(dut.clk)
    dut.abort.value = 0
    await ClockCycles(dut.clk, 3)
    bench.forget()
    bench.send([packet_of(generator, [Place(0x3001, 99)])])
    await bench.finish(2)


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(level=[False, True])
async def abort_at_any_moment_ends_bursts_legally_and_the_next_packet_is_whole(dut: Any, level: bool) -> None:
    generator = rng()
    bench = Bench(dut, latency=20)
    await bench.start()
    for channel in (bench.memory.aw_channel, bench.memory.w_channel, bench.memory.b_channel):
        channel.set_pause_generator(pauses(generator, 0.3))
    cut_short = 0
    for _ in range(40):
        before = bytes(bench.memory.mem)
        bench.memory.faults = range(0x3000, 0x3400)
        work = bench.send(random_packets(generator, 30), stream_pause=pauses(generator, 0.2))
        await ClockCycles(dut.clk, generator.randint(3, 120))
        for task in work:
            task.cancel()
        dut.req_valid.value = 0
        dut.s_valid.value = 0
        dut.abort.value = 1
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        offers = bench.watch.offers
        if not level:
            dut.abort.value = 0
        await ClockCycles(dut.clk, 2)
        done, errors = bench.done, bench.errors
        for _ in range(600):
            if dut.busy.value == 0:
                break
            assert dut.req_ready.value == 0 and dut.s_ready.value == 0
            await RisingEdge(dut.clk)
        assert dut.busy.value == 0
        await RisingEdge(dut.clk)
        assert bench.watch.pending == 0, "busy fell with a write in flight"
        assert bench.watch.offers == len(bench.watch.bursts) == offers, "an AW after abort"
        assert len(bench.watch.strobes) == len(bench.watch.bursts), "a burst without all its beats"
        assert bench.done == done and bench.errors == errors, "done or error of before the abort"
        cut_short += any(0 in burst for burst in bench.watch.strobes)
        bench.watch.strobes = [[] for _ in bench.watch.strobes]
        for page in range(0, SIZE, 4096):
            span = slice(page, page + 4096)
            if bench.memory.mem[span] == before[span]:
                continue
            for new, old, asked in zip(bench.memory.mem[span], before[span], bench.model[span], strict=True):
                assert new in (old, asked), f"a byte in page {page:#x} is neither as before nor as asked for"
        dut.abort.value = 0
        bench.forget()
        await ClockCycles(dut.clk, generator.randint(1, 3))
        bench.model[:] = bench.memory.mem
        bench.memory.faults = range(0)
        bench.send([packet_of(generator, [Place(generator.randrange(0x8000), generator.randint(1, 300))])])
        await bench.finish(done + 1)
        assert bench.errors == errors
    assert cut_short, "no abort hit a burst in its data"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_in_the_middle_of_bursts_leaves_nothing_behind(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=0)
    await bench.start()
    for _ in range(6):
        work = bench.send(random_packets(generator, 30))
        await ClockCycles(dut.clk, generator.randint(5, 100))
        for task in work:
            task.cancel()
        dut.req_valid.value = 0
        dut.s_valid.value = 0
        dut.rst.value = 1
        await ClockCycles(dut.clk, 3)
        for name in ("awvalid", "awlen", "wvalid", "wstrb", "wlast", "wdata", "bready"):
            assert int(getattr(dut, "m_axi_" + name).value) == 0, name
        for name in ("busy", "done", "error"):
            assert int(getattr(dut, name).value) == 0, name
        dut.rst.value = 0
        bench.forget()
        await RisingEdge(dut.clk)
        bench.watch.responses = len(bench.watch.bursts)
        bench.watch.strobes = [[] for _ in bench.watch.bursts]
        bench.model[:] = bench.memory.mem
        bench.send([packet_of(generator, [Place(generator.randrange(0x1000), generator.randint(1, 300))])])
        await bench.finish(bench.done + 1)


@SIMULATORS
def test_dma_write(simulator: str) -> None:
    run_block("fdw_dma_write", SOURCES, __name__, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"MAX_BURST": 2, "EARLY_BURST": 1, "OUTSTANDING": 2, "BUFFER_BEATS": 2},
        {"MAX_BURST": 256, "EARLY_BURST": 256, "OUTSTANDING": 3, "BUFFER_BEATS": 256},
    ],
    ids=["smallest", "longest_bursts"],
)
def test_dma_write_with_other_parameters_in_icarus(parameters: dict[str, int]) -> None:
    tests = [
        "random_requests_with_pauses_everywhere_write_exactly_their_bytes/latency=0/pause=0.4",
        "abort_at_any_moment_ends_bursts_legally_and_the_next_packet_is_whole/level=False",
    ]
    run_block("fdw_dma_write", SOURCES, __name__, parameters, "icarus", testcase=tests)
