"""HOST_TSO4, HOST_TSO6: segments judged by scapy, which builds each from the super-frame's own layers."""

import pytest
from scapy.layers.inet import IP, TCP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw
from scapy_offloads import EXTENSIONS, extension, partial, place, segments
from test_tx_offload import header, run

from pymodel.golden.features import Features

TSO = Features(csum=True, tso4=True)
TSO6 = Features(csum=True, tso6=True)
BOTH = Features(csum=True, tso4=True, tso6=True)


def super_frame(rng, payload: int, *, tag=None, ip_options=0, six=None, tcp_options=0, flags=0x18) -> Ether:
    packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    if tag is not None:
        packet = packet / tag(vlan=rng.randrange(4096))
    ip = IP(src="10.1.2.3", dst="10.9.8.7", id=rng.choice([0, 0xFFFF, rng.randrange(1 << 16)]))
    ip.ttl, ip.tos, ip.flags = rng.randrange(256), rng.randrange(256), rng.choice(["", "DF"])
    ip.options = [IPOption(b"\x01")] * (4 * ip_options)
    if six is not None:
        ip = IPv6(src="2001:db8::1", dst="2001:db8::2", tc=rng.randrange(256), fl=rng.randrange(1 << 20))
        for extension in six:
            ip = ip / extension
    tcp = TCP(sport=rng.randrange(65536), dport=80, seq=rng.choice([0xFFFFFFF0, rng.randrange(1 << 32)]))
    tcp.ack, tcp.flags, tcp.window = rng.randrange(1 << 32), flags, rng.randrange(65536)
    tcp.options = [("NOP", None)] * (4 * tcp_options)
    return packet / ip / tcp / Raw(rng.randbytes(payload))


def expected(packet: Ether, mss: int) -> list[bytes]:
    """The segments, as long as a frame must be."""
    return [frame.ljust(60, b"\0") for frame in segments(packet, mss)]


@pytest.mark.parametrize("tag", [None, Dot1Q, Dot1AD])
@pytest.mark.parametrize("payload", [0, 1, 999, 1000, 1001, 5000])
@pytest.mark.parametrize("options", [(0, 0), (0, 3), (2, 0), (10, 10)])
def test_segments_are_those_of_scapy(seeded, tag, payload, options):
    ip_options, tcp_options = options
    packet = super_frame(seeded, payload, tag=tag, ip_options=ip_options, tcp_options=tcp_options, flags=0xFF)
    want = expected(packet, 1000)
    hdr = header(
        gso_type=seeded.choice([1, 0x81]), gso_size=1000, start=place(packet)[0], offset=16,
        hdr_len=seeded.randrange(65536),
    )  # fmt: skip
    given = bytearray(partial(packet))
    ip = place(packet)[0] - 20 - 4 * ip_options
    given[ip + 2 : ip + 4], given[ip + 10 : ip + 12] = seeded.randbytes(2), seeded.randbytes(2)
    counter, frames = run(hdr, bytes(given), seeded.choice((TSO, BOTH)))
    assert counter == "tx_tso"
    assert frames == want


@pytest.mark.parametrize("tag", [None, Dot1Q, Dot1AD])
@pytest.mark.parametrize("payload", [0, 1, 1000, 1001, 5000])
@pytest.mark.parametrize("tcp_options", [0, 10])
@pytest.mark.parametrize("six", EXTENSIONS)
def test_segments_over_ipv6_are_those_of_scapy(seeded, tag, payload, tcp_options, six):
    packet = super_frame(
        seeded, payload, tag=tag, six=EXTENSIONS[six], tcp_options=tcp_options, flags=seeded.randrange(256)
    )
    start = place(packet)[0]
    given = bytearray(partial(packet))
    at = 18 if tag else 14
    given[at + 4 : at + 6] = seeded.randbytes(2)  # the length
    hdr = header(gso_type=seeded.choice([4, 0x84]), gso_size=1000, start=start, offset=16)
    assert run(hdr, bytes(given), seeded.choice((TSO6, BOTH))) == ("tx_tso", expected(packet, 1000))


@pytest.mark.parametrize("mss", [1, 536, 1448, 1460, 9000, 65535])
def test_segments_of_any_size_up_to_64_kib(seeded, mss):
    packet = super_frame(seeded, 700 if mss == 1 else 65535 - 40)
    mtu = 9000
    fits = min(mss, 65495) <= mtu - 36
    hdr = header(gso_type=1, gso_size=mss, start=34, offset=16)
    counter, frames = run(hdr, partial(packet), TSO, mtu=mtu)
    if fits:
        assert (counter, frames) == ("tx_tso", expected(packet, mss))
    else:
        assert (counter, frames) == ("tx_oversize", [])


def test_flags_fin_psh_last_and_cwr_first(seeded):
    packet = super_frame(seeded, 300, flags=0x89 | 0x10)
    _, frames = run(header(gso_type=0x81, gso_size=100, start=34, offset=16), bytes(packet), TSO)
    assert [int(Ether(f)[TCP].flags) for f in frames] == [0x90, 0x10, 0x19]


GOOD = {"gso_type": 1, "gso_size": 500, "start": 34, "offset": 16}


@pytest.mark.parametrize(
    "change",
    [
        {"gso_type": 4},
        {"gso_type": 3},
        {"gso_type": 5},
        {"gso_type": 0x80 | 5},
        {"flags": 0},
        {"gso_size": 0},
        {"offset": 6},
        {"offset": 15},
        {"start": 33},
        {"start": 38},
        {"start": 65535},
    ],
    ids=str,
)
def test_header_that_does_not_fit_is_a_bad_offload(seeded, change):
    frame = bytes(super_frame(seeded, 1200))
    assert run(header(**GOOD), frame, TSO)[0] == "tx_tso"
    assert run(header(**GOOD | change), frame, TSO) == ("tx_bad_offload", [])


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (12, 0x86),  # EtherType
        (12, 0x81),  # a tag where none is: EtherType behind it
        (14, 0x55),  # IP version
        (14, 0x44),  # IHL below 5
        (14, 0x46),  # IHL past csum_start
        (20, 0x20),  # MF
        (21, 0x01),  # fragment offset
        (20, 0x1F),
        (23, 17),  # protocol
        (46, 0x40),  # data offset below 5
    ],
)
def test_frame_that_is_no_tcp_over_ipv4_is_a_bad_offload(seeded, at, value):
    frame = bytearray(bytes(super_frame(seeded, 1200)))
    frame[at] = value
    assert run(header(**GOOD), bytes(frame), TSO) == ("tx_bad_offload", [])


def test_dont_fragment_and_the_reserved_flag_are_no_fragment(seeded):
    frame = bytearray(bytes(super_frame(seeded, 1200)))
    frame[20] = 0xC0
    assert run(header(**GOOD), bytes(frame), TSO)[0] == "tx_tso"


GOOD6 = {"gso_type": 4, "gso_size": 500, "start": 54, "offset": 16}


@pytest.mark.parametrize(
    ("change", "features"),
    [
        ({"gso_type": 1}, BOTH),
        ({}, TSO),
        ({"gso_type": 5}, BOTH),
        ({"flags": 0}, BOTH),
        ({"start": 34}, BOTH),
        ({"start": 53}, BOTH),
        ({"start": 55}, BOTH),
        ({"start": 62}, BOTH),
    ],
    ids=str,
)
def test_header_that_does_not_fit_ipv6_is_a_bad_offload(seeded, change, features):
    frame = bytes(super_frame(seeded, 1200, six=[]))
    assert run(header(**GOOD6), frame, features)[0] == ("tx_tso" if features.tso6 else "tx_bad_offload")
    assert run(header(**GOOD6 | change), frame, features) == ("tx_bad_offload", [])


def test_ipv4_is_a_bad_offload_where_only_tso6_was_accepted(seeded):
    assert run(header(**GOOD), bytes(super_frame(seeded, 1200)), TSO6) == ("tx_bad_offload", [])


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (12, 0x08),  # EtherType
        (14, 0x45),  # version
        (20, 17),  # UDP
        (20, 59),  # no next header
        (20, 60),  # an extension header where TCP is
        (20, 44),  # a fragment
        (66, 0x40),  # data offset below 5
    ],
)
def test_frame_that_is_no_tcp_over_ipv6_is_a_bad_offload(seeded, at, value):
    frame = bytearray(bytes(super_frame(seeded, 1200, six=[])))
    frame[at] = value
    assert run(header(**GOOD6), bytes(frame), TSO6) == ("tx_bad_offload", [])


@pytest.mark.parametrize(
    ("at", "value"), [(54, 6), (54, 44), (55, 1), (55, 255), (62, 17), (63, 0), (63, 33)]
)
def test_extension_headers_that_do_not_lead_to_tcp_are_a_bad_offload(seeded, at, value):
    six = [extension(IPv6ExtHdrHopByHop, 8), extension(IPv6ExtHdrDestOpt, 16)]
    frame = bytearray(bytes(super_frame(seeded, 1200, six=six)))
    hdr = header(**GOOD6 | {"start": 54 + 24})
    assert run(hdr, bytes(frame), TSO6)[0] == "tx_tso"
    frame[at] = value
    assert run(hdr, bytes(frame), TSO6) == ("tx_bad_offload", [])


def test_extension_headers_beyond_64_bytes_are_a_bad_offload(seeded):
    frame = super_frame(seeded, 1200, six=[extension(IPv6ExtHdrDestOpt, 8)] * 9)
    assert run(header(**GOOD6 | {"start": 54 + 72}), bytes(frame), TSO6) == ("tx_bad_offload", [])


@pytest.mark.parametrize("length", [14, 20, 53, 54, 73])
def test_ipv6_frame_that_ends_in_its_headers_is_a_bad_offload(seeded, length):
    frame = bytes(super_frame(seeded, 0, six=[]))[:length]
    assert run(header(**GOOD6), frame, TSO6) == ("tx_bad_offload", [])


def test_longest_ipv6_packet_is_cut_and_no_longer_one(seeded):
    frame = bytes(super_frame(seeded, 65535 - 20, tag=Dot1Q, six=[]))
    hdr = header(**GOOD6 | {"start": 58, "gso_size": 1400})
    assert run(hdr, frame, TSO6)[0] == "tx_tso"
    assert run(hdr, frame + b"p", TSO6) == ("tx_oversize", [])


@pytest.mark.parametrize("length", [14, 18, 33, 34, 47, 53])
def test_frame_that_ends_in_its_headers_is_a_bad_offload(seeded, length):
    frame = bytes(super_frame(seeded, 0))[:length]
    assert run(header(**GOOD), frame, TSO) == ("tx_bad_offload", [])


def test_tcp_options_beyond_the_frame_are_a_bad_offload(seeded):
    frame = bytearray(bytes(super_frame(seeded, 3)))
    frame[46] = 0x60
    assert run(header(**GOOD), bytes(frame), TSO) == ("tx_bad_offload", [])


def test_bad_header_goes_before_oversize_and_oversize_before_what_the_frame_holds():
    huge = bytes(65535 + 19)
    assert run(header(**GOOD | {"gso_size": 0}), huge, TSO) == ("tx_bad_offload", [])
    assert run(header(**GOOD), huge, TSO) == ("tx_oversize", [])
    assert run(header(**GOOD), huge[:-1], TSO) == ("tx_bad_offload", [])


def test_first_segment_of_exactly_the_longest_frame_is_sent(seeded):
    frame = bytes(super_frame(seeded, 3000))
    assert run(header(**GOOD | {"gso_size": 1518 - 54}), frame, TSO)[0] == "tx_tso"
    assert run(header(**GOOD | {"gso_size": 1518 - 53}), frame, TSO) == ("tx_oversize", [])


def test_checksum_of_0_is_sent_as_all_ones(seeded):
    frame = bytearray(bytes(super_frame(seeded, 2)))
    _, (once,) = run(header(**GOOD), bytes(frame), TSO)
    total = int.from_bytes(once[50:52], "big") + int.from_bytes(frame[54:56], "big")
    frame[54:56] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, "big")
    _, (again,) = run(header(**GOOD), bytes(frame), TSO)
    assert again[50:52] == b"\xff\xff"
