"""What a program's C library asks of the simulator, in bytes: `shim.c` has the same numbers.

A request is one message on an AF_UNIX connection of its own (SOCK_SEQPACKET), the answer another; a new
socket comes with it as a descriptor (SCM_RIGHTS). Addresses are `struct sockaddr_in`.
"""

import errno
import os
import struct
from dataclasses import dataclass
from enum import IntEnum

from pymodel.socket import constants as c
from pymodel.socket.messages import SockAddr


class Call(IntEnum):
    """What is asked; `a`, `b`, `c` and the data of a `Request` are, in this order, …"""

    SOCKET = 1
    """type, protocol; the answer has the descriptor"""
    BIND = 2
    """data: address"""
    LISTEN = 3
    """backlog"""
    ACCEPT = 4
    """whether connections may come over the descriptor: EINVAL, EOPNOTSUPP"""
    CONNECT = 5
    """not blocking; data: address"""
    FILLED = 6
    """after EINPROGRESS: so many bytes that mean nothing were written to the descriptor"""
    GETSOCKNAME = 7
    GETPEERNAME = 8
    GETSOCKOPT = 9
    """level, name, length; the answer has the value"""
    SETSOCKOPT = 10
    """level, name; data: value"""
    SENDTO = 11
    """flags, not blocking, length of the address; data: address, payload"""
    SHUTDOWN = 12
    """how; may it be shut down"""
    ENDED = 13
    """for a reader; why the stream has ended: the result is an errno, or 0"""
    RESOLVE = 14
    """data: name of a host"""
    ACCEPTED = 15
    """the program has taken the connection that came over the descriptor"""


_REQUEST = struct.Struct("=IiiiQ")
_REPLY = struct.Struct("=ii")
_ADDRESS = struct.Struct("=H2s4s8x")

LARGEST = 1 << 17
"""Bytes of a request, more than a datagram has."""


@dataclass(frozen=True)
class Request:
    """`ident`: of the socket, 0 where there is none yet."""

    call: Call
    ident: int = 0
    a: int = 0
    b: int = 0
    c: int = 0
    data: bytes = b""

    def pack(self) -> bytes:
        """As the program sends it."""
        return _REQUEST.pack(self.call, self.a, self.b, self.c, self.ident) + self.data

    @classmethod
    def unpack(cls, raw: bytes) -> "Request":
        """The inverse of `pack`; ValueError for what nobody asks."""
        if len(raw) < _REQUEST.size:
            raise ValueError(f"a request of {len(raw)} bytes is too short")
        call, a, b, third, ident = _REQUEST.unpack_from(raw)
        return cls(Call(call), ident, a, b, third, raw[_REQUEST.size :])


def reply(error: int = 0, result: int = 0, data: bytes = b"") -> bytes:
    """An answer: an errno or 0, what the call returns, and what it gives beside."""
    return _REPLY.pack(error, result) + data


def unpack_reply(raw: bytes) -> tuple[int, int, bytes]:
    """The inverse of `reply`."""
    error, result = _REPLY.unpack_from(raw)
    return error, result, raw[_REPLY.size :]


def pack_address(address: SockAddr) -> bytes:
    """A sockaddr_in."""
    host, port = address
    return _ADDRESS.pack(c.AF_INET, port.to_bytes(2, "big"), host)


def unpack_address(raw: bytes) -> SockAddr | None:
    """What a sockaddr says; None for AF_UNSPEC. OSError: EINVAL if it is too short, EAFNOSUPPORT."""
    if len(raw) < 2:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    family = int.from_bytes(raw[:2], "little" if _LITTLE else "big")
    if family == c.AF_UNSPEC:
        return None
    if len(raw) < _ADDRESS.size:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if family != c.AF_INET:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    _, port, host = _ADDRESS.unpack_from(raw)
    return host, int.from_bytes(port, "big")


def pack_failure(number: int) -> bytes:
    """What comes in the place of a datagram and its sender: an errno."""
    return _ADDRESS.pack(c.AF_UNSPEC, struct.pack("=H", number), bytes(4))


_LITTLE = struct.pack("=H", 1) == b"\1\0"
