"""CSUM: the checksum that the device puts in, judged by scapy and by RFC 1071's own loop."""

import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy_offloads import partial, place

from pymodel.golden import tx
from pymodel.golden.features import NONE, Features

CSUM = Features(csum=True)
MTU = 1500


def header(flags=1, gso_type=0, gso_size=0, start=0, offset=0, hdr_len=0) -> bytes:
    return struct.pack("<BBHHHHH", flags, gso_type, hdr_len, gso_size, start, offset, 0)


def run(hdr: bytes, frame: bytes, features=CSUM, mtu=MTU) -> tuple[str | None, list[bytes]]:
    """(counter, frames without FCS)."""
    data = hdr + frame
    job = tx.execute(lambda at, size: data[at : at + size], len(data), features, mtu)
    frames = list(job.frames)
    assert job.sends == (job.counter in (None, "tx_tso"))
    assert all(len(f) >= 64 for f in frames)
    return job.counter, [f[:-4] for f in frames]


def rfc1071(data: bytes) -> int:
    """The one's complement sum, word by word (RFC 1071 §4.1)."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("layer", [TCP, UDP])
@pytest.mark.parametrize("network", [IP, IPv6])
@pytest.mark.parametrize("tag", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 777, 1400])
def test_partial_checksum_becomes_the_one_that_scapy_computes(seeded, layer, network, tag, length):
    packet = Ether() / Dot1Q(vlan=5) if tag else Ether()
    packet = packet / network() / layer(sport=1, dport=2) / seeded.randbytes(length)
    want = bytes(packet)
    packet = Ether(want)
    frame = partial(packet)
    start, offset = place(packet)
    assert frame != want
    counter, frames = run(header(start=start, offset=offset), frame)
    assert counter is None
    assert frames == [want.ljust(60, b"\0")]


def test_any_place_and_any_field_follows_rfc_1071(seeded):
    for _ in range(300):
        frame = seeded.randbytes(seeded.randint(14, 200))
        start = seeded.randrange(len(frame) - 1)
        offset = seeded.randrange(len(frame) - start - 1)
        counter, (got,) = run(header(start=start, offset=offset), frame)
        value = 0xFFFF - rfc1071(frame[start:]) or 0xFFFF
        want = frame[: start + offset] + struct.pack("!H", value) + frame[start + offset + 2 :]
        assert (counter, got) == (None, want.ljust(60, b"\0"))


def test_result_of_0_is_sent_as_all_ones():
    _, (got,) = run(header(start=14, offset=0), bytes(14) + b"\xff\xff" + bytes(44))
    assert got[14:16] == b"\xff\xff"
    _, (got,) = run(header(start=14, offset=4), bytes(14) + b"\x12\x34" + b"\xed\xcb" + bytes(44))
    assert got[18:20] == b"\xff\xff"


@pytest.mark.parametrize(
    ("start", "offset"), [(0, 99), (98, 1), (99, 0), (100, 0), (65535, 65535), (0, 65535)]
)
def test_field_beyond_the_frame_is_a_bad_offload(start, offset):
    assert run(header(start=start, offset=offset), bytes(100)) == ("tx_bad_offload", [])


def test_field_at_the_very_end_is_written(seeded):
    frame = seeded.randbytes(100)
    counter, (got,) = run(header(start=20, offset=78), frame)
    assert counter is None and got[:98] == frame[:98] and got != frame


@pytest.mark.parametrize(("features", "flags"), [(NONE, 1), (CSUM, 0), (CSUM, 0xFE)])
def test_without_the_feature_or_the_flag_the_frame_is_sent_as_it_is(seeded, features, flags):
    frame = seeded.randbytes(100)
    assert run(header(flags, start=60000), frame, features) == (None, [frame])


def test_oversize_is_found_before_a_bad_offload():
    assert run(header(start=60000), bytes(1519)) == ("tx_oversize", [])
    assert run(header(start=60000), bytes(1518)) == ("tx_bad_offload", [])
    assert run(header(flags=0), bytes(9018), mtu=9000)[0] is None
    assert run(header(flags=0), bytes(9019), mtu=9000)[0] == "tx_oversize"


def test_gso_type_means_nothing_without_tso(seeded):
    frame = seeded.randbytes(100)
    assert run(header(flags=0, gso_type=1, gso_size=7), frame) == (None, [frame])


def test_only_a_frame_without_checksum_work_may_start_early():
    def plain(hdr: bytes, features: Features) -> bool:
        data = hdr + bytes(100)
        return tx.execute(lambda at, size: data[at : at + size], 112, features, MTU).plain

    assert plain(header(flags=0), CSUM)
    assert plain(header(), NONE)
    assert not plain(header(start=14), CSUM)
