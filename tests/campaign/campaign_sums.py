"""The Internet checksum by adding words (RFC 1071 §4.1), for frames that the campaign makes and checks."""

import struct


def ones_sum(*parts: bytes) -> int:
    """One's complement sum of the 16-bit words of `parts`, each padded to even length."""
    total = 0
    for part in parts:
        padded = part + b"\0" if len(part) % 2 else part
        total += sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(*parts: bytes) -> int:
    """Its complement."""
    return 0xFFFF - ones_sum(*parts)


def pseudo(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """The pseudo-header of IPv4 (4-byte addresses) or IPv6."""
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, length)
    return source + destination + struct.pack("!II", length, protocol)
