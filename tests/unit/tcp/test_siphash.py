"""SipHash-2-4 against the reference implementation's vectors."""

import pytest

from pymodel.tcp.siphash import siphash

KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, "310e0edd47db6f72"), (1, "fd67dc93c539f874"), (15, "e545be4961ca29a1")],
)
def test_hash_of_counting_bytes_is_the_reference_vector(length: int, expected: str) -> None:
    assert siphash(KEY, bytes(range(length))).hex() == expected


def test_cookie_is_the_one_that_linux_makes() -> None:
    key = bytes.fromhex("a1a1a1a1b2b2b2b2c3c3c3c3d4d4d4d4")
    assert siphash(key, bytes((192, 0, 2, 1, 192, 168, 0, 1))).hex() == "3021b9d889017eeb"
    assert siphash(bytes(16), bytes((192, 0, 2, 1, 192, 168, 0, 1))).hex() == "b7c12350a90dc8f5"
