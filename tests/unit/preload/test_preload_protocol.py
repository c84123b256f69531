"""What shim and simulator say to each other, in bytes."""

import errno
import re
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb.preload import protocol
from tb.preload.library import SOURCE
from tb.preload.protocol import Call, Request

NUMBERS = st.integers(-(1 << 31), (1 << 31) - 1)


def test_shim_and_simulator_number_the_calls_alike() -> None:
    (names,) = re.findall(r"enum call \{([^}]*)\}", SOURCE.read_text())
    first, *rest = [name.strip() for name in names.split(",")]
    assert first == "SOCKET = 1"
    assert ["SOCKET", *rest] == [call.name for call in sorted(Call)]
    assert [int(call) for call in sorted(Call)] == list(range(1, len(Call) + 1))


@given(
    st.sampled_from(Call), st.integers(0, (1 << 64) - 1), NUMBERS, NUMBERS, NUMBERS, st.binary(max_size=99)
)
def test_request_comes_as_it_was_sent(call: Call, ident: int, a: int, b: int, c: int, data: bytes) -> None:
    request = Request(call, ident, a, b, c, data)
    assert Request.unpack(request.pack()) == request


@pytest.mark.parametrize("raw", [b"", bytes(23), bytes(24), struct.pack("=IiiiQ", 99, 0, 0, 0, 0)])
def test_what_nobody_asks_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Request.unpack(raw)


@given(NUMBERS, NUMBERS, st.binary(max_size=99))
def test_reply_comes_as_it_was_sent(error: int, result: int, data: bytes) -> None:
    assert protocol.unpack_reply(protocol.reply(error, result, data)) == (error, result, data)


def test_address_is_what_the_c_library_makes_of_it() -> None:
    raw = protocol.pack_address((bytes((10, 0, 0, 2)), 8080))
    assert raw == struct.pack("=H", socket.AF_INET) + bytes.fromhex("1f90 0a000002") + bytes(8)
    assert protocol.unpack_address(raw) == (bytes((10, 0, 0, 2)), 8080)
    assert protocol.unpack_address(struct.pack("=H14x", socket.AF_UNSPEC)) is None


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"", errno.EINVAL),
        (struct.pack("=H", socket.AF_INET), errno.EINVAL),
        (struct.pack("=H26x", socket.AF_INET6), errno.EAFNOSUPPORT),
    ],
)
def test_bad_address_is_refused_as_by_linux(raw: bytes, number: int) -> None:
    with pytest.raises(OSError) as refused:
        protocol.unpack_address(raw)
    assert refused.value.errno == number
