"""ICMP for IPv4 (RFC 792): parse checked, emit."""

import struct
from typing import Final, NamedTuple

from pymodel.wire.checksum import checksum, verify
from pymodel.wire.errors import WireError

ECHO_REPLY: Final = 0
UNREACHABLE: Final = 3
ECHO_REQUEST: Final = 8
TIME_EXCEEDED: Final = 11
REASSEMBLY_EXCEEDED: Final = 1
"""Its code where fragments are missing."""
PARAMETER_PROBLEM: Final = 12

NET_UNREACHABLE: Final = 0
HOST_UNREACHABLE: Final = 1
PROTOCOL_UNREACHABLE: Final = 2
PORT_UNREACHABLE: Final = 3
FRAGMENTATION_NEEDED: Final = 4

HEADER_LEN: Final = 8
ERRORS: Final = frozenset({3, 4, 5, 11, 12})
"""Types that report an error: never answered with another one (RFC 1122 §3.2.2)."""

_HEADER = struct.Struct("!BBHI")


class IcmpMessage(NamedTuple):
    """`rest`: the four bytes behind the checksum, as a number; `payload`: what follows."""

    kind: int
    code: int
    rest: int
    payload: bytes


def parse(data: bytes | bytearray | memoryview) -> IcmpMessage:
    """The message that fills `data`. Raises WireError: ``icmp_truncated``, ``icmp_bad_checksum``."""
    if len(data) < HEADER_LEN:
        raise WireError("icmp_truncated")
    if not verify(data):
        raise WireError("icmp_bad_checksum")
    kind, code, _, rest = _HEADER.unpack_from(data)
    return IcmpMessage(kind, code, rest, bytes(data[HEADER_LEN:]))


def emit(message: IcmpMessage) -> bytes:
    """The bytes of `message`, checksum filled in."""
    head = _HEADER.pack(message.kind, message.code, 0, message.rest)
    total = checksum(head + message.payload)
    return _HEADER.pack(message.kind, message.code, total, message.rest) + message.payload
