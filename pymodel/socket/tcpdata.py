"""Sending and receiving on a stream socket: tcp_sendmsg, tcp_recvmsg and tcp_ioctl of net/ipv4/tcp.c."""

import errno
from collections.abc import Sequence
from typing import Final

from pymodel.simtime import MS
from pymodel.socket import constants as c
from pymodel.socket import tcpfast, txstamps
from pymodel.socket.errors import error
from pymodel.socket.messages import Control, SockAddr, check_socket_level
from pymodel.socket.options import INT
from pymodel.socket.seam import Connection
from pymodel.socket.sock import Message
from pymodel.socket.tcpevents import WRITABLE
from pymodel.socket.tcplife import TcpLife
from pymodel.task import Blocking, Wait

MEMORY_WAIT: Final = 2 * MS
"""ps until a write is tried again for which there was no memory (Linux: sk_stream_wait_memory)."""


class TcpData(TcpLife):
    """A stream socket that carries data."""

    __slots__ = ()

    def path_mtu(self) -> int:
        """IP_MTU: of the path to the peer; ENOTCONN."""
        if self.connection is None or self.state in {"CLOSED", "SYN_SENT"}:
            raise error(errno.ENOTCONN)
        return int(self.connection.info()["pmtu"])

    def send(
        self,
        data: memoryview,
        flags: int,
        address: SockAddr | None = None,
        control: Sequence[Control] = (),
    ) -> Blocking[int]:
        """send(2): returns when every byte is in the send buffer (RFC 9293 §3.9.1.2).

        EPIPE, ECONNRESET and what else TCP reports; EAGAIN if nothing fits; a partial count if
        something fitted before an error. `address` is ignored, as Linux does on a stream socket.
        With MSG_OOB the last byte is urgent.
        """
        deadline = self.deadline(self.options.send_timeout, flags)
        sent = 0
        if tcpfast.wanted(self, flags):
            sent, over = yield from tcpfast.send(self, data, flags, address, deadline)
            self._sent += sent
            if over:
                if sent and flags & c.MSG_ZEROCOPY and self.options.number(c.SOL_SOCKET, c.SO_ZEROCOPY):
                    self._zero_copy.sent(self._sent, True)
                return sent
        while self.connection is not None and self.connection.opening:
            if self._bsd:
                raise error(errno.ENOTCONN)
            if self._expired(deadline):
                raise error(errno.EAGAIN)
            opening = self.connection
            opening.write_pending = True
            yield from self._wait(deadline)
            opening.write_pending = False
        if control:
            self._sending(0)  # what has happened to the connection comes first
            check_socket_level(control)
        stamp = txstamps.wanted(self.options, control)
        zero_copy = bool(flags & c.MSG_ZEROCOPY and self.options.number(c.SOL_SOCKET, c.SO_ZEROCOPY))
        try:
            while True:
                connection = self._sending(sent)
                if connection is None:
                    return sent
                rest = data[sent:] if sent else data
                more = bool(flags & c.MSG_MORE)
                eor = bool(flags & c.MSG_EOR)
                oob = bool(flags & c.MSG_OOB)
                taken = connection.send(rest, more=more, oob=oob, eor=eor, lent=zero_copy, **stamp)
                sent += taken
                self._sent += taken
                if sent == len(data):
                    return sent
                self._no_space = True
                connection.want_space(True)
                if self._expired(deadline):
                    if sent:
                        return sent
                    raise error(errno.EAGAIN)
                if not taken and connection.writable_for_poll:
                    # Memory is short, not room, and nobody will say when it no longer is.
                    yield Wait(self.queue, deadline=self.network.scheduler.now + MEMORY_WAIT)
                woken, self._had_room = True, False
                began = self.network.scheduler.now
                while woken and not (self._had_room or self.poll() & (WRITABLE | c.POLLERR | c.POLLHUP)):
                    woken = yield from self._wait(deadline)
                    if connection.writable and self.network.scheduler.now == began:
                        break  # ACKs that came while we held the socket: any room will do (release_sock)
                if not woken:  # too late, even if there is some room by now
                    if sent:
                        return sent
                    raise error(errno.EAGAIN)
        finally:
            if sent and zero_copy:
                copied = self.connection is None or not self.connection.lends(data)
                self._zero_copy.sent(self._sent, copied)

    def _sending(self, sent: int) -> Connection | None:
        """The connection, if it takes data; else None after `sent` bytes were taken, or the error."""
        connection = self.connection
        if connection is not None and not connection.error and not self._send_shut and connection.may_send:
            return connection
        if sent:
            return None
        if connection is None and self._bsd and not self._send_shut:
            raise error(errno.ENOTCONN)
        raise error(self.take_error() or errno.EPIPE)

    def receive_message(self, count: int, flags: int) -> Blocking[Message]:
        """recvmsg(2): with TCP_INQ, how much is left to read."""
        data, _ = yield from self.receive(count, flags)
        shown = flags & c.MSG_OOB
        if shown and not count:
            shown |= c.MSG_TRUNC
        control: tuple[Control, ...] = ()
        connection = self.connection
        if self._own.get(c.TCP_INQ):
            left = 0 if connection is None else connection.readable or int(connection.eof)
            control = ((c.IPPROTO_TCP, c.TCP_CM_INQ, INT.pack(left)),)
        return Message(data, None, shown, len(data), control)

    def set_error(self, number: int) -> None:
        """Errors of a connection stay with it: only the error queue itself has changed."""

    def receive(self, count: int, flags: int) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recv(2): what has come, b"" after the peer's FIN; ENOTCONN, EAGAIN, ECONNRESET …

        MSG_PEEK (from SO_PEEK_OFF on), MSG_WAITALL, MSG_DONTWAIT.
        MSG_TRUNC: the bytes are dropped and zeros returned. MSG_OOB: the urgent byte, or EINVAL.
        """
        if self.listener is not None:
            raise error(errno.ENOTCONN)
        if flags & c.MSG_OOB:
            if self.connection is None or self.options.oobinline:
                raise error(errno.EINVAL)
            return self.connection.recv_oob(bool(flags & c.MSG_PEEK))[:count], None
        deadline = self.deadline(self.options.receive_timeout, flags)
        peek = bool(flags & c.MSG_PEEK)
        skipped = max(self.peek.value, 0) if peek else 0
        target = count if flags & c.MSG_WAITALL else min(self.options.receive_low_water, count)
        data = b""
        while True:
            connection = self.connection
            if connection is not None and connection.readable > skipped:
                if peek:
                    data = connection.recv(skipped + count, True)[skipped:]
                else:
                    fresh = connection.recv(count - len(data))
                    self._taken += len(fresh)
                    data += fresh
            if len(data) >= max(target, 1) or (not count and connection is not None and connection.readable):
                break
            if self._end_of_data(connection, bool(data)) or (data and self._expired(deadline)):
                break
            if self._expired(deadline):
                raise error(errno.EAGAIN)
            yield from self._wait(deadline)
        self.peek.moved(len(data) if peek else -len(data))
        if flags & c.MSG_TRUNC:
            data = bytes(len(data))
        return data, None

    def _end_of_data(self, connection: Connection | None, some: bool) -> bool:
        """Nothing more will come: True, or the error that says why (never when there is `some` data)."""
        if connection is None:
            if not some and self._lost:
                raise error(self.take_error())
            if self._receive_shut or some:
                return True
            raise error(errno.ENOTCONN)
        # A FIN that came before the error hides it from readers (SOCK_DONE); then the error is EPIPE,
        # for the reset found the connection in CLOSE-WAIT.
        if connection.error and not (connection.eof and connection.error == errno.EPIPE):
            if some:
                return True
            raise error(connection.take_error())
        if connection.eof:
            return True
        return self._receive_shut or self.state == "CLOSED"

    def ioctl(self, request: int, argument: int) -> int:
        """SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK (tcp(7)); EINVAL on a listening socket.

        SIOCOUTQ counts what the peer has not acknowledged, SIOCOUTQNSD what was not sent yet.
        """
        if request not in (c.SIOCINQ, c.SIOCOUTQ, c.SIOCOUTQNSD, c.SIOCATMARK):
            return super().ioctl(request, argument)
        if request == c.SIOCATMARK:
            return int(self.connection is not None and self.connection.at_mark)
        if self.listener is not None:
            raise error(errno.EINVAL)
        connection = self.connection
        if connection is None or connection.state.name in {"SYN_SENT", "SYN_RECEIVED"}:
            return 0
        if request == c.SIOCINQ:
            # Up to the urgent byte, even if that is next and recv() would step over it (tcp_inq).
            return 0 if connection.at_mark and not self.options.oobinline else connection.readable
        return connection.unacknowledged if request == c.SIOCOUTQ else connection.unsent
