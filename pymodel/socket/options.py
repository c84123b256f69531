"""Socket options: getsockopt(2) and setsockopt(2) as data (socket(7), tcp(7)).

Options travel as in the system call, as bytes: an int, `struct linger` or `struct timeval`.
"""

import errno
import struct
from dataclasses import dataclass
from typing import Final

from pymodel.simtime import SEC, US
from pymodel.socket import constants as c
from pymodel.socket.errors import error

INT: Final = struct.Struct("@i")
LINGER: Final = struct.Struct("@ii")
TIMEVAL: Final = struct.Struct("@ll")

BUFFER_MAX: Final = 212_992
"""net.core.wmem_max and rmem_max: what a program may ask for, before doubling."""
SNDBUF_DEFAULT: Final = 16_384  # tcp_wmem[1]
RCVBUF_DEFAULT: Final = 131_072  # tcp_rmem[1]
RCVBUF_LARGEST: Final = 6 << 20  # tcp_rmem[2]
SNDBUF_MIN: Final = 4_608  # SOCK_MIN_SNDBUF
RCVBUF_MIN: Final = 2_304  # SOCK_MIN_RCVBUF


@dataclass(slots=True)
class Options:
    """What a program has set. Times in ps (None: no limit), sizes as getsockopt reports them."""

    reuse_address: int = 0
    reuse_port: int = 0
    keepalive: int = 0
    broadcast: int = 0
    oobinline: int = 0
    dontroute: int = 0
    priority: int = 0
    receive_low_water: int = 1
    nodelay: int = 0
    keep_idle: int = 7200
    keep_interval: int = 75
    keep_count: int = 9
    linger: int = 0
    linger_seconds: int = 0
    """What close(2) waits at most, if `linger` is on; 0: reset at once."""
    receive_timeout: int | None = None
    send_timeout: int | None = None
    send_buffer: int | None = None
    """sk_sndbuf: twice what was asked for; None: never set, so the stack decides."""
    receive_buffer: int | None = None


_FLAGS: Final = {
    (c.SOL_SOCKET, c.SO_REUSEADDR): "reuse_address",
    (c.SOL_SOCKET, c.SO_REUSEPORT): "reuse_port",
    (c.SOL_SOCKET, c.SO_KEEPALIVE): "keepalive",
    (c.SOL_SOCKET, c.SO_BROADCAST): "broadcast",
    (c.SOL_SOCKET, c.SO_OOBINLINE): "oobinline",
    (c.SOL_SOCKET, c.SO_DONTROUTE): "dontroute",
    (c.IPPROTO_TCP, c.TCP_NODELAY): "nodelay",
}

_INTEGERS: Final = {
    (c.SOL_SOCKET, c.SO_PRIORITY): ("priority", 0, 6),
    (c.IPPROTO_TCP, c.TCP_KEEPIDLE): ("keep_idle", 1, 32_767),
    (c.IPPROTO_TCP, c.TCP_KEEPINTVL): ("keep_interval", 1, 32_767),
    (c.IPPROTO_TCP, c.TCP_KEEPCNT): ("keep_count", 1, 127),
}

_BUFFERS: Final = {
    (c.SOL_SOCKET, c.SO_SNDBUF): ("send_buffer", SNDBUF_MIN),
    (c.SOL_SOCKET, c.SO_RCVBUF): ("receive_buffer", RCVBUF_MIN),
}

_TIMEOUTS: Final = {
    (c.SOL_SOCKET, c.SO_RCVTIMEO): "receive_timeout",
    (c.SOL_SOCKET, c.SO_SNDTIMEO): "send_timeout",
}


def store(options: Options, level: int, name: int, value: bytes) -> str:
    """setsockopt(2) on `options`; the name of the attribute that changed.

    OSError: ENOPROTOOPT for an unknown or read-only option, EINVAL for a value too short or out of
    range, EDOM for a timeval whose microseconds are none.
    """
    key = (level, name)
    if key in _TIMEOUTS:
        return _store_timeout(options, _TIMEOUTS[key], value)
    if key == (c.SOL_SOCKET, c.SO_LINGER):
        on, seconds = _unpack(LINGER, value)
        options.linger = int(on != 0)
        if on:
            options.linger_seconds = seconds
        return "linger"
    if len(value) < INT.size:
        raise error(errno.EINVAL)
    (number,) = _unpack(INT, value)
    if key in _FLAGS:
        attribute, stored = _FLAGS[key], int(number != 0)
    elif key in _INTEGERS:
        attribute, low, high = _INTEGERS[key]
        if not low <= number <= high:
            raise error(errno.EINVAL)
        stored = number
    elif key in _BUFFERS:
        attribute, minimum = _BUFFERS[key]
        # Linux takes the number as unsigned here: a negative size means the largest.
        asked = min(number & 0xFFFF_FFFF, BUFFER_MAX)
        stored = max(2 * asked, minimum)
    elif key == (c.SOL_SOCKET, c.SO_RCVLOWAT):
        # Never more than the buffer can hold beside its overhead (tcp_set_rcvlowat).
        most = (options.receive_buffer or RCVBUF_LARGEST) // 2
        attribute, stored = "receive_low_water", min(number or 1, most) if number >= 0 else most
    else:
        raise error(errno.ENOPROTOOPT)
    setattr(options, attribute, stored)
    return attribute


def load(options: Options, level: int, name: int) -> bytes:
    """getsockopt(2) of what `store` keeps; OSError(ENOPROTOOPT) for anything else."""
    key = (level, name)
    if key in _TIMEOUTS:
        limit: int | None = getattr(options, _TIMEOUTS[key])
        return TIMEVAL.pack(*divmod((limit or 0) // US, 1_000_000))
    if key == (c.SOL_SOCKET, c.SO_LINGER):
        return LINGER.pack(options.linger, options.linger_seconds)
    if key == (c.SOL_SOCKET, c.SO_SNDBUF):
        return INT.pack(options.send_buffer or SNDBUF_DEFAULT)
    if key == (c.SOL_SOCKET, c.SO_RCVBUF):
        return INT.pack(options.receive_buffer or RCVBUF_DEFAULT)
    if key == (c.SOL_SOCKET, c.SO_RCVLOWAT):
        return INT.pack(options.receive_low_water)
    if key in _FLAGS:
        return INT.pack(getattr(options, _FLAGS[key]))
    if key in _INTEGERS:
        return INT.pack(getattr(options, _INTEGERS[key][0]))
    raise error(errno.ENOPROTOOPT)


def _unpack(layout: struct.Struct, value: bytes) -> tuple[int, ...]:
    if len(value) < layout.size:
        raise error(errno.EINVAL)
    return layout.unpack_from(value)


def _store_timeout(options: Options, attribute: str, value: bytes) -> str:
    seconds, microseconds = _unpack(TIMEVAL, value)
    if not 0 <= microseconds < 1_000_000:
        raise error(errno.EDOM)
    # A negative time means "do not wait at all" (sock_set_timeout); zero means for ever.
    total = 0 if seconds < 0 else seconds * SEC + microseconds * US
    setattr(options, attribute, total if total or seconds < 0 else None)
    return attribute
