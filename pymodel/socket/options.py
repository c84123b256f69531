"""Socket options of the levels SOL_SOCKET and IPPROTO_IP as data (socket(7), ip(7)).

Options travel as in the system call, as bytes: an int, `struct linger` or `struct timeval`.
"""

import errno
import struct
from dataclasses import dataclass, field
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
INT_MAX: Final = 0x7FFF_FFFF
INT_MIN: Final = -INT_MAX - 1

Key = tuple[int, int]
"""(level, name)."""


@dataclass(frozen=True, slots=True)
class Number:
    """An option that is an int: `low`…`high`, else EINVAL. `flag`: any value but 0 counts as 1."""

    default: int = 0
    low: int = INT_MIN
    high: int = INT_MAX
    flag: bool = False
    privileged: int = 0
    """The errno for an ordinary user who asks for more than `free`."""
    free: int = -1

    def check(self, number: int, uid: int) -> int:
        """`number` as it is stored; EINVAL, or `privileged`."""
        if self.privileged and uid and not 0 <= number <= self.free:
            raise error(self.privileged)
        if not self.low <= number <= self.high:
            raise error(errno.EINVAL)
        return int(number != 0) if self.flag else number


FLAG: Final = Number(flag=True)
_SOL, _IP = c.SOL_SOCKET, c.IPPROTO_IP

NUMBERS: Final[dict[Key, Number]] = {
    (_SOL, c.SO_DEBUG): Number(flag=True, privileged=errno.EACCES),
    (_SOL, c.SO_NO_CHECK): FLAG,
    (_SOL, c.SO_PRIORITY): Number(privileged=errno.EPERM, free=6),
    (_SOL, c.SO_TIMESTAMP): FLAG,
    (_SOL, c.SO_TIMESTAMPNS): FLAG,
    (_SOL, c.SO_MARK): Number(privileged=errno.EPERM),
    (_SOL, c.SO_TIMESTAMPING): Number(low=0, high=(1 << 18) - 1),
    (_SOL, c.SO_RXQ_OVFL): FLAG,
    (_SOL, c.SO_PEEK_OFF): Number(default=-1),
    (_SOL, c.SO_SELECT_ERR_QUEUE): FLAG,
    (_SOL, c.SO_BUSY_POLL): Number(low=0, privileged=errno.EPERM, free=0),
    (_SOL, c.SO_MAX_PACING_RATE): Number(default=-1),
    (_SOL, c.SO_INCOMING_CPU): Number(default=-1),
    (_SOL, c.SO_ZEROCOPY): Number(low=0, high=1),
    (_IP, c.IP_TOS): Number(),
    (_IP, c.IP_TTL): Number(default=64, low=-1, high=255),
    (_IP, c.IP_RECVOPTS): FLAG,
    (_IP, c.IP_RETOPTS): FLAG,
    (_IP, c.IP_PKTINFO): FLAG,
    (_IP, c.IP_MTU_DISCOVER): Number(default=c.IP_PMTUDISC_WANT, low=0, high=5),
    (_IP, c.IP_RECVERR): FLAG,
    (_IP, c.IP_RECVTTL): FLAG,
    (_IP, c.IP_RECVTOS): FLAG,
    (_IP, c.IP_FREEBIND): FLAG,
    (_IP, c.IP_TRANSPARENT): Number(flag=True, privileged=errno.EPERM),
    (_IP, c.IP_RECVORIGDSTADDR): FLAG,
    (_IP, c.IP_MINTTL): Number(low=0, high=255),
    (_IP, c.IP_BIND_ADDRESS_NO_PORT): FLAG,
    (_IP, c.IP_RECVFRAGSIZE): FLAG,
    (_IP, c.IP_MULTICAST_TTL): Number(default=1, low=-1, high=255),
    (_IP, c.IP_MULTICAST_LOOP): Number(default=1, flag=True),
    (_IP, c.IP_MULTICAST_ALL): Number(default=1, low=0, high=1),
}
"""Options whose value lives in `Options.numbers`."""

_NEVER_EMPTY: Final = frozenset(
    {c.IP_TTL, c.IP_MINTTL, c.IP_FREEBIND, c.IP_TRANSPARENT, c.IP_MULTICAST_TTL, c.IP_MULTICAST_LOOP,
     c.IP_MULTICAST_ALL}
)  # fmt: skip
"""Of these an empty value is EINVAL; of the others it is 0 (do_ip_setsockopt)."""
_NOT_FOR_STREAMS: Final = frozenset({c.IP_RECVFRAGSIZE, c.IP_MULTICAST_TTL, c.IP_MULTICAST_IF})


@dataclass(slots=True)
class Options:
    """What a program has set. Times in ps (None: no limit), sizes as getsockopt reports them."""

    reuse_address: int = 0
    reuse_port: int = 0
    keepalive: int = 0
    broadcast: int = 0
    oobinline: int = 0
    dontroute: int = 0
    receive_low_water: int = 1
    linger: int = 0
    linger_seconds: int = 0
    """What close(2) waits at most, if `linger` is on; 0: reset at once."""
    receive_timeout: int | None = None
    send_timeout: int | None = None
    send_buffer: int | None = None
    """sk_sndbuf: twice what was asked for; None: never set, so the stack decides."""
    receive_buffer: int | None = None
    overhead: int = 2
    """Bytes that a buffer's size counts for one of payload: two in Linux, one in the BSDs."""
    buffer_max: int = BUFFER_MAX
    default_buffers: tuple[int, int] = (SNDBUF_DEFAULT, RCVBUF_DEFAULT)
    """What SO_SNDBUF and SO_RCVBUF show before they are set."""
    numbers: dict[Key, int] = field(default_factory=dict)
    """Those of `NUMBERS` that differ from the default."""
    ip_options: bytes = b""
    device: bytes = b""
    """SO_BINDTODEVICE."""

    def number(self, level: int, name: int) -> int:
        """The value of one of `NUMBERS`."""
        key = (level, name)
        return self.numbers.get(key, NUMBERS[key].default)


_FLAGS: Final = {
    (_SOL, c.SO_REUSEADDR): "reuse_address",
    (_SOL, c.SO_REUSEPORT): "reuse_port",
    (_SOL, c.SO_KEEPALIVE): "keepalive",
    (_SOL, c.SO_BROADCAST): "broadcast",
    (_SOL, c.SO_OOBINLINE): "oobinline",
    (_SOL, c.SO_DONTROUTE): "dontroute",
}

_BUFFERS: Final = {
    (_SOL, c.SO_SNDBUF): ("send_buffer", SNDBUF_MIN, False),
    (_SOL, c.SO_RCVBUF): ("receive_buffer", RCVBUF_MIN, False),
    (_SOL, c.SO_SNDBUFFORCE): ("send_buffer", SNDBUF_MIN, True),
    (_SOL, c.SO_RCVBUFFORCE): ("receive_buffer", RCVBUF_MIN, True),
}

_TIMEOUTS: Final = {
    (_SOL, c.SO_RCVTIMEO): "receive_timeout",
    (_SOL, c.SO_SNDTIMEO): "send_timeout",
}


def store(options: Options, level: int, name: int, value: bytes, *, uid: int, stream: bool) -> str:
    """setsockopt(2) on `options`; the name of the attribute that changed.

    OSError: ENOPROTOOPT for an unknown or read-only option, EINVAL for a value too short or out of
    range, EDOM for a timeval whose microseconds are none, ENODEV, EACCES, EPERM.
    """
    key = (level, name)
    if key in _TIMEOUTS:
        return _store_timeout(options, _TIMEOUTS[key], value)
    if key == (_SOL, c.SO_LINGER):
        on, seconds = _unpack(LINGER, value)
        options.linger = int(on != 0)
        if on:
            options.linger_seconds = seconds
        return "linger"
    if key == (_SOL, c.SO_BINDTODEVICE):
        wanted = value[:15].split(b"\0")[0]
        if wanted not in (b"", b"lo", b"eth0"):
            raise error(errno.ENODEV)
        options.device = wanted
        return "device"
    if level == _IP:
        _store_ip(options, name, value, uid, stream)
        return "numbers"
    (number,) = _unpack(INT, value)
    if key in NUMBERS:
        options.numbers[key] = NUMBERS[key].check(number, uid)
        if name in (c.SO_TIMESTAMP, c.SO_TIMESTAMPNS) and number:  # there is one time stamp, of one kind
            other = c.SO_TIMESTAMPNS if name == c.SO_TIMESTAMP else c.SO_TIMESTAMP
            options.numbers[_SOL, other] = 0
        return "numbers"
    if key in _FLAGS:
        attribute, stored = _FLAGS[key], int(number != 0)
    elif key in _BUFFERS:
        attribute, minimum, force = _BUFFERS[key]
        if force and uid:
            raise error(errno.EPERM)
        if options.overhead == 1:
            if not number > 0:
                raise error(errno.EINVAL)
            if number > options.buffer_max:
                raise error(errno.ENOBUFS)
            minimum = 1
        # Linux takes the number as unsigned here: a negative size means the largest.
        asked = max(number, 0) if force else min(number & 0xFFFF_FFFF, options.buffer_max)
        stored = max(min(options.overhead * asked, INT_MAX), minimum)
    elif key == (_SOL, c.SO_RCVLOWAT):
        # Never more than the buffer can hold beside its overhead (tcp_set_rcvlowat).
        most = (options.receive_buffer or RCVBUF_LARGEST) // 2 if stream else INT_MAX
        attribute, stored = "receive_low_water", min(number or 1, most) if number >= 0 else most
    elif key == (_SOL, c.SO_BSDCOMPAT):
        return "bsdcompat"  # accepted and forgotten, as in Linux
    else:
        raise error(errno.ENOPROTOOPT)
    setattr(options, attribute, stored)
    return attribute


def _store_ip(options: Options, name: int, value: bytes, uid: int, stream: bool) -> None:
    """do_ip_setsockopt: a value may be an int or a single byte."""
    if name == c.IP_OPTIONS:
        if value.strip(b"\0\1"):
            raise error(errno.EINVAL)  # only padding is taken: no options are sent
        options.ip_options = value if any(value) else b""
        return
    if name in (c.IP_ADD_MEMBERSHIP, c.IP_DROP_MEMBERSHIP, c.IP_MULTICAST_IF):
        if stream:
            raise error(errno.EINVAL if name == c.IP_MULTICAST_IF else errno.EPROTO)
        if len(value) < (4 if name == c.IP_MULTICAST_IF else 8):
            raise error(errno.EINVAL)
        return
    spec = NUMBERS.get((_IP, name))
    if spec is None:
        raise error(errno.ENOPROTOOPT)
    if (stream and name in _NOT_FOR_STREAMS) or (not value and name in _NEVER_EMPTY):
        raise error(errno.EINVAL)
    number = INT.unpack_from(value)[0] if len(value) >= INT.size else value[0] if value else 0
    if name == c.IP_TTL and number == 0:
        raise error(errno.EINVAL)
    if name == c.IP_TOS:
        number &= 0xFC if stream else 0xFF  # TCP's two ECN bits are its own (RFC 3168)
    number = spec.check(number, uid)
    options.numbers[_IP, name] = spec.default if number == -1 else number


def load(options: Options, level: int, name: int) -> bytes:
    """getsockopt(2) of what `store` keeps; OSError(ENOPROTOOPT) for anything else."""
    key = (level, name)
    if key in _TIMEOUTS:
        limit: int | None = getattr(options, _TIMEOUTS[key])
        return TIMEVAL.pack(*divmod((limit or 0) // US, 1_000_000))
    if key == (_SOL, c.SO_LINGER):
        return LINGER.pack(options.linger, options.linger_seconds)
    if key == (_SOL, c.SO_SNDBUF):
        return INT.pack(options.send_buffer or options.default_buffers[0])
    if key == (_SOL, c.SO_RCVBUF):
        return INT.pack(options.receive_buffer or options.default_buffers[1])
    if key == (_SOL, c.SO_RCVLOWAT):
        return INT.pack(options.receive_low_water)
    if key == (_SOL, c.SO_SNDLOWAT):
        return INT.pack(1)
    if key == (_SOL, c.SO_BSDCOMPAT):
        return INT.pack(0)
    if key == (_SOL, c.SO_BINDTODEVICE):
        return options.device + b"\0" if options.device else b""
    if key == (_SOL, c.SO_TIMESTAMPING):
        return LINGER.pack(options.number(*key), 0)  # struct so_timestamping: flags, bind_phc
    if key in _FLAGS:
        return INT.pack(getattr(options, _FLAGS[key]))
    if key in NUMBERS:
        return INT.pack(options.number(level, name))
    if key == (_IP, c.IP_OPTIONS):
        return options.ip_options
    if key == (_IP, c.IP_MULTICAST_IF):
        return bytes(4)
    if key == (_IP, c.IP_HDRINCL):
        return INT.pack(0)  # only raw sockets may set it
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
