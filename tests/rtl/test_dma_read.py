"""fdw_dma_read against cocotbext-axi's memory: bytes, AXI4 rules, throughput, faults, abort."""

import itertools
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import cocotb
import pytest
from clocked import rng, start
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from dma_bench import BASE, LATENCY_1US, SIZE, ReadMemory, ReadWatch
from simulators import SIMULATORS

from tb.block import run_block
from tb.buses.memory import pauses

SOURCES = ["lib/fdw_fifo.v", "lib/fdw_byte_rotate.v", "lib/fdw_byte_packer.v", "dma/fdw_dma_read.v"]
BUFFER_BEATS = 256


class Request(NamedTuple):
    address: int  # offset into the memory
    length: int
    head: int = 0
    last: bool = True


class Output:
    """Takes the packed stream, with backpressure `pause`; `packets` of bytes, checks keep and stability.

    `heads` is what came on head_* in all, with the same backpressure; `heads_at_packet` how much of it came
    before the first beat of each packet.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.heads = b""
        self.heads_at_packet: list[int] = []
        self.packets: list[bytes] = []
        self.last_cycles: list[int] = []
        self.beats = 0
        self.pause = iter([False])
        self.errors = 0
        self.errors_at_packet: list[int] = []
        self.cycle = 0
        self.part = b""
        dut.m_ready.value = 0
        dut.head_ready.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        held = None
        ready = head_ready = False
        while True:
            await edge
            self.cycle += 1
            if head_ready and dut.head_valid.value == 1:
                at, count = int(dut.head_offset.value), int(dut.head_count.value)
                assert count > 0 and at + count <= 16
                self.heads += int(dut.head_data.value).to_bytes(16, "little")[at : at + count]
            if dut.rst.value == 1 or dut.abort.value == 1:
                held, self.part = None, b""
            elif dut.m_valid.value == 1:
                beat = (int(dut.m_data.value), int(dut.m_keep.value), int(dut.m_last.value))
                assert held in (None, beat), "the output changed while it was not taken"
                held = None if ready else beat
                if ready:
                    self._take(*beat)
            else:
                assert held is None, "m_valid fell before m_ready"
            if dut.rst.value != 1:  # registers begin at random where the simulator lets them
                self.errors += dut.error.value == 1
            ready = not next(self.pause, False)
            dut.m_ready.value = ready
            head_ready = not next(self.pause, False)
            dut.head_ready.value = head_ready

    def _take(self, data: int, keep: int, last: int) -> None:
        count = keep.bit_length()
        assert keep == (1 << count) - 1, f"keep {keep:#x} has gaps"
        assert last or count == 16, f"keep {keep:#x} before the last beat"
        raw = data.to_bytes(16, "little")
        assert not any(raw[count:]), "bytes outside keep"
        if not self.part:
            self.heads_at_packet.append(len(self.heads))
        self.part += raw[:count]
        self.beats += 1
        if last:
            self.packets.append(self.part)
            self.last_cycles.append(self.cycle)
            self.errors_at_packet.append(self.errors)
            self.part = b""


class Bench:
    """The design with its memory, watcher and output."""

    def __init__(self, dut: Any, latency: int = 0) -> None:
        self.dut = dut
        self.watch = ReadWatch(dut)
        self.memory = ReadMemory(dut, self.watch, latency)
        self.output = Output(dut)

    async def start(self) -> None:
        await start(self.dut, req_valid=0, abort=0)

    async def request(self, *requests: Request, gap: Random | None = None) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        for request in requests:
            if gap and gap.random() < 0.3:
                dut.req_valid.value = 0
                await ClockCycles(dut.clk, gap.choice((1, 3, 30)))
            dut.req_addr.value = BASE + request.address
            dut.req_len.value = request.length
            dut.req_head.value = request.head
            dut.req_last.value = request.last
            dut.req_valid.value = 1
            await edge
            while dut.req_ready.value != 1:
                await edge
        dut.req_valid.value = 0

    async def packets(self, count: int) -> None:
        """Wait for `count` packets in all; no beat for 2000 cycles is a hang."""
        beats, since = self.output.beats, self.watch.cycle
        while len(self.output.packets) < count:
            await RisingEdge(self.dut.clk)
            if self.output.beats != beats:
                beats, since = self.output.beats, self.watch.cycle
            assert self.watch.cycle - since < 2000, f"hangs at packet {len(self.output.packets)} of {count}"

    async def idle(self, limit: int = 2000) -> None:
        for _ in range(limit):
            await RisingEdge(self.dut.clk)
            if self.dut.busy.value == 0:
                return
        raise AssertionError("busy for ever")

    def expected(self, requests: Sequence[Request]) -> list[bytes]:
        packets = []
        part = b""
        for request in requests:
            part += bytes(self.memory.mem[request.address + request.head : request.address + request.length])
            if request.last:
                packets.append(part)
                part = b""
        return packets

    def expected_heads(self, requests: Sequence[Request]) -> list[bytes]:
        """Head bytes of each request."""
        return [bytes(self.memory.mem[r.address : r.address + r.head]) for r in requests]

    def check_heads(self, requests: Sequence[Request]) -> None:
        """All heads came, in order, that of a packet's first request before the packet's first beat."""
        heads = self.expected_heads(requests)
        assert self.output.heads == b"".join(heads)
        came = itertools.accumulate(map(len, heads))
        firsts = [True, *(request.last for request in requests[:-1])]
        needed = [total for total, first in zip(came, firsts, strict=True) if first]
        for before, least in zip(self.output.heads_at_packet, needed, strict=True):
            assert before >= least


def random_requests(generator: Random, packets: int) -> list[Request]:
    """Chains of 1..5 requests of every size and alignment, many of them small or beside a 4 KiB line."""
    requests = []
    for _ in range(packets):
        parts = generator.choice((1, 1, 2, 3, 5))
        for part in range(parts):
            kind = generator.random()
            length = (
                generator.randint(1, 40) if kind < 0.6 else generator.randint(1, 700 if kind < 0.95 else 9000)
            )
            address = generator.randrange(SIZE - 9000)
            if generator.random() < 0.3:
                address = (address & ~0xFFF) + 0x1000 - generator.randint(0, length + 16)
            head = generator.randint(0, 15) if generator.random() < 0.4 else 0
            requests.append(Request(max(address, 0), length, head, part == parts - 1))
    return requests


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(latency=[0, LATENCY_1US], pause=[0.0, 0.4])
async def random_requests_with_pauses_everywhere_give_the_bytes_of_memory(
    dut: Any, latency: int, pause: float
) -> None:
    generator = rng()
    bench = Bench(dut, latency)
    if pause:
        bench.memory.ar_channel.set_pause_generator(pauses(generator, pause))
        bench.memory.r_channel.set_pause_generator(pauses(generator, pause))
        bench.output.pause = pauses(generator, pause)
    await bench.start()
    requests = [r._replace(head=min(r.head, r.length)) for r in random_requests(generator, 60)]
    await bench.request(*requests, gap=generator if pause else None)
    expected = bench.expected(requests)
    await bench.packets(len(expected))
    assert bench.output.packets == expected
    bench.check_heads(requests)
    assert bench.output.errors == 0
    await bench.idle()
    assert bench.watch.pending == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_alignment_length_and_head_around_one_beat_gives_the_bytes(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    cases = itertools.product((0, 1, 7, 15), (1, 2, 15, 16, 17, 31, 33), (0, 1, 12, 15))
    requests = [Request(0x1FF0 + a, n, min(s, n)) for a, n, s in cases]
    await bench.request(*requests)
    await bench.packets(len(requests))
    assert bench.output.packets == bench.expected(requests)
    bench.check_heads(requests)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def longest_request_at_an_odd_address_gives_all_its_bytes(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    request = Request(0x0FFD, 65566)
    await bench.request(request)
    await bench.packets(1)
    assert bench.output.packets == bench.expected([request])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def packet_of_nothing_but_head_gives_one_empty_last_beat(dut: Any) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.request(Request(0x0, 0))  # no bytes asked for, and nothing comes after it
    await bench.packets(1)
    requests = [
        Request(0x10, 12, 12),  # exactly all head
        Request(0x20, 5, 15),  # fewer bytes than head
        Request(0x100, 32, 0, last=False),  # whole beats out, then an end that adds nothing
        Request(0x203, 7, 7),
        Request(0x300, 20),  # and what follows is whole
    ]
    await bench.request(*requests)
    await bench.packets(5)
    memory = bench.memory.mem
    assert bench.output.packets == [b"", b"", b"", bytes(memory[0x100:0x120]), bytes(memory[0x300:0x314])]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(latency=[0, LATENCY_1US])
async def long_aligned_read_streams_one_beat_every_cycle(dut: Any, latency: int) -> None:
    bench = Bench(dut, latency)
    await bench.start()
    await bench.request(Request(0, 16, 0), Request(0x1000, 32768))
    await bench.packets(2)
    cycles = bench.output.last_cycles[1] - bench.watch.bursts[1][0]
    dut._log.info("2048 beats in %d cycles at latency %d", cycles, latency)
    assert cycles <= 2048 + latency + 12


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(split=[False, True], offset=[0, 9])
async def small_packets_with_their_header_apart_leave_every_nine_cycles_at_1us_latency(
    dut: Any, split: bool, offset: int
) -> None:
    """72 bytes, the first 12 apart: one 64-byte frame (60 without FCS) takes 10.5 cycles on the wire."""
    bench = Bench(dut, LATENCY_1US)
    await bench.start()
    requests = []
    for n in range(120):
        at = 0x800 * n % (SIZE - 4096) + offset
        if split:
            requests += [Request(at, 12, 12, last=False), Request(at + 0x407, 60)]
        else:
            requests += [Request(at, 72, 12)]
    await bench.request(*requests)
    await bench.packets(120)
    assert bench.output.packets == bench.expected(requests)
    first, last = bench.output.last_cycles[20], bench.output.last_cycles[119]
    per_packet = (last - first) / 99
    dut._log.info(
        "72-byte packets: %.2f cycles each, at most %d bursts in flight", per_packet, bench.watch.most_pending
    )
    assert per_packet <= 9


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def output_never_taken_stops_the_asking_when_the_buffer_is_spoken_for(dut: Any) -> None:
    bench = Bench(dut)
    bench.output.pause = itertools.repeat(True)
    await bench.start()
    request = Request(0x1000, 32768)
    await bench.request(request)
    await ClockCycles(dut.clk, 600)
    asked = sum(beats for _, _, beats in bench.watch.bursts)
    assert BUFFER_BEATS <= asked <= BUFFER_BEATS + 16, f"{asked} beats asked for"
    assert bench.watch.pending == 0
    assert dut.busy.value == 1
    bench.output.pause = itertools.repeat(False)
    await bench.packets(1)
    assert bench.output.packets == bench.expected([request])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bus_error_gives_one_pulse_per_burst_and_the_stream_goes_on(dut: Any) -> None:
    bench = Bench(dut)
    bench.memory.faults = range(0x2000, 0x2210)
    await bench.start()
    requests = [
        Request(0x1F00, 256),  # good: ends where the fault begins
        Request(0x1F80, 256),  # two bursts, the second one bad
        Request(0x2000, 512),  # two bursts, both bad in all beats
        Request(0x21F0, 32),  # two bursts, both bad
        Request(0x2200, 100),  # one burst, bad in its first beat only
        Request(0x2210, 100),  # good
    ]
    await bench.request(*requests)
    await bench.packets(6)
    await bench.idle()
    good = bench.expected(requests)
    assert [len(p) for p in bench.output.packets] == [256, 256, 512, 32, 100, 100]
    assert bench.output.packets[0] == good[0] and bench.output.packets[5] == good[5]
    assert bench.output.packets[1][:128] == good[1][:128]
    assert bench.output.packets[4][16:] == good[4][16:]
    assert bench.output.errors == 6
    assert bench.output.errors_at_packet[1] >= 1, "the packet's end came before its error"
    assert bench.output.errors_at_packet[2] >= 3, "the packet's end came before its error"


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(level=[False, True])
async def abort_at_any_moment_drops_everything_and_the_next_request_is_whole(dut: Any, level: bool) -> None:
    generator = rng()
    bench = Bench(dut, latency=40)
    bench.memory.faults = range(0x3000, SIZE)
    bench.memory.ar_channel.set_pause_generator(pauses(generator, 0.3))
    bench.output.pause = pauses(generator, 0.3)
    await bench.start()
    for _ in range(25):
        work = cocotb.start_soon(bench.request(*random_requests(generator, 30)))
        await ClockCycles(dut.clk, generator.randint(3, 160))
        work.cancel()
        dut.req_valid.value = 0
        dut.abort.value = 1
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        offers = bench.watch.offers
        if not level:
            dut.abort.value = 0
        await ClockCycles(dut.clk, 2)
        seen, errors = len(bench.output.packets), bench.output.errors
        for _ in range(400):
            assert dut.m_valid.value == 0, "output after abort"
            if dut.busy.value == 0:
                break
            assert dut.req_ready.value == 0, "a request taken while old data may still come"
            await RisingEdge(dut.clk)
        assert dut.busy.value == 0
        assert bench.watch.pending == 0, "busy fell with a read in flight"
        assert bench.watch.offers == offers, "an AR after abort"
        dut.abort.value = 0
        await ClockCycles(dut.clk, generator.randint(1, 3))
        assert len(bench.output.packets) == seen
        request = Request(generator.randrange(0x2000), generator.randint(1, 300))
        await bench.request(request)
        await bench.packets(seen + 1)
        assert bench.output.packets[seen] == bench.expected([request])[0]
        assert bench.output.errors == errors, "an error of before the abort"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_in_the_middle_of_bursts_leaves_nothing_behind(dut: Any) -> None:
    generator = rng()
    bench = Bench(dut, latency=20)
    await bench.start()
    for _ in range(6):
        work = cocotb.start_soon(bench.request(*random_requests(generator, 30)))
        await ClockCycles(dut.clk, generator.randint(5, 100))
        work.cancel()
        dut.req_valid.value = 0
        dut.rst.value = 1
        await ClockCycles(dut.clk, 3)
        for name in ("m_axi_arvalid", "m_valid", "m_last", "m_keep", "m_data", "busy", "error"):
            assert int(getattr(dut, name).value) == 0, name
        bench.memory.in_reset()
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        seen = len(bench.output.packets)
        request = Request(generator.randrange(0x1000), generator.randint(1, 300))
        await bench.request(request)
        await bench.packets(seen + 1)
        assert bench.output.packets[seen] == bench.expected([request])[0]


@SIMULATORS
def test_dma_read(simulator: str) -> None:
    run_block("fdw_dma_read", SOURCES, __name__, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"MAX_BURST": 2, "OUTSTANDING": 1, "BUFFER_BEATS": 2, "REQUESTS": 2},
        {"MAX_BURST": 256, "OUTSTANDING": 3, "BUFFER_BEATS": 300, "REQUESTS": 5},
    ],
    ids=["smallest", "longest_bursts"],
)
def test_dma_read_with_other_parameters_in_icarus(parameters: dict[str, int]) -> None:
    tests = [
        "random_requests_with_pauses_everywhere_give_the_bytes_of_memory/latency=0/pause=0.4",
        "abort_at_any_moment_drops_everything_and_the_next_request_is_whole/level=False",
    ]
    run_block("fdw_dma_read", SOURCES, __name__, parameters, "icarus", testcase=tests)
