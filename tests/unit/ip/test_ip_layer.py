import errno
import struct

import pytest
from ip_bench import OWN, OWN_MAC, PEER, PEER_MAC, Bench
from scapy.layers.inet import ICMP, IP, IPOption_RR, defragment
from scapy.layers.l2 import Ether

from pymodel.skbuff import SkBuff

PEER_IP = bytes((10, 0, 0, 2))
OWN_IP = bytes((10, 0, 0, 1))
PROTO = 253  # for experimentation (RFC 3692)


def deliveries(bench: Bench) -> list[tuple[bytes, bytes, bytes]]:
    got: list[tuple[bytes, bytes, bytes]] = []

    def handler(skb: SkBuff, src: bytes, dst: bytes) -> None:
        got.append((skb.bytes(), src, dst))
        skb.free()

    bench.ip.register(PROTO, handler)
    return got


def test_sent_packet_has_a_right_header_by_scapy() -> None:
    bench = Bench()
    bench.learn_peer()
    assert bench.ip.send(bench.payload(b"data"), PROTO, OWN_IP, PEER_IP, ttl=7, tos=2) == 0
    (frame,) = bench.take()
    ip = frame[IP]
    assert (frame.src, frame.dst, frame.type) == (OWN_MAC, PEER_MAC, 0x0800)
    assert (ip.src, ip.dst, ip.ttl, ip.tos, ip.proto, ip.len, ip.flags) == (OWN, PEER, 7, 2, PROTO, 24, "DF")
    good = ip.chksum
    del ip.chksum
    assert IP(bytes(ip)).chksum == good


def test_packets_have_different_identifications() -> None:
    bench = Bench()
    bench.learn_peer()
    for _ in range(3):
        bench.ip.send(bench.payload(b"data"), PROTO, OWN_IP, PEER_IP)
    assert len({frame[IP].id for frame in bench.take()}) == 3


def test_no_route_is_enetunreach_and_frees_the_buffer() -> None:
    bench = Bench()
    assert bench.ip.send(bench.payload(b"x"), PROTO, OWN_IP, bytes((11, 0, 0, 1))) == errno.ENETUNREACH
    assert bench.ip.stats["ip_no_route"] == 1 and bench.memory.allocated == 0


def test_packet_beyond_the_mtu_is_emsgsize() -> None:
    bench = Bench()
    bench.learn_peer()
    assert bench.ip.send(bench.payload(bytes(1481)), PROTO, OWN_IP, PEER_IP) == errno.EMSGSIZE
    assert bench.ip.send(bench.payload(bytes(1480)), PROTO, OWN_IP, PEER_IP) == 0
    assert len(bench.take()) == 1


@pytest.mark.parametrize("size", [1481, 2960, 2961, 20_000])
def test_packet_that_may_be_fragmented_is_what_scapy_puts_together_again(size: int) -> None:
    bench = Bench()
    bench.learn_peer()
    data = bytes(n * 7 & 0xFF for n in range(size))
    assert bench.ip.send(bench.payload(data), PROTO, OWN_IP, PEER_IP, dont_fragment=False) == 0
    packets = [frame[IP] for frame in bench.take()]
    assert len(packets) == -(-size // 1480) == bench.ip.stats["ip_fragments_out"]
    assert all(packet.len <= 1500 and packet.flags.DF == 0 for packet in packets)
    (whole,) = defragment(packets)
    assert bytes(whole[IP].payload) == data and bench.memory.allocated == 0


def test_largest_packet_is_65535_bytes_also_in_fragments() -> None:
    bench = Bench()
    bench.learn_peer()
    bench.ip.send(bench.payload(bytes(65_515)), PROTO, OWN_IP, PEER_IP, dont_fragment=False)
    assert len(bench.take()) == 45
    much = bench.payload(bytes(65_516))
    assert bench.ip.send(much, PROTO, OWN_IP, PEER_IP, dont_fragment=False) == errno.EMSGSIZE


def test_far_destination_goes_to_the_gateways_mac() -> None:
    bench = Bench()
    bench.learn_peer()
    bench.ip.add_route("0.0.0.0/0", PEER)
    assert bench.ip.send(bench.payload(b"x"), PROTO, OWN_IP, bytes((8, 8, 8, 8))) == 0
    (frame,) = bench.take()
    assert frame.dst == PEER_MAC and frame[IP].dst == "8.8.8.8"


def test_gateway_off_every_subnet_is_refused() -> None:
    with pytest.raises(OSError) as caught:
        Bench().ip.add_route("0.0.0.0/0", "11.0.0.1")
    assert caught.value.errno == errno.ENETUNREACH


def test_padding_behind_a_packet_is_cut_off() -> None:
    bench = Bench()
    got = deliveries(bench)
    packet = bytes(IP(src=PEER, dst=OWN, proto=PROTO) / b"abc")
    bench.receive(Ether(dst=OWN_MAC, src=PEER_MAC, type=0x0800) / packet / bytes(23))
    assert got == [(b"abc", PEER_IP, OWN_IP)]


def test_packet_with_options_is_delivered_behind_them() -> None:
    bench = Bench()
    got = deliveries(bench)
    bench.receive_ip(
        IP(src=PEER, dst=OWN, proto=PROTO, options=[IPOption_RR(routers=["0.0.0.0"] * 3)]) / b"abc"
    )
    assert got == [(b"abc", PEER_IP, OWN_IP)]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (IP(src=PEER, dst=OWN, proto=PROTO, chksum=0x1234) / b"x", "ip_bad_checksum"),
        (IP(src=PEER, dst=OWN, proto=PROTO, version=6) / b"x", "ip_bad_version"),
        (IP(src=PEER, dst=OWN, proto=PROTO, ihl=4) / b"x", "ip_bad_header_length"),
        (IP(src=PEER, dst=OWN, proto=PROTO, len=2000) / b"x", "ip_bad_total_length"),
        (IP(src=PEER, dst=OWN, proto=PROTO, len=19) / b"x", "ip_bad_total_length"),
        (IP(src=PEER, dst="10.0.0.77", proto=PROTO) / b"x", "ip_not_for_us"),
        (IP(src="255.255.255.255", dst=OWN, proto=PROTO) / b"x", "ip_bad_source"),
        (IP(src="224.0.0.1", dst=OWN, proto=PROTO) / b"x", "ip_bad_source"),
        (IP(src="127.0.0.1", dst=OWN, proto=PROTO) / b"x", "ip_martian"),
        (IP(src=PEER, dst="127.0.0.1", proto=PROTO) / b"x", "ip_martian"),
    ],
)
def test_bad_packet_is_counted_by_reason_and_dropped(packet: IP, reason: str) -> None:
    bench = Bench()
    got = deliveries(bench)
    bench.receive_ip(packet)
    assert bench.ip.stats[reason] == 1
    assert got == [] and bench.take() == [] and bench.memory.allocated == 0


def test_truncated_packet_is_counted() -> None:
    bench = Bench()
    bench.receive(Ether(dst=OWN_MAC, src=PEER_MAC, type=0x0800) / b"\x45\0\0")
    assert bench.ip.stats["ip_truncated"] == 1 and bench.memory.allocated == 0


def test_echo_request_is_answered_with_the_same_payload() -> None:
    bench = Bench()
    bench.learn_peer()
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(id=7, seq=9) / b"ping payload")
    (frame,) = bench.take()
    reply = frame[ICMP]
    assert (frame[IP].src, frame[IP].dst) == (OWN, PEER)
    assert (reply.type, reply.id, reply.seq, reply.load) == (0, 7, 9, b"ping payload")
    good = reply.chksum
    del reply.chksum
    assert ICMP(bytes(reply)).chksum == good


def test_echo_request_with_a_bad_checksum_gets_no_answer() -> None:
    bench = Bench()
    bench.learn_peer()
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(id=7, seq=9, chksum=1) / b"x")
    assert bench.take() == [] and bench.ip.icmp.stats["icmp_bad_checksum"] == 1


def test_echo_request_to_broadcast_gets_no_answer() -> None:
    bench = Bench()
    bench.learn_peer()
    bench.receive_ip(IP(src=PEER, dst="10.0.0.255") / ICMP() / b"x")
    assert bench.take() == []


def test_unknown_protocol_is_answered_with_protocol_unreachable_quoting_the_packet() -> None:
    bench = Bench()
    bench.learn_peer()
    original = IP(src=PEER, dst=OWN, proto=200) / b"who?"
    bench.receive_ip(original)
    (frame,) = bench.take()
    assert (frame[ICMP].type, frame[ICMP].code) == (3, 2)
    assert bytes(frame[ICMP].payload).startswith(bytes(original))


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        (3, 0, errno.ENETUNREACH),
        (3, 1, errno.EHOSTUNREACH),
        (3, 3, errno.ECONNREFUSED),
        (11, 0, errno.EHOSTUNREACH),
    ],
)
def test_icmp_error_reaches_the_protocol_that_sent_the_packet(kind: int, code: int, error: int) -> None:
    bench = Bench()
    reports: list[tuple[int, bytes, bytes, bytes]] = []
    bench.ip.icmp.on_error[PROTO] = lambda *report: reports.append(report)
    ours = IP(src=OWN, dst="10.0.0.9", proto=PROTO) / struct.pack("!HHI", 1000, 80, 42)
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=kind, code=code) / bytes(ours))
    assert reports == [(error, OWN_IP, bytes((10, 0, 0, 9)), struct.pack("!HHI", 1000, 80, 42))]


def test_icmp_error_with_a_short_quote_is_counted() -> None:
    bench = Bench()
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=3, code=1) / b"\x45\0")
    assert bench.ip.icmp.stats["icmp_short_quote"] == 1


def test_errors_are_rate_limited() -> None:
    bench = Bench()
    bench.learn_peer()
    for _ in range(1100):
        bench.receive_ip(IP(src=PEER, dst=OWN, proto=200) / b"x")
    assert len(bench.take()) == 1000
    assert bench.ip.icmp.stats["icmp_rate_limited"] == 100


@pytest.mark.parametrize("dst", [bytes((127, 0, 0, 1)), OWN_IP, bytes((127, 9, 9, 9))])
def test_packet_to_ourselves_comes_back_through_loopback(dst: bytes) -> None:
    bench = Bench()
    got = deliveries(bench)
    assert bench.ip.send(bench.payload(b"self"), PROTO, dst, dst) == 0
    bench.scheduler.run_until(0)
    assert got == [(b"self", dst, dst)] and bench.take() == []


def test_regression_peer_on_a_31_bit_subnet_is_no_broadcast_address() -> None:
    bench = Bench()
    bench.ip.add_interface(type(bench.dev)(), "192.168.7.0/31")
    got = deliveries(bench)
    # RFC 3021: both addresses of the subnet are hosts; .1 may send to us.
    bench.receive_ip(IP(src="192.168.7.1", dst=OWN, proto=PROTO) / b"x")
    assert [data for data, _, _ in got] == [b"x"]


def test_locked_mtu_lets_routers_cut_and_believes_none_of_their_messages() -> None:
    bench = Bench()
    far = bytes((192, 0, 2, 1))
    bench.learn_peer()
    for locked, flags, mtu in ((False, "DF", 800), (True, "", 1000)):
        bench.ip.add_route("192.0.2.0/24", PEER, mtu=1000, mtu_locked=locked, metric=0)
        bench.ip.reduce_mtu(far, 800)
        assert bench.ip.mtu_for(far) == mtu
        assert bench.ip.send(bench.payload(bytes(100)), 253, bytes((10, 0, 0, 1)), far) == 0
        (packet,) = bench.take()[-1:]
        assert str(packet[IP].flags) == flags
        bench.ip.routes.remove(bench.ip.routes.lookup(far))
        bench.ip.path_mtus.clear()


def test_device_says_how_many_segments_it_takes_in_one() -> None:
    bench = Bench()
    peer = bytes((10, 0, 0, 2))
    assert bench.ip.gso_max_segs(peer) == 65_535
    bench.dev.gso_max_segs = 2
    assert bench.ip.gso_max_segs(peer) == 2
