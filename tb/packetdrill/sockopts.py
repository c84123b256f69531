"""Socket options as scripts write them, to and from the bytes of the system call."""

import struct
from typing import Final

from tb.packetdrill import tcpinfo
from tb.packetdrill.constants import CONSTANTS
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.evaluate import describe, integer, member, number, structure, unwrap
from tb.packetdrill.syntax import ANYTHING, Array, Expression, Structure, Text

TRACING: Final = frozenset(
    {"SO_DEBUG", "TCP_LOG", "TCP_LOGID", "TCP_LOGBUF", "TCP_LOGDUMP", "TCP_PCAP_IN", "TCP_PCAP_OUT"}
)
"""Options that only make a kernel keep a log: accepted, without effect."""
_STACK: Final = struct.Struct("=32sI")
"""FreeBSD's struct tcp_function_set: which of its TCPs a socket uses."""

INT: Final = struct.Struct("@i")
_LINGER: Final = struct.Struct("@ii")
_TIMEVAL: Final = struct.Struct("@qq")
_TIMES: Final = frozenset({CONSTANTS["SO_RCVTIMEO"], CONSTANTS["SO_SNDTIMEO"]})
_STRINGS: Final = frozenset({CONSTANTS["TCP_CONGESTION"], CONSTANTS["TCP_ULP"]})
_SOL_SOCKET: Final = CONSTANTS["SOL_SOCKET"]
_SOL_TCP: Final = CONSTANTS["IPPROTO_TCP"]
LENGTH: Final = 512


def harmless(name: Expression) -> bool:
    """Whether setting option `name` changes nothing here."""
    return getattr(name, "name", "") in TRACING


def pack(value: Expression, length: int | None) -> bytes:
    """An option's value as bytes, cut to `length`."""
    inner = unwrap(value)
    if inner is ANYTHING:
        raise ScriptError("an option's value cannot be `...`")
    if isinstance(inner, Text):
        data = inner.value
    elif isinstance(inner, Structure):
        data = _pack_structure(inner)
    elif isinstance(inner, Array):
        data = b"".join(INT.pack(_signed(integer(item))) for item in inner.items)
    else:
        data = INT.pack(_signed(integer(inner)))
    if length is None or length < 0:
        return data
    return (
        data[:length].ljust(length, b"\0") if isinstance(inner, Text) or length > len(data) else data[:length]
    )


def _signed(value: int) -> int:
    return (value + (1 << 31) & 0xFFFF_FFFF) - (1 << 31)


def _pack_structure(value: Structure) -> bytes:
    names = {name for name, _ in value.members}
    if names & {"onoff", "l_onoff"} or names == {"0", "1"}:
        return _LINGER.pack(
            member(value, None, "onoff", "l_onoff", "0"), member(value, 0, "linger", "l_linger", "1")
        )
    if names & {"tv_sec", "sec", "tv_usec"}:
        return _TIMEVAL.pack(member(value, 0, "tv_sec", "sec"), member(value, 0, "tv_usec", "usec"))
    if names & {"tcpm_addr", "tcpm_key"}:
        return _pack_md5(value)
    if "function_set_name" in names:
        name = value.get("function_set_name")
        if not isinstance(name, Text):
            raise ScriptError("function_set_name is a string")
        return _STACK.pack(name.value, member(value, 0, "pcbcnt"))
    raise ScriptError(f"an option's value of members {', '.join(sorted(names))} is not known here")


def _pack_md5(value: Structure) -> bytes:
    """struct tcp_md5sig; the script's addresses are in host order."""
    address = structure(value.get("tcpm_addr", "0") or value)
    ip = member(address, None, "sin_addr", "2")
    key = value.get("tcpm_key", "4")
    if not isinstance(key, Text):
        raise ScriptError("tcpm_key is a string")
    length = member(value, len(key.value), "tcpm_keylen", "3")
    return struct.pack("=HH4s120xBBHi80s", 2, 0, ip.to_bytes(4, "big"), 0, 0, length, 0, key.value)


def mismatch(level: int, name: int, expected: Expression, got: bytes) -> str | None:
    """How the value that getsockopt returned differs from what the script says; None if it does not."""
    inner = unwrap(expected)
    if inner is ANYTHING:
        return None
    if isinstance(inner, Text):
        sent = got.split(b"\0")[0]
        want = inner.value.split(b"\0")[0]
        return (
            None
            if sent == want
            else f"{want.decode()!r} expected, {sent.decode(errors='replace')!r} returned"
        )
    if isinstance(inner, Structure):
        return _structure_mismatch(level, name, inner, got)
    if isinstance(inner, Array):
        raise ScriptError(f"an option's value expected, not {describe(inner)}")
    wanted, value = integer(inner), int.from_bytes(got, "little", signed=len(got) == INT.size)
    if wanted == value or wanted & 0xFFFF_FFFF == value & 0xFFFF_FFFF:
        return None
    return f"{wanted} expected, {value} returned"


def _structure_mismatch(level: int, name: int, expected: Structure, got: bytes) -> str | None:
    fields: dict[str, int]
    if level == _SOL_SOCKET and name == CONSTANTS["SO_LINGER"]:
        on, seconds = _LINGER.unpack(got.ljust(_LINGER.size, b"\0")[: _LINGER.size])
        fields = {"onoff": on, "l_onoff": on, "0": on, "linger": seconds, "l_linger": seconds, "1": seconds}
    elif level == _SOL_SOCKET and name in _TIMES:
        whole, part = _TIMEVAL.unpack(got.ljust(_TIMEVAL.size, b"\0")[: _TIMEVAL.size])
        fields = {"tv_sec": whole, "sec": whole, "tv_usec": part, "usec": part}
    elif level == _SOL_TCP and name == CONSTANTS["TCP_INFO"]:
        fields = tcpinfo.parse(got)
    elif level == _SOL_TCP and name == CONSTANTS["TCP_FUNCTION_BLK"]:
        stack, fields = got[:32].rstrip(b"\0"), {"pcbcnt": _STACK.unpack(got)[1]}
        wanted = expected.get("function_set_name")
        if isinstance(wanted, Text) and wanted.value.rstrip(b"\0") != stack:
            return f"stack {wanted.value.decode()!r} expected, {stack.decode()!r} returned"
        expected = Structure(tuple(m for m in expected.members if m[0] != "function_set_name"))
    else:
        raise ScriptError("this option's value is no structure known here")
    wrong = []
    for key, value in expected.members:
        if value is ANYTHING:
            continue
        if key not in fields:
            raise ScriptError(f"{key} is no member of this option's value")
        if number(unwrap(value)) != fields[key]:
            wrong.append(f"{key}: {number(unwrap(value))} expected, {fields[key]} returned")
    return "; ".join(wrong) or None
