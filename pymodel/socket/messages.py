"""What travels beside the data: ancillary data (cmsg(3)) and the error queue (ip(7), IP_RECVERR)."""

import errno
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from pymodel.simtime import US
from pymodel.socket import constants as c
from pymodel.socket.errors import error

SockAddr = tuple[bytes, int]
"""`struct sockaddr_in`: packed address and port."""

Control = tuple[int, int, bytes]
"""One piece of ancillary data: (level, type, data)."""

EPOCH: Final = 1_767_225_600
"""Seconds from 1970 to simulated time 0, which is 2026-01-01 00:00:00 UTC."""

CMSG_HEADER: Final = 16
"""sizeof(struct cmsghdr) on 64-bit machines; pieces are aligned to 8 bytes."""

_INT = struct.Struct("@i")
_TIME = struct.Struct("@ll")
_EXTENDED = struct.Struct("@IBBBBII")
_SOCKADDR_IN = struct.Struct("=HH4s8x")
_PKTINFO = struct.Struct("@i4s4s")


def cmsg_len(length: int) -> int:
    """CMSG_LEN: header and data."""
    return CMSG_HEADER + length


def cmsg_space(length: int) -> int:
    """CMSG_SPACE: what a piece takes, with padding."""
    return CMSG_HEADER + (length + 7 & ~7)


def fit(control: Sequence[Control], space: int | None) -> tuple[list[Control], int]:
    """What of `control` fits into `space` bytes (None: all), and MSG_CTRUNC if something does not."""
    if space is None:
        return list(control), 0
    kept: list[Control] = []
    for level, kind, data in control:
        if space < CMSG_HEADER:
            return kept, c.MSG_CTRUNC
        room = space - CMSG_HEADER
        kept.append((level, kind, data[:room]))
        if room < len(data):
            return kept, c.MSG_CTRUNC
        space = max(space - cmsg_space(len(data)), 0)
    return kept, 0


def sockaddr_in(address: SockAddr) -> bytes:
    """`struct sockaddr_in`, 16 bytes."""
    host, port = address
    return _SOCKADDR_IN.pack(c.AF_INET, (port & 0xFF) << 8 | port >> 8, host)


def timestamp(options_ns: bool, when: int) -> Control:
    """SCM_TIMESTAMP (struct timeval), or SCM_TIMESTAMPNS (struct timespec), of the time `when` in ps."""
    seconds, rest = divmod(when, 10**12)
    if options_ns:
        return c.SOL_SOCKET, c.SO_TIMESTAMPNS, _TIME.pack(EPOCH + seconds, rest // 1000)
    return c.SOL_SOCKET, c.SO_TIMESTAMP, _TIME.pack(EPOCH + seconds, rest // US)


def timestamping(when: int) -> Control:
    """SCM_TIMESTAMPING: three times, of which the first is the software's."""
    seconds, rest = divmod(when, 10**12)
    return c.SOL_SOCKET, c.SO_TIMESTAMPING, _TIME.pack(EPOCH + seconds, rest // 1000) + bytes(32)


def pktinfo(interface: int, local: bytes, destination: bytes) -> Control:
    """IP_PKTINFO: `struct in_pktinfo`."""
    return c.IPPROTO_IP, c.IP_PKTINFO, _PKTINFO.pack(interface, local, destination)


class Outgoing(NamedTuple):
    """What ancillary data says of a datagram to send; None: as the socket does."""

    source: bytes | None = None
    interface: int = 0
    """Index of the one to leave by; 0: any."""
    ttl: int | None = None
    tos: int | None = None
    segment: int | None = None
    """UDP_SEGMENT."""


NOTHING_SAID: Final = Outgoing()


def check_socket_level(control: Sequence[Control]) -> None:
    """sock_cmsg_send: EINVAL for a type of SOL_SOCKET that is none; other levels are ignored."""
    for level, kind, data in control:
        if level != c.SOL_SOCKET or kind in (c.SCM_RIGHTS, c.SCM_CREDENTIALS):
            continue
        if kind not in (c.SO_MARK, c.SO_TIMESTAMPING, c.SO_PRIORITY) or len(data) != _INT.size:
            raise error(errno.EINVAL)


def outgoing(control: Sequence[Control]) -> Outgoing:
    """ip_cmsg_send and udp_cmsg_send: EINVAL for an unknown type or a wrong size or value."""
    check_socket_level(control)
    result = Outgoing()
    for level, kind, data in control:
        if level == c.IPPROTO_UDP:
            if kind != c.UDP_SEGMENT or len(data) != 2:
                raise error(errno.EINVAL)
            result = result._replace(segment=int(struct.unpack("@H", data)[0]))
        elif level == c.IPPROTO_IP:
            result = _ip_piece(result, kind, data)
    return result


def _ip_piece(result: Outgoing, kind: int, data: bytes) -> Outgoing:
    if kind == c.IP_PKTINFO and len(data) == _PKTINFO.size:
        interface, source, _ = _PKTINFO.unpack(data)
        return result._replace(source=source if any(source) else None, interface=interface)
    if kind == c.IP_TTL and len(data) == _INT.size:
        ttl = _INT.unpack(data)[0]
        if 1 <= ttl <= 255:
            return result._replace(ttl=ttl)
    if kind == c.IP_TOS and len(data) in (1, _INT.size):
        tos = data[0] if len(data) == 1 else _INT.unpack(data)[0]
        if 0 <= tos <= 255:
            return result._replace(tos=tos)
    raise error(errno.EINVAL)


class QueuedError(NamedTuple):
    """One entry of an error queue: `struct sock_extended_err`, and what comes with it.

    `offender`: who has reported an ICMP error. `destination`: where the packet went, which becomes the name
    of the message. `payload`: as much of the packet's data as the report quotes.
    """

    number: int
    origin: int
    kind: int = 0
    code: int = 0
    info: int = 0
    data: int = 0
    offender: bytes | None = None
    destination: SockAddr | None = None
    payload: bytes = b""
    stamp: int | None = None
    """When it happened (ps), where that is the message (SO_TIMESTAMPING)."""

    def controls(self) -> tuple[Control, ...]:
        """The ancillary data of the message: IP_RECVERR, behind the time stamp if there is one."""
        piece = self.control()
        return (piece,) if self.stamp is None else (timestamping(self.stamp), piece)

    def control(self) -> Control:
        """The IP_RECVERR piece that carries it."""
        head = _EXTENDED.pack(self.number, self.origin, self.kind, self.code, 0, self.info, self.data)
        tail = bytes(16) if self.offender is None else sockaddr_in((self.offender, 0))
        return c.IPPROTO_IP, c.IP_RECVERR, head + tail


class ErrorQueue:
    """The errors that recvmsg(MSG_ERRQUEUE) returns, the oldest first."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[QueuedError] = []  # mostly none, for which a deque takes 760 bytes

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: QueuedError) -> None:
        """Queue `entry`; a zero-copy completion that continues the last one extends it."""
        if self._entries and entry.origin == c.SO_EE_ORIGIN_ZEROCOPY:
            last = self._entries[-1]
            if last.origin == entry.origin and last.data + 1 == entry.info:
                self._entries[-1] = last._replace(data=entry.data)
                return
        self._entries.append(entry)

    def take(self) -> tuple[QueuedError, int]:
        """The oldest entry, and the errno that becomes pending (that of the next ICMP error). EAGAIN."""
        if not self._entries:
            raise error(errno.EAGAIN)
        entry = self._entries.pop(0)
        following = self._entries[0] if self._entries else None
        pending = following.number if following and following.origin == c.SO_EE_ORIGIN_ICMP else 0
        return entry, pending


class ZeroCopy:
    """MSG_ZEROCOPY of one socket: which calls are not completed yet, by their position in the stream."""

    __slots__ = ("_next", "_pending")

    def __init__(self) -> None:
        self._next = 0
        self._pending: list[tuple[int, int, bool]] = []

    def sent(self, end: int, copied: bool = True) -> None:
        """One call whose last byte is number `end` (counted from 1). `copied`: its bytes were, after all."""
        self._pending.append((self._next, end, copied))
        self._next = self._next + 1 & 0xFFFF_FFFF

    @property
    def waiting(self) -> bool:
        """Whether a call is not completed."""
        return bool(self._pending)

    def completed(self, end: int) -> QueuedError | None:
        """Everything up to byte `end` is done with: the notification of the calls that this completes.

        One tells of calls of one kind only, copied or not (skb_zerocopy_notify_extend): ask again.
        """
        pending = self._pending
        if not pending or pending[0][1] > end:
            return None
        first, _, copied = pending[0]
        last = first
        while pending and pending[0][1] <= end and pending[0][2] == copied:
            last = pending.pop(0)[0]
        code = c.SO_EE_CODE_ZEROCOPY_COPIED if copied else 0
        return QueuedError(0, c.SO_EE_ORIGIN_ZEROCOPY, code=code, info=first, data=last)
