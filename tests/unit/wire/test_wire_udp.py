"""The UDP codec (RFC 768) against scapy, and against bytes of no meaning."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP

from pymodel.wire import udp
from pymodel.wire.errors import WireError

SRC, DST = bytes((10, 0, 0, 1)), bytes((192, 168, 255, 254))
ports = st.integers(0, 0xFFFF)


@given(ports, ports, st.binary(max_size=100))
def test_emitted_datagram_is_scapys_to_the_byte(sport: int, dport: int, data: bytes) -> None:
    buffer = bytearray(udp.HEADER_LEN) + data
    udp.emit_into(memoryview(buffer), sport, dport, SRC, DST)
    whole = IP(src="10.0.0.1", dst="192.168.255.254") / UDP(sport=sport, dport=dport) / data
    assert bytes(buffer) == bytes(whole)[20:]


@given(ports, ports, st.binary(max_size=60), st.binary(max_size=20))
def test_any_datagram_survives_emit_and_parse_whatever_follows_it(
    sport: int, dport: int, data: bytes, tail: bytes
) -> None:
    buffer = bytearray(udp.HEADER_LEN) + data
    udp.emit_into(buffer, sport, dport, SRC, DST)
    header = udp.parse(bytes(buffer) + tail, SRC, DST)
    assert (header.sport, header.dport, header.length) == (sport, dport, len(buffer))


@given(st.binary(max_size=40), st.integers(0, 40))
def test_arbitrary_bytes_are_a_datagram_within_them_or_a_wire_error(data: bytes, length: int) -> None:
    if len(data) >= udp.HEADER_LEN:
        data = data[:4] + struct.pack("!H", length) + data[6:]
    for verified in (False, True):
        try:
            header = udp.parse(data, SRC, DST, verified=verified)
        except WireError as error:
            assert error.reason in ("udp_truncated", "udp_bad_length", "udp_bad_checksum")
            assert not (verified and error.reason == "udp_bad_checksum")
        else:
            assert struct.pack("!HHHH", *header) == data[:8] and 8 <= header.length <= len(data)


@given(st.binary(min_size=2, max_size=40), st.data())
def test_one_changed_bit_is_found(data: bytes, drawn: st.DataObject) -> None:
    buffer = bytearray(udp.HEADER_LEN) + data
    udp.emit_into(buffer, 7, 9, SRC, DST)
    bit = drawn.draw(st.integers(64, 8 * len(buffer) - 1))
    buffer[bit // 8] ^= 1 << bit % 8
    try:
        udp.parse(buffer, SRC, DST)
    except WireError as error:
        assert error.reason == "udp_bad_checksum"
    else:
        raise AssertionError("a damaged datagram was taken")
