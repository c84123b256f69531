"""The ICMP codec against scapy, and against anything that a wire may bring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP
from scapy.utils import checksum as scapy_checksum

from pymodel.wire import icmp
from pymodel.wire.errors import WireError

messages = st.builds(
    icmp.IcmpMessage,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=65),
)


def reason(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        icmp.parse(data)
    return caught.value.reason


@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_emitted_echo_request_is_byte_for_byte_scapy_s(payload: bytes) -> None:
    message = icmp.IcmpMessage(icmp.ECHO_REQUEST, 0, 0x1234 << 16 | 0x5678, payload)
    assert icmp.emit(message) == bytes(ICMP(type=8, id=0x1234, seq=0x5678) / payload)


def test_fragmentation_needed_made_by_scapy_is_parsed_with_its_mtu() -> None:
    data = bytes(ICMP(type=3, code=4, nexthopmtu=1400) / b"quoted packet")
    parsed = icmp.parse(memoryview(data))
    assert parsed == (icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, 1400, b"quoted packet")
    assert type(parsed.payload) is bytes  # a copy: the buffer that it came in is freed


@given(messages)
def test_any_message_survives_emit_and_parse_and_sums_right_by_scapy(message: icmp.IcmpMessage) -> None:
    data = icmp.emit(message)
    assert scapy_checksum(data) in (0, 0xFFFF) and data[2:4] == scapy_checksum(
        data[:2] + b"\0\0" + data[4:]
    ).to_bytes(2, "big")
    assert icmp.parse(data) == message


def test_seven_bytes_are_truncated() -> None:
    assert reason(bytes(ICMP())[:7]) == "icmp_truncated"


def test_any_single_flipped_bit_of_header_or_payload_is_a_bad_checksum() -> None:
    data = bytearray(bytes(ICMP(id=1, seq=2) / b"payload"))
    icmp.parse(data)
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        assert reason(bytes(data)) == "icmp_bad_checksum"
        data[bit // 8] ^= 1 << bit % 8


def test_all_zero_message_has_no_right_checksum() -> None:
    assert reason(bytes(8)) == "icmp_bad_checksum"


def summed(data: bytes) -> bytes:
    """`data` with a right checksum."""
    total = scapy_checksum(data[:2] + b"\0\0" + data[4:])
    return data[:2] + total.to_bytes(2, "big") + data[4:]


@given(st.binary(max_size=80) | st.binary(min_size=8, max_size=80).map(summed))
def test_arbitrary_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        message = icmp.parse(data)
    except WireError:
        return
    assert scapy_checksum(data) == 0
    rest = message.rest.to_bytes(4, "big")
    assert bytes((message.kind, message.code)) + data[2:4] + rest + message.payload == data


def test_errors_are_the_types_that_rfc_1122_never_answers_with_an_error() -> None:
    # RFC 1122 §3.2.2: Destination Unreachable, Redirect, Source Quench, Time Exceeded, Parameter Problem.
    assert {3, 4, 5, 11, 12} == icmp.ERRORS
    assert not icmp.ERRORS & {icmp.ECHO_REQUEST, icmp.ECHO_REPLY}
