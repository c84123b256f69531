"""The life of a stream socket: its names, listen, accept, connect, shutdown, close.

Which errno wins when several things are wrong follows net/ipv4/af_inet.c and tcp.c.
"""

import errno
from dataclasses import replace
from typing import Final, Self

from pymodel.simtime import SEC
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.messages import SockAddr
from pymodel.socket.portalloc import ANY, Binding
from pymodel.socket.seam import Connection
from pymodel.socket.sock import LOOPBACK
from pymodel.socket.tcpevents import SENDING, Phase, TcpEvents
from pymodel.task import Blocking, Wait

FLUSHING: Final = frozenset({"FIN_WAIT_1", "CLOSING", "LAST_ACK"})
"""Our data or FIN is not acknowledged yet: what SO_LINGER waits for."""


RESET: Final = SENDING | {"SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2"}
"""Ending a connection in one of these is an error to the program (tcp_need_reset)."""


class TcpLife(TcpEvents):
    """A stream socket that can be bound, connected and closed."""

    __slots__ = ()

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

    def accepted_from(self) -> SockAddr:
        """The other end of the connection, which may be over."""
        assert self.connection is not None
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
            self._bind(self._name[0], 0)  # what a connection that failed has left of bind(2)
        binding = self._binding
        assert binding is not None
        if self.network.tcp_ports.conflict(binding):
            raise error(errno.EADDRINUSE)
        share = bool(self.options.reuse_port)
        self.listener = self.network.tcp.listen(self._name, backlog, self._tcp_options, share=share)
        self.listener.queue.add(self._connection_came)
        binding.listening = True
        if self._bsd:
            self._receive_shut = self._send_shut = False
        self.listener.read_shut, self.listener.send_shut = self._receive_shut, self._send_shut
        self.queue.wake()

    def accept(self) -> Blocking[Self]:
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

    def _adopt(self, connection: Connection) -> Self:
        child = type(self)(self.network, self.uid)
        child.options = replace(self.options, numbers=dict(self.options.numbers))
        child._tcp_options = replace(self._tcp_options)
        child._own = dict(self._own)
        child.phase = Phase.CONNECTED
        child._receive_shut, child._send_shut = self._receive_shut, self._send_shut
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
        bound_to = ANY if self.network.is_group(self._name[0]) else self._name[0]
        if host == ANY:  # this host (ip(7), INADDR_ANY as a destination)
            host = LOOPBACK if bound_to == ANY else bound_to
        if host[0] >= 224:
            raise error(errno.ENETUNREACH)  # multicast and broadcast: tcp_v4_connect
        network = self.network
        source = network.ip.source_for(host)
        if source is None:
            raise error(errno.ENETUNREACH)
        if bound_to != ANY:
            source = bound_to

        def unused(local_port: int) -> bool:
            return network.tcp.port_is_free((source, local_port), (host, port), self._binding is None)

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
        self._lost = self._gap = 0
        if binding is None:
            self._binding = self._new_binding(source, local_port, explicit=False)
            network.tcp_ports.add(self._binding)
        elif binding.address == ANY:
            binding.address, self._bound_to_any = source, True  # inet_rcv_saddr
        self._name = (source, local_port)
        self.queue.wake()

    def _disconnect(self, *, abort: bool) -> None:
        """tcp_disconnect: back to a fresh socket that keeps what bind(2) gave it."""
        listener, connection, binding = self.listener, self.connection, self._binding
        held = self._port_locked if listener is not None else self._holds_port()
        self._detach()
        self.listener = self.connection = None
        self.phase = Phase.UNCONNECTED
        self._receive_shut = self._send_shut = False
        if binding is not None:
            binding.listening = False
            if self._bound_to_any:
                binding.address, self._bound_to_any = ANY, False
            self._name = (binding.address if binding.explicit else ANY, binding.port)
            if binding.explicit and held:
                self._bound_after = None
            else:
                # The port is given back; its number is still shown (inet_sport).
                self.network.tcp_ports.remove(binding)
                self._binding = None
        if not self._bsd:
            self._gap += 2 + (connection.max_snd_wnd if connection is not None else 0)
        if listener is not None:
            listener.close()
        if connection is not None and abort:
            if not self._bsd and connection.state.name in RESET:
                self._lost = errno.ECONNRESET
            connection.abort()
        self.notify()

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
        if writing:
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
