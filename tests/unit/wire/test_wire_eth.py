"""The Ethernet and virtio_net_hdr codecs against scapy and the specification's layout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import Ether

from pymodel.wire import eth, virtio_net_hdr
from pymodel.wire.errors import WireError

DST = bytes.fromhex("ffeeddccbbaa")
SRC = bytes.fromhex("020000000001")


def test_emitted_header_reads_back_in_scapy() -> None:
    packet = Ether(eth.emit(DST, SRC, 0x0806))
    assert (packet.dst, packet.src, packet.type) == ("ff:ee:dd:cc:bb:aa", "02:00:00:00:00:01", 0x0806)


def test_header_made_by_scapy_is_parsed() -> None:
    data = bytes(Ether(dst="ff:ee:dd:cc:bb:aa", src="02:00:00:00:00:01", type=0x0800) / b"rest")
    assert eth.parse(memoryview(data)) == eth.EthHeader(DST, SRC, 0x0800)


def test_thirteen_bytes_are_no_header() -> None:
    with pytest.raises(WireError) as caught:
        eth.parse(bytes(13))
    assert caught.value.reason == "eth_truncated"


@pytest.mark.parametrize(
    ("dst", "src", "ethertype"), [(DST[:5], SRC, 0), (DST, SRC + b"\0", 0), (DST, SRC, 65536), (DST, SRC, -1)]
)
def test_malformed_fields_are_refused_instead_of_cut(dst: bytes, src: bytes, ethertype: int) -> None:
    with pytest.raises(ValueError, match="Ethernet header"):
        eth.emit(dst, src, ethertype)


def test_group_bit_tells_multicast() -> None:
    assert eth.is_multicast(eth.BROADCAST)
    assert eth.is_multicast(b"\x01\0\x5e\0\0\1")
    assert not eth.is_multicast(SRC)


def test_mac_text_goes_both_ways() -> None:
    assert eth.parse_mac("02:00:00:00:00:01") == SRC
    assert eth.parse_mac("FF-EE-DD-CC-BB-AA") == DST
    assert eth.format_mac(DST) == "ff:ee:dd:cc:bb:aa"


@pytest.mark.parametrize("text", ["", "02:00:00:00:00", "2:0:0:0:0:1", "02:00:00:00:00:0g", "020000000001"])
def test_text_that_is_no_mac_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a MAC address"):
        eth.parse_mac(text)


def test_virtio_net_hdr_has_the_layout_of_5_1_6() -> None:
    header = virtio_net_hdr.VirtioNetHdr(1, 4, 0x1234, 0x5678, 0x9ABC, 0xDEF0, 2)
    data = bytes.fromhex("01 04 3412 7856 bc9a f0de 0200")
    assert virtio_net_hdr.emit(header) == data
    assert virtio_net_hdr.parse(data + b"frame") == header
    buffer = bytearray(13)
    virtio_net_hdr.emit_into(buffer, header)
    assert buffer == data + b"\0"


def test_plain_virtio_net_hdr_is_twelve_zeros() -> None:
    assert virtio_net_hdr.emit(virtio_net_hdr.VirtioNetHdr()) == bytes(12)


def test_eleven_bytes_are_no_virtio_net_hdr() -> None:
    with pytest.raises(WireError) as caught:
        virtio_net_hdr.parse(bytes(11))
    assert caught.value.reason == "virtio_net_hdr_truncated"


def test_virtio_net_hdr_field_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="gso_size=65536"):
        virtio_net_hdr.emit(virtio_net_hdr.VirtioNetHdr(gso_size=65536))
    with pytest.raises(ValueError, match="flags=256"):
        virtio_net_hdr.emit_into(bytearray(12), virtio_net_hdr.VirtioNetHdr(flags=256))


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_a_header_that_says_the_same_or_a_wire_error(data: bytes) -> None:
    try:
        header = eth.parse(data)
    except WireError:
        assert len(data) < eth.HEADER_LEN
    else:
        assert eth.emit(*header) == data[: eth.HEADER_LEN]


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_a_virtio_header_that_says_the_same_or_a_wire_error(data: bytes) -> None:
    try:
        header = virtio_net_hdr.parse(data)
    except WireError:
        assert len(data) < virtio_net_hdr.HEADER_LEN
    else:
        assert virtio_net_hdr.emit(header) == data[: virtio_net_hdr.HEADER_LEN]


@given(st.text(max_size=20) | st.from_regex(r"[0-9a-fA-F:-]{0,20}", fullmatch=True))
def test_arbitrary_text_is_a_mac_address_or_a_value_error(text: str) -> None:
    try:
        mac = eth.parse_mac(text)
    except ValueError:
        return
    assert eth.format_mac(mac) == text.replace("-", ":").lower()
