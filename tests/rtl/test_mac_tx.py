"""fdw_mac_tx behind fdw_tx_fifo: what the far end of the wire gets, and when. Frames leave when whole.

The far end is cocotbext-eth's XgmiiSink; its FCS check is zlib's. Positions come from `mac_bench.Wire`.
"""

import itertools
import logging
import random
from typing import Any

import cocotb
from clocked import now, reset, rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSource
from cocotbext.eth import XgmiiFrame, XgmiiSink
from mac_bench import Pulses, Wire, assert_known, until
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from simulators import SIMULATORS, fast, whole

from tb.block import run_block

PREAMBLE = b"\x55" * 7 + b"\xd5"
MAX_FRAME = 1518
SOURCES = [
    "lib/fdw_fifo.v",
    "lib/fdw_sum_words.v",
    "tx/fdw_tx_checksum.v",
    "mac/fdw_tx_fifo.v",
    "mac/fdw_crc32.v",
    "mac/fdw_mac_tx.v",
]


class Bench:
    """The bench after reset: sources for FIFO and MAC, and everything that watches."""

    def __init__(self, dut: Any, direct: bool) -> None:
        self.dut = dut
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "d" if direct else "s"), dut.clk, dut.rst)
        self.sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
        self.source.log.setLevel(logging.ERROR)  # it prints every frame whole
        self.sink.log.setLevel(logging.ERROR)
        self.wire = Wire(dut)
        self.stats = Pulses(dut, "stat_frame", "stat_bytes")
        self.groups = Pulses(dut, "stat_frame", "stat_multicast", "stat_broadcast")
        self.underflows = Pulses(dut, "underflow")
        self.direct = direct

    @classmethod
    async def create(cls, dut: Any, direct: bool = False) -> "Bench":
        inputs = [f"{stream}_{name}" for stream in "sd" for name in ("tvalid", "tdata", "tkeep", "tlast")]
        await start(dut, flush=0, calm=0, direct=int(direct), s_tuser=0, **dict.fromkeys(inputs, 0))
        return cls(dut, direct)

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.source.send_nowait(frame if self.direct else sided(frame))

    async def expect(self, *frames: bytes) -> None:
        """The next frames on the wire are `frames`, padded, with a good FCS, and the counters agree."""
        for number, frame in enumerate(frames):
            await until(self.dut, lambda: not self.sink.empty())
            check(self.sink.recv_nowait(), frame, f"frame {number} of {len(frame)} bytes")

    async def drain(self) -> None:
        """Nothing more comes, nothing is missing from the counters, and nothing starved."""
        await ClockCycles(self.dut.clk, 20)
        assert self.sink.empty()
        assert [size for (size,) in self.stats.seen] == [s.end - s.start - 8 for s in self.wire.spans]
        assert not self.underflows.seen
        assert not int(self.dut.busy.value)


def sided(frame: bytes, *, early: bool = False, start: int = 0, field: int | None = None) -> AxiStreamFrame:
    """`frame` with what goes beside it: may it leave early, and a checksum from `start` on at `field`."""
    user = len(frame) | start << 16 | (field or 0) << 32 | (field is not None) << 48 | early << 49
    return AxiStreamFrame(frame, tuser=user)


def check(received: XgmiiFrame, frame: bytes, what: str) -> None:
    assert received.ctrl is None, f"control character in {what}"
    assert bytes(received.data[:8]) == PREAMBLE, what
    assert received.check_fcs(), f"FCS of {what}"
    assert bytes(received.data[8:-4]) == frame.ljust(60, b"\0"), what


def random_frames(generator: random.Random, lengths: list[int]) -> list[bytes]:
    return [generator.randbytes(length) for length in lengths]


@cocotb.test()
async def reset_outputs_known_and_idle(dut: Any) -> None:
    bench = await Bench.create(dut)
    await assert_known(
        dut,
        [
            "xgmii_txd",
            "xgmii_txc",
            "s_tready",
            "stat_frame",
            "stat_bytes",
            "stat_broadcast",
            "underflow",
            "busy",
        ],
        8,
    )
    await bench.drain()
    assert not bench.wire.spans


@cocotb.test()
async def every_length_queued_sent_padded_with_fcs(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    step = (1 if whole() else 11) if fast() else 97
    lengths = [*range(1, 140), *range(139 + generator.randint(1, step), MAX_FRAME, step), MAX_FRAME]
    frames = random_frames(generator, lengths)
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()
    assert {span.start % 8 for span in bench.wire.spans} == {0, 4}


@cocotb.test()
async def longer_than_fifo_limit_straight_to_mac_sent_whole(dut: Any) -> None:
    bench = await Bench.create(dut, direct=True)
    frames = random_frames(rng(), [1519, 1522, 1600, 9000])
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()


@cocotb.test()
async def scapy_packet_queued_parsed_from_wire(dut: Any) -> None:
    bench = await Bench.create(dut)
    packet = (
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(dst="10.0.0.2")
        / UDP()
        / (b"fdwire" * 30)
    )
    bench.send(bytes(packet))
    await until(dut, lambda: not bench.sink.empty())
    received = Ether(bytes(bench.sink.recv_nowait().get_payload()))
    assert bytes(received) == bytes(packet)
    await bench.drain()


@cocotb.test()
async def minimum_frames_back_to_back_take_ten_and_a_half_cycles(dut: Any) -> None:
    bench = await Bench.create(dut)
    frames = random_frames(rng(), [60] * 201)
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()
    starts = [span.start for span in bench.wire.spans]
    assert starts[-1] - starts[0] == 200 * 84  # 8 preamble, 64 frame, 12 gap; 84 bytes are 10.5 cycles
    assert set(bench.wire.gaps) == {12}


@cocotb.test()
async def random_lengths_back_to_back_gap_averages_twelve_never_under_nine(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    # The first one lasts on the wire until the second, however long it is, is whole.
    lengths = [200, *(generator.randint(60, 200) for _ in range(500 if fast() else 150))]
    frames = random_frames(generator, lengths)
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()
    gaps = bench.wire.gaps
    assert min(gaps) == 9
    assert max(gaps) == 15
    # Deficit idle count: at every moment at most three bytes are owed and none were given away.
    for owed in itertools.accumulate(12 - gap for gap in gaps):
        assert 0 <= owed <= 3


@cocotb.test()
async def gap_shortened_then_idle_nothing_owed_any_more(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    for lengths in ((63, 64), (61, 64)):  # the first pair leaves a debt of three bytes
        frames = random_frames(generator, list(lengths))
        bench.send(*frames)
        await bench.expect(*frames)
        await ClockCycles(dut.clk, 30)
    await bench.drain()
    assert bench.wire.gaps[0] == 9
    assert bench.wire.gaps[2] == 11


@cocotb.test()
async def every_fcs_end_lane_after_both_start_lanes_keeps_deficit_rule(dut: Any) -> None:
    """All pairs of lengths modulo eight, so that each /T/ lane meets each deficit and start lane."""
    bench = await Bench.create(dut)
    generator = rng()
    order = [60 + a for a in range(8) for b in range(8) for a in (a, b)]
    frames = random_frames(generator, order)
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()
    for owed in itertools.accumulate(12 - gap for gap in bench.wire.gaps):
        assert 0 <= owed <= 3


@cocotb.test()
async def frame_after_idle_first_byte_one_cycle_after_valid_in_lane_0(dut: Any) -> None:
    bench = await Bench.create(dut, direct=True)
    for length in (60, 61, 62, 63, 64, 65, 66, 67):
        bench.send(bytes(length))
        await RisingEdge(dut.d_tvalid)
        await RisingEdge(dut.clk)
        valid_at = now()
        await bench.expect(bytes(length))
        await ClockCycles(dut.clk, 5)
        assert bench.wire.spans[-1].start == 8 * (valid_at + 1)
    await bench.drain()


@cocotb.test()
async def whole_frame_in_fifo_on_wire_five_cycles_after_its_last_beat(dut: Any) -> None:
    bench = await Bench.create(dut)
    for length in (14, 60, 1518):
        bench.send(bytes(length))
        await until(
            dut, lambda: bool(int(dut.s_tvalid.value) and int(dut.s_tready.value) and int(dut.s_tlast.value))
        )
        taken_at = now()
        await bench.expect(bytes(length))
        await ClockCycles(dut.clk, 20)
        assert bench.wire.spans[-1].start == 8 * (taken_at + 5)
    await bench.drain()


@cocotb.test()
async def slow_source_to_fifo_mac_never_starves(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    bench.source.set_pause_generator(generator.random() < 0.7 for _ in itertools.count())
    frames = random_frames(generator, [generator.randint(14, 400) for _ in range(120)])
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()


@cocotb.test()
@cocotb.parametrize(length_and_count=[(14, 150), (1518, 12)])  # 64 frames fill it, or 4096 bytes do
async def fast_source_fills_fifo_held_back_and_nothing_lost(
    dut: Any, length_and_count: tuple[int, int]
) -> None:
    length, count = length_and_count
    bench = await Bench.create(dut)
    frames = random_frames(rng(), [length] * count)
    bench.send(*frames)
    await until(dut, lambda: bool(int(dut.s_tvalid.value) and not int(dut.s_tready.value)))
    assert len(bench.wire.spans) < count // 2
    await bench.expect(*frames)
    await bench.drain()
    assert max(bench.wire.gaps) <= 15


@cocotb.test()
async def flush_mid_frame_partial_frame_forgotten_whole_ones_sent(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    for beats in (1, 2, 5, 60, 95):
        whole = random_frames(generator, [1000, 200])
        after = random_frames(generator, [64, 700])
        bench.send(*whole)
        await until(dut, lambda: bool(bench.source.empty() and bench.source.idle()))
        bench.send(generator.randbytes(16 * 96))
        taken = 0
        while taken < beats:
            await RisingEdge(dut.clk)
            taken += int(dut.s_tvalid.value) & int(dut.s_tready.value)
        dut.flush.value = 1
        bench.source.assert_reset(True)
        await ClockCycles(dut.clk, 2)
        dut.flush.value = 0
        bench.source.assert_reset(False)
        bench.source.clear()
        bench.send(*after)
        await bench.expect(*whole, *after)
    await bench.drain()


@cocotb.test()
async def mac_starved_in_every_word_cut_with_error_and_next_frame_good(dut: Any) -> None:
    bench = await Bench.create(dut, direct=True)
    generator = rng()
    lane = itertools.cycle((60, 64))  # what goes before decides the lane of the frame that is cut
    for given in range(1, 20):
        before, cut, after = random_frames(generator, [next(lane), 160, 90])
        bench.send(before, cut)
        words = (len(before) + 7) // 8 + given
        while words:
            await RisingEdge(dut.clk)
            words -= int(dut.d_tvalid.value) & int(dut.d_tready.value)
        bench.source.pause = True
        await ClockCycles(dut.clk, generator.choice((1, 1, 2, 9)))
        bench.source.clear()  # the rest is not sent: what comes next is a new frame
        bench.source.assert_reset(True)
        await RisingEdge(dut.clk)
        bench.source.assert_reset(False)
        bench.source.pause = False
        bench.send(after)
        await bench.expect(before)
        await until(dut, lambda: not bench.sink.empty())
        received = bench.sink.recv_nowait()
        assert received.ctrl is not None, f"starved after {given} words and no /E/"
        assert received.ctrl[-1] == 1
        assert received.data[-1] == 0xFE
        assert cut.startswith(bytes(received.data[8:-1]))
        await bench.expect(after)
        assert len(bench.underflows.seen) == given
        assert len(bench.stats.seen) == 2 * given
    assert min(bench.wire.gaps) >= 9


@cocotb.test()
async def reset_mid_frame_line_idle_and_next_frame_good(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    for cycles in (1, 2, 3, 6, 9, 10, 11, 12, 13, 14, 15, 30, 200):
        bench.send(*random_frames(generator, [60, 61, 300, 1518]))
        await ClockCycles(dut.clk, 4 + cycles)
        bench.source.clear()
        await reset(dut)
        await RisingEdge(dut.clk)
        assert int(dut.xgmii_txc.value) == 0xFF
        bench.sink.clear()
        frame = generator.randbytes(77)
        bench.send(frame)
        await bench.expect(frame)
        await ClockCycles(dut.clk, 10)
        assert bench.sink.empty()


@cocotb.test()
async def group_addresses_counted_as_multicast_or_broadcast(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    destinations = [
        "ffffffffffff",
        "01005e000001",
        "fffffffffffe",
        "feffffffffff",
        "020000000001",
        "ffffffffff7f",
    ]
    frames = [bytes.fromhex(d) + generator.randbytes(generator.choice((20, 60, 200))) for d in destinations]
    bench.send(*frames)
    await bench.expect(*frames)
    await bench.drain()
    assert bench.groups.seen == [(0, 1), (1, 0), (1, 0), (0, 0), (0, 0), (1, 0)]


@SIMULATORS
def test_mac_tx(simulator: str) -> None:
    run_block(
        "mac_tx_bench",
        SOURCES,
        __name__,
        simulator=simulator,
        wrappers=["mac_tx_bench.v"],
    )
