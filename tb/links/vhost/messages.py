"""vhost-user's messages as bytes and as objects. Sections are those of QEMU's docs/interop/vhost-user.rst.

All numbers are little-endian, as on every machine this runs on ("native endianness of the front-end").
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "HEADER",
    "LONGEST",
    "MAX_REGIONS",
    "PROTOCOL_FEATURES",
    "Flag",
    "Header",
    "MemoryRegion",
    "Message",
    "ProtocolError",
    "ProtocolFeature",
    "Request",
    "VringAddress",
    "VringState",
    "check",
    "memory_table",
    "pack_state",
    "pack_u64",
    "parse_header",
    "reply",
    "u64",
    "vring_address",
    "vring_file",
    "vring_state",
]


class ProtocolError(Exception):
    """The client broke the protocol, or asks for what is not offered: a clause that says how."""


class Request(IntEnum):
    """Section "Front-end message types"."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_LOG_BASE = 6
    SET_LOG_FD = 7
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SEND_RARP = 19
    NET_SET_MTU = 20
    SET_BACKEND_REQ_FD = 21
    IOTLB_MSG = 22
    SET_VRING_ENDIAN = 23
    GET_CONFIG = 24
    SET_CONFIG = 25
    CREATE_CRYPTO_SESSION = 26
    CLOSE_CRYPTO_SESSION = 27
    POSTCOPY_ADVISE = 28
    POSTCOPY_LISTEN = 29
    POSTCOPY_END = 30
    GET_INFLIGHT_FD = 31
    SET_INFLIGHT_FD = 32
    GPU_SET_SOCKET = 33
    RESET_DEVICE = 34
    VRING_KICK = 35
    GET_MAX_MEM_SLOTS = 36
    ADD_MEM_REG = 37
    REM_MEM_REG = 38
    SET_STATUS = 39
    GET_STATUS = 40


class ProtocolFeature(IntEnum):
    """Section "Protocol features": bit numbers, of those that are offered."""

    REPLY_ACK = 3
    RESET_DEVICE = 13
    STATUS = 16


PROTOCOL_FEATURES: Final = sum(1 << feature for feature in ProtocolFeature)
"""What is offered. One queue pair: no MQ. No migration: no LOG_SHMFD, RARP, INFLIGHT_SHMFD, PAGEFAULT. The
client has the configuration space: no CONFIG. No IOMMU of the client's: no BACKEND_REQ."""


class Flag(IntFlag):
    """Section "Header"."""

    VERSION = 0x3
    REPLY = 0x4
    NEED_REPLY = 0x8


VERSION: Final = 1
HEADER: Final = struct.Struct("<III")
"""Request, flags, size of the payload."""
MAX_REGIONS: Final = 8
"""Section "Memory regions description"."""
NO_FD: Final = 0x100
"""Bit of the payload of SET_VRING_KICK, CALL and ERR: no descriptor comes with it."""

_U64: Final = struct.Struct("<Q")
_STATE: Final = struct.Struct("<II")
_ADDRESS: Final = struct.Struct("<IIQQQQ")
_TABLE: Final = struct.Struct("<II")
_REGION: Final = struct.Struct("<QQQQ")
LONGEST: Final = _TABLE.size + MAX_REGIONS * _REGION.size
"""Bytes of the longest payload that is understood."""


@dataclass(frozen=True, slots=True)
class Header:
    """What comes before each payload of `size` bytes."""

    request: int
    need_reply: bool
    size: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the client's. `fds`: the descriptors that came with it, now this process's to close."""

    request: Request
    need_reply: bool
    payload: bytes
    fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """`size` bytes at the guest's physical address `guest`, which the client itself has at `user`.

    They begin `offset` bytes behind the start of what the region's descriptor maps.
    """

    guest: int
    size: int
    user: int
    offset: int


@dataclass(frozen=True, slots=True)
class VringState:
    """Section "A vring state description"."""

    index: int
    number: int


@dataclass(frozen=True, slots=True)
class VringAddress:
    """Section "A vring address description", by what the areas of a packed ring are; the client's
    addresses.
    """

    index: int
    flags: int
    descriptors: int
    device: int
    driver: int


# How long a payload must be.
_SIZES: Final[Mapping[Request, int]] = {
    Request.GET_FEATURES: 0,
    Request.SET_FEATURES: _U64.size,
    Request.SET_OWNER: 0,
    Request.RESET_OWNER: 0,
    Request.SET_VRING_NUM: _STATE.size,
    Request.SET_VRING_ADDR: _ADDRESS.size,
    Request.SET_VRING_BASE: _STATE.size,
    Request.GET_VRING_BASE: _STATE.size,
    Request.SET_VRING_KICK: _U64.size,
    Request.SET_VRING_CALL: _U64.size,
    Request.SET_VRING_ERR: _U64.size,
    Request.GET_PROTOCOL_FEATURES: 0,
    Request.SET_PROTOCOL_FEATURES: _U64.size,
    Request.SET_VRING_ENABLE: _STATE.size,
    Request.RESET_DEVICE: 0,
    Request.SET_STATUS: _U64.size,
    Request.GET_STATUS: 0,
}
_WITH_FD: Final = frozenset({Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR})


def parse_header(raw: bytes) -> Header:
    """The header of a message of the client's. Raises ProtocolError: another version, a reply, a payload
    too long.
    """
    request, flags, size = HEADER.unpack(raw)
    if flags & Flag.VERSION != VERSION:
        raise ProtocolError(f"a message of version {flags & Flag.VERSION}, not {VERSION}")
    if flags & Flag.REPLY:
        raise ProtocolError(f"a reply ({_name(request)}), where nothing was asked")
    if size > LONGEST:
        raise ProtocolError(
            f"a payload of {size} bytes ({_name(request)}); {LONGEST} is the longest there is"
        )
    return Header(request, bool(flags & Flag.NEED_REPLY), size)


def check(header: Header, payload: bytes, fds: tuple[int, ...]) -> Message:
    """The message, if it is one that is offered, of the right size, with as many descriptors as it must have.

    Raises ProtocolError otherwise; what the payload means is not looked at. The descriptors stay the
    caller's then.
    """
    name = _name(header.request)
    try:
        request = Request(header.request)
    except ValueError:
        raise ProtocolError(f"{name}: there is no such request") from None
    if request is Request.SET_MEM_TABLE:
        count = _TABLE.unpack_from(payload)[0] if len(payload) >= _TABLE.size else 0
        if not 0 < count <= MAX_REGIONS:
            raise ProtocolError(f"{name}: {count} regions; 1 to {MAX_REGIONS} are possible")
        expected, wanted = _TABLE.size + count * _REGION.size, count
    elif request in _SIZES:
        expected, wanted = _SIZES[request], 0
    else:
        raise ProtocolError(f"{name} is not offered")
    if len(payload) != expected:
        raise ProtocolError(f"{name}: {len(payload)} bytes of payload, not {expected}")
    if request in _WITH_FD:
        wanted = 0 if u64(payload) & NO_FD else 1
    if len(fds) != wanted:
        raise ProtocolError(f"{name}: {len(fds)} descriptors came with it, not {wanted}")
    return Message(request, header.need_reply, payload, fds)


def _name(request: int) -> str:
    try:
        return Request(request).name
    except ValueError:
        return f"request {request}"


def u64(payload: bytes) -> int:
    """A payload that is one number."""
    return int(_U64.unpack(payload)[0])


def vring_state(payload: bytes) -> VringState:
    """The payload of SET_VRING_NUM, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_ENABLE."""
    return VringState(*_STATE.unpack(payload))


def vring_address(payload: bytes) -> VringAddress:
    """The payload of SET_VRING_ADDR. "Used ring" and "available ring" are a packed ring's device and
    driver area.
    """
    index, flags, descriptors, used, available, _log = _ADDRESS.unpack(payload)
    return VringAddress(index, flags, descriptors, used, available)


def vring_file(payload: bytes) -> int:
    """The ring that SET_VRING_KICK, CALL or ERR is for."""
    return u64(payload) & 0xFF


def memory_table(payload: bytes) -> tuple[MemoryRegion, ...]:
    """The payload of SET_MEM_TABLE, in the order of its descriptors."""
    regions = []
    for at in range(_TABLE.size, len(payload), _REGION.size):
        guest, size, user, offset = _REGION.unpack_from(payload, at)
        regions.append(MemoryRegion(guest, size, user, offset))
    return tuple(regions)


def reply(request: int, payload: bytes) -> bytes:
    """An answer as it goes to the client."""
    return HEADER.pack(request, VERSION | Flag.REPLY, len(payload)) + payload


def pack_u64(value: int) -> bytes:
    """The inverse of `u64`."""
    return _U64.pack(value)


def pack_state(index: int, number: int) -> bytes:
    """The inverse of `vring_state`."""
    return _STATE.pack(index, number)
