"""HOST_TSO4, HOST_TSO6: super-frames cut into segments. Each rule of docs/device.md in order of precedence.

The segments are compared with what scapy makes of the fields that the contract gives, all lengths and
checksums recomputed by scapy.
"""

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles
from dma_bench import LATENCY_1US
from scapy.layers.inet import IP, TCP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy_offloads import CWR, EXTENSIONS, FIN, PSH, extension, partial, place, segments
from simulators import SIMULATORS, fast
from tx_bench import ECN, NEEDS_CSUM, PARAMETERS, SOURCES, TCPV4, TCPV6, UDP_L4, Header, TxBench

from tb.block import run_block

TIMESTAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]


def packet(
    payload: bytes,
    *,
    tags: tuple[int, ...] = (),
    ip_options: int = 0,
    six: tuple[Packet, ...] | None = None,
    tcp_options: Any = (),
    **tcp: Any,
) -> Packet:
    """Ethernet, `tags` (TPIDs), IPv4 with `ip_options` bytes of options or IPv6 with `six`, TCP, payload."""
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for tpid in tags:
        frame.lastlayer().fields.pop("type", None)
        frame = frame / Dot1Q(vlan=7)
        frame[Dot1Q].underlayer.type = tpid
    options = [IPOption(b"\x01" * ip_options)] if ip_options else []
    fields: dict[str, Any] = {"sport": 40000, "dport": 80, "seq": 1000, "ack": 7, "flags": "A", "window": 502}
    ip = IP(src="10.1.2.3", dst="192.168.255.254", id=0x1234, flags="DF", ttl=64, tos=2, options=options)
    if six is not None:
        ip = IPv6(src="2001:db8::1", dst="2001:db8::ffff:2", fl=0x12345, tc=2, hlim=64)
        for extension in six:
            ip = ip / extension
    return frame / ip / TCP(options=list(tcp_options), **fields | tcp) / Raw(payload)


def super_frame(whole: Packet, size: int, *, ecn: bool = False) -> tuple[Header, bytes]:
    """What a driver gives for `whole`. Fields that the device must make anew hold nonsense."""
    data = bytearray(partial(whole))
    start, offset = place(whole)
    ip = start - len(whole[IPv6 if IPv6 in whole else IP]) + len(whole[TCP])
    if IPv6 in whole:
        data[ip + 4 : ip + 6] = b"\xde\xad"
    else:
        data[ip + 2 : ip + 4], data[ip + 10 : ip + 12] = b"\xde\xad", b"\xbe\xef"
    kind = TCPV6 if IPv6 in whole else TCPV4
    return Header(NEEDS_CSUM, kind | (ECN if ecn else 0), 0, size, start, offset), bytes(data)


def payload_of(frames: list[bytes]) -> bytes:
    """The TCP payload of `frames`, one after the other, as scapy reads it."""
    out = b""
    for frame in frames:
        read = Ether(frame)
        length = read[IPv6].plen + 40 if IPv6 in read else read[IP].len
        ip = read[IPv6 if IPv6 in read else IP]
        out += bytes(ip)[len(ip) - len(ip[TCP]) + ip[TCP].dataofs * 4 : length]
    return out


async def cut(bench: TxBench, whole: Packet, size: int, **how: Any) -> list[bytes]:
    """Post `whole` as a super-frame; what is expected of it."""
    header, frame = super_frame(whole, size, **how)
    header.hdr_len = bench.random.choice((0, 54, 0xFFFF))
    bench.post(header, frame)
    return segments(whole, size)


async def cut_every_shape(dut: Any, shapes: list[dict[str, Any]]) -> None:
    """Each of `shapes` (see `packet`), or a few of them, with any payload, number and flags; about every
    other payload fills its last segment.
    """
    bench = await TxBench.create(dut)
    generator = bench.random
    expected = []
    chosen = shapes if fast() else generator.sample(shapes, 12)
    for shape in chosen:
        size = generator.randint(100, 600)
        length = generator.choice((generator.randint(1, 700), size * generator.randint(1, 2)))
        whole = packet(
            generator.randbytes(length),
            seq=generator.getrandbits(32),
            flags=generator.randrange(256),
            **shape,
        )
        made = await cut(bench, whole, size, ecn=generator.random() < 0.3)
        assert payload_of(made) == bytes(whole[TCP].payload)
        expected += made
    await bench.expect(expected, 100_000)
    assert bench.count("tso") == len(chosen)


TAGS = ((), (0x8100,), (0x88A8,))


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def every_shape_of_headers_cut_as_scapy_would(dut: Any) -> None:
    """VLAN of both kinds, IP options 0..40, TCP options 0..40."""
    await cut_every_shape(
        dut,
        [
            {"tags": tags, "ip_options": ip_options, "tcp_options": [("NOP", None)] * tcp_options}
            for tags in TAGS
            for ip_options in (0, 4, 12, 40)
            for tcp_options in (0, 4, 12, 20, 36, 40)
        ],
    )


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def every_shape_of_ipv6_headers_cut_as_scapy_would(dut: Any) -> None:
    """VLAN of both kinds, extension headers 0..64, with a routing header too, TCP options 0..40."""
    await cut_every_shape(
        dut,
        [
            {"tags": tags, "six": six, "tcp_options": [("NOP", None)] * tcp_options}
            for tags in TAGS
            for six in EXTENSIONS.values()
            for tcp_options in (0, 12, 40)
        ],
    )


def changed(data: bytes, at: int, *values: int) -> bytes:
    return data[:at] + bytes(values) + data[at + len(values) :]


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def longest_ipv6_packet_with_a_tag_is_cut_and_no_longer_one(dut: Any) -> None:
    bench = await TxBench.create(dut, max_frame=9018)
    whole = packet(bytes(65_535 - 20), six=(), tags=(0x88A8,))
    assert len(whole) == 65_535 + 40 + 18
    expected = await cut(bench, whole, 8900)
    header, frame = super_frame(whole, 8900)
    bench.post(header, frame + b"p", 2)
    await bench.expect(expected, 100_000)
    assert (bench.count("tso"), bench.count("oversize")) == (1, 1)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def headers_that_are_not_tcp_over_ipv6_refused(dut: Any) -> None:
    bench = await TxBench.create(dut)
    payload = bench.random.randbytes(500)
    header, plain = super_frame(packet(payload, six=()), 100)
    with_options = (extension(IPv6ExtHdrHopByHop, 8), extension(IPv6ExtHdrDestOpt, 16))
    long_header, long = super_frame(packet(payload, six=with_options), 100)
    _, four = super_frame(packet(payload), 100)
    too_many = tuple(extension(IPv6ExtHdrDestOpt, 8) for _ in range(9))
    fragment = (IPv6ExtHdrFragment(),)
    bad = [
        (header, changed(plain, 12, 0x08, 0x00)),
        (header, changed(plain, 14, 0x45)),  # version
        (header, changed(plain, 20, 17)),  # UDP
        (header, changed(plain, 20, 59)),
        (header, changed(plain, 20, 60)),  # TCP's ports read as an extension header
        (header, changed(plain, 66, 0x40)),  # data offset 4
        (header, plain[:73]),
        (header, plain[:54]),
        (header, changed(plain, 66, 0xF0)[:113]),  # shorter than its options
        (Header(NEEDS_CSUM, TCPV6, 0, 100, 52, 16), plain),
        (Header(NEEDS_CSUM, TCPV6, 0, 100, 55, 16), plain),
        (Header(NEEDS_CSUM, TCPV6, 0, 100, 62, 16), plain),
        (Header(NEEDS_CSUM, TCPV6, 0, 100, 34, 16), four),
        (Header(NEEDS_CSUM, TCPV4, 0, 100, 54, 16), plain),
        (long_header, changed(long, 20, 6)),
        (long_header, changed(long, 54, 6)),
        (long_header, changed(long, 54, 44)),
        (long_header, changed(long, 55, 1)),  # the first header longer: the second is not where it is read
        (long_header, changed(long, 55, 255)),
        (long_header, changed(long, 62, 17)),
        (long_header, changed(long, 63, 0)),
        (long_header, changed(long, 63, 33)),  # 34 times 8 are 16, modulo 256
        super_frame(packet(payload, six=too_many), 100),
        super_frame(packet(payload, six=fragment), 100),
    ]
    for header_, frame in bad:
        bench.post(header_, frame)
    bench.post(header, changed(plain, 66, 0xF0)[:114])
    await bench.settle()
    assert len(bench.collect().good) == 1
    assert bench.count("bad_offload") == len(bad)
    assert (bench.count("oversize"), bench.count("tso")) == (0, 1)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(six=[False, True])
async def only_what_was_negotiated_is_cut(dut: Any, six: bool) -> None:
    bench = await TxBench.create(dut, tso4=not six, tso6=six)
    payload = bench.random.randbytes(700)
    bench.post(*super_frame(packet(payload, six=None if six else ()), 200))
    await bench.expect(await cut(bench, packet(payload, six=() if six else None), 200))
    assert (bench.count("bad_offload"), bench.count("tso")) == (1, 1)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def regression_odd_start_within_the_tcp_header_refused(dut: Any) -> None:
    """A start one byte behind the TCP header's was taken for the header's own."""
    bench = await TxBench.create(dut)
    for six in (None, ()):
        header, frame = super_frame(packet(bench.random.randbytes(300), six=six), 100)
        header.csum_start += 1
        bench.post(header, frame)
    await bench.expect([])
    assert (bench.count("bad_offload"), bench.count("tso")) == (2, 0)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def headers_that_come_slower_than_they_are_read_are_whole(dut: Any) -> None:
    bench = await TxBench.create(dut, slow=0.95)
    expected = []
    for _ in range(4):
        for shape in ({"ip_options": 40}, {"six": EXTENSIONS["eight"]}):
            whole = packet(bench.random.randbytes(40), tcp_options=[("NOP", None)] * 40, **shape)
            expected += await cut(bench, whole, 30)
    await bench.expect(expected, 100_000)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(slow=[0.0, 0.3])
async def random_super_frames_among_other_frames_keep_order_and_payload(dut: Any, slow: float) -> None:
    bench = await TxBench.create(dut, slow=slow)
    generator = bench.random
    expected: list[bytes] = []
    wholes = 0
    for _ in range(60 if fast() else 15):
        kind = generator.random()
        if kind < 0.3:
            frame = generator.randbytes(generator.randint(14, 300))
            bench.post(Header(), frame)
            expected.append(frame.ljust(60, b"\0"))
            continue
        size = generator.choice((1, 2, 7, 16, generator.randint(1, 100), generator.randint(1, 1400)))
        count = generator.choice((0, 1, 2, 3, generator.randint(1, 9)))
        length = max(0, size * count - generator.choice((0, 0, 1, generator.randrange(size))))
        whole = packet(
            generator.randbytes(length),
            tcp_options=TIMESTAMPS if generator.random() < 0.5 else [],
            flags=generator.randrange(256),
            seq=generator.choice((generator.getrandbits(32), 0xFFFFFFFF, 0)),
            urgptr=generator.getrandbits(16),
            six=generator.choice((None, None, (), generator.choice([*EXTENSIONS.values()]))),
        )
        if IP in whole:
            whole[IP].id = generator.choice((0xFFFF, 0xFFFE, generator.getrandbits(16)))
        made = await cut(bench, whole, size, ecn=generator.random() < 0.3)
        assert payload_of(made) == bytes(whole[TCP].payload)
        expected += made
        wholes += 1
    await bench.expect(expected, 100_000)
    assert bench.count("tso") == wholes


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def largest_super_frame_cut_into_standard_segments_at_line_rate(dut: Any) -> None:
    bench = await TxBench.create(dut, latency=LATENCY_1US)
    length = 65_535 - 52 if fast() else 9_000
    whole = packet(bench.random.randbytes(length), tcp_options=TIMESTAMPS, flags="PA", seq=0xFFFF_8000)
    expected = await cut(bench, whole, 1448)
    await bench.expect(expected, 100_000)
    starts = [span.start for span in bench.wire.spans]
    whole_segment = 8 + 14 + 52 + 1448 + 4 + 12
    assert abs(starts[-1] - starts[2] - (len(starts) - 3) * whole_segment) <= 3  # deficit idle count


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def segments_of_one_byte_at_line_rate_of_minimum_frames(dut: Any) -> None:
    bench = await TxBench.create(dut)
    whole = packet(bench.random.randbytes(60))
    await bench.expect(await cut(bench, whole, 1))
    starts = [span.start for span in bench.wire.spans]
    assert starts[-1] - starts[10] == 49 * 84


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def jumbo_segments_up_to_the_limit_and_none_beyond(dut: Any) -> None:
    bench = await TxBench.create(dut, max_frame=9018)
    payload = bench.random.randbytes(30_000 if fast() else 10_000)
    expected = await cut(bench, packet(payload), 9018 - 54)
    expected += await cut(bench, packet(payload, tags=(0x8100,)), 9018 - 58)
    expected += await cut(bench, packet(payload, six=()), 9018 - 74)
    bench.post(*super_frame(packet(payload), 9018 - 53))
    bench.post(*super_frame(packet(payload, six=()), 9018 - 73))
    expected += await cut(bench, packet(payload[: 9018 - 54]), 0xFFFF)
    bench.post(*super_frame(packet(payload[: 9018 - 53]), 0xFFFF))
    await bench.expect(expected, 100_000)
    assert bench.count("oversize") == 3
    assert bench.count("tso") == 4


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def frame_of_headers_only_is_one_segment_that_keeps_its_flags(dut: Any) -> None:
    bench = await TxBench.create(dut)
    expected = await cut(bench, packet(b"", flags=0xFF), 1000)
    expected += await cut(bench, packet(b"", flags=0xFF, tcp_options=TIMESTAMPS), 1)
    assert len(expected) == 2
    await bench.expect(expected)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def fin_psh_cwr_urg_go_where_they_belong(dut: Any) -> None:
    bench = await TxBench.create(dut)
    expected = await cut(bench, packet(bytes(350), flags=FIN | PSH | CWR | 0x10 | 0x20 | 0x40), 100)
    flags = [int(Ether(frame)[TCP].flags) for frame in expected]
    assert flags == [0xF0, 0x70, 0x70, 0x79]
    await bench.expect(expected)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def checksums_of_zero_sent_as_all_ones(dut: Any) -> None:
    """Payloads chosen so that TCP's checksum comes to 0, in the middle segment and in the last."""
    bench = await TxBench.create(dut)
    payload = bytearray(bench.random.randbytes(60))
    for at in (20, 40):
        payload[at : at + 2] = bytes(2)
        blank = segments(packet(bytes(payload)), 20)[at // 20]
        payload[at : at + 2] = blank[50:52]  # the checksum itself: added, the sum becomes 0xffff
    header, frame = super_frame(packet(bytes(payload)), 20)
    bench.post(header, frame)
    await bench.settle()
    sent = bench.collect().good
    assert [frame[50:52] for frame in sent[1:]] == [b"\xff\xff"] * 2
    for got, want in zip(sent, segments(packet(bytes(payload)), 20), strict=True):
        assert got[:50] == want[:50] and got[52 : len(want)] == want[52:]


REFUSALS: tuple[dict[str, int], ...] = (
    {"gso_type": TCPV6},  # the frame is IPv4
    {"gso_type": UDP_L4},
    {"gso_type": 0x7F},
    {"flags": 0},
    {"flags": 0xFE},
    {"gso_size": 0},
    {"csum_offset": 6},
    {"csum_offset": 15},
    {"csum_start": 0},
    {"csum_start": 33},
    {"csum_start": 38},
    {"csum_start": 30},
    {"csum_start": 82},
    {"csum_start": 34 + 256},
    {"csum_start": 0xFFFF},
)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def request_that_cannot_be_met_refused_by_its_header(dut: Any) -> None:
    bench = await TxBench.create(dut)
    whole = packet(bench.random.randbytes(500))
    expected = []
    for number, change in enumerate(REFUSALS):
        header, frame = super_frame(whole, 100)
        for name, value in change.items():
            setattr(header, name, value)
        bench.post(header, frame)
        if number % 4 == 0:
            expected += await cut(bench, whole, 300)
    await bench.expect(expected)
    assert (bench.count("bad_offload"), bench.count("oversize")) == (len(REFUSALS), 0)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def headers_that_are_not_plain_tcp_over_ipv4_refused(dut: Any) -> None:
    bench = await TxBench.create(dut)
    header, plain = super_frame(packet(bench.random.randbytes(500)), 100)
    tagged_header, tagged = super_frame(packet(bytes(500), tags=(0x8100,)), 100)
    bad = [
        (header, changed(plain, 12, 0x08, 0x06)),
        (header, changed(plain, 12, 0x86, 0xDD)),
        (header, changed(plain, 12, 0x00, 0x08)),
        (header, changed(plain, 14, 0x55)),  # version
        (header, changed(plain, 14, 0x44)),  # IHL below 5
        (header, changed(plain, 14, 0x46)),  # ends elsewhere
        (header, changed(plain, 20, 0x20)),  # MF
        (header, changed(plain, 20, 0x60)),  # DF and MF
        (header, changed(plain, 21, 0x01)),  # offset
        (header, changed(plain, 20, 0x10)),  # offset, its upper end
        (header, changed(plain, 23, 17)),  # UDP
        (header, changed(plain, 46, 0x40)),  # data offset 4
        (header, changed(plain, 46, 0x00)),
        (tagged_header, changed(tagged, 16, 0x86, 0xDD)),
        (tagged_header, changed(tagged, 16, 0x81, 0x00)),  # two tags
        (tagged_header, changed(tagged, 12, 0x91, 0x00)),  # no tag that we know
        (tagged_header, changed(tagged, 18, 0x46)),
        (header, tagged),
        (tagged_header, plain),
        (header, plain[:53]),  # not a whole TCP header
        (header, plain[:34]),
        (header, plain[:14]),
        (header, changed(plain, 46, 0xF0)[:93]),  # shorter than its options
    ]
    good = changed(changed(plain, 20, 0x80), 46, 0xF0)  # reserved flag; options of 40 bytes
    for header_, frame in bad:
        bench.post(header_, frame)
    bench.post(header, good[:94])
    await bench.settle()
    assert len(bench.collect().good) == 1
    assert bench.count("bad_offload") == len(bad)
    assert bench.count("oversize") == 0
    assert bench.count("tso") == 1


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def too_long_a_packet_is_oversize_before_its_headers_matter_and_after_its_request(dut: Any) -> None:
    bench = await TxBench.create(dut)
    header, frame = super_frame(packet(b""), 1000)
    beyond = frame.ljust(65_535 + 18 + 1, b"p")
    bench.post(header, beyond, 2)
    bench.post(header, changed(beyond, 12, 0, 0), 2)
    await bench.settle(100_000)
    assert (bench.count("oversize"), bench.count("bad_offload")) == (2, 0)
    header.gso_size = 0
    bench.post(header, beyond, 2)
    await bench.settle(100_000)
    assert (bench.count("oversize"), bench.count("bad_offload")) == (2, 1)
    # A first segment too long: after the headers are found good, and not before.
    header.gso_size = 1518 - 53
    bench.post(header, frame + bytes(4000))
    bench.post(header, changed(frame, 23, 17) + bytes(4000))
    await bench.settle()
    assert (bench.count("oversize"), bench.count("bad_offload")) == (3, 2)
    assert bench.count("tso") == 0
    await bench.expect([])


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def longest_packet_with_a_tag_is_cut(dut: Any) -> None:
    bench = await TxBench.create(dut, max_frame=9018)
    whole = packet(bytes(65_535 - 40), tags=(0x88A8,))
    expected = await cut(bench, whole, 8900)
    assert sum(map(len, expected)) > 65_535
    await bench.expect(expected, 100_000)


@cocotb.test(timeout_time=6, timeout_unit="ms")
async def queue_stopped_within_a_super_frame_whole_segments_sent_and_the_next_life_clean(dut: Any) -> None:
    bench = await TxBench.create(dut, latency=20, slow=0.1)
    generator = bench.random
    for _ in range(15 if fast() else 4):
        before = len(bench.collect().good)
        whole = packet(generator.randbytes(3000), tcp_options=TIMESTAMPS)
        expected = await cut(bench, whole, generator.choice((50, 400, 1000)))
        bench.used.clear()
        await ClockCycles(dut.clk, generator.randint(1, 500))
        await bench.stop()
        await ClockCycles(dut.clk, 200)
        sent = bench.collect().good[before:]
        assert sent == [frame.ljust(60, b"\0") for frame in expected[: len(sent)]]
        assert not bench.used or len(sent) == len(expected), "used before all of it was safe"
        tail = await cut(bench, packet(generator.randbytes(300)), 100)
        await bench.settle()
        assert bench.collect().good[before + len(sent) :] == tail
    assert bench.count("underflow") == bench.caught.broken


@SIMULATORS
def test_tx_segment(simulator: str) -> None:
    run_block("fdw_tx_path", SOURCES, __name__, PARAMETERS, simulator=simulator)
