"""fdw_rx_checksum behind the MAC: which frames it calls right. scapy makes frames and computes checksums."""

import logging
import random
from collections.abc import Iterator
from typing import Any

import cocotb
from clocked import rng, start
from cocotb.triggers import ClockCycles
from cocotbext.eth import XgmiiFrame, XgmiiSource
from mac_bench import PacketSink, Pulses, until
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw
from simulators import SIMULATORS, fast

from tb.block import run_block

SOURCES = [
    "mac/fdw_mac_rx.v", "mac/fdw_crc32.v", "mac/fdw_rx_fifo.v", "rx/fdw_rx_checksum.v", "lib/fdw_fifo.v",
]  # fmt: skip
Case = tuple[bytes, bool]
"""A frame without FCS, and whether its checksum is right."""


def build(*layers: Any, payload: bytes = b"payload!") -> bytes:
    """Ethernet, then `layers` (classes or packets), then `payload`."""
    packet: Packet = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")
    for layer in layers:
        packet = packet / (layer() if isinstance(layer, type) else layer)
    return bytes(packet / Raw(payload))


def padded(generator: random.Random, frame: bytes, extra: int = 0) -> bytes:
    """At least 60 bytes, and `extra` ones; what pads is anything."""
    return frame + generator.randbytes(max(60 - len(frame), 0) + extra)


def flipped(generator: random.Random, frame: bytes, first: int, end: int) -> bytes:
    at = generator.randrange(first, end)
    return frame[:at] + bytes([frame[at] ^ 1 << generator.randrange(8)]) + frame[at + 1 :]


async def judge(dut: Any, cases: list[Case], max_frame: int = 1518) -> None:
    """Send the frames back to back; each must be called what it is."""
    await start(dut, flush=0, accept=1, max_frame=max_frame, m_tready=0, xgmii_rxd=0, xgmii_rxc=0)
    cases = cases if fast() else cases[rng().randrange(3) :: 3]
    source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)
    source.log.setLevel(logging.ERROR)
    sink = PacketSink(dut)
    verdicts = Pulses(dut, "m_tlast", "m_good")
    for frame, _ in cases:
        source.send_nowait(XgmiiFrame.from_payload(frame))
    await until(dut, lambda: len(sink.frames) == len(cases), 400_000)
    await ClockCycles(dut.clk, 2)
    assert [frame for frame, _ in sink.frames] == [frame for frame, _ in cases]
    assert len(verdicts.seen) == len(cases)
    for (frame, right), (seen,) in zip(cases, verdicts.seen, strict=True):
        assert seen == right, f"called {'right' if seen else 'wrong'}: {Ether(frame)!r}"


def shapes() -> Iterator[tuple[tuple[Any, ...], int]]:
    """Layers, and where the transport header begins."""
    for tag in ((), (Dot1Q,), (Dot1AD,)):
        for network, header in ((IP, 20), (IPv6, 40)):
            for transport in (TCP, UDP):
                yield (*tag, network, transport), 14 + 4 * len(tag) + header


@cocotb.test()
async def right_checksum_of_any_length_right_and_with_any_bit_flipped_wrong(dut: Any) -> None:
    generator = rng()
    cases: list[Case] = []
    for layers, at in shapes():
        for length in (*range(20), 64, 65, *(generator.randint(66, 1400) for _ in range(2))):
            frame = build(*layers, payload=generator.randbytes(length))
            extra = generator.choice((0, 0, 1, 7, 40))
            cases.append((padded(generator, frame, extra), True))
            first = len(frame) if generator.random() < 0.3 else at  # all of it, or only the transport header
            bad = flipped(generator, frame, at, max(first, at + 8))
            cases.append((padded(generator, bad, extra), False))
    await judge(dut, cases)


@cocotb.test()
async def network_addresses_count_and_the_rest_of_the_network_header_does_not(dut: Any) -> None:
    generator = rng()
    cases: list[Case] = []
    for layers, at in shapes():
        frame = build(*layers, payload=generator.randbytes(generator.randint(20, 60)))
        header, addresses = (20, 8) if IP in layers else (40, 32)
        network = at - header
        for _ in range(6):
            cases.append((flipped(generator, frame, at - addresses, at), False))
        free = (1, 4, 5, 8, 10, 11) if IP in layers else (2, 3, 7)  # TOS, id, TTL, checksum; flow, hops
        cases += [(flipped(generator, frame, network + n, network + n + 1), True) for n in free]
        cases.append((flipped(generator, frame, 0, 12), True))
    cases = [(padded(generator, frame), right) for frame, right in cases]
    await judge(dut, cases)


@cocotb.test()
async def frames_that_are_not_plain_tcp_or_udp_over_ip_wrong(dut: Any) -> None:
    generator = rng()
    frames = [
        build(ARP),
        build(IP, ICMP),
        build(IP(flags="MF"), TCP),
        build(IP(frag=3), UDP),
        build(IP(frag=0x1000), TCP),
        build(Dot1Q, Dot1Q, IP, TCP),
        build(Dot1AD, Dot1Q, IP, TCP),
        build(IPv6, IPv6ExtHdrHopByHop, TCP),
        build(IP, UDP(chksum=0)),
        build(IPv6, UDP(chksum=0)),
        build(IP(version=5), TCP),
        build(IP(version=6), TCP),
        build(IPv6(version=4), TCP),
        build(IP, UDP(len=12)),
        build(IP, UDP(len=17)),
        build(IP(ihl=4), TCP),
        bytes(60),
        bytes(12) + b"\x08\x00\x45" + bytes(60),
        *(generator.randbytes(generator.randint(60, 200)) for _ in range(50)),
    ]
    await judge(dut, [(padded(generator, frame), False) for frame in frames])


@cocotb.test()
async def do_not_fragment_and_ip_options_of_every_length_right(dut: Any) -> None:
    generator = rng()
    cases: list[Case] = [(build(IP(flags="DF"), TCP), True)]
    for words in range(11):
        for transport in (TCP, UDP):
            for tag in ((), (Dot1Q,)):
                options = IP(options=[IPOption(b"\x01")] * 4 * words)
                frame = build(*tag, options, transport, payload=generator.randbytes(generator.randint(0, 50)))
                cases.append((frame, True))
                cases.append(
                    (flipped(generator, frame, 14 + 4 * len(tag) + 20 + 4 * words, len(frame)), False)
                )
    cases = [(padded(generator, frame), right) for frame, right in cases]
    await judge(dut, cases)


@cocotb.test()
async def packet_beyond_its_frame_or_too_short_for_its_header_wrong(dut: Any) -> None:
    generator = rng()
    cases: list[Case] = []
    for layers, _ in shapes():
        frame = build(*layers, payload=bytes(80))  # zeros: what is cut off would not change the sum
        cases.append((frame, True))
        cases += [(frame[:-cut], False) for cut in (1, 2, 3, 8, 20)]
    for network, least in ((IP, 20), (IPv6, 20), (IP, 8), (IPv6, 8)):
        protocol = 6 if least == 20 else 17
        head = IP(proto=protocol) if network is IP else IPv6(nh=protocol)
        for length in range(least):
            frame = bytes(Ether(dst="02:00:00:00:00:01") / head / Raw(bytes(length)))
            cases.append((padded(generator, frame), False))
    await judge(dut, cases)


@cocotb.test()
async def udp_checksum_that_comes_out_as_zero_is_sent_as_ones_and_right(dut: Any) -> None:
    cases: list[Case] = []
    for network in (IP, IPv6):
        plain = Ether(build(network, UDP, payload=bytes(30)))[UDP].chksum
        frame = build(network, UDP, payload=plain.to_bytes(2, "big") + bytes(28))
        assert Ether(frame)[UDP].chksum == 0xFFFF, "scapy (RFC 768) gives ones for zero"
        cases.append((frame, True))
        at = 14 + (20 if network is IP else 40) + 6
        cases.append((frame[:at] + bytes(2) + frame[at + 2 :], False))
    for fill in (0x00, 0xFF):
        cases += [
            (build(*layers, payload=bytes([fill]) * n), True) for layers, _ in shapes() for n in (60, 1400)
        ]
    await judge(dut, cases)


@cocotb.test()
async def frame_as_long_as_the_bench_can_hold_right_and_with_a_bit_flipped_wrong(dut: Any) -> None:
    generator = rng()
    cases: list[Case] = []
    for layers, at in shapes():
        frame = build(*layers, payload=b"\xff" * (4000 - at - 20))  # the sum's upper bits are used
        cases += [(frame, True), (flipped(generator, frame, at, len(frame)), False)]
    await judge(dut, cases, max_frame=9018)


@SIMULATORS
def test_rx_checksum(simulator: str) -> None:
    run_block("mac_rx_bench", SOURCES, __name__, simulator=simulator, wrappers=["mac_rx_bench.v"])
