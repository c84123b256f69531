"""AF_UNIX sockets: SOCK_STREAM, SOCK_DGRAM and SOCK_SEQPACKET within one host (unix(7)).

What is sent is in the peer's queue at once. Which errno wins follows net/unix/af_unix.c of Linux. Open files
that travel as SCM_RIGHTS hold a reference until they are received or dropped; `calls/rights.py` turns
descriptors into files and back.
"""

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.messages import Control, SockAddr
from pymodel.socket.options import INT
from pymodel.socket.sock import Message, Network
from pymodel.socket.unixlife import READABLE, Piece, UnixLife, truesize
from pymodel.task import Blocking

CREDENTIALS: Final = struct.Struct("@iII")
"""`struct ucred`: pid, uid, gid."""


@dataclass(slots=True)
class UnixMessage:
    """What one receive call has taken: a `Message` with files that nobody holds but it."""

    message: Message
    files: Sequence[OpenFile] = ()


class UnixSocket(UnixLife):
    """An AF_UNIX socket that carries data."""

    def send(
        self,
        data: memoryview,
        flags: int,
        address: SockAddr | None = None,
        control: Sequence[Control] = (),
    ) -> Blocking[int]:
        """send(2)."""
        return (yield from self.send_with(data, flags, address, ()))

    def send_with(
        self, data: memoryview, flags: int, address: SockAddr | None, files: Sequence[OpenFile]
    ) -> Blocking[int]:
        """sendmsg(2) of `data` and `files`: EPIPE, ENOTCONN, EMSGSIZE, ECONNREFUSED, EISCONN, EAGAIN …

        `files` have a reference each, which goes to the receiver. MSG_OOB: a stream's last byte is urgent.
        """
        deadline = self.deadline(self.options.send_timeout, flags)
        if self.type == c.SOCK_STREAM:
            return (yield from self._send_stream(data, flags, deadline, address, files))
        if self.type == c.SOCK_SEQPACKET:
            self._raise_error()
            if self.state != "ESTABLISHED":
                raise error(errno.ENOTCONN)
            address = None
        if flags & c.MSG_OOB:
            raise error(errno.EOPNOTSUPP)
        return (yield from self._send_datagram(data, deadline, address, files))

    def _raise_error(self) -> None:
        number = self.take_error()
        if number:
            raise error(number)

    def _room(self, deadline: int | None) -> Blocking[None]:
        """sock_alloc_send_pskb."""
        while True:
            self._raise_error()
            if self._send_shut:
                raise error(errno.EPIPE)
            if self.charged < self.send_buffer:
                return
            yield from self._wait(deadline)

    def _send_stream(
        self,
        data: memoryview,
        flags: int,
        deadline: int | None,
        address: SockAddr | None,
        files: Sequence[OpenFile],
    ) -> Blocking[int]:
        """unix_stream_sendmsg."""
        urgent = bool(flags & c.MSG_OOB)
        if urgent and not data:
            raise error(errno.EOPNOTSUPP)
        if address is not None:
            raise error(errno.EISCONN if self.state == "ESTABLISHED" else errno.EOPNOTSUPP)
        other = self.peer
        if other is None:
            raise error(errno.ENOTCONN)
        if self._send_shut:
            raise error(errno.EPIPE)
        sent, ordinary = 0, len(data) - urgent
        while sent < len(data):
            size = max(min(ordinary - sent, (self.send_buffer >> 1) - 64), 1)
            try:
                yield from self._room(deadline)
                if other.dead or other._receive_shut:
                    raise error(errno.EPIPE)
            except OSError:
                if sent:
                    return sent
                raise
            piece = self._deliver(other, data[sent : sent + size], files)
            files = ()
            if sent == ordinary:
                other._urgent = piece
            other.notify(READABLE)
            sent += size
        for file in files:
            file.put()  # nothing was sent that could have taken them along
        return sent

    def _send_datagram(
        self, data: memoryview, deadline: int | None, address: SockAddr | None, files: Sequence[OpenFile]
    ) -> Blocking[int]:
        """unix_dgram_sendmsg."""
        self._named_if_passing()
        if len(data) > self.send_buffer - 32:
            raise error(errno.EMSGSIZE)
        yield from self._room(deadline)
        while True:
            other = self.peer if address is None else self.network.unix.find(address[0], self.type)
            if other is None:
                raise error(errno.ENOTCONN)
            self._may_send_to(other)
            if other.dead:
                if self.type == c.SOCK_SEQPACKET:
                    raise error(errno.EPIPE)
                self.peer, self.state = None, "CLOSED"
                self._disconnected(other)
                raise error(errno.ECONNREFUSED)
            if other._receive_shut:
                raise error(errno.EPIPE)
            if other is self or other.peer is self or not other.full:
                break
            yield from self._wait(deadline, other)
        self._deliver(other, data, files)
        other.notify(READABLE)
        return len(data)

    def _deliver(self, other: UnixLife, data: memoryview, files: Sequence[OpenFile]) -> Piece:
        charge = truesize(len(data))
        self.charged += charge
        piece = Piece(memoryview(bytes(data)), self, charge, self.owner, tuple(files))
        other._queue.append(piece)
        return piece

    def receive(self, count: int, flags: int) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recv(2); files that came with it are dropped, as recvfrom(2) has no room for them."""
        taken = yield from self.receive_with(count, flags)
        for file in taken.files:
            file.put()
        return taken.message.data, taken.message.sender

    def receive_with(self, count: int, flags: int) -> Blocking[UnixMessage]:
        """recvmsg(2): data, and the files that came with it. EINVAL, ENOTCONN, EAGAIN, ECONNRESET."""
        if self._connected_kind and self.state != "ESTABLISHED":
            raise error(errno.EINVAL if self.type == c.SOCK_STREAM else errno.ENOTCONN)
        if flags & c.MSG_OOB:
            if self.type != c.SOCK_STREAM:
                raise error(errno.EOPNOTSUPP)
            return self._receive_urgent(count, flags)
        deadline = self.deadline(self.options.receive_timeout, flags)
        if self.type == c.SOCK_STREAM:
            return (yield from self._receive_stream(count, flags, deadline))
        while True:
            self._raise_error()
            place = self._next(flags)
            if place is not None:
                break
            if self._receive_shut and (self.type == c.SOCK_SEQPACKET or not self._expired(deadline)):
                return UnixMessage(Message(b"", None, 0, 0))
            yield from self._wait(deadline)
        at, skipped = place
        piece = self._queue[at]
        data = bytes(piece.data[skipped : skipped + count])
        whole = len(piece.data) - skipped
        files = piece.files
        if flags & c.MSG_PEEK:
            self.peek.moved(len(data))
            for file in files:
                file.get()
        else:
            self.peek.moved(-len(piece.data))
            self.peek.forget(id(piece))
            self._queue.popleft()
            piece.freed()
            self.queue.wake()  # whoever waits to send here
        shown = c.MSG_TRUNC if len(data) < whole else 0
        if self.type == c.SOCK_SEQPACKET:
            shown |= c.MSG_EOR if flags & c.MSG_EOR else 0
        length = whole if flags & c.MSG_TRUNC else len(data)
        return UnixMessage(Message(data, _sender(piece), shown, length, self._credentials(piece)), files)

    def _next(self, flags: int) -> tuple[int, int] | None:
        """The message to receive: its index, and from which byte on; None if there is none."""
        if not flags & c.MSG_PEEK:
            return (0, 0) if self._queue else None
        return self.peek.locate((len(piece.data), id(piece)) for piece in self._queue)

    def _receive_stream(self, count: int, flags: int, deadline: int | None) -> Blocking[UnixMessage]:
        """unix_stream_read_generic."""
        peek = bool(flags & c.MSG_PEEK)
        target = count if flags & c.MSG_WAITALL else min(self.options.receive_low_water, count)
        parts: list[bytes] = []
        done = at = 0
        skip = max(self.peek.value, 0) if peek else 0
        first: Piece | None = None
        files: Sequence[OpenFile] = ()
        queue = self._queue
        while True:
            if at < len(queue):
                at = self._past_mark(at, peek, bool(done))
                if done and at >= len(queue):
                    break  # the mark stops a call that has read something
            while at < len(queue) and skip >= len(queue[at].data):
                skip -= len(queue[at].data)
                at += 1
            if at >= len(queue):
                if done and (peek or done >= target):
                    break
                try:
                    self._raise_error()
                    if self._receive_shut:
                        break
                    yield from self._wait(deadline)
                except OSError:
                    if done:
                        break
                    raise
                at = 0
                continue
            piece = queue[at]
            if first is not None and self.passing and first.credentials != piece.credentials:
                break
            first = first or piece
            part = piece.data[skip : skip + count - done]
            skip = 0
            parts.append(bytes(part))
            done += len(part)
            files = piece.files
            if peek:
                at += 1
                for file in files:
                    file.get()
            else:
                piece.data, piece.files = piece.data[len(part) :], ()
                if piece.data:
                    break
                queue.popleft()
                piece.freed()
            if files or done >= count:
                break
        data = b"".join(parts)
        self.peek.moved(len(data) if peek else -len(data))
        sender = None if first is None else _sender(first)
        return UnixMessage(Message(data, sender, 0, len(data), self._credentials(first)), files)

    def _past_mark(self, at: int, peek: bool, some: bool) -> int:
        """Where a call that is at `at` goes on: the length of the queue if nowhere (manage_oob).

        `some`: it has read data. It does not go beyond the urgent byte; the next call leaves that out, unless
        SO_OOBINLINE is set.
        """
        queue, end = self._queue, len(self._queue)
        if not queue[at].data:
            if some and self._urgent is None:
                return end
            if peek:
                at += 1
            else:
                queue.popleft().freed()
            if at >= len(queue):
                return at
        if queue[at] is not self._urgent:
            return at
        if some:
            return len(queue)
        if peek:
            return at if self.options.oobinline else at + 1
        self._urgent = None
        if not self.options.oobinline:
            piece = queue.popleft()
            piece.freed()
            for file in piece.files:
                file.put()
        return at

    def _receive_urgent(self, count: int, flags: int) -> UnixMessage:
        """unix_stream_recv_urg: EINVAL without an urgent byte. It counts even if there is no room for it."""
        piece = self._urgent
        if piece is None or self.options.oobinline:
            raise error(errno.EINVAL)
        data = bytes(piece.data)
        if not flags & c.MSG_PEEK:
            self._urgent = None
            at = self._queue.index(piece)
            if at and not self._queue[at - 1].data:
                self._queue[at - 1].freed()
                del self._queue[at - 1]
            piece.data = memoryview(b"")
        return UnixMessage(Message(data[:count], None, c.MSG_OOB, 1))

    def _credentials(self, piece: Piece | None) -> tuple[Control, ...]:
        """Those of the sender; at the end of a stream nobody's."""
        if not self.passing:
            return ()
        found = (0, 0, 0) if piece is None else piece.credentials
        return ((c.SOL_SOCKET, c.SCM_CREDENTIALS, CREDENTIALS.pack(*found)),)

    def ioctl(self, request: int, argument: int) -> int:
        """SIOCINQ: bytes that can be read; SIOCOUTQ: bytes of the send buffer in use; SIOCATMARK. EINVAL."""
        if request == c.SIOCOUTQ:
            return self.charged
        if request == c.SIOCATMARK:
            if self.type != c.SOCK_STREAM:
                raise error(errno.EOPNOTSUPP)
            return int(self._at_mark())
        if request != c.SIOCINQ:
            return super().ioctl(request, argument)
        if self.state == "LISTEN":
            raise error(errno.EINVAL)
        return self.queued

    def _at_mark(self) -> bool:
        queue, urgent = self._queue, self._urgent
        if not queue:
            return False
        if queue[0] is urgent:
            return True
        return not queue[0].data and (urgent is None or (len(queue) > 1 and queue[1] is urgent))

    # Options

    def memory(self) -> tuple[int, int, int, int]:
        """As SO_MEMINFO counts it: what is received takes of the sender's buffer."""
        return 0, self.charged, 0, 0

    def take_error(self) -> int:
        """SO_ERROR."""
        number, self._error = self._error, 0
        return number

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2): EOPNOTSUPP for any level but SOL_SOCKET."""
        if level != c.SOL_SOCKET:
            raise error(errno.EOPNOTSUPP)
        if name == c.SO_PASSCRED:
            if len(value) < INT.size:
                raise error(errno.EINVAL)
            self.passing = bool(INT.unpack_from(value)[0])
            return
        super().set_option(level, name, value)

    def get_option(self, level: int, name: int) -> bytes:
        """getsockopt(2): SO_PEERCRED besides what every socket has; EOPNOTSUPP."""
        if level != c.SOL_SOCKET:
            raise error(errno.EOPNOTSUPP)
        if name == c.SO_PEERCRED:
            return CREDENTIALS.pack(*self.peer_credentials)
        if name == c.SO_PASSCRED:
            return INT.pack(self.passing)
        return super().get_option(level, name)


def _sender(piece: Piece) -> SockAddr | None:
    return (piece.sender.path, 0) if piece.sender.path else None


def socketpair(network: Network, owner: tuple[int, int, int], kind: int) -> tuple[UnixSocket, UnixSocket]:
    """Two sockets that are connected with each other."""
    first, second = (UnixSocket(network, owner, kind) for _ in range(2))
    first.pair(second)
    return first, second
