"""The IPv4 header codec against scapy, and against anything that a wire may bring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, IPOption_RR
from scapy.utils import checksum as scapy_checksum

from pymodel.wire import ipv4
from pymodel.wire.errors import WireError

SRC, DST = bytes((10, 1, 2, 3)), bytes((192, 168, 255, 254))


def summed(data: bytearray) -> bytes:
    """`data` with a right header checksum for the header length that it claims."""
    data[10:12] = bytes(2)
    length = (data[0] & 15) * 4
    data[10:12] = scapy_checksum(bytes(data[:length])).to_bytes(2, "big")
    return bytes(data)


def reason(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        ipv4.parse(data)
    return caught.value.reason


def test_emitted_header_is_byte_for_byte_scapy_s_and_leaves_what_follows() -> None:
    buffer = bytearray(b"\xaa" * 30)
    ipv4.emit_into(
        memoryview(buffer), total_len=30, ident=0xBEEF, fragment=ipv4.DF, ttl=7, proto=253,
        src=SRC, dst=DST, tos=0x2C,
    )  # fmt: skip
    expected = IP(
        src="10.1.2.3", dst="192.168.255.254", len=30, id=0xBEEF, flags="DF", ttl=7, proto=253, tos=0x2C
    )
    assert bytes(buffer) == bytes(expected) + b"\xaa" * 10


def test_header_with_options_made_by_scapy_is_parsed() -> None:
    packet = IP(src="10.1.2.3", dst="192.168.255.254", id=7, flags="MF", frag=185, ttl=3, proto=17, tos=1,
                options=[IPOption_RR(routers=["0.0.0.0"] * 3)]) / b"data"  # fmt: skip
    header = ipv4.parse(memoryview(bytes(packet)))
    assert header == ipv4.Ipv4Header(36, 1, 40, 7, ipv4.MF | 185, 3, 17, SRC, DST)


def test_padding_behind_the_packet_is_not_part_of_it() -> None:
    packet = bytes(IP(src="10.1.2.3", dst="10.1.2.4") / b"abc") + bytes(23)
    assert ipv4.parse(packet).total_len == 23


@given(
    st.integers(20, 60),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=4, max_size=4),
)
def test_any_header_survives_emit_and_parse(
    total: int, ident: int, fragment: int, ttl: int, proto: int, tos: int, src: bytes, dst: bytes
) -> None:
    buffer = bytearray(total)
    ipv4.emit_into(
        buffer,
        total_len=total,
        ident=ident,
        fragment=fragment,
        ttl=ttl,
        proto=proto,
        src=src,
        dst=dst,
        tos=tos,
    )
    assert scapy_checksum(bytes(buffer[:20])) == 0
    assert ipv4.parse(buffer) == (20, tos, total, ident, fragment, ttl, proto, src, dst)


def test_nineteen_bytes_are_truncated() -> None:
    assert reason(bytes(IP())[:19]) == "ip_truncated"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({0: 0x65}, "ip_bad_version"),
        ({0: 0x44}, "ip_bad_header_length"),
        ({0: 0x47}, "ip_bad_header_length"),  # 28 bytes of header, 24 are there
        ({3: 19}, "ip_bad_total_length"),
        ({3: 25}, "ip_bad_total_length"),
        ({0: 0x46, 3: 23}, "ip_bad_total_length"),  # the total is less than a header of 24
    ],
)
def test_lying_length_or_version_is_told_apart_although_the_sum_is_right(
    changes: dict[int, int], expected: str
) -> None:
    data = bytearray(bytes(IP(src="10.1.2.3", dst="10.1.2.4", len=24) / b"abcd"))
    for at, value in changes.items():
        data[at] = value
    assert reason(summed(data)) == expected


def test_exact_lengths_at_the_limits_are_accepted() -> None:
    data = bytearray(bytes(IP(src="10.1.2.3", dst="10.1.2.4", len=24)) + b"\1\1\1\1")
    data[0] = 0x46
    assert ipv4.parse(summed(data)).header_len == 24


def test_any_single_flipped_bit_of_a_header_is_refused() -> None:
    data = bytearray(bytes(IP(src="10.1.2.3", dst="10.1.2.4", id=77, proto=6) / b"abcd"))
    ipv4.parse(data)
    for bit in range(8 * 20):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            ipv4.parse(data)
        data[bit // 8] ^= 1 << bit % 8


@given(
    st.binary(max_size=80)
    | st.binary(min_size=24, max_size=80).map(
        lambda tail: summed(bytearray(b"\x45\0\0" + bytes([len(tail)]) + tail[4:]))
    )
)
def test_arbitrary_bytes_are_a_header_that_fits_or_a_wire_error(data: bytes) -> None:
    try:
        header = ipv4.parse(data)
    except WireError:
        return
    assert 20 <= header.header_len <= header.total_len <= len(data)
    packet = IP(data)
    assert (packet.ihl * 4, packet.len, packet.ttl, packet.proto) == (
        header.header_len, header.total_len, header.ttl, header.proto
    )  # fmt: skip


@pytest.mark.parametrize(
    ("address", "group"),
    [("223.255.255.255", False), ("224.0.0.0", True), ("239.255.255.255", True), ("240.0.0.0", False)],
)
def test_multicast_is_224_0_0_0_slash_4(address: str, group: bool) -> None:
    assert ipv4.is_multicast(bytes(map(int, address.split(".")))) is group
