"""`struct socket`: what every kind of socket is to the system calls.

A subclass is one protocol. The defaults here are the answers of a protocol that does not know the
operation. Addresses are (packed address, port), or (sun_path, 0) for AF_UNIX.
"""

import errno
import stat
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pymodel.scheduler import Scheduler
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.messages import Control, ErrorQueue, SockAddr
from pymodel.socket.options import INT, Options, load, store
from pymodel.socket.peeking import PeekOffset
from pymodel.socket.portalloc import ANY, PortTable
from pymodel.socket.seam import SourceOf, Tcp
from pymodel.socket.unixnames import UnixNames
from pymodel.task import Blocking
from pymodel.udp import UdpLayer

_MEMINFO = struct.Struct("@9I")
_PAGE = 4096

LOOPBACK = b"\x7f\0\0\1"


class Message(NamedTuple):
    """What recvmsg(2) gives: `flags` are its msg_flags, `length` what the call returns.

    `length` is that of the whole datagram, and so more than there is `data`, only for MSG_TRUNC.
    """

    data: bytes
    sender: SockAddr | None
    flags: int
    length: int
    control: tuple[Control, ...] = ()


@dataclass(slots=True)
class Network:
    """What sockets need of the host they are on. `udp` is None on a host without UDP."""

    scheduler: Scheduler
    tcp: Tcp
    ip: SourceOf
    addresses: Callable[[], list[bytes]]
    """The host's own addresses, now."""
    tcp_ports: PortTable
    udp: UdpLayer | None
    udp_ports: PortTable
    unix: UnixNames = field(default_factory=UnixNames)

    def is_local(self, address: bytes) -> bool:
        """Whether a socket may be bound to `address`: all of 127/8 is local where loopback exists."""
        own = list(self.addresses())
        return address == ANY or address in own or (address[0] == LOOPBACK[0] and LOOPBACK in own)

    def is_group(self, address: bytes) -> bool:
        """Whether `address` is multicast or broadcast: one to be bound to, but none to send from."""
        return address[0] >> 4 == 0xE or (self.udp is not None and self.udp.ip.is_broadcast(address))


class Socket(OpenFile):
    """A socket of `family`, `type` and `protocol`, owned by user `uid`."""

    family = c.AF_INET
    type = 0
    protocol = 0
    has_error_queue = True
    """MSG_ERRQUEUE means something (not in AF_UNIX, which ignores it)."""
    mode = stat.S_IFSOCK | 0o777

    __slots__ = ("errors", "network", "options", "peek", "uid")

    def __init__(self, network: Network, uid: int) -> None:
        super().__init__()
        self.network = network
        self.uid = uid
        self.options = Options()
        self.peek = PeekOffset(lambda: self.options)
        self.errors = ErrorQueue()
        """What recvmsg(MSG_ERRQUEUE) gives."""

    @property
    def listening(self) -> bool:
        """SO_ACCEPTCONN."""
        return False

    def bind(self, address: SockAddr) -> None:
        """bind(2)."""
        raise error(errno.EOPNOTSUPP)

    def listen(self, backlog: int) -> None:
        """listen(2)."""
        raise error(errno.EOPNOTSUPP)

    def accept(self) -> Blocking["Socket"]:
        """accept(2): the new socket, not yet in any descriptor table."""
        raise error(errno.EOPNOTSUPP)

    def connect(self, address: SockAddr | None) -> Blocking[None]:
        """connect(2); None is AF_UNSPEC, which dissolves the association."""
        raise error(errno.EOPNOTSUPP)

    def send(
        self,
        data: memoryview,
        flags: int,
        address: SockAddr | None = None,
        control: Sequence[Control] = (),
    ) -> Blocking[int]:
        """sendmsg(2) of what was gathered already."""
        raise error(errno.EOPNOTSUPP)

    def receive(self, count: int, flags: int) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recvfrom(2)."""
        raise error(errno.EOPNOTSUPP)

    def receive_message(self, count: int, flags: int) -> Blocking[Message]:
        """recvmsg(2)."""
        data, sender = yield from self.receive(count, flags)
        return Message(data, sender, 0, len(data))

    def receive_error(self, count: int) -> Message:
        """recvmsg(2) with MSG_ERRQUEUE: the oldest error, up to `count` bytes of what it quotes; EAGAIN.

        What it was about becomes the pending error no more, but the next ICMP error does (ip_recv_error).
        """
        entry, pending = self.errors.take()
        self.set_error(pending)
        data = entry.payload[:count]
        flags = c.MSG_ERRQUEUE | (c.MSG_TRUNC if len(data) < len(entry.payload) else 0)
        return Message(data, entry.destination, flags, len(data), entry.controls())

    def set_error(self, number: int) -> None:
        """Make `number` the pending error, or none if it is 0."""

    def shutdown(self, how: int) -> None:
        """shutdown(2)."""
        raise error(errno.EOPNOTSUPP)

    def local_name(self) -> SockAddr:
        """getsockname(2)."""
        raise error(errno.EOPNOTSUPP)

    def peer_name(self) -> SockAddr:
        """getpeername(2)."""
        raise error(errno.ENOTCONN)

    def accepted_from(self) -> SockAddr:
        """What accept(2) says of the peer, even if that has gone meanwhile."""
        return self.peer_name()

    def take_error(self) -> int:
        """SO_ERROR: the pending errno, which is cleared."""
        return 0

    def option_stored(self, attribute: str) -> None:
        """An option of `self.options` has changed; pass it on to the protocol."""

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2) of SOL_SOCKET and IPPROTO_IP: ENOPROTOOPT, EINVAL, EDOM …"""
        stream = self.type == c.SOCK_STREAM
        self.option_stored(store(self.options, level, name, value, uid=self.uid, stream=stream))

    def get_option(self, level: int, name: int) -> bytes:
        """getsockopt(2) of SOL_SOCKET and IPPROTO_IP, not yet cut to the caller's buffer: ENOPROTOOPT.

        EOPNOTSUPP for a level that the protocol does not know (do_ip_getsockopt).
        """
        if level not in (c.SOL_SOCKET, c.IPPROTO_IP):
            raise error(errno.EOPNOTSUPP)
        if (level, name) == (c.IPPROTO_IP, c.IP_MTU):
            return INT.pack(self.path_mtu())
        if level == c.SOL_SOCKET:
            if name == c.SO_ERROR:
                return INT.pack(self.take_error())
            if name == c.SO_MEMINFO:
                return self._meminfo()
            fixed = {
                c.SO_TYPE: self.type,
                c.SO_DOMAIN: self.family,
                c.SO_PROTOCOL: self.protocol,
                c.SO_ACCEPTCONN: int(self.listening),
            }.get(name)
            if fixed is not None:
                return INT.pack(fixed)
        return load(self.options, level, name)

    def memory(self) -> tuple[int, int, int, int]:
        """Bytes of what was received, of what is being sent, of what waits to be sent; messages dropped."""
        return 0, 0, 0, 0

    def _meminfo(self) -> bytes:
        """SO_MEMINFO: the figures of `enum` SK_MEMINFO_RMEM_ALLOC … DROPS (linux/sock_diag.h).

        Memory is reserved by the page: SK_MEMINFO_FWD_ALLOC is what is left of the pages in use.
        """
        received, sending, queued, drops = self.memory()
        sndbuf, rcvbuf = (
            INT.unpack(self.get_option(c.SOL_SOCKET, name))[0] for name in (c.SO_SNDBUF, c.SO_RCVBUF)
        )
        reserved = -(received + queued) % _PAGE
        return _MEMINFO.pack(received, rcvbuf, sending, sndbuf, reserved, queued, 0, 0, drops)

    def path_mtu(self) -> int:
        """IP_MTU: ENOTCONN."""
        raise error(errno.ENOTCONN)

    def read(self, count: int) -> Blocking[bytes]:
        """read(2) is recv(2) without flags, but does not look at the socket for 0 bytes (sock_read_iter)."""
        if not count:
            return b""
        data, _ = yield from self.receive(count, 0)
        return data

    def write(self, data: memoryview) -> Blocking[int]:
        """write(2) is send(2) without flags."""
        return (yield from self.send(data, 0))

    def deadline(self, limit: int | None, flags: int = 0) -> int | None:
        """Until when (ps) an operation may block: now if it may not, None if for ever."""
        if self.nonblock or flags & c.MSG_DONTWAIT:
            return self.network.scheduler.now
        return None if limit is None else self.network.scheduler.now + limit
