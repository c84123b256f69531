"""The life of an AF_UNIX socket: its state, its name, whom it is connected to (unix(7)).

Which errno wins follows net/unix/af_unix.c of Linux.
"""

import errno
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.messages import SockAddr
from pymodel.socket.options import BUFFER_MAX
from pymodel.socket.sock import Network, Socket
from pymodel.socket.unixnames import UNNAMED
from pymodel.task import Blocking, Wait

DGRAM_QUEUE: Final = 10
"""net.unix.max_dgram_qlen: a receiver holds one more."""

_SKB, _SHARED, _HEAD_MAX, _PAGE = 256, 320, 16384, 4096
"""Bytes of `struct sk_buff`, of skb_shared_info, of the largest linear part, of a page."""

READABLE: Final = c.POLLIN | c.POLLRDNORM
WRITABLE: Final = c.POLLOUT | c.POLLWRNORM | c.POLLWRBAND


def truesize(length: int) -> int:
    """What `length` bytes take of a send buffer, with the buffers' own size (skb->truesize)."""
    head = min(length + _SHARED, _HEAD_MAX)
    rest = max(length + _SHARED - _HEAD_MAX, 0)
    return _SKB + max(1 << (head - 1).bit_length(), 512) + -(-rest // _PAGE) * _PAGE


@dataclass(eq=False, slots=True)
class Piece:
    """One sk_buff in a queue: who sent it, and which files travel with it.

    In a stream it has no data only if it was the urgent byte, and that was read.
    """

    data: memoryview
    sender: "UnixLife"
    charge: int
    credentials: tuple[int, int, int]
    files: Sequence[OpenFile] = ()

    def freed(self) -> None:
        """The piece has left the queue: its sender has room again."""
        self.sender.charged -= self.charge
        self.sender.notify(WRITABLE)


class UnixLife(Socket):
    """An AF_UNIX socket of `kind` made by process `owner`: (pid, uid, gid). It carries no data yet."""

    family = c.AF_UNIX
    has_error_queue = False

    def __init__(self, network: Network, owner: tuple[int, int, int], kind: int) -> None:
        super().__init__(network, owner[1])
        self.type = kind
        self.owner = owner
        self.sigpipe = kind == c.SOCK_STREAM
        self.options.default_buffers = BUFFER_MAX, BUFFER_MAX
        self.peer: UnixLife | None = None
        self.peer_credentials = (0, 0xFFFF_FFFF, 0xFFFF_FFFF)
        self.path = b""
        self.state = "CLOSED"
        self.dead = False
        self.charged = 0
        """Bytes of the send buffer that are in use (sk_wmem_alloc)."""
        self.passing = False
        """Credentials of senders are wanted (SO_PASSCRED)."""
        self._receive_shut = self._send_shut = False
        self._error = 0
        self._backlog = 0
        self._queue: deque[Piece] = deque()
        self._embryos: deque[Self] = deque()
        self._urgent: Piece | None = None
        """What was sent last with MSG_OOB, if it has not been read."""

    # State

    @property
    def listening(self) -> bool:
        """SO_ACCEPTCONN."""
        return self.state == "LISTEN"

    @property
    def _connected_kind(self) -> bool:
        return self.type != c.SOCK_DGRAM

    @property
    def send_buffer(self) -> int:
        """sk_sndbuf."""
        return self.options.send_buffer or BUFFER_MAX

    @property
    def queued(self) -> int:
        """Bytes that can be read (a datagram socket: those of the first)."""
        if self.type == c.SOCK_DGRAM:
            return len(self._queue[0].data) if self._queue else 0
        return sum(len(piece.data) for piece in self._queue)

    @property
    def waiting(self) -> tuple[int, int]:
        """Connections that wait for accept(2), and the backlog."""
        return len(self._embryos), self._backlog

    @property
    def full(self) -> bool:
        """The receive queue takes no further datagram."""
        return len(self._queue) > DGRAM_QUEUE

    def poll(self) -> int:
        """unix_poll and unix_dgram_poll."""
        mask = c.POLLERR if self._error or self.errors else 0
        if self._receive_shut:
            mask |= c.POLLRDHUP | READABLE
            mask |= c.POLLHUP if self._send_shut else 0
        if self._queue or self._embryos:
            mask |= READABLE
        if self._urgent is not None:
            mask |= c.POLLPRI
        if self._connected_kind and self.state == "CLOSED":
            mask |= c.POLLHUP
        writable = self.state != "LISTEN" and self.charged << 2 <= self.send_buffer
        if self.type == c.SOCK_DGRAM and self.peer is not None and self.peer.peer is not self:
            writable &= self.peer.dead or not self.peer.full
        return mask | (WRITABLE if writable else 0)

    def _expired(self, deadline: int | None) -> bool:
        return deadline is not None and deadline <= self.network.scheduler.now

    def _wait(self, deadline: int | None, other: "UnixLife | None" = None) -> Blocking[None]:
        """Until this socket, or `other`, is woken. EAGAIN at the deadline."""
        if self._expired(deadline):
            raise error(errno.EAGAIN)
        queues = [self.queue] if other is None else [self.queue, other.queue]
        yield Wait(*queues, deadline=deadline)

    # Names

    def bind(self, address: SockAddr) -> None:
        """bind(2): EINVAL if bound, EADDRINUSE, and what mknod(2) says of the path."""
        path, _ = address
        if self.path:
            if not path:
                return  # autobind of a socket that has a name does nothing
            taken = not path.startswith(b"\0") and os.path.lexists(path)
            raise error(errno.EADDRINUSE if taken else errno.EINVAL)
        self.path = self.network.unix.bind(path, self)

    def local_name(self) -> SockAddr:
        """getsockname(2)."""
        return self.path, 0

    def peer_name(self) -> SockAddr:
        """getpeername(2): ENOTCONN."""
        if self.peer is None:
            raise error(errno.ENOTCONN)
        return self.peer.path, 0

    def accepted_from(self) -> SockAddr:
        """As accept(2) shows it."""
        return UNNAMED if self.peer is None else (self.peer.path, 0)

    # Connections

    def listen(self, backlog: int) -> None:
        """listen(2): EOPNOTSUPP for datagrams, EINVAL without a name or when connected."""
        if not self._connected_kind:
            raise error(errno.EOPNOTSUPP)
        if not self.path or self.state == "ESTABLISHED":
            raise error(errno.EINVAL)
        self._backlog = c.SOMAXCONN if backlog < 0 else min(backlog, c.SOMAXCONN)
        self.state = "LISTEN"
        self.peer_credentials = self.owner
        self.queue.wake()

    def accept(self) -> Blocking[Self]:
        """accept(2): EOPNOTSUPP for datagrams, EINVAL if not listening, EAGAIN."""
        if not self._connected_kind:
            raise error(errno.EOPNOTSUPP)
        deadline = self.deadline(self.options.receive_timeout)
        if self.state != "LISTEN":
            raise error(errno.EINVAL)
        while not self._embryos:
            if self._receive_shut and not self._expired(deadline):
                raise error(errno.EINVAL)
            yield from self._wait(deadline)
        child = self._embryos.popleft()
        self.queue.wake()  # whoever waits for room in the backlog
        return child

    def connect(self, address: SockAddr | None) -> Blocking[None]:
        """connect(2): ECONNREFUSED, EPROTOTYPE, EISCONN, EINVAL, EAGAIN with a full backlog, ENOENT …

        For a datagram socket: whom it sends to, and alone receives from.
        """
        if self.type == c.SOCK_DGRAM:
            self._associate(address)
            return
        if address is None:
            raise error(errno.EINVAL)
        self._named_if_passing()
        deadline = self.deadline(self.options.send_timeout)
        while True:
            other = self.network.unix.find(address[0], self.type)
            if other.state != "LISTEN" or other.dead or other._receive_shut:
                raise error(errno.ECONNREFUSED)
            if len(other._embryos) <= other._backlog:
                break
            yield from self._wait(deadline, other)
        if self.state != "CLOSED":
            raise error(errno.EISCONN if self.state == "ESTABLISHED" else errno.EINVAL)
        child = type(other)(self.network, other.owner, self.type)
        child.path = other.path
        child.passing = other.passing
        self.pair(child)
        self.peer_credentials = other.peer_credentials
        other._embryos.append(child)
        other.notify(READABLE)

    def _named_if_passing(self) -> None:
        """Who asks for credentials has a name when it connects or sends (SO_PASSCRED in unix(7))."""
        if self.passing and not self.path:
            self.path = self.network.unix.bind(b"", self)

    def pair(self, other: "UnixLife") -> None:
        """Connect two fresh sockets with each other (socketpair(2))."""
        self.peer, other.peer = other, self
        self.peer_credentials, other.peer_credentials = other.owner, self.owner
        if self._connected_kind:
            self.state = other.state = "ESTABLISHED"

    def _associate(self, address: SockAddr | None) -> None:
        peer = None
        if address is not None:
            self._named_if_passing()
            peer = self.network.unix.find(address[0], self.type)
            self._may_send_to(peer)
            peer.state = "ESTABLISHED"
        old, self.peer = self.peer, peer
        self.state = "CLOSED" if peer is None else "ESTABLISHED"
        if old is not None and old is not peer:
            self._disconnected(old)
            if old.peer is None:
                old.state = "CLOSED"
        self.notify()

    def _disconnected(self, old: "UnixLife") -> None:
        """What has come is lost; who thinks that it is still connected is told (unix_dgram_disconnected)."""
        if not self._queue:
            return
        self._purge()
        if old.peer is self and not old.dead:
            old._error = errno.ECONNRESET
            old.notify(c.POLLERR)

    def _purge(self) -> None:
        """Nobody will receive what is in the queue, nor the files that travel with it."""
        for piece in self._queue:
            self.peek.forget(id(piece))
            piece.freed()
            for file in piece.files:
                file.put()
        self._queue.clear()
        self._urgent = None

    def _may_send_to(self, other: "UnixLife") -> None:
        if other.peer is not None and other.peer is not self:
            raise error(errno.EPERM)

    def shutdown(self, how: int) -> None:
        """shutdown(2): EINVAL. The peer of a stream can no longer do the opposite."""
        if how not in (c.SHUT_RD, c.SHUT_WR, c.SHUT_RDWR):
            raise error(errno.EINVAL)
        reading, writing = how != c.SHUT_WR, how != c.SHUT_RD
        self._shut(reading, writing)
        if self.peer is not None and self._connected_kind:
            self.peer._shut(writing, reading)

    def _shut(self, reading: bool, writing: bool) -> None:
        self._receive_shut |= reading
        self._send_shut |= writing
        self.notify()

    def release(self) -> None:
        """The last descriptor is closed: the peer reads the end, or ECONNRESET if data is lost."""
        self.dead = True
        self.network.unix.forget(self)
        # A first message without data, or an urgent byte that was read, is no loss.
        peer, lost = self.peer, len(self._queue) > 1 or bool(self._queue and self._queue[0].data)
        self._purge()
        if peer is not None and self._connected_kind and not peer.dead:
            if lost:
                peer._error = errno.ECONNRESET
            peer._shut(True, True)
        for child in self._embryos:
            if child.peer is not None:
                child.peer._error = errno.ECONNRESET
            child.release()
        self._embryos.clear()
        self._receive_shut = self._send_shut = True
        self.state = "CLOSED"
        self.notify()
