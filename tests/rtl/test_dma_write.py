"""fdw_dma_write against cocotbext-axi's memory: exactly the requested bytes, AXI4 rules, speed, abort."""

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from dma_bench import BASE, LATENCY_1US, SIZE, WriteMemory, WriteWatch, pauses, rng, start

from tb.block import run_block

SOURCES = ["lib/fdw_fifo.v", "lib/fdw_byte_slicer.v", "dma/fdw_dma_write.v"]

NEVER: Iterator[bool] = itertools.repeat(False)


class Request(NamedTuple):
    address: int  # offset into the memory
    length: int
    drop: bool = False
    last: bool = True


class Packet(NamedTuple):
    data: bytes
    requests: tuple[Request, ...]


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

    async def start(self) -> None:
        await start(self.dut, req_valid=0, s_valid=0, s_last=0, abort=0)
        self.model = bytearray(self.memory.mem)
        cocotb.start_soon(self._pulses())

    async def _pulses(self) -> None:
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            self.errors += self.dut.error.value == 1
            if self.dut.done.value == 1:
                self.done += 1
                self.done_cycles.append(self.watch.cycle)
                self.errors_at_done.append(self.errors)
                self.responses_at_done.append(self.watch.responses)

    async def request(self, requests: Sequence[Request], pause: Iterator[bool] = NEVER) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        for request in requests:
            while next(pause):
                dut.req_valid.value = 0
                await edge
            dut.req_addr.value = BASE + request.address
            dut.req_len.value = request.length
            dut.req_drop.value = request.drop
            dut.req_last.value = request.last
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
        """Give requests and stream, each in its own time; the model memory gets what must arrive."""
        for packet in packets:
            at = 0
            for request in packet.requests:
                if not request.drop:
                    self.model[request.address : request.address + request.length] = packet.data[
                        at : at + request.length
                    ]
                at += request.length
            assert at == len(packet.data)
        requests = [r for p in packets for r in p.requests]
        return [
            cocotb.start_soon(self.request(requests, request_pause)),
            cocotb.start_soon(self.stream([p.data for p in packets], stream_pause)),
        ]

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


def packet_of(generator: Random, requests: Sequence[Request]) -> Packet:
    return Packet(generator.randbytes(sum(r.length for r in requests)), tuple(requests))


def random_packets(generator: Random, count: int) -> list[Packet]:
    """1..5 requests of every size and alignment that do not overlap, some of them dropped."""
    packets = []
    free = generator.randrange(0x1000)
    for _ in range(count):
        parts = generator.choice((1, 1, 2, 3, 5))
        requests = []
        for part in range(parts):
            kind = generator.random()
            length = (
                generator.randint(1, 40) if kind < 0.6 else generator.randint(1, 700 if kind < 0.95 else 9000)
            )
            address = free + generator.choice((0, 1, generator.randint(0, 500)))
            if generator.random() < 0.3:
                address = max(address, (address & ~0xFFF) + 0x1000 - generator.randint(0, length + 16))
            drop = generator.random() < 0.15
            requests.append(Request(address, length, drop, part == parts - 1))
            free = address + length
        if free > SIZE:
            break
        packets.append(packet_of(generator, requests))
    return packets


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
    await bench.finish(len(packets))
    assert bench.errors == 0
    assert all(strobe for burst in bench.watch.strobes for strobe in burst), "a beat that writes nothing"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_alignment_and_length_around_one_beat_writes_exactly_its_bytes(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut)
    await bench.start()
    packets = [
        packet_of(generator, [Request(0x200 * n + 0x1F0 + a, length)])
        for n, (a, length) in enumerate(itertools.product(range(16), (1, 2, 15, 16, 17, 31, 33)))
    ]
    bench.send(packets)
    await bench.finish(len(packets))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def longest_request_at_an_odd_address_writes_all_its_bytes(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.send([packet_of(rng(), [Request(0x0FFD, 65536)])])
    await bench.finish(1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def dropped_requests_write_nothing_and_done_keeps_its_place(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=60)
    await bench.start()
    packets = [
        packet_of(generator, [Request(0, 100, drop=True)]),  # all of a packet
        packet_of(generator, [Request(0x105, 300, last=False), Request(0, 77, drop=True)]),  # its end
        packet_of(generator, [Request(0, 5, True, last=False), Request(0x803, 40)]),  # its start
        packet_of(generator, [Request(0xA00, 64, last=False), Request(0, 0)]),  # an end without bytes
        packet_of(generator, [Request(0, 33, drop=True)]),
    ]
    bench.send(packets)
    await bench.finish(5)
    bursts = [0, 2, 3, 4, 4]  # so far, after each packet: a burst ends at a multiple of 256 bytes
    assert bench.responses_at_done == bursts, "done before the B responses of its packet"
    assert len(bench.watch.bursts) == bursts[-1]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def long_aligned_write_sends_one_beat_every_cycle(dut: Any) -> None:
    bench = Bench(dut, LATENCY_1US)
    await bench.start()
    bench.send([packet_of(rng(), [Request(0x1000, 32768)])])
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
            packets.append(packet_of(generator, [Request(at, 12, last=False), Request(at + 0x407, 60)]))
        else:
            packets.append(packet_of(generator, [Request(at, 72)]))
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
    packet = packet_of(generator, [Request(0x1000, 512)])
    stop = itertools.chain(itertools.repeat(False, 17), itertools.repeat(True, 200), itertools.repeat(False))
    bench.send([packet], stream_pause=stop)
    await ClockCycles(dut.clk, 150)
    assert bench.watch.bursts == [(BASE + 0x1000, 16)], "only the first 256 bytes are there"
    assert dut.m_axi_awvalid.value == 0
    await bench.finish(1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bus_error_gives_one_pulse_per_burst_before_its_done(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=30)
    await bench.start()
    bench.memory.faults = range(0x2000, 0x2200)
    requests = [Request(0x1F00, 256), Request(0x1F80, 256), Request(0x2000, 512), Request(0x2200, 16)]
    bench.send([packet_of(generator, [r]) for r in requests])
    for at in range(0x2000, 0x2200):
        bench.model[at] = bench.memory.mem[at]
    await bench.finish(4)
    assert bench.errors == 3
    assert bench.errors_at_done == [0, 1, 3, 3]


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
        await ClockCycles(dut.clk, generator.randint(1, 3))
        bench.model[:] = bench.memory.mem
        bench.memory.faults = range(0)
        bench.send([packet_of(generator, [Request(generator.randrange(0x8000), generator.randint(1, 300))])])
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
        await RisingEdge(dut.clk)
        bench.watch.responses = len(bench.watch.bursts)
        bench.watch.strobes = [[] for _ in bench.watch.bursts]
        bench.model[:] = bench.memory.mem
        bench.send([packet_of(generator, [Request(generator.randrange(0x1000), generator.randint(1, 300))])])
        await bench.finish(bench.done + 1)


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_dma_write(simulator: str) -> None:
    run_block("fdw_dma_write", SOURCES, __name__, simulator=simulator)


@pytest.mark.parametrize(
    "parameters",
    [
        {"MAX_BURST": 2, "OUTSTANDING": 2, "BUFFER_BEATS": 2, "REQUESTS": 2},
        {"MAX_BURST": 256, "OUTSTANDING": 3, "BUFFER_BEATS": 256, "REQUESTS": 5},
    ],
    ids=["smallest", "longest_bursts"],
)
def test_dma_write_with_other_parameters_in_icarus(parameters: dict[str, int]) -> None:
    tests = [
        "random_requests_with_pauses_everywhere_write_exactly_their_bytes/latency=0/pause=0.4",
        "abort_at_any_moment_ends_bursts_legally_and_the_next_packet_is_whole/level=False",
    ]
    run_block("fdw_dma_write", SOURCES, __name__, parameters, "icarus", testcase=tests)
