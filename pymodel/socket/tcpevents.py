"""What TCP is doing for a stream socket, and what of it wakes whom: tcp_poll and `struct sock`'s callbacks.

A socket has two states, as in Linux: its own (`Phase`, `socket_state` there), which remembers what
the program has been told, and TCP's, which may be ahead of it.
"""

from enum import Enum
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket import txstamps
from pymodel.socket.file import Watcher
from pymodel.socket.messages import SockAddr, ZeroCopy
from pymodel.socket.portalloc import ANY, Binding
from pymodel.socket.seam import Connection, Listening
from pymodel.socket.sock import Network, Socket
from pymodel.task import Blocking, Wait
from pymodel.tcp import TcpOptions

Phase = Enum("Phase", ["UNCONNECTED", "CONNECTING", "CONNECTED", "DISCONNECTING"])
"""What the program knows: `socket_state` of include/linux/net.h."""

SENDING: Final = frozenset({"ESTABLISHED", "CLOSE_WAIT"})
PEER_CLOSED: Final = frozenset({"CLOSE_WAIT", "CLOSING", "LAST_ACK"})
"""The peer's FIN has come."""

READABLE: Final = c.POLLIN | c.POLLRDNORM
WRITABLE: Final = c.POLLOUT | c.POLLWRNORM

DATA_READY: Final = c.POLLIN | c.POLLPRI | c.POLLRDNORM | c.POLLRDBAND
WRITE_SPACE: Final = c.POLLOUT | c.POLLWRNORM | c.POLLWRBAND
"""What sock_def_readable and sk_stream_write_space wake for."""


class TcpEvents(Socket):
    """The state of a SOCK_STREAM socket of AF_INET, and poll(2) on it."""

    type = c.SOCK_STREAM
    protocol = c.IPPROTO_TCP
    sigpipe = True

    __slots__ = (
        "_announced",
        "_binding",
        "_bound_after",
        "_bound_to_any",
        "_bsd",
        "_gap",
        "_had_room",
        "_lost",
        "_name",
        "_no_space",
        "_open",
        "_own",
        "_port_locked",
        "_receive_shut",
        "_seen_state",
        "_send_shut",
        "_sent",
        "_stamp_base",
        "_taken",
        "_tcp_options",
        "_zero_copy",
        "connection",
        "listener",
        "phase",
    )

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
        self._bound_to_any = False
        """bind(2) was not given an address; the binding has that of the connection for now."""
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
        self._gap = 0
        """How far tcp_disconnect has put write_seq beyond snd_nxt: it counts as if it were not sent yet."""
        self._lost = 0
        """The error of a connection that was dissolved under the program (sk_err after tcp_disconnect)."""

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
            mask = c.POLLHUP | (c.POLLERR if self._lost else 0)
            lowat = self._tcp_options.notsent_lowat or self.network.tcp.profile.notsent_lowat
            if self._send_shut or self._gap << 1 < lowat:
                mask |= WRITABLE
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
