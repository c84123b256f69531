"""The compiled ``shim.c`` as Python sees it: its functions with their C types, and lwIP's error codes."""

import ctypes
import errno
import os
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_uint32, c_uint64, c_void_p
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

__all__ = ["EVENT", "OUTPUT", "RELEASED", "SOURCE", "Event", "Figures", "Library", "error", "u32s", "u64s"]

SOURCE: Final = Path(__file__).with_name("shim.c")
"""To be compiled into a shared object that is linked with liblwip (`tb.lwip` does)."""

OUTPUT: Final = ctypes.CFUNCTYPE(c_int, c_void_p)
RELEASED: Final = ctypes.CFUNCTYPE(None, c_uint64)
EVENT: Final = ctypes.CFUNCTYPE(None, c_int, c_uint64, c_uint64, c_uint32, c_uint32)


class Event(IntEnum):
    """What the shim reports, by the id of the connection, listener or socket that it is about."""

    CONNECTED = 0
    ACCEPT = 1
    RECEIVED = 2
    END = 3
    SENT = 4
    ERROR = 5
    DATAGRAM = 6
    ECHO = 7


class Figures(ctypes.Structure):
    """Counters of one lwIP, in bytes unless said otherwise."""

    _fields_ = [
        ("used", c_uint64),
        ("peak", c_uint64),
        ("limit", c_uint64),
        ("refused", c_uint64),
        ("copied", c_uint64),
        ("rx_refused", c_uint64),
    ]
    used: int
    """Of the arena, at present; block headers and rounding included."""
    peak: int
    limit: int
    """The arena's size."""
    refused: int
    """Allocations for which there was no room."""
    copied: int
    """Payload that lwIP has moved from one buffer into another."""
    rx_refused: int
    """Frames for which no receive pbuf was left."""


_ERRNO: Final = {
    -1: errno.ENOBUFS,
    -2: errno.ENOBUFS,
    -3: errno.ETIMEDOUT,
    -4: errno.EHOSTUNREACH,
    -5: errno.EINPROGRESS,
    -6: errno.EINVAL,
    -7: errno.EAGAIN,
    -8: errno.EADDRINUSE,
    -9: errno.EALREADY,
    -10: errno.EISCONN,
    -11: errno.ENOTCONN,
    -12: errno.ENETDOWN,
    -13: errno.ETIMEDOUT,  # ERR_ABRT: retransmissions were used up
    -14: errno.ECONNRESET,
    -15: errno.EPIPE,
    -16: errno.EINVAL,
    -100: errno.ECONNREFUSED,  # ours: ERR_RST as the answer to a SYN
}


def error(code: int) -> OSError:
    """The exception for lwIP's `err_t` below 0 (lwip/err.h)."""
    number = _ERRNO.get(code, errno.EIO)
    return OSError(number, os.strerror(number))


def u64s(values: list[int]) -> Any:
    """A C array of uint64_t."""
    return (c_uint64 * len(values))(*values)


def u32s(values: list[int]) -> Any:
    """A C array of uint32_t."""
    return (c_uint32 * len(values))(*values)


_STACK: Final = (c_void_p, c_uint32)  # the stack and the time in ms
_PIECES: Final = (c_uint32, POINTER(c_uint64), POINTER(c_uint32))

_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "fdl_new": (c_void_p, (c_void_p, c_uint64, c_uint32, c_uint32, OUTPUT, RELEASED, EVENT)),
    "fdl_delete": (None, (c_void_p,)),
    "fdl_figures": (None, (c_void_p, POINTER(Figures))),
    "fdl_up": (c_int, (*_STACK, c_char_p, c_uint32, c_uint32, c_uint32, c_uint32)),
    "fdl_link": (None, (*_STACK, c_int)),
    "fdl_timers": (c_uint32, _STACK),
    "fdl_input": (c_int, (*_STACK, c_uint64, *_PIECES)),
    "fdl_pieces": (c_uint32, (c_void_p, *_PIECES)),
    "fdl_pbuf_free": (None, (*_STACK, c_void_p)),
    "fdl_tcp_own": (None, (c_void_p, c_uint64)),
    "fdl_tcp_connect": (c_void_p, (*_STACK, c_uint64, c_uint32, c_uint32, POINTER(c_int))),
    "fdl_tcp_listen": (c_void_p, (*_STACK, c_uint64, c_uint32, POINTER(c_int))),
    "fdl_tcp_write": (c_int, (*_STACK, c_void_p, c_void_p, c_uint32, c_int)),
    "fdl_tcp_read": (None, (*_STACK, c_void_p, c_uint32)),
    "fdl_tcp_nodelay": (None, (c_void_p,)),
    "fdl_tcp_shut": (c_int, (*_STACK, c_void_p)),
    "fdl_tcp_close": (c_int, (*_STACK, c_void_p, c_int)),
    "fdl_tcp_abort": (None, (*_STACK, c_void_p)),
    "fdl_tcp_count": (None, (*_STACK, POINTER(c_uint32), POINTER(c_uint32))),
    "fdl_udp_new": (c_void_p, (*_STACK, c_uint64, c_uint32, POINTER(c_int))),
    "fdl_udp_port": (c_uint32, (c_void_p,)),
    "fdl_udp_delete": (None, (*_STACK, c_void_p)),
    "fdl_udp_send": (c_int, (*_STACK, c_void_p, c_uint32, c_uint32, *_PIECES, c_int)),
    "fdl_ping_new": (c_void_p, (*_STACK, c_uint64)),
    "fdl_ping": (c_int, (*_STACK, c_void_p, c_uint32, c_uint32, c_uint32, c_uint32)),
}


class Library:
    """`path`: the compiled shim. Its functions are attributes, named as in C. Raises OSError."""

    def __init__(self, path: Path) -> None:
        # It shall find the library's own pbuf_copy behind its own, and hide nothing from anybody else.
        self._library = ctypes.CDLL(str(path), mode=os.RTLD_LOCAL | os.RTLD_NOW)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype = result
            function.argtypes = arguments

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _FUNCTIONS:
            raise AttributeError(name)
        function: Callable[..., Any] = getattr(self._library, name)
        setattr(self, name, function)
        return function
