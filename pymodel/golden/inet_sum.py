"""The Internet checksum (RFC 1071), by arithmetic modulo 65535 instead of adding words.

2^16 = 1 modulo 65535, so the one's complement sum of the 16-bit words of a byte string is the string, read
as one big-endian number, modulo 65535, with 65535 for 0 unless every byte is 0.
"""

import struct
from typing import Final

_MODULUS: Final = 0xFFFF


def ones_sum(*parts: bytes | memoryview) -> int:
    """One's complement sum of the 16-bit words of `parts`, each padded to even length: 0…0xffff."""
    total = 0
    for part in parts:
        number = int.from_bytes(part, "big")
        total += number << 8 if len(part) & 1 else number
    return total and (total % _MODULUS or _MODULUS)


def checksum(*parts: bytes | memoryview) -> int:
    """The checksum over `parts`: the complement of their sum."""
    return _MODULUS - ones_sum(*parts)


def checksum_not_zero(*parts: bytes | memoryview) -> int:
    """As `checksum`, but 0xffff instead of 0: in UDP, 0 would mean that there is none (RFC 768)."""
    return checksum(*parts) or _MODULUS


def pseudo_header(addresses: bytes, protocol: int, length: int) -> bytes:
    """What TCP and UDP sum beside their own bytes: RFC 9293 §3.1 for 8 bytes of `addresses` (source and
    destination), RFC 8200 §8.1 for 32."""
    if len(addresses) == 8:
        return addresses + struct.pack("!BBH", 0, protocol, length)
    return addresses + struct.pack("!IHBB", length, 0, 0, protocol)
