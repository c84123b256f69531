"""HOST_TSO4: segments judged by scapy, which builds each from the super-frame's own layers."""

import pytest
from scapy.layers.inet import IP, TCP, IPOption
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw
from test_tx_offload import header, run

from pymodel.golden.features import Features

TSO = Features(csum=True, tso4=True)


def super_frame(rng, payload: int, *, tag=None, ip_options=0, tcp_options=0, flags=0x18) -> Ether:
    packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    if tag is not None:
        packet = packet / tag(vlan=rng.randrange(4096))
    ip = IP(src="10.1.2.3", dst="10.9.8.7", id=rng.choice([0, 0xFFFF, rng.randrange(1 << 16)]))
    ip.ttl, ip.tos, ip.flags = rng.randrange(256), rng.randrange(256), rng.choice(["", "DF"])
    ip.options = [IPOption(b"\x01")] * (4 * ip_options)
    tcp = TCP(sport=rng.randrange(65536), dport=80, seq=rng.choice([0xFFFFFFF0, rng.randrange(1 << 32)]))
    tcp.ack, tcp.flags, tcp.window = rng.randrange(1 << 32), flags, rng.randrange(65536)
    tcp.options = [("NOP", None)] * (4 * tcp_options)
    return packet / ip / tcp / Raw(rng.randbytes(payload))


def expected(packet: Ether, mss: int) -> list[bytes]:
    """The segments, built by scapy with its own lengths and checksums."""
    whole = bytes(packet[TCP].payload)
    cuts = [whole[i : i + mss] for i in range(0, len(whole), mss)] or [b""]
    result = []
    for number, piece in enumerate(cuts):
        part = packet.copy()
        part[TCP].remove_payload()
        part[IP].id = (packet[IP].id + number) % (1 << 16)
        part[TCP].seq = (packet[TCP].seq + number * mss) % (1 << 32)
        flags = int(packet[TCP].flags)
        if number < len(cuts) - 1:
            flags &= ~0x09
        if number:
            flags &= ~0x80
        part[TCP].flags = flags
        del part[IP].len, part[IP].chksum, part[TCP].chksum
        result.append(bytes(part / Raw(piece) if piece else part).ljust(60, b"\0"))
    return result


def start_of_tcp(packet: Ether) -> int:
    return len(packet) - len(packet[TCP])


@pytest.mark.parametrize("tag", [None, Dot1Q, Dot1AD])
@pytest.mark.parametrize("payload", [0, 1, 999, 1000, 1001, 5000])
@pytest.mark.parametrize("options", [(0, 0), (0, 3), (2, 0), (10, 10)])
def test_segments_are_those_of_scapy(seeded, tag, payload, options):
    ip_options, tcp_options = options
    packet = super_frame(seeded, payload, tag=tag, ip_options=ip_options, tcp_options=tcp_options, flags=0xFF)
    want = expected(packet, 1000)
    junk = packet.copy()  # what the device makes anew may hold anything
    junk[IP].len, junk[IP].chksum, junk[TCP].chksum = (seeded.randrange(65536) for _ in range(3))
    hdr = header(
        gso_type=seeded.choice([1, 0x81]), gso_size=1000, start=start_of_tcp(packet), offset=16,
        hdr_len=seeded.randrange(65536),
    )  # fmt: skip
    counter, frames = run(hdr, bytes(junk), TSO)
    assert counter == "tx_tso"
    assert frames == want


@pytest.mark.parametrize("mss", [1, 536, 1448, 1460, 9000, 65535])
def test_segments_of_any_size_up_to_64_kib(seeded, mss):
    packet = super_frame(seeded, 700 if mss == 1 else 65535 - 40)
    mtu = 9000
    fits = min(mss, 65495) <= mtu - 36
    counter, frames = run(header(gso_type=1, gso_size=mss, start=34, offset=16), bytes(packet), TSO, mtu=mtu)
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
