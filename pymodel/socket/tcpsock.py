"""The TCP stream socket: Linux's `inet_stream_ops` and `tcp_prot` over `pymodel.tcp`.

It has two states, as in Linux: the socket's (`Phase`, `socket_state` there), which remembers what
the program has been told, and TCP's, which may be ahead of it. Which errno wins when several things
are wrong follows net/ipv4/af_inet.c and tcp.c.
"""

import errno
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from pymodel.simtime import MS, SEC
from pymodel.socket import bsdoptions, tcpfast, tcpoptions, txstamps
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import Watcher
from pymodel.socket.messages import Control, SockAddr, ZeroCopy, check_socket_level
from pymodel.socket.options import INT
from pymodel.socket.portalloc import ANY, Binding
from pymodel.socket.seam import Connection, Listening
from pymodel.socket.sock import LOOPBACK, Message, Network, Socket
from pymodel.task import Blocking, Wait
from pymodel.tcp import State, TcpOptions, tcpinfo

Phase = Enum("Phase", ["UNCONNECTED", "CONNECTING", "CONNECTED", "DISCONNECTING"])
"""What the program knows: `socket_state` of include/linux/net.h."""

SENDING: Final = frozenset({"ESTABLISHED", "CLOSE_WAIT"})
PEER_CLOSED: Final = frozenset({"CLOSE_WAIT", "CLOSING", "LAST_ACK"})
"""The peer's FIN has come."""
FLUSHING: Final = frozenset({"FIN_WAIT_1", "CLOSING", "LAST_ACK"})
"""Our data or FIN is not acknowledged yet: what SO_LINGER waits for."""

MEMORY_WAIT: Final = 2 * MS
"""ps until a write is tried again for which there was no memory (Linux: sk_stream_wait_memory)."""

READABLE: Final = c.POLLIN | c.POLLRDNORM
WRITABLE: Final = c.POLLOUT | c.POLLWRNORM

DATA_READY: Final = c.POLLIN | c.POLLPRI | c.POLLRDNORM | c.POLLRDBAND
WRITE_SPACE: Final = c.POLLOUT | c.POLLWRNORM | c.POLLWRBAND
"""What sock_def_readable and sk_stream_write_space wake for."""


class TcpSocket(Socket):
    """A SOCK_STREAM socket of AF_INET."""

    type = c.SOCK_STREAM
    protocol = c.IPPROTO_TCP
    sigpipe = True

    def __init__(self, network: Network, uid: int) -> None:
        super().__init__(network, uid)
        profile = network.tcp.profile
        self._bsd = profile.berkeley
        if self._bsd:
            self.options.overhead = 1
            self.options.buffer_max = profile.window_scale_for
            self.options.default_buffers = profile.sndbuf, profile.rcvbuf
        self.phase = Phase.UNCONNECTED
        self.connection: Connection | None = None
        self.listener: Listening | None = None
        self._binding: Binding | None = None
        self._name: SockAddr = (ANY, 0)
        self._port_locked = False
        """The program has named the port: it stays when a connection ends (SOCK_BINDPORT_LOCK)."""
        self._bound_after: Connection | None = None
        """The connection that was over already when bind(2) was called, if there was one."""
        self._open = True
        self._receive_shut = False
        self._send_shut = False
        self._no_space = False
        """Somebody has found the send buffer full: tell when there is room (SOCK_NOSPACE)."""
        self._had_room = False
        """There was room when the last ACK came, before what it allowed to be sent was cut into packets."""
        self._sent = 0
        """Bytes that the connection has taken from us."""
        self._zero_copy = ZeroCopy()
        self._stamp_base = 0
        self._tcp_options = TcpOptions()
        self._own: dict[int, int] = {}
        """Those of `tcpoptions.INERT` that were set."""
        self._taken = 0
        self._announced = 0
        """Bytes that were read, and bytes received so far whose arrival has woken somebody."""
        self._seen_state = "CLOSED"

    # What TCP is doing

    @property
    def state(self) -> str:
        """TCP's state by RFC 9293 §3.3.2: LISTEN, CLOSED, or the connection's.

        TIME-WAIT is CLOSED here: in Linux it is no longer a state of the socket, only of the stack.
        """
        if self.listener is not None:
            return "LISTEN"
        state = "CLOSED" if self.connection is None else self.connection.state.name
        return "CLOSED" if state == "TIME_WAIT" else state

    @property
    def listening(self) -> bool:
        """SO_ACCEPTCONN."""
        return self.listener is not None

    def _attach(self, connection: Connection) -> None:
        self.connection = connection
        self._taken = self._announced = self._sent = 0
        connection.queue.add(self._tcp_changed)
        connection.stamps.report = self._stamped

    def _detach(self) -> None:
        if self.connection is not None:
            self.connection.queue.remove(self._tcp_changed)

    def _connection_came(self) -> None:
        self.notify(DATA_READY)

    def _tcp_changed(self) -> None:
        """TCP has woken the connection's queue: find out for what, as epoll must know."""
        connection = self.connection
        if connection is None:
            return
        if self._zero_copy.waiting:
            self._zero_copied(connection)
        if self._no_space and not self._had_room:
            self._had_room = connection.may_send and connection.writable_for_poll
            connection.want_space(not self._had_room)
        if not self._watchers:
            self.queue.wake()
            return
        state, events = connection.state.name, 0
        received = self._taken + connection.readable
        if state != self._seen_state:
            self._seen_state, self._announced = state, received
            self.notify()  # sk_state_change: whoever waits, for whatever
            return
        if received > self._announced:
            if connection.readable >= self.options.receive_low_water:
                events |= DATA_READY
            self._announced = received
        if self._no_space and connection.may_send and connection.writable_for_poll:
            self._no_space = False
            events |= WRITE_SPACE
        if connection.error:
            events |= c.POLLERR
        if events:
            self.notify(events)
        else:
            self.queue.wake()

    def _zero_copied(self, connection: Connection) -> None:
        """Calls with MSG_ZEROCOPY are over when the peer has everything, or nobody will."""
        left = 0 if connection.state.name == "CLOSED" else connection.unacknowledged
        while (done := self._zero_copy.completed(self._sent - left)) is not None:
            self.errors.add(done)
            self.notify(c.POLLERR)

    def _stamped(self, kind: int, key: int) -> None:
        """Something that asked for a time stamp was sent, or has arrived."""
        key -= self._stamp_base
        self.errors.add(txstamps.entry(self.options, kind, key, self.network.scheduler.now))
        self.notify(c.POLLERR)

    def watch(self, watcher: Watcher) -> None:
        """As in `OpenFile`; what has happened so far is no news."""
        if not self._watchers and self.connection is not None:
            self._announced = self._taken + self.connection.readable
            self._seen_state = self.connection.state.name
        super().watch(watcher)

    def _wait(self, deadline: int | None) -> Blocking[bool]:
        return (yield Wait(self.queue, deadline=deadline))

    def _expired(self, deadline: int | None) -> bool:
        return deadline is not None and deadline <= self.network.scheduler.now

    def poll(self) -> int:
        """tcp_poll of net/ipv4/tcp.c; a socket never connected is both hung up and writable."""
        if self.listener is not None:
            return READABLE if self.listener.pending else 0
        connection = self.connection
        if connection is None:
            mask = c.POLLHUP | WRITABLE
            return mask | (READABLE | c.POLLRDHUP if self._receive_shut else 0)
        state = self.state
        dead = state == "CLOSED"
        peer_closed = dead or self._receive_shut or state in PEER_CLOSED
        send_shut = dead or self._send_shut
        mask = 0
        if dead or (peer_closed and send_shut):
            mask |= c.POLLHUP
        if peer_closed:
            mask |= READABLE | c.POLLRDHUP
        if connection.syn_deferred:
            mask |= WRITABLE
        if not connection.opening:
            if connection.readable >= self.options.receive_low_water:
                mask |= READABLE
            if connection.urgent_ready:
                mask |= c.POLLPRI
            if send_shut or connection.writable_for_poll:
                mask |= WRITABLE
            else:
                self._no_space = True
        if connection.error or self.errors:
            mask |= c.POLLERR
        return mask

    # Names

    def bind(self, address: SockAddr) -> None:
        """bind(2): EINVAL if bound, EACCES, EADDRNOTAVAIL (not for groups: ip(7)), EADDRINUSE."""
        host, port = address
        foreign = self.options.number(c.IPPROTO_IP, c.IP_FREEBIND)
        foreign |= self.network.is_group(host)
        foreign |= self.options.number(c.IPPROTO_IP, c.IP_TRANSPARENT)
        if not foreign and not self.network.is_local(host):
            raise error(errno.EADDRNOTAVAIL)
        if 0 < port < 1024 and self.uid != 0:
            raise error(errno.EACCES)
        binding = self._binding
        if self.state != "CLOSED" or (binding is not None and self._holds_port()):
            raise error(errno.EINVAL)
        try:
            self._bind(host, port)
        except OSError:
            self._name = (ANY, self._name[1])  # inet_bind forgets the address, too
            raise
        self._port_locked = port != 0
        self._bound_after = self.connection
        if binding is not None:
            self.network.tcp_ports.remove(binding)  # the connection that it was chosen for is over

    def _new_binding(self, host: bytes, port: int, *, explicit: bool) -> Binding:
        return Binding(
            host,
            port,
            self.uid,
            bool(self.options.reuse_address),
            bool(self.options.reuse_port),
            explicit,
            self._port_in_use,
        )

    def _holds_port(self) -> bool:
        """A port that bind(2) chose goes when a connection that was made since ends (inet_put_port)."""
        return self._port_locked or self.connection is self._bound_after

    def _port_in_use(self) -> bool:
        binding, connection = self._binding, self.connection
        if binding is not None and binding.explicit and self._open and self._holds_port():
            return True
        if connection is None:
            return False
        key = (*connection.local, *connection.remote)
        return self.network.tcp.connections.get(key) is connection

    def _bind(self, host: bytes, port: int) -> None:
        ports = self.network.tcp_ports
        binding = self._new_binding(host, port, explicit=True)
        if port == 0:
            if not ports.choose_for_bind(binding):
                raise error(errno.EADDRINUSE)
        elif ports.conflict(binding):
            raise error(errno.EADDRINUSE)
        ports.add(binding)
        self._binding = binding
        self._name = (host, binding.port)

    def local_name(self) -> SockAddr:
        """getsockname(2): (0.0.0.0, 0) before anything was bound."""
        return self._name

    def peer_name(self) -> SockAddr:
        """getpeername(2): ENOTCONN."""
        if self.connection is None or self.state in {"CLOSED", "SYN_SENT"}:
            raise error(errno.ENOTCONN)
        return self.connection.remote

    # Passive side

    def listen(self, backlog: int) -> None:
        """listen(2): EINVAL on a connected socket, EADDRINUSE; a second call changes the backlog."""
        if self.phase is not Phase.UNCONNECTED or self.connection is not None:
            raise error(errno.EINVAL)
        # Linux takes the number as unsigned: a negative backlog is the largest.
        backlog = c.SOMAXCONN if backlog < 0 else min(backlog, c.SOMAXCONN)
        if self.listener is not None:
            self.listener.backlog = backlog
            return
        if self._binding is None:
            self._bind(ANY, 0)
        binding = self._binding
        assert binding is not None
        if self.network.tcp_ports.conflict(binding):
            raise error(errno.EADDRINUSE)
        share = bool(self.options.reuse_port)
        self.listener = self.network.tcp.listen(self._name, backlog, self._tcp_options, share=share)
        self.listener.queue.add(self._connection_came)
        binding.listening = True
        self._receive_shut = self._send_shut = False
        self.queue.wake()

    def accept(self) -> Blocking["TcpSocket"]:
        """accept(2): EINVAL if not listening, EAGAIN. The new socket has the listener's options."""
        deadline = self.deadline(self.options.receive_timeout)
        while True:
            listener = self.listener
            if listener is None:
                raise error(errno.EINVAL)
            connection = listener.accept()
            if connection is not None:
                if self._bsd and connection.state.name == "CLOSED":
                    raise error(errno.ECONNABORTED)  # it was reset while it waited
                return self._adopt(connection)
            if self._expired(deadline):
                raise error(errno.EAGAIN)
            yield from self._wait(deadline)

    def _adopt(self, connection: Connection) -> "TcpSocket":
        child = TcpSocket(self.network, self.uid)
        child.options = replace(self.options, numbers=dict(self.options.numbers))
        child._tcp_options = replace(self._tcp_options)
        child._own = dict(self._own)
        child.phase = Phase.CONNECTED
        child._attach(connection)
        child._name = connection.local
        child._binding = child._new_binding(*connection.local, explicit=False)
        self.network.tcp_ports.add(child._binding)
        return child

    # Active side

    def connect(self, address: SockAddr | None) -> Blocking[None]:
        """connect(2): EISCONN, EALREADY, EINPROGRESS, ENETUNREACH, EADDRNOTAVAIL, or how TCP failed.

        EINPROGRESS is also what SO_SNDTIMEO ends with. After a failure the socket may connect again.
        """
        if address is None:
            self._disconnect(abort=True)
            return
        if self.phase is Phase.CONNECTED:
            raise error(errno.EISCONN)
        if self.phase is Phase.DISCONNECTING:
            raise error(errno.EINVAL)  # shut down before it was connected
        unfinished = errno.EALREADY
        if self.phase is Phase.UNCONNECTED:
            if self.listener is not None or self.connection is not None:
                raise error(errno.EOPNOTSUPP if self._bsd and self.listener is not None else errno.EISCONN)
            self.open_fast(address, "connect" if self._own.get(c.TCP_FASTOPEN_CONNECT) else "")
            if self._deferred:
                return  # the first data will take the SYN along
            unfinished = errno.EINPROGRESS
        elif self._deferred:
            raise error(errno.EISCONN)
        elif self._bsd and self.state in SENDING:
            self.phase = Phase.CONNECTED
            raise error(errno.EISCONN)
        yield from self.opened(self.deadline(self.options.send_timeout), unfinished)

    @property
    def connecting(self) -> bool:
        """A connect(2) is under way."""
        return self.phase is Phase.CONNECTING

    @property
    def _deferred(self) -> bool:
        return self.connection is not None and self.connection.syn_deferred

    def open_fast(self, address: SockAddr, fast: str) -> None:
        """Begin to connect; `fast` as in `TcpLayer.connect`."""
        self._send_syn(address, fast)
        self.phase = Phase.CONNECTING

    def opened(self, deadline: int | None, unfinished: int) -> Blocking[None]:
        """Wait for the handshake: `unfinished` at the deadline, or why it failed."""
        connection = self.connection
        assert connection is not None
        while connection.opening:
            if self._expired(deadline):
                raise error(unfinished)
            yield from self._wait(deadline)
        if connection.state.name == "CLOSED":
            number = connection.take_error() or errno.ECONNABORTED
            if self.connection is connection:
                self._disconnect(abort=False)
            raise error(number)
        self.phase = Phase.CONNECTED

    def _send_syn(self, remote: SockAddr, fast: str = "") -> None:
        host, port = remote
        if host == ANY:
            host = LOOPBACK  # this host (ip(7), INADDR_ANY as a destination)
        if host[0] >= 224:
            raise error(errno.ENETUNREACH)  # multicast and broadcast: tcp_v4_connect
        network = self.network
        source = network.ip.source_for(host)
        if source is None:
            raise error(errno.ENETUNREACH)
        if self._name[0] != ANY and not network.is_group(self._name[0]):
            source = self._name[0]

        def unused(local_port: int) -> bool:
            return (source, local_port, host, port) not in network.tcp.connections

        given = {"fast": fast} if fast else {}
        binding = self._binding
        if binding is None:
            local_port = network.tcp_ports.choose_for_connect(unused)
        else:
            local_port = binding.port if unused(binding.port) else 0
        if local_port == 0:
            raise error(errno.EADDRNOTAVAIL)
        connection = network.tcp.connect((source, local_port), (host, port), self._tcp_options, **given)
        self._attach(connection)
        if binding is None:
            self._binding = self._new_binding(source, local_port, explicit=False)
            network.tcp_ports.add(self._binding)
        self._name = (source, local_port)
        self.queue.wake()

    def _disconnect(self, *, abort: bool) -> None:
        """tcp_disconnect: back to a fresh socket that keeps what bind(2) gave it."""
        listener, connection, binding = self.listener, self.connection, self._binding
        self._detach()
        self.listener = self.connection = None
        self.phase = Phase.UNCONNECTED
        self._receive_shut = self._send_shut = False
        if binding is not None:
            binding.listening = False
            self._name = (binding.address if binding.explicit else ANY, binding.port)
            if not binding.explicit or not self._port_locked:
                # The port is given back; its number is still shown (inet_sport).
                self.network.tcp_ports.remove(binding)
                self._binding = None
        if listener is not None:
            listener.close()
        if connection is not None and abort:
            connection.abort()
        self.notify()

    # Data

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
        check_socket_level(control)
        stamp = txstamps.wanted(self.options, control)
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
                while woken and not (self._had_room or self.poll() & (WRITABLE | c.POLLERR | c.POLLHUP)):
                    woken = yield from self._wait(deadline)
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
        raise error((connection.take_error() if connection is not None else 0) or errno.EPIPE)

    def receive_message(self, count: int, flags: int) -> Blocking[Message]:
        """recvmsg(2): with TCP_INQ, how much is left to read."""
        data, _ = yield from self.receive(count, flags)
        control: tuple[Control, ...] = ()
        connection = self.connection
        if self._own.get(c.TCP_INQ) and connection is not None:
            left = connection.readable or int(connection.eof)
            control = ((c.IPPROTO_TCP, c.TCP_CM_INQ, INT.pack(left)),)
        return Message(data, None, 0, len(data), control)

    def set_error(self, number: int) -> None:
        """Errors of a connection stay with it: only the error queue itself has changed."""

    def receive(self, count: int, flags: int) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recv(2): what has come, b"" after the peer's FIN; ENOTCONN, EAGAIN, ECONNRESET …

        MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC (the bytes are dropped and zeros returned).
        MSG_OOB: the urgent byte, or EINVAL if there is none.
        """
        if self.listener is not None:
            raise error(errno.ENOTCONN)
        if flags & c.MSG_OOB:
            if self.connection is None or self.options.oobinline:
                raise error(errno.EINVAL)
            return self.connection.recv_oob(bool(flags & c.MSG_PEEK))[:count], None
        deadline = self.deadline(self.options.receive_timeout, flags)
        peek = bool(flags & c.MSG_PEEK)
        target = count if flags & c.MSG_WAITALL else min(self.options.receive_low_water, count)
        data = b""
        while True:
            connection = self.connection
            if connection is not None and connection.readable:
                if peek:
                    data = connection.recv(count, True)
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
        if flags & c.MSG_TRUNC and not peek:
            data = bytes(len(data))
        return data, None

    def _end_of_data(self, connection: Connection | None, some: bool) -> bool:
        """Nothing more will come: True, or the error that says why (never when there is `some` data)."""
        if connection is None:
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
            return connection.readable
        return connection.unacknowledged if request == c.SIOCOUTQ else connection.unsent

    # The end

    def shutdown(self, how: int) -> None:
        """shutdown(2): EINVAL, ENOTCONN."""
        if how not in (c.SHUT_RD, c.SHUT_WR, c.SHUT_RDWR):
            raise error(errno.EINVAL)
        state = self.state
        reading, writing = how != c.SHUT_WR, how != c.SHUT_RD
        if state == "LISTEN":
            if reading:
                self._disconnect(abort=False)
            return
        if state == "SYN_SENT" and not self._bsd:
            self._disconnect(abort=True)
            return
        if self.phase is Phase.CONNECTING:
            over = state in {"CLOSED", "SYN_RECEIVED"}
            self.phase = Phase.DISCONNECTING if over else Phase.CONNECTED
        self._receive_shut |= reading
        if reading and self.connection is not None:
            self.connection.shutdown_read()
        if writing and not self._send_shut:
            self._send_shut = True
            if state in SENDING or state in {"SYN_SENT", "SYN_RECEIVED"}:
                assert self.connection is not None
                self.connection.shutdown_write()
        self.notify()
        if state == "CLOSED":
            raise error(errno.ENOTCONN)

    def release(self) -> None:
        """The last descriptor is closed: FIN; RST if unread data is lost or SO_LINGER is 0."""
        self._open = False
        self._receive_shut = self._send_shut = True
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        connection = self.connection
        self._detach()
        if connection is not None:
            if self.options.linger and self.options.linger_seconds == 0:
                connection.abort()
            else:
                connection.close()
        if self._binding is not None:
            self._binding.listening = False
            if not self._port_in_use():
                self.network.tcp_ports.remove(self._binding)
        self.queue.wake()

    def linger(self) -> Blocking[None]:
        """SO_LINGER: wait until the peer has acknowledged everything, at most so long (socket(7))."""
        connection = self.connection
        if not self.options.linger or connection is None:
            return
        deadline = self.network.scheduler.now + max(self.options.linger_seconds, 0) * SEC
        while connection.state.name in FLUSHING and not self._expired(deadline):
            yield Wait(connection.queue, deadline=deadline)

    # Options

    def take_error(self) -> int:
        """SO_ERROR."""
        return self.connection.take_error() if self.connection is not None else 0

    def option_stored(self, attribute: str) -> None:
        """Hand what TCP or the bind table must know on to them. Receive buffers count payload: half."""
        options = self.options
        if self._binding is not None:
            self._binding.reuse_address = bool(options.reuse_address)
            self._binding.reuse_port = bool(options.reuse_port)
        if attribute in ("keepalive", "oobinline"):
            self._tell_tcp(attribute, bool(getattr(options, attribute)))
        elif attribute == "numbers":
            self._tell_tcp("tos", options.number(c.IPPROTO_IP, c.IP_TOS))
            self._tell_tcp("ttl", options.number(c.IPPROTO_IP, c.IP_TTL))
        elif attribute == "send_buffer" and options.send_buffer is not None:
            self._tell_tcp("sndbuf", options.send_buffer)
            self._tcp_changed()
        elif attribute == "receive_buffer" and options.receive_buffer is not None:
            self._tell_tcp("rcvbuf", options.receive_buffer // options.overhead)

    def _tell_tcp(self, name: str, value: Any) -> None:
        self._tcp_options.update({name: value})
        if self.listener is not None:
            self.listener.options.update({name: value})
        if self.connection is not None:
            self.connection.set_option(name, value)

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2), with tcp(7)'s options."""
        if level != c.IPPROTO_TCP:
            had_id = txstamps.numbered(self.options)
            super().set_option(level, name, value)
            if txstamps.numbered(self.options) and not had_id:
                if self.connection is None or self.state == "CLOSED":
                    self.options.numbers[level, name] = 0
                    raise error(errno.EINVAL)
                self._stamp_base = self.connection.stamp_base(txstamps.from_written(self.options))
            return
        fast = (c.TCP_FASTOPEN, c.TCP_FASTOPEN_CONNECT, c.TCP_FASTOPEN_NO_COOKIE, c.TCP_FASTOPEN_KEY)
        if name in fast and self.state not in ("CLOSED", "LISTEN"):
            raise error(errno.EINVAL)
        if name == c.TCP_MD5SIG:
            self._tell_tcp("md5_keys", tcpoptions.parse_md5(value, self._tcp_options.md5_keys))
            return
        own = bsdoptions.parse(name, value) if self._bsd else None
        if own is not None:
            self._tell_tcp(*own)
            return
        spec = tcpoptions.INERT.get(name)
        if self._bsd and name == c.TCP_CONGESTION and value.rstrip(b"\0") == b"newreno":
            value = b"reno"  # Linux's name for it
        if spec is None:
            maxseg = int.from_bytes(self.get_option(level, name), "little") if self._bsd_maxseg(name) else 0
            self._tell_tcp(*tcpoptions.parse(name, value, closed=self.state == "CLOSED", maxseg=maxseg))
            return
        if len(value) < INT.size:
            raise error(errno.EINVAL)
        number = spec.check(INT.unpack_from(value)[0], self.uid)
        self._own[name] = number if name != c.TCP_THIN_DUPACK else 0  # Linux forgets that one
        if name == c.TCP_THIN_LINEAR_TIMEOUTS:
            self._tell_tcp("thin_linear_timeouts", bool(number))
        if name == c.TCP_QUICKACK and self.connection is not None:
            self.connection.set_quickack(bool(number))

    def _bsd_maxseg(self, name: int) -> bool:
        return self._bsd and name == c.TCP_MAXSEG

    def get_option(self, level: int, name: int) -> bytes:
        """getsockopt(2), with tcp(7)'s options; what the connection decides comes from there."""
        if not self._bsd:
            return self._option(level, name)
        if level == c.IPPROTO_TCP:
            value = bsdoptions.load(self._tcp_options, name, self.network.tcp.profile)
            if value is not None:
                return bsdoptions.shown(level, name, value)
        return bsdoptions.shown(level, name, self._option(level, name))

    def _option(self, level: int, name: int) -> bytes:
        connection = self.connection if self.state != "CLOSED" else None
        if level == c.IPPROTO_TCP:
            return self._tcp_option(name, connection)
        if level == c.SOL_SOCKET and connection is not None:
            overhead = self.options.overhead
            if name == c.SO_SNDBUF and (self._bsd or self.options.send_buffer is None):
                return INT.pack(connection.sndbuf)
            if name == c.SO_RCVBUF and (self._bsd or self.options.receive_buffer is None):
                return INT.pack(overhead * connection.rcvbuf)
        return super().get_option(level, name)

    def _tcp_option(self, name: int, connection: Connection | None) -> bytes:
        if name == c.TCP_INFO:
            return tcpinfo.pack(tcpinfo.in_bytes(self.info()) if self._bsd else self.info())
        if name == c.TCP_MAXSEG and connection is not None:
            return INT.pack(
                tcpinfo.in_bytes(connection.info())["snd_mss"] if self._bsd else connection.snd_mss
            )
        if name == c.TCP_QUICKACK and connection is not None:
            return INT.pack(int(connection.quickack))
        if name in (c.TCP_ULP, c.TCP_SAVED_SYN):
            return b""  # none
        if name in tcpoptions.INERT:
            return INT.pack(self._own.get(name, tcpoptions.INERT[name].default))
        return tcpoptions.show(self._tcp_options, name, self.network.tcp.profile)

    def info(self) -> dict[str, int]:
        """TCP_INFO by name: the connection's, or what Linux says of a socket that has none."""
        if self.connection is not None:
            return self.connection.info()
        info = dict.fromkeys(tcpinfo.FIELDS, 0)
        profile = self.network.tcp.profile
        info.update(state=tcpinfo.STATE_NUMBERS[State.CLOSED], rto=1_000_000, snd_mss=profile.default_mss)
        info.update(snd_cwnd=10, snd_ssthresh=tcpinfo.INFINITE_SSTHRESH, reordering=3)
        if self.listener is not None:
            info.update(state=tcpinfo.LISTEN, unacked=self.listener.pending, sacked=self.listener.backlog)
        return info
