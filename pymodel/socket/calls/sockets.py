"""System calls on sockets: socket(2), bind(2), connect(2), sendmsg(2), getsockopt(2) …"""

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pymodel.socket import constants as c
from pymodel.socket import ifreq
from pymodel.socket.calls import rights
from pymodel.socket.calls.base import IOV_MAX, Buffer, Calls
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.messages import Control, SockAddr, fit
from pymodel.socket.sock import Socket
from pymodel.socket.tcpsock import TcpSocket
from pymodel.socket.udpsock import UdpSocket
from pymodel.socket.unixsock import UnixSocket, socketpair
from pymodel.task import Blocking

if TYPE_CHECKING:
    from pymodel.socket.process import Process


class Received(NamedTuple):
    """What recvmsg(2) returns: the result, msg_flags, msg_name and the ancillary data."""

    length: int
    flags: int
    sender: SockAddr | None
    control: list[Control]


class SocketCalls(Calls):
    """Calls that want a socket: ENOTSOCK for any other descriptor."""

    # Making and naming sockets

    def socket(
        self, process: "Process", family: int, kind: int = c.SOCK_STREAM, protocol: int = 0
    ) -> Blocking[int]:
        """socket(2): EAFNOSUPPORT, EINVAL, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EMFILE."""
        yield from ()
        flags = kind & (c.SOCK_NONBLOCK | c.SOCK_CLOEXEC)
        kind &= ~flags
        if not 0 <= kind <= 10:  # SOCK_MAX
            raise error(errno.EINVAL)
        sock: Socket
        if family == c.AF_UNIX:
            sock = UnixSocket(self.network, process.credentials, self._unix_kind(kind, protocol))
            sock.nonblock = bool(flags & c.SOCK_NONBLOCK)
            return process.files.install(sock, cloexec=bool(flags & c.SOCK_CLOEXEC))
        if family != c.AF_INET:
            raise error(errno.EAFNOSUPPORT)
        if not 0 <= protocol <= 255:  # IPPROTO_MAX of the legacy range
            raise error(errno.EINVAL)
        udp = self.network.udp
        if kind != c.SOCK_STREAM and (kind != c.SOCK_DGRAM or udp is None):
            raise error(errno.ESOCKTNOSUPPORT)
        if protocol not in (0, c.IPPROTO_TCP if kind == c.SOCK_STREAM else c.IPPROTO_UDP):
            raise error(errno.EPROTONOSUPPORT)
        process.files.lowest_free()
        if kind == c.SOCK_DGRAM and udp is not None:
            sock = UdpSocket(self.network, process.uid, udp)
        else:
            sock = TcpSocket(self.network, process.uid)
        sock.nonblock = bool(flags & c.SOCK_NONBLOCK)
        return process.files.install(sock, cloexec=bool(flags & c.SOCK_CLOEXEC))

    @staticmethod
    def _unix_kind(kind: int, protocol: int) -> int:
        """unix_create: EPROTONOSUPPORT, ESOCKTNOSUPPORT; SOCK_RAW means datagrams."""
        if protocol not in (0, c.AF_UNIX):
            raise error(errno.EPROTONOSUPPORT)
        kind = c.SOCK_DGRAM if kind == c.SOCK_RAW else kind
        if kind not in (c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_SEQPACKET):
            raise error(errno.ESOCKTNOSUPPORT)
        return kind

    def socketpair(
        self, process: "Process", family: int, kind: int = c.SOCK_STREAM, protocol: int = 0
    ) -> Blocking[tuple[int, int]]:
        """socketpair(2): as `socket`, and EOPNOTSUPP for AF_INET."""
        yield from ()
        flags = kind & (c.SOCK_NONBLOCK | c.SOCK_CLOEXEC)
        kind &= ~flags
        if not 0 <= kind <= 10:
            raise error(errno.EINVAL)
        if family != c.AF_UNIX:
            raise error(errno.EOPNOTSUPP if family == c.AF_INET else errno.EAFNOSUPPORT)
        ends = socketpair(self.network, process.credentials, self._unix_kind(kind, protocol))
        fds: list[int] = []
        try:
            for end in ends:
                end.nonblock = bool(flags & c.SOCK_NONBLOCK)
                fds.append(process.files.install(end, cloexec=bool(flags & c.SOCK_CLOEXEC)))
        except OSError:
            for fd in fds:
                process.files.remove(fd).put()
            raise
        return fds[0], fds[1]

    def bind(self, process: "Process", fd: int, address: SockAddr) -> Blocking[None]:
        """bind(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            sock.bind(address)

    def getsockname(self, process: "Process", fd: int) -> Blocking[SockAddr]:
        """getsockname(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            return sock.local_name()

    def getpeername(self, process: "Process", fd: int) -> Blocking[SockAddr]:
        """getpeername(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            return sock.peer_name()

    # Connections

    def listen(self, process: "Process", fd: int, backlog: int) -> Blocking[None]:
        """listen(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            sock.listen(backlog)

    def accept(self, process: "Process", fd: int, flags: int = 0) -> Blocking[tuple[int, SockAddr]]:
        """accept4(2): the new descriptor and the peer's address; EMFILE, EINVAL, EAGAIN."""
        if flags & ~(c.SOCK_NONBLOCK | c.SOCK_CLOEXEC):
            raise error(errno.EINVAL)
        with self._socket(process, fd) as sock:
            process.files.lowest_free()  # EMFILE before a connection is taken from the queue
            child = yield from sock.accept()
            child.nonblock = bool(flags & c.SOCK_NONBLOCK)
            try:
                new = process.files.install(child, cloexec=bool(flags & c.SOCK_CLOEXEC))
            except OSError:
                child.release()
                raise
            return new, child.accepted_from()

    def connect(self, process: "Process", fd: int, address: SockAddr | None) -> Blocking[None]:
        """connect(2); an `address` of None is AF_UNSPEC."""
        with self._socket(process, fd) as sock:
            yield from sock.connect(address)

    def shutdown(self, process: "Process", fd: int, how: int) -> Blocking[None]:
        """shutdown(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            sock.shutdown(how)

    # Data

    def sendto(
        self,
        process: "Process",
        fd: int,
        data: Buffer,
        flags: int = 0,
        address: SockAddr | None = None,
    ) -> Blocking[int]:
        """sendto(2); without an address send(2)."""
        with self._socket(process, fd) as sock, self._sigpipe(process, sock, flags):
            return (yield from sock.send(memoryview(data).cast("B"), flags, address))

    def send(self, process: "Process", fd: int, data: Buffer, flags: int = 0) -> Blocking[int]:
        """send(2)."""
        return self.sendto(process, fd, data, flags)

    def recvfrom(
        self, process: "Process", fd: int, count: int, flags: int = 0
    ) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recvfrom(2); a stream socket names no sender."""
        with self._socket(process, fd) as sock:
            if flags & c.MSG_ERRQUEUE and sock.has_error_queue:
                message = sock.receive_error(count)
                return message.data, message.sender
            return (yield from sock.receive(count, flags))

    def recv(self, process: "Process", fd: int, count: int, flags: int = 0) -> Blocking[bytes]:
        """recv(2)."""
        data, _ = yield from self.recvfrom(process, fd, count, flags)
        return data

    def sendmsg(
        self,
        process: "Process",
        fd: int,
        buffers: Sequence[Buffer],
        control: Sequence[Control] = (),
        flags: int = 0,
        address: SockAddr | None = None,
    ) -> Blocking[int]:
        """sendmsg(2): `buffers` are gathered. EMSGSIZE beyond IOV_MAX of them.

        `control` is (level, type, data) each. EINVAL for a type that the socket does not know.
        """
        with self._socket(process, fd) as sock, self._sigpipe(process, sock, flags):
            if len(buffers) > IOV_MAX:
                raise error(errno.EMSGSIZE)
            data = memoryview(b"".join(buffers))
            if isinstance(sock, UnixSocket):
                return (yield from rights.send(process, sock, data, flags, address, control))
            return (yield from sock.send(data, flags, address, control))

    def recvmsg(
        self,
        process: "Process",
        fd: int,
        buffers: Sequence[memoryview],
        flags: int = 0,
        control_space: int | None = None,
    ) -> Blocking[Received]:
        """recvmsg(2) into `buffers`, one after the other; with MSG_ERRQUEUE from the error queue. EMSGSIZE.

        `control_space`: msg_controllen, the room for ancillary data; None: enough.
        """
        with self._socket(process, fd) as sock:
            if len(buffers) > IOV_MAX:
                raise error(errno.EMSGSIZE)
            count = sum(map(len, buffers))
            files: Sequence[OpenFile] = ()
            if flags & c.MSG_ERRQUEUE and sock.has_error_queue:
                message = sock.receive_error(count)
            elif isinstance(sock, UnixSocket):
                message, files = yield from rights.receive(sock, count, flags)
            else:
                message = yield from sock.receive_message(count, flags)
            rest = memoryview(message.data)
            for buffer in buffers:
                part = rest[: len(buffer)]
                buffer[: len(part)] = part
                rest = rest[len(part) :]
            control, truncated = fit(message.control, control_space)
            if files:
                truncated |= rights.install(process, files, control, control_space, flags)
            return Received(message.length, message.flags | truncated, message.sender, control)

    def interface_ioctl(self, process: "Process", fd: int, request: int, asked: bytes) -> Blocking[bytes]:
        """ioctl(2) with one of `ifreq.REQUESTS`, or SIOCGIFCONF, whose buffer is the result. ENODEV."""
        yield from ()
        with self._socket(process, fd) as sock:
            udp = sock.network.udp
            interfaces = [] if udp is None else udp.ip.interfaces
            if request == ifreq.SIOCGIFCONF:
                return ifreq.everything(interfaces)
            return ifreq.answer(interfaces, request, asked)

    # Options

    def setsockopt(self, process: "Process", fd: int, level: int, name: int, value: bytes) -> Blocking[None]:
        """setsockopt(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            sock.set_option(level, name, value)

    def getsockopt(
        self, process: "Process", fd: int, level: int, name: int, length: int = 4
    ) -> Blocking[bytes]:
        """getsockopt(2): at most `length` bytes of the value; EINVAL for a negative length."""
        yield from ()
        with self._socket(process, fd) as sock:
            if length < 0:
                raise error(errno.EINVAL)
            value = sock.get_option(level, name)
            number = level == c.IPPROTO_IP and name != c.IP_MULTICAST_IF
            if number and 0 < length < 4 == len(value) and not any(value[1:]):
                return value[:1]  # do_ip_getsockopt: an int that fits into one byte
            return value[:length]
