"""SipHash-2-4 (Aumasson, Bernstein 2012), which Linux keys its Fast Open cookies with."""

import struct
from typing import Final

_MASK: Final = (1 << 64) - 1
_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & _MASK


def _rounds(a: int, b: int, c: int, d: int, count: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        a = a + b & _MASK
        b = _rotate(b, 13) ^ a
        a = _rotate(a, 32)
        c = c + d & _MASK
        d = _rotate(d, 16) ^ c
        a = a + d & _MASK
        d = _rotate(d, 21) ^ a
        c = c + b & _MASK
        b = _rotate(b, 17) ^ c
        c = _rotate(c, 32)
    return a, b, c, d


def siphash(key: bytes, data: bytes) -> bytes:
    """The 8-byte hash of `data` under the 16-byte `key`."""
    low, high = struct.unpack("<QQ", key)
    a, b, c, d = (start ^ half for start, half in zip(_START, (low, high, low, high), strict=True))
    whole = len(data) & ~7
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    for (word,) in (*struct.iter_unpack("<Q", data[:whole]), (last,)):
        a, b, c, d = _rounds(a, b, c, d ^ word, 2)
        a ^= word
    a, b, c, d = _rounds(a, b, c ^ 0xFF, d, 4)
    return (a ^ b ^ c ^ d).to_bytes(8, "little")
