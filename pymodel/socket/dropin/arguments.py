"""What programs give to socket calls as the kernel takes it, and the other way.

What is wrong with it is told in CPython's words (Modules/socketmodule.c, Python/getargs.c).
"""

import math
import operator
import os
from collections.abc import Iterable
from typing import Any

from pymodel.socket.dropin import netdb
from pymodel.socket.dropin.locks import TIMEOUT_MAX
from pymodel.socket.messages import SockAddr
from pymodel.socket.unixnames import PATH_MAX

Address = Any
"""(host, port), or the path, str or bytes, of an AF_UNIX socket."""
Ancillary = list[tuple[int, int, bytes]]


def sockaddr(call: str, address: Any) -> SockAddr:
    """A program's (host, port) as the kernel takes it; TypeError, OverflowError, gaierror as CPython."""
    if not isinstance(address, tuple):
        raise TypeError(f"{call}(): AF_INET address must be tuple, not {type(address).__name__}")
    if len(address) != 2:
        raise TypeError("AF_INET address must be a pair (host, port)")
    host, port = address
    if not isinstance(host, str | bytes | bytearray):
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    packed = netdb.resolve(host)
    if not isinstance(port, int):
        raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    return packed, port


def name(address: SockAddr) -> Address:
    """A kernel's address as a program sees it."""
    return netdb.dotted(address[0]), address[1]


def unixaddr(address: Any) -> SockAddr:
    """A path or abstract name as the kernel takes it; TypeError, and OSError if it is too long."""
    if isinstance(address, str):
        path = os.fsencode(address)
    else:
        with buffer(address) as view:
            path = bytes(view)
    # A path needs room for the zero byte behind it.
    if len(path) > PATH_MAX or (len(path) == PATH_MAX and path[0] != 0):
        raise OSError("AF_UNIX path too long")
    return path, 0


def unixname(address: SockAddr) -> str | bytes:
    """The name of an AF_UNIX socket: bytes if it is abstract, "" if there is none."""
    path, _ = address
    return path if path.startswith(b"\0") else os.fsdecode(path)


def seconds(value: Any) -> float | None:
    """A time-out as float seconds or None; TypeError, ValueError."""
    if value is None:
        return None
    limit = float(value) if isinstance(value, float) else float(operator.index(value))
    if math.isnan(limit):
        raise ValueError("Invalid value NaN (not a number)")
    if limit < 0:
        raise ValueError("Timeout value out of range")
    if limit > TIMEOUT_MAX:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")
    return limit


def c_ssize_t(value: Any) -> int:
    """A size, as PyArg_Parse's "n" takes it: TypeError, OverflowError."""
    number = operator.index(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError("Python int too large to convert to C ssize_t")
    return number


def c_int(value: Any) -> int:
    """What PyArg_ParseTuple's "i" accepts: TypeError, OverflowError."""
    number = operator.index(value)
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError("Python int too large to convert to C int")
    return number


def buffer(value: Any) -> memoryview:
    """A program's bytes-like object: TypeError in CPython's words.

    To be released after the call, also when that fails: a program may resize its bytearray in the handler of
    the exception, whose traceback holds everything below.
    """
    try:
        return memoryview(value).cast("B")
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(value).__name__}'") from None


def release(views: Iterable[memoryview]) -> None:
    """Let go of the program's buffers."""
    for view in views:
        view.release()


def ancillary(items: Any) -> Ancillary:
    """A message's pieces of ancillary data; TypeError, OverflowError."""
    try:
        pieces = list(items)
    except TypeError:
        raise TypeError("sendmsg() argument 2 must be an iterable") from None
    return [_piece(item) for item in pieces]


def _piece(item: Any) -> tuple[int, int, bytes]:
    if not isinstance(item, tuple | list):
        raise TypeError("[sendmsg() ancillary data items] argument must be a sequence")
    if len(item) != 3:
        raise TypeError(f"[sendmsg() ancillary data items] expected 3 items, not {len(item)}")
    level, kind, data = item
    return c_int(level), c_int(kind), bytes(buffer(data))
