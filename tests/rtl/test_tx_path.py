"""Transmit from descriptors to the wire, frames without gso: every length and alignment, checksums, refusals.

Each rule of docs/device.md, "Transmit", in its order of precedence. Checksums are scapy's.
"""

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles
from dma_bench import LATENCY_1US
from mac_bench import assert_known, until
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import checksum
from scapy_offloads import partial, place
from simulators import SIMULATORS, fast
from tx_bench import ECN, NEEDS_CSUM, PARAMETERS, SOURCES, TCPV4, UDP_L4, Header, TxBench

from tb.block import run_block


def summed(frame: bytes, start: int, offset: int) -> bytes:
    """`frame` with its checksum, by scapy's arithmetic."""
    value = checksum(frame[start:]) or 0xFFFF
    return frame[: start + offset] + value.to_bytes(2, "big") + frame[start + offset + 2 :]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_outputs_known(dut: Any) -> None:
    bench = await TxBench.create(dut)
    outputs = [
        "xgmii_txd",
        "xgmii_txc",
        "m_axi_arvalid",
        "desc_ready",
        "used_valid",
        "chain_error",
        "fifo_busy",
    ]
    await assert_known(dut, [*outputs, *(f"stat_{name}" for name in bench.stats)], 8)
    await bench.expect([])


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(slow=[0.0, 0.3])
async def frames_of_all_lengths_in_any_chain_with_meaningless_headers_arrive_in_order(
    dut: Any, slow: float
) -> None:
    """Neither feature accepted: whatever the header says means nothing."""
    bench = await TxBench.create(dut, csum=False, tso4=False, tso6=False, slow=slow)
    generator = bench.random
    lengths = [*range(14, 96 if fast() else 40), 127, 128, 1499, 1514, 1517, 1518]
    lengths += [generator.randint(14, 1518) for _ in range(20)]
    frames = [generator.randbytes(n) for n in lengths]
    for frame in frames:
        bench.post(generator.randbytes(12), frame, generator.randint(1, 14))
    await bench.expect(frames)


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def header_split_at_every_byte_understood(dut: Any) -> None:
    bench = await TxBench.create(dut)
    frames = []
    for cut in range(1, 14):
        for second in (1, 3, 12):
            frame = bench.random.randbytes(40)
            start = bench.random.randint(0, 30)
            header = Header(NEEDS_CSUM, csum_start=start, csum_offset=6)
            bench.post(header, frame, [cut, second, 52 - cut - second])
            frames.append(summed(frame, start, 6))
    bench.post(Header(), frame, [1] * 52)
    await bench.expect([*frames, frame])


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(slow=[0.0, 0.3])
async def jumbo_frames_up_to_the_limit_pass_and_one_byte_more_is_oversize(dut: Any, slow: float) -> None:
    bench = await TxBench.create(dut, max_frame=9018, slow=slow)
    generator = bench.random
    lengths = (9018, 9019, 60, 9017, 8192, 9018, 20000, 4096, 9018)
    frames = [generator.randbytes(n) for n in lengths if n < (21000 if fast() else 9020)]
    for frame in frames:
        bench.post(Header(), frame)
    await bench.expect([frame for frame in frames if len(frame) <= 9018])
    assert bench.count("oversize") == sum(len(frame) > 9018 for frame in frames)


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(tso=[False, True])
async def longer_than_max_frame_used_and_counted_however_long(dut: Any, tso: bool) -> None:
    bench = await TxBench.create(dut, tso4=tso, tso6=tso)
    generator = bench.random
    good = generator.randbytes(100)
    bench.post(Header(), generator.randbytes(1519))
    bench.post(Header(), good)
    # A bad checksum request beside it: the length is looked at first.
    bench.post(Header(NEEDS_CSUM, csum_start=60000), generator.randbytes(1519))
    # 4 GiB - 1 in the first of two descriptors, and a chain of many: not read to their end.
    bench.raw(bench.place(bytes(12)), 0xFFFF_FFFF, False)
    bench.raw(0, 1, True)
    bench.posted.append((bench._id, 1))
    for number in range(60):
        bench.raw(64 * number, 100 if number else 12, number == 59)
    bench.posted.append((bench._id, 1))
    bench.post(Header(), good)
    await bench.expect([good, good])
    assert bench.count("oversize") == 4
    assert bench.count("bad_offload") == 0
    if not tso:
        assert sum(beats for _, _, beats in bench.watch.bursts) < 16 * 60


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def random_checksum_requests_filled_in_as_scapy_does(dut: Any) -> None:
    """Every csum_start, odd too, fields across words and beats, at the very end, in any chain."""
    bench = await TxBench.create(dut, slow=0.2)
    generator = bench.random
    frames = []
    for _ in range(120 if fast() else 40):
        length = generator.choice((generator.randint(14, 100), generator.randint(14, 1518)))
        frame = generator.randbytes(length)
        start = generator.randint(0, length - 2)
        offset = generator.choice((0, length - 2 - start, generator.randint(0, length - 2 - start)))
        bench.post(Header(NEEDS_CSUM, csum_start=start, csum_offset=offset), frame)
        frames.append(summed(frame, start, offset))
    await bench.expect(frames)


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def field_at_every_place_of_a_word_and_a_beat_filled_in(dut: Any) -> None:
    bench = await TxBench.create(dut)
    frames = []
    for field in range(63):
        start = bench.random.randint(0, field)
        frame = bench.random.randbytes(65)
        bench.post(Header(NEEDS_CSUM, csum_start=start, csum_offset=field - start), frame, 1)
        frames.append(summed(frame, start, field - start))
    await bench.expect(frames)


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def carries_that_ripple_and_results_of_zero_right(dut: Any) -> None:
    bench = await TxBench.create(dut)
    frames = []
    for frame, start, offset in (
        (b"\xff" * 1518, 0, 100),  # the greatest sum there is; result 0
        (b"\xff" * 1517, 1, 100),
        (b"\xff" * 61 + b"\x01", 0, 0),
        (b"\xff" * 60 + b"\x00\x01", 0, 60),  # one carry, which ripples through all bits
        (bytes(60), 0, 0),  # result 0xffff by the sum of zeros
        (bytes(60), 7, 5),
        (b"\x00" * 58 + b"\xff\xff", 0, 20),  # a sum of 0xffff: 0, sent as 0xffff
        (b"\x00" * 57 + b"\xff\xff\x00", 1, 20),
        (b"\x80\x00" * 700, 0, 4),
        (b"\xff\x00" * 700 + b"\xff", 3, 1),
    ):
        bench.post(Header(NEEDS_CSUM, csum_start=start, csum_offset=offset), frame, 1)
        frames.append(summed(frame, start, offset))
    assert {frame[100:102] for frame in frames[:1]} == {b"\xff\xff"}
    await bench.expect(frames)


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def tcp_and_udp_over_ipv4_and_ipv6_from_scapy_come_out_as_scapy_makes_them(dut: Any) -> None:
    bench = await TxBench.create(dut)
    generator = bench.random
    frames = []
    for network in (IP(src="10.0.0.1", dst="10.255.0.2"), IPv6(src="fe80::1", dst="2001:db8::ffff")):
        for transport in (TCP(sport=1, dport=2, flags="PA"), UDP(sport=3, dport=4)):
            for tag in ([], [Dot1Q(vlan=5)]):
                packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
                for layer in (*tag, network, transport, Raw(generator.randbytes(generator.randint(1, 1400)))):
                    packet = packet / layer.copy()
                start, offset = place(packet)
                bench.post(Header(NEEDS_CSUM, csum_start=start, csum_offset=offset), partial(packet))
                frames.append(bytes(packet))
    await bench.expect(frames)


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def field_that_ends_beyond_the_frame_is_bad_offload_and_one_that_ends_with_it_is_not(dut: Any) -> None:
    bench = await TxBench.create(dut)
    frame = bench.random.randbytes(80)
    frames = []
    for start, offset, good in (
        (78, 0, True),
        (0, 78, True),
        (79, 0, False),
        (0, 79, False),
        (40, 39, False),
        (40, 38, True),
        (0xFFFF, 0xFFFF, False),
        (0xFFFF, 0, False),
        (0, 0xFFFF, False),
        (0xFFFF, 1, False),  # 65536 + 2: no wrap to something legal
        (0x8000, 0x8010, False),
    ):
        bench.post(Header(NEEDS_CSUM, csum_start=start, csum_offset=offset), frame)
        if good:
            frames.append(summed(frame, start, offset))
    await bench.expect(frames)
    assert bench.count("bad_offload") == 8
    assert bench.count("oversize") == 0


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def flags_and_gso_without_their_feature_mean_nothing(dut: Any) -> None:
    bench = await TxBench.create(dut, csum=False, tso4=False, tso6=False)
    frame = bench.random.randbytes(200)
    bench.post(Header(NEEDS_CSUM, TCPV4, 54, 0, 0xFFFF, 0xFFFF), frame)
    bench.post(Header(NEEDS_CSUM, UDP_L4, csum_start=34, csum_offset=16), frame)
    await bench.expect([frame, frame])


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def other_flags_hints_and_ecn_alone_mean_nothing(dut: Any) -> None:
    bench = await TxBench.create(dut)
    frame = bench.random.randbytes(200)
    bench.post(Header(0xFE, ECN, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF), frame)  # all but NEEDS_CSUM
    await bench.expect([frame])


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(csum=[False, True], parts=[1, 2])
async def minimum_frames_with_memory_1us_away_leave_at_line_rate(dut: Any, csum: bool, parts: int) -> None:
    bench = await TxBench.create(dut, latency=LATENCY_1US)
    generator = bench.random
    frames = []
    for _ in range(120):
        frame = generator.randbytes(60)
        header = Header(NEEDS_CSUM, csum_start=34, csum_offset=16) if csum else Header()
        bench.post(header, frame, [72] if parts == 1 else [12, 60])
        frames.append(summed(frame, 34, 16) if csum else frame)
    await bench.expect(frames)
    starts = [span.start for span in bench.wire.spans]
    assert starts[-1] - starts[20] == 99 * 84


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(lengths=[(25,), (12, 13), (1,), (11, 1, 13), (5, 7)])
async def chain_shorter_than_an_ethernet_header_is_an_error_after_those_before_it(
    dut: Any, lengths: tuple[int, ...]
) -> None:
    bench = await TxBench.create(dut)
    frame = bench.random.randbytes(60)
    shortest = bench.random.randbytes(14)
    bench.post(Header(), frame)
    bench.post(Header(), shortest, [3, 9, 13, 1])
    for number, length in enumerate(lengths):
        bench.raw(4096, length, number == len(lengths) - 1)
    bench.post(Header(), frame)
    await until(dut, lambda: bool(bench.errors.seen), 2000)
    assert len(bench.used) == 2
    await ClockCycles(dut.clk, 200)
    assert len(bench.used) == 2
    assert len(bench.errors.seen) == 1
    assert bench.collect().good == [frame, shortest.ljust(60, b"\0")]
    await bench.stop(device=True)
    bench.post(Header(), frame)
    await bench.settle()
    assert bench.collect().good[2:] == [frame]


@cocotb.test(timeout_time=6, timeout_unit="ms")
@cocotb.parametrize(latency=[0, 60])
async def queue_stopped_any_time_frames_whole_or_broken_and_next_life_clean(dut: Any, latency: int) -> None:
    """What was used has been sent; nothing comes out that was not posted, or twice, or in another order."""
    bench = await TxBench.create(dut, latency=latency, slow=0.1)
    generator = bench.random
    for _ in range(12 if fast() else 3):
        frames = []
        bench.used.clear()
        before = len(bench.collect().good)
        for _ in range(8):
            frame = generator.randbytes(generator.randint(60, 600))
            csum = generator.random() < 0.5
            bench.post(Header(NEEDS_CSUM, csum_start=14, csum_offset=20) if csum else Header(), frame)
            frames.append(summed(frame, 14, 20) if csum else frame)
        await ClockCycles(dut.clk, generator.randint(1, 500))
        await bench.stop()
        await ClockCycles(dut.clk, 200)
        sent = bench.collect().good[before:]
        assert sent == frames[: len(sent)]
        assert len(sent) >= len(bench.used), "used and not sent"
        tail = generator.randbytes(77)
        bench.post(Header(), tail)
        await bench.settle()
        assert bench.collect().good[before + len(sent) :] == [tail]
    assert bench.count("underflow") == bench.caught.broken


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def chain_of_as_many_descriptors_as_there_may_be_judged_before_anything_is_sent(dut: Any) -> None:
    """64 descriptors, the last of them late: its length makes the frame oversize, or not."""
    bench = await TxBench.create(dut)
    frame = bench.random.randbytes(1518)
    good = bench.random.randbytes(300)
    bench.post(Header(), good, [2] * 63 + [186])
    bench.post(Header(), frame, [1] * 63 + [1467])
    bench.post(Header(), frame + b"x", [20] * 63 + [271])
    bench.post(Header(), good)
    await bench.expect([good, frame, good])
    assert bench.count("oversize") == 1


@SIMULATORS
def test_tx_path(simulator: str) -> None:
    run_block("fdw_tx_path", SOURCES, __name__, PARAMETERS, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize("cut_through", [0, 1])
def test_tx_path_cut_through_otherwise(cut_through: int) -> None:
    tests = [
        "random_checksum_requests_filled_in_as_scapy_does",
        "frames_of_all_lengths_in_any_chain_with_meaningless_headers_arrive_in_order/slow=0.3",
        "jumbo_frames_up_to_the_limit_pass_and_one_byte_more_is_oversize/slow=0.0",
        "queue_stopped_any_time_frames_whole_or_broken_and_next_life_clean/latency=60",
    ]
    parameters = PARAMETERS | {"CUT_THROUGH": cut_through}
    run_block("fdw_tx_path", SOURCES, __name__, parameters, testcase=tests)
