"""GUEST_CSUM: which received frames count as validated; scapy computes the checksums."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from pymodel.golden.rx_csum import data_valid

TRANSPORTS = [TCP, UDP]
NETWORKS = [IP, IPv6]


def frame(layers, payload=b"payload!") -> bytes:
    packet = Ether()
    for layer in layers:
        packet = packet / (layer() if isinstance(layer, type) else layer)
    return bytes(packet / Raw(payload))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("tag", [(), (Dot1Q,), (Dot1AD,)])
@pytest.mark.parametrize("padding", [0, 1, 30])
def test_right_checksum_is_valid_and_any_flipped_bit_of_it_is_not(seeded, network, transport, tag, padding):
    payload = seeded.randbytes(seeded.randint(0, 1400))
    data = frame([*tag, network, transport], payload)
    assert data_valid(data + bytes(padding))
    at = seeded.randrange(len(data) - len(payload) - 8, len(data))
    assert not data_valid(data[:at] + bytes([data[at] ^ 1 << seeded.randrange(8)]) + data[at + 1 :])


def test_the_ipv4_header_checksum_is_not_looked_at(seeded):
    data = bytearray(frame([IP, TCP]))
    data[24] ^= 1
    assert data_valid(bytes(data))


@pytest.mark.parametrize(
    "layers",
    [
        [ARP],
        [IP, ICMP],
        [IP(flags="MF"), TCP],
        [IP(frag=3), UDP],
        [Dot1Q, Dot1Q, IP, TCP],
        [IPv6, IPv6ExtHdrHopByHop, TCP],
        [IP, UDP(chksum=0)],
        [IPv6, UDP(chksum=0)],
        [IP(version=5), TCP],
        [IPv6(version=4), TCP],
        [IP, UDP(len=12)],
        [IP, UDP(len=17)],
    ],
    ids=str,
)
def test_other_frames_are_not_valid(layers):
    assert not data_valid(frame(layers))


def test_dont_fragment_is_no_fragment():
    assert data_valid(frame([IP(flags="DF"), TCP]))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("transport", "least"), [(TCP, 20), (UDP, 8)])
def test_packet_beyond_its_frame_or_too_short_for_its_header_is_not_valid(network, transport, least):
    whole = frame([network, transport], b"")
    assert data_valid(whole)
    assert not data_valid(whole[:-1])
    for length in range(len(whole)):
        assert not data_valid(whole[:length])
    protocol = 6 if transport is TCP else 17
    ip = IP(proto=protocol) if network is IP else IPv6(nh=protocol)
    assert not data_valid(bytes(Ether() / ip / Raw(bytes(least - 1))) + bytes(20))


def test_ipv4_options_move_the_segment(seeded):
    data = frame([IP(options=[IPOption(b"\x01")] * 8), TCP], seeded.randbytes(33))
    assert data_valid(data)


def test_udp_longer_than_its_length_field_but_padded_by_ip_is_not_valid():
    packet = Ether() / IP() / UDP() / Raw(b"abc")
    data = bytearray(bytes(packet) + b"x")
    data[16:18] = (len(data) - 14).to_bytes(2, "big")
    assert not data_valid(bytes(data))


def test_sum_of_all_zeros_is_not_taken_for_right():
    assert not data_valid(bytes(12) + b"\x08\x00" + b"\x45" + bytes(60))
