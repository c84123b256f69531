"""Socket options as FreeBSD shows them (setsockopt(2), tcp(4)), where that is not what Linux does.

Options have Linux's numbers everywhere; those that Linux lacks have the numbers here.
"""

import errno
import struct
from typing import Any, Final

from pymodel.simtime import SEC
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.options import INT, Key
from pymodel.tcp import Profile, TcpOptions
from pymodel.tcp.profile import STACKS

TCP_KEEPINIT: Final = 128
TCP_NOOPT: Final = 0x1008
"""FreeBSD's is 8, which is TCP_LINGER2 in Linux."""
TCP_FUNCTION_BLK: Final = 0x2000
_STACK: Final = struct.Struct("=32sI")
"""struct tcp_function_set: its name, and how many connections use it."""

_BITS: Final[dict[Key, int]] = {
    (c.SOL_SOCKET, c.SO_DEBUG): 0x1,
    (c.SOL_SOCKET, c.SO_ACCEPTCONN): 0x2,
    (c.SOL_SOCKET, c.SO_REUSEADDR): 0x4,
    (c.SOL_SOCKET, c.SO_KEEPALIVE): 0x8,
    (c.SOL_SOCKET, c.SO_DONTROUTE): 0x10,
    (c.SOL_SOCKET, c.SO_BROADCAST): 0x20,
    (c.SOL_SOCKET, c.SO_OOBINLINE): 0x100,
    (c.SOL_SOCKET, c.SO_REUSEPORT): 0x200,
    (c.SOL_SOCKET, c.SO_TIMESTAMP): 0x400,
    (c.IPPROTO_TCP, c.TCP_NODELAY): 0x4,
    (c.IPPROTO_TCP, c.TCP_CORK): 0x1000,
    (c.IPPROTO_TCP, TCP_NOOPT): 0x8,
}
"""Flags are read as the bit that the kernel keeps them in, not as 1."""

SEND_LOW_WATER: Final = 2048
"""SO_SNDLOWAT."""


def shown(level: int, name: int, value: bytes) -> bytes:
    """getsockopt(2)'s `value`, as FreeBSD gives it."""
    bit = _BITS.get((level, name))
    if bit is not None:
        return INT.pack(bit if any(value) else 0)
    if (level, name) == (c.SOL_SOCKET, c.SO_SNDLOWAT):
        return INT.pack(SEND_LOW_WATER)
    if (level, name) == (c.IPPROTO_TCP, c.TCP_CONGESTION) and value.startswith(b"reno"):
        return b"newreno".ljust(len(value), b"\0")
    return value


def parse(name: int, value: bytes) -> tuple[str, Any] | None:
    """setsockopt(2) of an option of TCP that Linux does not have; None for any other."""
    if name == TCP_FUNCTION_BLK:
        stack = value[:32].split(b"\0")[0].decode("ascii", "replace")
        if stack not in STACKS:
            raise error(errno.ENOENT)
        return "stack", stack
    number = int.from_bytes(value[:4], "little", signed=True)
    if name == TCP_KEEPINIT:
        return "open_timeout", number * SEC
    if name == TCP_NOOPT:
        return "no_options", bool(number)
    return None


def load(options: TcpOptions, name: int, profile: Profile) -> bytes | None:
    """getsockopt(2) of what `parse` sets; None for any other."""
    if name == TCP_KEEPINIT:
        limit = profile.open_timeout if options.open_timeout is None else options.open_timeout
        return INT.pack(limit // SEC)
    if name == TCP_NOOPT:
        return INT.pack(int(options.no_options))
    if name == TCP_FUNCTION_BLK:
        stack = options.stack or STACKS[profile.rack]
        return _STACK.pack(stack.encode(), 1)
    return None
