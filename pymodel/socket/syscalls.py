"""The system calls of one simulated host.

Each is a blocking generator (`pymodel.task.Blocking`): it yields `Wait` while it must block and
raises OSError with the errno of Linux (section 2 of the manual). The first argument is the calling
process. Addresses are (packed address, port), times are ps, options are bytes.
"""

import errno
import itertools
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pymodel.scheduler import Scheduler
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.portalloc import PortTable
from pymodel.socket.seam import SourceOf, Tcp
from pymodel.socket.sock import Network, SockAddr, Socket
from pymodel.socket.tcpsock import TcpSocket
from pymodel.socket.udpsock import UdpSocket
from pymodel.task import Blocking, Wait
from pymodel.udp import UdpLayer

if TYPE_CHECKING:
    from pymodel.socket.process import Process

FD_SETSIZE = 1024
IOV_MAX = 1024

POLL_ALWAYS = c.POLLERR | c.POLLHUP
SELECT_READ = c.POLLRDNORM | c.POLLRDBAND | c.POLLIN | c.POLLHUP | c.POLLERR
SELECT_WRITE = c.POLLWRBAND | c.POLLWRNORM | c.POLLOUT | c.POLLERR
SELECT_EXCEPT = c.POLLPRI
"""POLLIN_SET, POLLOUT_SET, POLLEX_SET of fs/select.c."""

FdSets = tuple[list[int], list[int], list[int]]


class Kernel:
    """Sockets and processes of one host.

    `addresses()`: the host's own packed addresses, now. `hosts`: names known to its resolver, shared
    by the whole simulated network. `seed`: ephemeral ports and the programs' randomness follow from it.
    Without `udp` there are no datagram sockets.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        tcp: Tcp,
        ip: SourceOf,
        addresses: Callable[[], Iterable[bytes]],
        hosts: dict[str, bytes],
        seed: int,
        udp: UdpLayer | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.hosts = hosts
        self.seed = seed
        self.network = Network(
            scheduler, tcp, ip, lambda: list(addresses()), PortTable(seed), udp, PortTable(seed + 1)
        )
        self.processes: dict[int, Process] = {}
        self._pids = itertools.count(1)

    def add_process(self, process: "Process") -> int:
        """Enter `process` into the table; its pid."""
        pid = next(self._pids)
        self.processes[pid] = process
        return pid

    def power_off(self) -> None:
        """Kill every process. Afterwards no thread of a program is left."""
        for process in list(self.processes.values()):
            process.kill()

    @contextmanager
    def _file(self, process: "Process", fd: int) -> Generator[OpenFile, None, None]:
        # Held while the call runs (fdget): a close in another thread must not pull the file away.
        file = process.files.get(fd)
        file.get()
        try:
            yield file
        finally:
            file.put()

    @contextmanager
    def _socket(self, process: "Process", fd: int) -> Generator[Socket, None, None]:
        with self._file(process, fd) as file:
            if not isinstance(file, Socket):
                raise error(errno.ENOTSOCK)
            yield file

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
        sock: Socket
        if kind == c.SOCK_DGRAM and udp is not None:
            sock = UdpSocket(self.network, process.uid, udp)
        else:
            sock = TcpSocket(self.network, process.uid)
        sock.nonblock = bool(flags & c.SOCK_NONBLOCK)
        return process.files.install(sock, cloexec=bool(flags & c.SOCK_CLOEXEC))

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
            assert isinstance(child, TcpSocket) and child.connection is not None
            return new, child.connection.remote

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
        data: bytes | bytearray | memoryview,
        flags: int = 0,
        address: SockAddr | None = None,
    ) -> Blocking[int]:
        """sendto(2); without an address send(2)."""
        with self._socket(process, fd) as sock:
            return (yield from sock.send(memoryview(data).cast("B"), flags, address))

    def send(
        self, process: "Process", fd: int, data: bytes | bytearray | memoryview, flags: int = 0
    ) -> Blocking[int]:
        """send(2)."""
        return self.sendto(process, fd, data, flags)

    def recvfrom(
        self, process: "Process", fd: int, count: int, flags: int = 0
    ) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recvfrom(2); a stream socket names no sender."""
        with self._socket(process, fd) as sock:
            return (yield from sock.receive(count, flags))

    def recv(self, process: "Process", fd: int, count: int, flags: int = 0) -> Blocking[bytes]:
        """recv(2)."""
        data, _ = yield from self.recvfrom(process, fd, count, flags)
        return data

    def sendmsg(
        self,
        process: "Process",
        fd: int,
        buffers: Sequence[memoryview],
        control: Sequence[tuple[int, int, bytes]] = (),
        flags: int = 0,
        address: SockAddr | None = None,
    ) -> Blocking[int]:
        """sendmsg(2): `buffers` are gathered. EMSGSIZE beyond IOV_MAX of them.

        `control` is (level, type, data) each. EINVAL for a level that is the socket's, as no type is known
        here; what is for other levels is ignored (sock_cmsg_send, ip_cmsg_send).
        """
        with self._socket(process, fd) as sock:
            if len(buffers) > IOV_MAX:
                raise error(errno.EMSGSIZE)
            if any(level in (c.SOL_SOCKET, c.IPPROTO_IP) for level, _, _ in control):
                raise error(errno.EINVAL)
            return (yield from sock.send(memoryview(b"".join(buffers)), flags, address))

    def recvmsg(
        self, process: "Process", fd: int, buffers: Sequence[memoryview], flags: int = 0
    ) -> Blocking[tuple[int, int, SockAddr | None]]:
        """recvmsg(2) into `buffers`, one after the other: (length, msg_flags, sender). EMSGSIZE.

        There is no ancillary data.
        """
        with self._socket(process, fd) as sock:
            if len(buffers) > IOV_MAX:
                raise error(errno.EMSGSIZE)
            message = yield from sock.receive_message(sum(map(len, buffers)), flags)
            rest = memoryview(message.data)
            for buffer in buffers:
                part = rest[: len(buffer)]
                buffer[: len(part)] = part
                rest = rest[len(part) :]
            return message.length, message.flags, message.sender

    def read(self, process: "Process", fd: int, count: int) -> Blocking[bytes]:
        """read(2)."""
        with self._file(process, fd) as file:
            return (yield from file.read(count))

    def write(self, process: "Process", fd: int, data: bytes | bytearray | memoryview) -> Blocking[int]:
        """write(2)."""
        with self._file(process, fd) as file:
            return (yield from file.write(memoryview(data).cast("B")))

    # Options

    def setsockopt(self, process: "Process", fd: int, level: int, name: int, value: bytes) -> Blocking[None]:
        """setsockopt(2)."""
        yield from ()
        with self._socket(process, fd) as sock:
            sock.set_option(level, name, value)

    def getsockopt(
        self, process: "Process", fd: int, level: int, name: int, length: int = 4
    ) -> Blocking[bytes]:
        """getsockopt(2): at most `length` bytes of the value."""
        yield from ()
        with self._socket(process, fd) as sock:
            return sock.get_option(level, name)[:length]

    # Descriptors

    def close(self, process: "Process", fd: int) -> Blocking[None]:
        """close(2): EBADF; blocks only for SO_LINGER."""
        file = process.files.remove(fd)
        if file.put():
            yield from file.linger()

    def dup(self, process: "Process", fd: int) -> Blocking[int]:
        """dup(2): EBADF, EMFILE."""
        yield from ()
        return process.files.install(process.files.get(fd))

    def dup2(self, process: "Process", fd: int, new: int) -> Blocking[int]:
        """dup2(2): EBADF; closes `new` first if it is open."""
        file = process.files.get(fd)
        if not 0 <= new < process.files.limit:
            raise error(errno.EBADF)
        if fd != new:
            old = process.files.remove(new) if process.files.peek(new) is not None else None
            process.files.install_at(new, file)
            if old is not None and old.put():
                yield from old.linger()
        return new

    def fcntl(self, process: "Process", fd: int, command: int, argument: int = 0) -> Blocking[int]:
        """fcntl(2): F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL (O_NONBLOCK); EINVAL."""
        yield from ()
        file = process.files.get(fd)
        if command in (c.F_DUPFD, c.F_DUPFD_CLOEXEC):
            if not 0 <= argument < process.files.limit:
                raise error(errno.EINVAL)
            return process.files.install(file, argument, cloexec=command == c.F_DUPFD_CLOEXEC)
        if command == c.F_GETFD:
            return c.FD_CLOEXEC if process.files.cloexec(fd) else 0
        if command == c.F_SETFD:
            process.files.set_cloexec(fd, bool(argument & c.FD_CLOEXEC))
        elif command == c.F_GETFL:
            return c.O_RDWR | (c.O_NONBLOCK if file.nonblock else 0)
        elif command == c.F_SETFL:
            file.nonblock = bool(argument & c.O_NONBLOCK)
        else:
            raise error(errno.EINVAL)
        return 0

    def ioctl(self, process: "Process", fd: int, request: int, argument: int = 0) -> Blocking[int]:
        """ioctl(2): FIONREAD (the count is the result), FIONBIO; ENOTTY."""
        yield from ()
        file = process.files.get(fd)
        if request == c.FIONBIO:
            file.nonblock = bool(argument)
            return 0
        return file.ioctl(request, argument)

    # Waiting for several

    def poll(
        self, process: "Process", fds: Sequence[tuple[int, int]], timeout: int | None = None
    ) -> Blocking[list[tuple[int, int]]]:
        """poll(2): (fd, events) in, those with something to report out; `timeout` None: for ever.

        A negative descriptor is ignored, one that is not open reports POLLNVAL.
        """
        files = [(fd, events, process.files.peek(fd)) for fd, events in fds if fd >= 0]
        for _, _, file in files:
            if file is not None:
                file.get()
        try:
            deadline = None if timeout is None else self.scheduler.now + max(timeout, 0)
            while True:
                ready = []
                for fd, events, file in files:
                    mask = c.POLLNVAL if file is None else file.poll() & (events | POLL_ALWAYS)
                    if mask:
                        ready.append((fd, mask))
                if ready or (deadline is not None and deadline <= self.scheduler.now):
                    return ready
                queues = [queue for _, _, file in files if file is not None for queue in file.wait_queues()]
                yield Wait(*queues, deadline=deadline)
        finally:
            for _, _, file in files:
                if file is not None:
                    file.put()

    def select(
        self,
        process: "Process",
        reading: Sequence[int],
        writing: Sequence[int],
        exceptional: Sequence[int],
        timeout: int | None = None,
    ) -> Blocking[FdSets]:
        """select(2) by way of `poll`: EBADF, and EINVAL for a descriptor beyond FD_SETSIZE."""
        wanted: dict[int, int] = {}
        for fds, mask in ((reading, SELECT_READ), (writing, SELECT_WRITE), (exceptional, SELECT_EXCEPT)):
            for fd in fds:
                if not 0 <= fd < FD_SETSIZE:
                    raise error(errno.EINVAL)
                process.files.get(fd)
                wanted[fd] = wanted.get(fd, 0) | mask
        deadline = None if timeout is None else self.scheduler.now + max(timeout, 0)
        while True:
            rest = None if deadline is None else deadline - self.scheduler.now
            found = dict((yield from self.poll(process, list(wanted.items()), rest)))
            sets = (
                [fd for fd in reading if found.get(fd, 0) & SELECT_READ],
                [fd for fd in writing if found.get(fd, 0) & SELECT_WRITE],
                [fd for fd in exceptional if found.get(fd, 0) & SELECT_EXCEPT],
            )
            if any(sets) or not found:
                return sets
            # A hang-up alone, which a set of writers does not count: wait until it is more than that.
            files = [process.files.get(fd) for fd in wanted]
            queues = [queue for file in files for queue in file.wait_queues()]
            if not (yield Wait(*queues, deadline=deadline)):
                return [], [], []
