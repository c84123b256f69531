"""A stand-in for `pymodel.tcp` on one host that talks to itself: no segments, only their effects.

It has the interface of `pymodel.socket.seam.Tcp` and nothing of the real protocol's code, so that the
socket layer is tested apart from it. Everything takes `DELAY` each way.
"""

import errno
from collections import deque
from dataclasses import replace
from enum import IntEnum

from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC, US
from pymodel.task import WaitQueue
from pymodel.tcp import TcpOptions
from pymodel.tcp.profile import LINUX
from pymodel.tcp.tcpinfo import FIELDS
from pymodel.tcp.txstamp import Stamps

DELAY = 10 * US
TIME_WAIT = 60 * SEC

State = IntEnum(
    "State",
    "CLOSED SYN_SENT SYN_RECEIVED ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT",
    start=0,
)


class FakeConnection:
    profile = LINUX
    max_snd_wnd = 0

    def __init__(self, tcp, local, remote):
        self.tcp, self.local, self.remote = tcp, local, remote
        self.queue = WaitQueue()
        self.options = TcpOptions()
        self.sndbuf, self.rcvbuf, self.snd_mss = 100_000, 65_536, 1460
        self.quickack = True
        self.state = State.CLOSED
        self.error = 0
        self.orphan = self.read_shut = False
        self.peer = None
        self.rx = bytearray()
        self.tx = bytearray()
        self.in_flight = 0
        self.fin_received = False
        self.fin_queued = False
        tcp.connections[(*local, *remote)] = self

    readable = property(lambda self: len(self.rx))
    eof = property(lambda self: self.fin_received and not self.rx)
    writable = property(lambda self: max(self.sndbuf - len(self.tx) - self.in_flight, 0))

    def later(self, action, *args):
        self.tcp.scheduler.after(DELAY, lambda: action(*args))

    def become(self, state):
        self.state = state
        if state == State.CLOSED:
            self.tcp.connections.pop((*self.local, *self.remote), None)
        if state == State.TIME_WAIT:
            self.tcp.scheduler.after(TIME_WAIT, lambda: self.become(State.CLOSED))
        self.queue.wake()

    def take_error(self):
        number, self.error = self.error, 0
        return number

    at_mark = False
    memory_used = 0, 0
    opening = property(lambda self: self.state in (State.SYN_SENT, State.SYN_RECEIVED))
    may_send = property(lambda self: self.state in (State.ESTABLISHED, State.CLOSE_WAIT))
    syn_deferred = False
    stamps = property(lambda self: Stamps())

    def want_space(self, wanted):
        pass

    unsent = property(lambda self: len(self.tx))
    unacknowledged = property(lambda self: len(self.tx) + self.in_flight)

    urgent_ready = False

    def recv_oob(self, peek=False):
        raise OSError(errno.EINVAL, "there is no urgent data")

    @property
    def writable_for_poll(self):
        return self.writable > 0 and 2 * self.writable >= self.sndbuf - self.writable

    def set_quickack(self, on):
        self.quickack = on

    def set_option(self, name, value):
        self.options.update({name: value})
        if name in ("sndbuf", "rcvbuf") and value is not None:
            setattr(self, name, value)

    def inherit(self, options):
        for name in ("sndbuf", "rcvbuf", "nodelay", "keepalive"):
            self.set_option(name, getattr(options, name))

    def info(self):
        return dict.fromkeys(FIELDS, 0)

    def lends(self, data):
        return False

    def send(self, data, *, more=False, oob=False, eor=False, lent=False):
        n = min(len(data), self.writable)
        self.tx += data[:n]
        self.push()
        return n

    def push(self):
        if self.peer is None:
            return
        n = min(len(self.tx), self.peer.rcvbuf - len(self.peer.rx) - self.in_flight)
        if n > 0:
            self.in_flight += n
            self.later(self.peer.deliver, bytes(self.tx[:n]))
            del self.tx[:n]
        if self.fin_queued and not self.tx:
            self.fin_queued = False
            self.later(self.peer.receive_fin)

    def deliver(self, data):
        unread = self.read_shut and self.state in (State.FIN_WAIT_1, State.FIN_WAIT_2)
        if self.state == State.CLOSED or self.orphan or unread:
            self.later(self.peer.reset, errno.ECONNRESET)
            self.error = errno.ECONNRESET if unread and not self.orphan else self.error
            self.become(State.CLOSED)
            return
        self.rx += data
        self.queue.wake()
        self.later(self.peer.acked, len(data))

    def acked(self, n):
        self.in_flight -= n
        self.push()
        self.queue.wake()

    def recv(self, n, peek=False):
        data = bytes(self.rx[:n])
        if not peek:
            del self.rx[:n]
            if self.peer is not None:
                self.later(self.peer.push)
        return data

    def receive_fin(self):
        self.fin_received = True
        if self.state == State.CLOSED:
            return
        self.become(
            {State.ESTABLISHED: State.CLOSE_WAIT, State.FIN_WAIT_1: State.CLOSING}.get(
                self.state, State.TIME_WAIT
            )
        )
        self.later(self.peer.fin_acked)

    def fin_acked(self):
        after = {
            State.FIN_WAIT_1: State.FIN_WAIT_2,
            State.CLOSING: State.TIME_WAIT,
            State.LAST_ACK: State.CLOSED,
        }
        if self.state in after:
            self.become(after[self.state])

    def shutdown_read(self):
        self.read_shut = True

    def shutdown_write(self):
        after = {State.ESTABLISHED: State.FIN_WAIT_1, State.CLOSE_WAIT: State.LAST_ACK}
        if self.state in after:
            self.fin_queued = True
            self.become(after[self.state])
            self.push()

    def close(self):
        if self.rx or self.state in (State.SYN_SENT, State.SYN_RECEIVED):
            self.abort()
        else:
            self.orphan = True
            self.shutdown_write()

    def abort(self):
        if self.peer is not None and self.state != State.CLOSED:
            self.later(self.peer.reset, errno.ECONNRESET)
        self.become(State.CLOSED)

    def reset(self, number):
        if self.state not in (State.CLOSED, State.TIME_WAIT):
            self.error = errno.EPIPE if self.state == State.CLOSE_WAIT else number
            self.become(State.CLOSED)


class FakeListener:
    def __init__(self, tcp, local, backlog, options):
        self.tcp, self.local, self.backlog, self.options = tcp, local, backlog, replace(options)
        self.queue = WaitQueue()
        self.ready = deque()

    pending = property(lambda self: len(self.ready))

    def accept(self):
        return self.ready.popleft() if self.ready else None

    def close(self):
        self.tcp.listeners[self.local].remove(self)
        for connection in self.ready:
            connection.abort()


class FakeTcp:
    profile = LINUX

    def __init__(self, scheduler: Scheduler):
        self.scheduler = scheduler
        self.connections = {}
        self.listeners = {}
        self.on_release = None

    def listen(self, local, backlog, options, *, share):
        there = self.listeners.setdefault(local, [])
        if there and not share:
            raise OSError(errno.EADDRINUSE, "in use")
        there.append(FakeListener(self, local, backlog, options))
        return there[-1]

    def port_is_free(self, local, remote, chosen):
        return (*local, *remote) not in self.connections

    def connect(self, local, remote, options):
        connection = FakeConnection(self, local, remote)
        connection.inherit(options)
        connection.become(State.SYN_SENT)
        connection.later(self.syn, connection)
        return connection

    def syn(self, client):
        there = self.listeners.get(client.remote) or self.listeners.get((bytes(4), client.remote[1]))
        listener = there[client.local[1] // 2 % len(there)] if there else None
        if listener is None:
            client.later(client.reset, errno.ECONNREFUSED)
        elif client.state == State.SYN_SENT and listener.pending <= listener.backlog:
            server = FakeConnection(self, client.remote, client.local)
            server.inherit(listener.options)
            server.peer, client.peer = client, server
            server.become(State.SYN_RECEIVED)
            client.later(self.syn_ack, client, listener)

    def syn_ack(self, client, listener):
        if client.state == State.SYN_SENT:
            client.become(State.ESTABLISHED)
            client.later(self.established, client.peer, listener)

    def established(self, server, listener):
        server.become(State.ESTABLISHED)
        if server.peer.state == State.FIN_WAIT_1:
            server.queue.wake()
        listener.ready.append(server)
        listener.queue.wake()


class FakeIp:
    """Loopback: 127/8 is here, and nothing else can be reached."""

    def source_for(self, dst):
        return b"\x7f\0\0\1" if dst[0] == 127 else None
