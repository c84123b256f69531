"""SO_TIMESTAMPING on the way out: what a call asks for, and the message that tells (timestamping.rst)."""

import errno
from collections.abc import Sequence
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket.messages import Control, QueuedError
from pymodel.socket.options import INT, Options
from pymodel.tcp.txstamp import RECORDED

_OPT_ID: Final = 0x80
_OPT_TSONLY: Final = 0x800
_OPT_ID_TCP: Final = 0x10000
_MASK: Final = 0xFFFF_FFFF


def _flags(options: Options) -> int:
    return options.number(c.SOL_SOCKET, c.SO_TIMESTAMPING)


def wanted(options: Options, control: Sequence[Control]) -> dict[str, int]:
    """The stamps that a call wants, as an argument of `Connection.send`. Ancillary data come first."""
    flags = _flags(options) & RECORDED
    for level, kind, data in control:
        if (level, kind) == (c.SOL_SOCKET, c.SO_TIMESTAMPING):
            flags = INT.unpack(data)[0] & RECORDED
    return {"stamp": flags} if flags else {}


def numbered(options: Options) -> bool:
    """SOF_TIMESTAMPING_OPT_ID: each message says which byte it is about."""
    return bool(_flags(options) & _OPT_ID)


def from_written(options: Options) -> bool:
    """SOF_TIMESTAMPING_OPT_ID_TCP: counted from what is written next, not from what is unacknowledged."""
    return bool(_flags(options) & _OPT_ID_TCP)


def entry(options: Options, kind: int, key: int, now: int) -> QueuedError:
    """The message for byte `key`: with the packet (here: a byte of it) unless SOF_TIMESTAMPING_OPT_TSONLY."""
    flags = _flags(options)
    return QueuedError(
        errno.ENOMSG,
        c.SO_EE_ORIGIN_TIMESTAMPING,
        info=kind,
        data=key & _MASK if flags & _OPT_ID else 0,
        payload=b"" if flags & _OPT_TSONLY else b"\0",
        stamp=now if flags & c.SOF_TIMESTAMPING_SOFTWARE else None,
    )
