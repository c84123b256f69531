"""Ethernet on the script's side of the wire: frames, and an answer to every ARP request."""

import struct
import zlib
from typing import Final

MAC: Final = bytes.fromhex("0200000000fe")
"""The script's own Ethernet address: it is every host but the machine under test."""

_IPV4: Final = 0x0800
_ARP: Final = 0x0806
_BYTE: Final = 800
"""ps on a 10 Gb/s wire."""


def duration(length: int) -> int:
    """ps that a frame of `length` bytes with FCS takes, with preamble and gap."""
    return (8 + length + 12) * _BYTE


def frame(destination: bytes, source: bytes, packet: bytes, ethertype: int = _IPV4) -> bytes:
    """A frame with padding and FCS (IEEE 802.3 §3.1.1)."""
    data = (destination + source + struct.pack("!H", ethertype) + packet).ljust(60, b"\0")
    return data + zlib.crc32(data).to_bytes(4, "little")


def ip_packet(data: bytes) -> bytes | None:
    """The IPv4 packet in a frame, without padding; None for anything else."""
    if data[12:14] != struct.pack("!H", _IPV4):
        return None
    return data[14 : 14 + int.from_bytes(data[16:18], "big")]


def arp_request(asker: bytes, target: bytes) -> bytes:
    """`asker` (at our address) asks for `target`'s Ethernet address: so `target` learns the asker's."""
    request = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 1) + MAC + asker + bytes(6) + target
    return frame(b"\xff" * 6, MAC, request, _ARP)


def arp_reply(data: bytes, own: bytes) -> bytes | None:
    """The answer to the ARP request in `data` (RFC 826), unless it asks for `own`, the asker's address."""
    if data[12:14] != struct.pack("!H", _ARP) or data[20:22] != b"\0\1":
        return None
    asker, address, target = data[22:28], data[28:32], data[38:42]
    if target == own:
        return None
    reply = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 2) + MAC + target + asker + address
    return frame(asker, MAC, reply, _ARP)
