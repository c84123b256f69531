"""IGMP messages: version 3 (RFC 3376 §4), 2 (RFC 2236 §2) and 1 (RFC 1112 appendix I)."""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from pymodel.wire.checksum import checksum, verify
from pymodel.wire.errors import WireError

PROTO: Final = 2
QUERY: Final = 0x11
REPORT_V1: Final = 0x12
REPORT_V2: Final = 0x16
LEAVE_V2: Final = 0x17
REPORT_V3: Final = 0x22

ALL_SYSTEMS: Final = bytes((224, 0, 0, 1))
ALL_ROUTERS: Final = bytes((224, 0, 0, 2))
ALL_V3_ROUTERS: Final = bytes((224, 0, 0, 22))

_TIME_V1: Final = 100
"""Of queries that say nothing of the time: 10 s (RFC 3376 §8.3)."""
_SHORT: Final = struct.Struct("!BBH4s")
_QUERY: Final = struct.Struct("!BBH4sBBH")
_RECORD: Final = struct.Struct("!BBH4s")


class RecordType(IntEnum):
    """RFC 3376 §4.2.12."""

    MODE_IS_INCLUDE = 1
    MODE_IS_EXCLUDE = 2
    CHANGE_TO_INCLUDE_MODE = 3
    CHANGE_TO_EXCLUDE_MODE = 4
    ALLOW_NEW_SOURCES = 5
    BLOCK_OLD_SOURCES = 6


class Record(NamedTuple):
    """One group record of a report."""

    kind: RecordType
    group: bytes
    sources: tuple[bytes, ...]


class Query(NamedTuple):
    """A query. `group`: zeros if it is general. `response_ds`: Max Resp Time in tenths of a second."""

    version: int
    response_ds: int
    group: bytes
    sources: tuple[bytes, ...]


class Short(NamedTuple):
    """A report or leave of version 1 or 2."""

    kind: int
    group: bytes


def _time(code: int) -> int:
    """Max Resp Code as a number: from 128 on a floating point one (RFC 3376 §4.1.1)."""
    return code if code < 128 else (code & 15 | 16) << (code >> 4 & 7) + 3


def parse(data: bytes | memoryview) -> Query | Short:
    """A query, or another host's report or leave of an old version.

    WireError: ``igmp_truncated``, ``igmp_bad_checksum``, ``igmp_unknown`` (reports of version 3, too: no host
    has anything to learn from them).
    """
    if len(data) < _SHORT.size:
        raise WireError("igmp_truncated")
    if not verify(data):
        raise WireError("igmp_bad_checksum")
    kind, code, _, group = _SHORT.unpack_from(data)
    if kind in (REPORT_V1, REPORT_V2, LEAVE_V2):
        return Short(kind, group)
    if kind != QUERY:
        raise WireError("igmp_unknown")
    if len(data) == _SHORT.size:  # RFC 3376 §7.1: the length tells the version
        return Query(2 if code else 1, code or _TIME_V1, group, ())
    if len(data) < _QUERY.size:
        raise WireError("igmp_truncated")
    count = _QUERY.unpack_from(data)[-1]
    if len(data) < _QUERY.size + 4 * count:
        raise WireError("igmp_truncated")
    at = range(_QUERY.size, _QUERY.size + 4 * count, 4)
    return Query(3, _time(code), group, tuple(bytes(data[i : i + 4]) for i in at))


def short(kind: int, group: bytes) -> bytes:
    """A report or leave of version 1 or 2."""
    body = bytearray(_SHORT.pack(kind, 0, 0, group))
    struct.pack_into("!H", body, 2, checksum(body))
    return bytes(body)


def report(records: Sequence[Record]) -> bytes:
    """A report of version 3."""
    body = bytearray(struct.pack("!BBHHH", REPORT_V3, 0, 0, 0, len(records)))
    for kind, group, sources in records:
        body += _RECORD.pack(kind, 0, len(sources), group) + b"".join(sources)
    struct.pack_into("!H", body, 2, checksum(body))
    return bytes(body)
