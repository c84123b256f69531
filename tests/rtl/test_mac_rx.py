"""fdw_mac_rx and fdw_rx_fifo: what becomes of what the far end sends.

The far end is cocotbext-eth's XgmiiSource where it can be, and `mac_rx_model` where the stream breaks rules.
"""

import logging
from typing import Any

import cocotb
from clocked import now, reset, rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.eth import XgmiiFrame, XgmiiSource
from mac_bench import ERROR, IDLE, START, TERMINATE, PacketSink, Pulses, assert_known, until
from mac_rx_model import (
    BAD_PREAMBLE,
    CODE_ERROR,
    DISABLED,
    FCS_ERROR,
    OVERFLOW,
    OVERSIZE,
    SEQUENCE,
    STORED,
    UNDERSIZE,
    Char,
    RawSource,
    data,
    idle,
    judge,
    on_wire,
    random_stream,
    receive,
    with_fcs,
)
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Dot1Q, Ether
from simulators import SIMULATORS, fast, whole

from tb.block import run_block

FIFO_WORDS = 4096 // 16
SOURCES = [
    "mac/fdw_mac_rx.v", "mac/fdw_crc32.v", "mac/fdw_rx_fifo.v", "rx/fdw_rx_checksum.v", "lib/fdw_fifo.v",
]  # fmt: skip


class Bench:
    """The bench after reset, with a source (`raw` or cocotbext-eth's) and a sink that is always ready."""

    def __init__(self, dut: Any, raw: bool) -> None:
        self.dut = dut
        if raw:
            self.raw = RawSource(dut)
        else:
            self.source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)
            self.source.log.setLevel(logging.ERROR)  # it prints every frame whole
        self.sink = PacketSink(dut)
        self.mac_beats = Pulses(dut, "mac_valid")
        self.taps = Pulses(dut, "tap_valid", "tap_status", "tap_bytes")
        self.lanes: set[int] = set()

    @classmethod
    async def create(cls, dut: Any, raw: bool = False) -> "Bench":
        await start(dut, flush=0, accept=1, max_frame=1518, m_tready=0, xgmii_rxd=0, xgmii_rxc=0)
        return cls(dut, raw)

    def send(self, frame: XgmiiFrame) -> None:
        self.source.send_nowait(XgmiiFrame(frame, tx_complete=self._sent))

    def _sent(self, frame: XgmiiFrame) -> None:
        self.lanes.add(frame.start_lane)

    def send_raw(self, *frames: bytes) -> None:
        """Frames from DA up to FCS."""
        for raw in frames:
            frame = XgmiiFrame.from_raw_payload(raw)
            frame.tx_complete = self._sent
            self.send(frame)

    def statuses(self) -> list[int]:
        return [status for status, _ in self.taps.seen]

    async def expect(self, expected: list[tuple[int, bytes]]) -> None:
        """Exactly these frames are reported, in this order, and those that are stored come out."""
        await until(self.dut, lambda: len(self.taps.seen) >= len(expected), 400_000)
        await ClockCycles(self.dut.clk, 20)
        for number, ((status, frame), seen) in enumerate(zip(expected, self.statuses(), strict=False)):
            assert seen == status, f"frame {number} of {len(frame)} bytes: status {seen} instead of {status}"
        assert len(self.taps.seen) == len(expected)
        await self.expect_out([frame for status, frame in expected if status == STORED])
        sizes = [size for status, size in self.taps.seen if status == STORED]
        assert sizes == [len(frame) + 4 for status, frame in expected if status == STORED]

    async def expect_out(self, frames: list[bytes]) -> None:
        for number, frame in enumerate(frames):
            await until(self.dut, lambda: bool(self.sink.frames))
            received, announced = self.sink.frames.pop(0)
            assert received == frame, f"stored frame {number} of {len(frame)} bytes"
            assert announced == len(frame), f"m_len of stored frame {number}"
        await ClockCycles(self.dut.clk, 20)
        assert not self.sink.frames


def judged(raw: bytes) -> tuple[int, bytes]:
    return judge(raw), raw[:-4]


@cocotb.test()
async def reset_outputs_known_and_quiet(dut: Any) -> None:
    bench = await Bench.create(dut)
    await assert_known(
        dut,
        ["m_tvalid", "m_tdata", "m_tkeep", "m_tlast", "m_tuser", "tap_valid", "tap_status", "tap_bytes"],
        8,
    )
    await bench.expect([])


@cocotb.test()
@cocotb.parametrize(offset=[False, True])
async def every_length_received_good_or_judged_by_size(dut: Any, offset: bool) -> None:
    bench = await Bench.create(dut)
    bench.source.force_offset_start = offset
    generator = rng()
    lengths = [*range(1, 140), *range(1500, 1540), 1600]
    if fast():
        step = 1 if whole() else 11
        lengths[139:139] = range(139 + generator.randint(1, step), 1500, step)
    frames = [with_fcs(generator.randbytes(length)) for length in lengths]
    bench.send_raw(*frames)
    await bench.expect([judged(raw) for raw in frames])
    assert bench.lanes == ({4} if offset else {0, 4})
    assert set(bench.statuses()) == {UNDERSIZE, STORED, OVERSIZE}


@cocotb.test()
async def scapy_packets_received_byte_for_byte(dut: Any) -> None:
    bench = await Bench.create(dut)
    head = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    packets = [bytes(head / Dot1Q(vlan=5) / IP(dst="10.0.0.1") / TCP() / (b"x" * n)) for n in (20, 333, 1460)]
    for packet in packets:
        bench.send(XgmiiFrame.from_payload(packet))
    await bench.expect([(STORED, packet) for packet in packets])


@cocotb.test()
async def minimum_frames_at_line_rate_all_stored(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    frames = [with_fcs(generator.randbytes(60)) for _ in range(600 if fast() else 200)]
    bench.send_raw(*frames)
    began = now()
    await bench.expect([judged(raw) for raw in frames])
    assert now() - began < 10.5 * len(frames) + 100, "the source did not send at line rate"


@cocotb.test()
async def every_legal_gap_from_five_bytes_on_received(dut: Any) -> None:
    """IEEE 802.3 §46.2.1: nine bytes may have shrunk to five on their way; /T/ in every lane."""
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    stream: list[Char] = []
    for least in (5, 5, 5, 5, 9, 12, 13, 1):
        for length in range(60, 68):
            for _ in range(2):
                gap = least - 1  # /T/ counts
                gap += -(len(stream) + gap) % 4
                stream += idle(gap) + on_wire(with_fcs(generator.randbytes(length)))
    stream += idle(16)
    expected = receive(stream)
    assert all(status == STORED for status, _ in expected)
    assert len(expected) == 128
    bench.raw.send(stream)
    await bench.expect(expected)


@cocotb.test()
async def one_bit_flipped_in_every_byte_fcs_error(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    expected = []
    for length in (60, 63, 64, 66):
        for at in range(length + 4):
            raw = bytearray(with_fcs(generator.randbytes(length)))
            raw[at] ^= 1 << generator.randrange(8)
            good = with_fcs(generator.randbytes(60))
            bench.send_raw(bytes(raw), good)
            expected += [(FCS_ERROR, b""), judged(good)]
    await bench.expect(expected)


@cocotb.test()
async def control_character_at_every_place_code_error_and_next_frame_good(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    stream: list[Char] = []
    for offset in (0, 4):
        for at in range(8, 8 + 70):
            frame = on_wire(with_fcs(generator.randbytes(66)))
            frame[at] = (generator.choice((ERROR, IDLE, SEQUENCE, 0x00)), 1)
            stream += idle(offset) + frame + idle(20 + (-len(stream) - len(frame) - offset - 20) % 8)
            stream += on_wire(with_fcs(generator.randbytes(60))) + idle(15)
    expected = receive(stream)
    assert [status for status, _ in expected] == [CODE_ERROR, STORED] * 140
    bench.raw.send(stream)
    await bench.expect(expected)


@cocotb.test()
async def new_start_at_every_place_old_frame_code_error_new_frame_received(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    stream: list[Char] = []
    for offset in (0, 4):
        for at in range(8, 100, 4):
            stream += idle(offset) + on_wire(generator.randbytes(200))[:at]
            stream += on_wire(with_fcs(generator.randbytes(61)))
            stream += idle(12 + (-len(stream) - 12) % 8)
    expected = receive(stream)
    assert [status for status, _ in expected] == [CODE_ERROR, STORED] * 46
    bench.raw.send(stream)
    await bench.expect(expected)


@cocotb.test()
async def preamble_wrong_bad_preamble_or_code_error_and_next_frame_good(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    expected = []
    for offset in (0, 4):
        for status, at, char in [
            *((STORED, at, (0x5D, 0)) for at in range(1, 7)),  # only the SFD marks the frame
            *((CODE_ERROR, at, (ERROR, 1)) for at in range(1, 7)),
            (BAD_PREAMBLE, 7, (0x55, 0)),
            (BAD_PREAMBLE, 7, (0xD5, 1)),
            (BAD_PREAMBLE, 7, (TERMINATE, 1)),
        ]:
            raw, good = with_fcs(generator.randbytes(64)), with_fcs(generator.randbytes(60))
            frame = on_wire(raw)
            frame[at] = char
            first = idle(offset) + frame
            bench.raw.send(first + idle(-len(first) % 8 + 8) + on_wire(good) + idle(16))
            expected += [(status, raw[:-4]), judged(good)]
    await bench.expect(expected)


@cocotb.test()
async def starts_in_successive_words_each_reported(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    good = with_fcs(rng().randbytes(60))
    for offset in (0, 4):
        bare = [(START, 1), *data(b"\x55" * 7)]
        bench.raw.send(idle(offset) + bare * 5 + on_wire(good) + idle(16))
    await bench.expect(([(BAD_PREAMBLE, b"")] * 5 + [judged(good)]) * 2)


@cocotb.test()
async def endless_frame_cut_at_the_limit_swallowed_and_next_frame_good(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    good = with_fcs(generator.randbytes(99))
    for size in (1523, 9000, 66_000 if fast() else 10_000):  # 66000: more than a 16-bit counter
        endless = [(START, 1), *data(b"\x55" * 6 + b"\xd5" + generator.randbytes(size))]
        bench.raw.send([*endless, (TERMINATE, 1), *idle(15)])
        bench.raw.send(on_wire(good) + idle(16))
        bench.raw.send(endless + idle(16))
        bench.raw.send(on_wire(good) + idle(16))
    await bench.expect([(OVERSIZE, b""), judged(good), (CODE_ERROR, b""), judged(good)] * 3)
    assert len(bench.mac_beats.seen) <= 6 * (1522 // 8 + 1) + 6 * 13


@cocotb.test()
async def random_stream_of_good_bad_and_noise_matches_reference(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    stream = random_stream(generator, 1500 if fast() else 300) + idle(24)
    expected = receive(stream)
    assert {status for status, _ in expected} >= {BAD_PREAMBLE, CODE_ERROR, UNDERSIZE, FCS_ERROR, STORED}
    bench.raw.send(stream)
    await bench.expect(expected)


@cocotb.test()
async def end_of_frame_reported_after_four_cycles_and_offered_with_the_report(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    for length, cycles in ((60, 4), (63, 4), (64, 4), (65, 5), (67, 5)):  # /T/ behind 0 to 4 or 5 to 7 bytes
        bench.raw.send(on_wire(with_fcs(bytes(length))) + idle(16))
        last = (8 + length + 4) // 8
        await until(
            dut, lambda: bool(int(dut.xgmii_rxc.value) & 1 and int(dut.xgmii_rxd.value) & 255 == START)
        )
        seen = now()
        await until(dut, lambda: bool(int(dut.tap_valid.value)))
        assert now() - seen - last == cycles, f"{length} bytes"
        assert int(dut.m_tvalid.value)
        await ClockCycles(dut.clk, 30)


def greedy(lengths: list[int]) -> list[bool]:
    """Which frames find room when nothing is read: whole 16-byte words, what does not fit leaves no trace."""
    room, out = FIFO_WORDS, []
    for length in lengths:
        words = (length + 15) // 16
        out.append(words <= room)
        room -= words if words <= room else 0
    return out


@cocotb.test()
async def destination_and_wrong_fcs_are_told_of_the_frames_that_they_count_for(dut: Any) -> None:
    bench = await Bench.create(dut)
    kinds = Pulses(dut, "tap_valid", "tap_multicast", "tap_broadcast", "tap_fcs_wrong")
    generator = rng()
    everybody, group, one = b"\xff" * 6, bytes.fromhex("01005e000001"), bytes.fromhex("020000000001")
    almost = [b"\xff" * n + b"\xfe" + b"\xff" * (5 - n) for n in range(6)]
    expected = []
    for _ in range(150):
        to = generator.choice((everybody, group, one, *almost))
        length = generator.choice((60, 61, 200, 1514, 1518, 1519, 3000, 40, 59))
        frame = to + bytes(length - 6)
        wrong = generator.random() < 0.4
        bench.send_raw(with_fcs(frame)[:-1] + b"\0" if wrong else with_fcs(frame))
        wrong = wrong and with_fcs(frame)[-1] != 0
        good = 60 <= length <= 1518 and not wrong
        is_all = to == everybody
        many = good and to[0] & 1 and not is_all
        expected.append((int(many), int(good and is_all), int(wrong and not 60 <= length <= 1518)))
    await until(dut, lambda: len(kinds.seen) >= len(expected), 400_000)
    assert [tuple(seen) for seen in kinds.seen] == expected


@cocotb.test()
@cocotb.parametrize(lengths=["minimum", "random", "large"])
async def consumer_stopped_frames_without_room_dropped_whole(dut: Any, lengths: str) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    span = {"minimum": (60, 60), "random": (60, 1518), "large": (1500, 1518)}[lengths]
    bench.sink.ready = lambda: False
    frames = [
        generator.randbytes(generator.randint(*span)) for _ in range(90 if lengths == "minimum" else 40)
    ]
    bench.send_raw(*[with_fcs(frame) for frame in frames])
    await until(dut, lambda: len(bench.taps.seen) == len(frames))
    fits = greedy([len(frame) for frame in frames])
    assert False in fits
    assert bench.statuses() == [STORED if fit else OVERFLOW for fit in fits]
    stored = [frame for frame, fit in zip(frames, fits, strict=True) if fit]
    if lengths == "minimum":
        assert len(stored) == 64
    bench.sink.ready = lambda: True
    await bench.expect_out(stored)
    bench.taps.seen.clear()
    bench.send_raw(with_fcs(frames[0]))
    await bench.expect([(STORED, frames[0])])


@cocotb.test()
async def frame_without_room_bad_or_disabled_counts_as_that(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    bench.sink.ready = lambda: False
    bench.send_raw(*[with_fcs(generator.randbytes(1500)) for _ in range(3)])
    bench.send_raw(generator.randbytes(1000))
    await until(dut, lambda: len(bench.taps.seen) == 4)
    dut.accept.value = 0
    bench.send_raw(with_fcs(generator.randbytes(1400)), generator.randbytes(70))
    await until(dut, lambda: len(bench.taps.seen) == 6)
    assert bench.statuses() == [STORED, STORED, OVERFLOW, FCS_ERROR, DISABLED, FCS_ERROR]


@cocotb.test()
async def consumer_pauses_at_random_every_stored_frame_whole_and_in_order(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    bench.sink.ready = lambda: generator.random() > 0.62
    frames = [generator.randbytes(generator.randint(60, 600)) for _ in range(400 if fast() else 120)]
    bench.send_raw(*[with_fcs(frame) for frame in frames])
    await until(dut, lambda: len(bench.taps.seen) == len(frames), 100_000)
    assert set(bench.statuses()) == {STORED, OVERFLOW}
    await bench.expect_out([f for f, s in zip(frames, bench.statuses(), strict=True) if s == STORED])


@cocotb.test()
async def accept_low_at_the_end_of_a_frame_decides(dut: Any) -> None:
    bench = await Bench.create(dut)
    raw = with_fcs(rng().randbytes(200))
    expected = []
    for at_begin, at_end in ((1, 0), (0, 1), (0, 0), (1, 1)):
        dut.accept.value = at_begin
        bench.send_raw(raw)
        await ClockCycles(dut.clk, 15)
        dut.accept.value = at_end
        await ClockCycles(dut.clk, 40)
        expected.append((STORED if at_end else DISABLED, raw[:-4]))
    await bench.expect(expected)


@cocotb.test()
async def flush_stored_frames_gone_and_incoming_frame_lives(dut: Any) -> None:
    bench = await Bench.create(dut)
    generator = rng()
    for read in range(0, 70, 3):  # beats of two frames of 30 words are read before the flush
        bench.sink.ready = lambda: False
        bench.send_raw(*[with_fcs(generator.randbytes(480)) for _ in range(3)])
        bench.taps.seen.clear()
        await until(dut, lambda: len(bench.taps.seen) == 3)
        incoming, after = generator.randbytes(900), generator.randbytes(100)
        bench.send_raw(with_fcs(incoming), with_fcs(after))
        bench.sink.ready = lambda: True
        await ClockCycles(dut.clk, 1 + read)
        dut.flush.value = 1
        await RisingEdge(dut.clk)
        dut.flush.value = 0
        await RisingEdge(dut.clk)
        assert not int(dut.m_tvalid.value), f"m_valid after flush, {read} beats read"
        bench.sink.clear()
        await bench.expect_out([incoming, after])


@cocotb.test()
async def reset_mid_frame_rest_ignored_and_next_frame_good(dut: Any) -> None:
    bench = await Bench.create(dut, raw=True)
    generator = rng()
    for cycles in range(1, 24):
        stream = on_wire(with_fcs(generator.randbytes(150)))
        bench.raw.send(idle(8 + 4 * (cycles & 1)) + stream + idle(16))
        await ClockCycles(dut.clk, cycles)
        await reset(dut)
        await until(dut, lambda: bench.raw.empty)
        await ClockCycles(dut.clk, 40)
        bench.sink.clear()
        bench.taps.seen.clear()
        good = with_fcs(generator.randbytes(60 + cycles))
        bench.raw.send(on_wire(good) + idle(16))
        await bench.expect([judged(good)])


@SIMULATORS
def test_mac_rx(simulator: str) -> None:
    run_block(
        "mac_rx_bench",
        SOURCES,
        __name__,
        simulator=simulator,
        wrappers=["mac_rx_bench.v"],
    )
