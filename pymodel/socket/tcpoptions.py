"""Socket options of the level IPPROTO_TCP (tcp(7)): bytes of the system call to and from `TcpOptions`."""

import errno
import struct
from typing import Any, Final

from pymodel.simtime import MS, SEC
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.options import INT, INT_MAX, Number
from pymodel.tcp import Profile, TcpOptions
from pymodel.tcp.algorithms import ALGORITHMS
from pymodel.tcp.md5sig import KEY_MAX

BSD_MAXSEG_MIN: Final = 216 - 40
"""net.inet.tcp.minmss counts the headers."""
CLAMP_MIN: Final = 1152
"""SOCK_MIN_RCVBUF / 2: the least TCP_WINDOW_CLAMP."""
LINGER2_MAX: Final = 120
"""TCP_FIN_TIMEOUT_MAX, in s."""
NAME_MAX: Final = 16
"""TCP_CA_NAME_MAX: bytes in the name of a congestion control."""
_RTO_FIRST, _RTO_LAST = 1, 120
"""TCP_TIMEOUT_INIT and TCP_RTO_MAX, in s."""

_RANGES: Final[dict[int, Number]] = {
    c.TCP_NODELAY: Number(flag=True),
    c.TCP_MAXSEG: Number(),
    c.TCP_CORK: Number(flag=True),
    c.TCP_KEEPIDLE: Number(low=1, high=32_767),
    c.TCP_KEEPINTVL: Number(low=1, high=32_767),
    c.TCP_KEEPCNT: Number(low=1, high=127),
    c.TCP_SYNCNT: Number(low=1, high=127),
    c.TCP_LINGER2: Number(),
    c.TCP_DEFER_ACCEPT: Number(),
    c.TCP_WINDOW_CLAMP: Number(),
    c.TCP_USER_TIMEOUT: Number(low=0),
    c.TCP_NOTSENT_LOWAT: Number(),
    c.TCP_FASTOPEN: Number(low=0),
    c.TCP_FASTOPEN_NO_COOKIE: Number(low=0, high=1),
}
"""What `TcpOptions` knows."""

INERT: Final[dict[int, Number]] = {
    c.TCP_QUICKACK: Number(default=1, flag=True),
    c.TCP_THIN_LINEAR_TIMEOUTS: Number(low=0, high=1),
    c.TCP_THIN_DUPACK: Number(low=0, high=1),
    c.TCP_SAVE_SYN: Number(low=0, high=2),
    c.TCP_FASTOPEN_CONNECT: Number(low=0, high=1),
    c.TCP_INQ: Number(low=0, high=1),
    c.TCP_TX_DELAY: Number(low=0),
}
"""What the socket itself keeps."""


def period_of(seconds: int) -> int:
    """TCP_DEFER_ACCEPT counts SYN,ACKs, not seconds: the time of as many as `seconds` takes (in s)."""
    if seconds <= 0:
        return 0
    timeout = period = _RTO_FIRST
    count = 1
    while seconds > period and count < 255:  # rskq_defer_accept is a byte
        count += 1
        timeout = min(timeout << 1, _RTO_LAST)
        period += timeout
    return period


_MD5SIG: Final = struct.Struct("=H2x4s120xBBHi80s")
"""struct tcp_md5sig: sockaddr_storage (of which the IPv4 address counts), flags, prefix length, key length,
interface, key."""


def parse_md5(value: bytes, keys: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """TCP_MD5SIG: `keys` with the one in `value` added, or removed if it is empty. EINVAL, ENOENT."""
    if len(value) < _MD5SIG.size:
        raise error(errno.EINVAL)
    family, address, _, _, length, _, key = _MD5SIG.unpack_from(value)
    if family != c.AF_INET or length > KEY_MAX:
        raise error(errno.EINVAL)
    if not length:
        if address not in keys:
            raise error(errno.ENOENT)
        return {other: kept for other, kept in keys.items() if other != address}
    return {**keys, address: key[:length]}


def parse(name: int, value: bytes, *, closed: bool, maxseg: int = 0) -> tuple[str, Any]:
    """setsockopt(2): the `TcpOptions` attribute and its value. `closed`: there is no connection.

    `maxseg`: TCP_MAXSEG can only lower the segment size, which is this now (the BSDs); 0: as in Linux.
    OSError: ENOPROTOOPT, EINVAL, ENOENT (an unknown congestion control or upper layer protocol).
    """
    if name == c.TCP_CONGESTION:
        if not value:
            raise error(errno.EINVAL)
        text = value[: NAME_MAX - 1].split(b"\0")[0].decode("ascii", "replace")
        if text not in ALGORITHMS:
            raise error(errno.ENOENT)
        return "congestion", text
    if name == c.TCP_ULP:
        raise error(errno.ENOENT if value else errno.EINVAL)  # no upper layer protocol is there
    if name == c.TCP_FASTOPEN_KEY:
        if len(value) not in (16, 32):
            raise error(errno.EINVAL)
        return "fastopen_keys", tuple(value[at : at + 16] for at in range(0, len(value), 16))
    spec = _RANGES.get(name)
    if len(value) < INT.size:
        raise error(errno.EINVAL)
    if spec is None:
        raise error(errno.ENOPROTOOPT)
    number = spec.check(INT.unpack_from(value)[0], 0)
    match name:
        case c.TCP_NODELAY:
            return "nodelay", bool(number)
        case c.TCP_CORK:
            return "cork", bool(number)
        case c.TCP_MAXSEG:
            least, most = (BSD_MAXSEG_MIN, maxseg) if maxseg else (88, 32_767)
            if (number or maxseg) and not least <= number <= most:
                raise error(errno.EINVAL)
            return "maxseg", number
        case c.TCP_KEEPIDLE:
            return "keepalive_idle", number * SEC
        case c.TCP_KEEPINTVL:
            return "keepalive_interval", number * SEC
        case c.TCP_KEEPCNT:
            return "keepalive_count", number
        case c.TCP_SYNCNT:
            return "syncnt", number
        case c.TCP_LINGER2:
            return "linger2", None if number == 0 else -1 if number < 0 else min(number, LINGER2_MAX) * SEC
        case c.TCP_DEFER_ACCEPT:
            return "defer_accept", period_of(number) * SEC
        case c.TCP_WINDOW_CLAMP:
            if number == 0 and not closed:
                raise error(errno.EINVAL)
            return "window_clamp", max(number, CLAMP_MIN) if number else 0
        case c.TCP_USER_TIMEOUT:
            return "user_timeout", number * MS
        case c.TCP_FASTOPEN:
            return "fastopen", min(number, c.SOMAXCONN)
        case c.TCP_FASTOPEN_NO_COOKIE:
            return "fastopen_no_cookie", bool(number)
        case _:
            return "notsent_lowat", number & 0xFFFF_FFFF or None


def show(options: TcpOptions, name: int, profile: Profile) -> bytes:
    """getsockopt(2) of what `parse` sets, or the host's default of it; OSError(ENOPROTOOPT)."""
    match name:
        case c.TCP_CONGESTION:
            return (options.congestion or profile.congestion).encode().ljust(NAME_MAX, b"\0")
        case c.TCP_NODELAY:
            number = int(bool(options.nodelay))
        case c.TCP_CORK:
            number = int(options.cork)
        case c.TCP_MAXSEG:
            number = options.maxseg or profile.default_mss
        case c.TCP_KEEPIDLE:
            number = (options.keepalive_idle or profile.keepalive_idle) // SEC
        case c.TCP_KEEPINTVL:
            number = (options.keepalive_interval or profile.keepalive_interval) // SEC
        case c.TCP_KEEPCNT:
            number = options.keepalive_count or profile.keepalive_count
        case c.TCP_SYNCNT:
            number = options.syncnt or profile.syn_retries
        case c.TCP_LINGER2:
            linger2 = profile.fin_timeout if options.linger2 is None else options.linger2
            number = max(linger2 // SEC, -1)
        case c.TCP_DEFER_ACCEPT:
            number = options.defer_accept // SEC
        case c.TCP_WINDOW_CLAMP:
            number = options.window_clamp
        case c.TCP_USER_TIMEOUT:
            number = options.user_timeout // MS
        case c.TCP_FASTOPEN:
            number = options.fastopen
        case c.TCP_FASTOPEN_NO_COOKIE:
            number = int(options.fastopen_no_cookie)
        case c.TCP_FASTOPEN_KEY:
            return b"".join(options.fastopen_keys)
        case c.TCP_NOTSENT_LOWAT:
            lowat = options.notsent_lowat or 0
            number = lowat if lowat <= INT_MAX else lowat - (1 << 32)
        case _:
            raise error(errno.ENOPROTOOPT)
    return INT.pack(number)
