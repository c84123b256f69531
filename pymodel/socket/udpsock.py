"""The UDP datagram socket: Linux's `inet_dgram_ops` and `udp_prot` over `pymodel.udp`.

Which errno wins when several things are wrong follows net/ipv4/af_inet.c, udp.c, datagram.c and
net/core/sock.c.
"""

import errno
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket import groups
from pymodel.socket.errors import error
from pymodel.socket.groups import SocketGroups
from pymodel.socket.messages import (
    NOTHING_SAID,
    Control,
    Outgoing,
    QueuedError,
    SockAddr,
    ZeroCopy,
    outgoing,
    pktinfo,
    sockaddr_in,
    timestamp,
    timestamping,
)
from pymodel.socket.options import FLAG, INT, Number
from pymodel.socket.portalloc import ANY, Binding
from pymodel.socket.sock import LOOPBACK, Message, Network, Socket
from pymodel.task import Blocking, Wait
from pymodel.udp import Datagram, Endpoint, Event, Refusal, UdpLayer
from pymodel.udp.layer import MAX_DATAGRAM
from pymodel.wire.ipv4 import is_multicast

READABLE: Final = c.POLLIN | c.POLLRDNORM
WRITABLE: Final = c.POLLOUT | c.POLLWRNORM | c.POLLWRBAND
DATA_READY: Final = c.POLLIN | c.POLLPRI | c.POLLRDNORM | c.POLLRDBAND
"""What sock_def_readable wakes for."""


MAX_SEGMENTS: Final = 128
"""UDP_MAX_SEGMENTS: datagrams that one call may make by UDP_SEGMENT."""

UDP_OPTIONS: Final = {
    c.UDP_CORK: FLAG,
    c.UDP_NO_CHECK6_TX: FLAG,
    c.UDP_NO_CHECK6_RX: FLAG,
    c.UDP_SEGMENT: Number(low=0, high=0xFFFF),
    c.UDP_GRO: FLAG,
}


@dataclass
class _Corked:
    """A datagram that MSG_MORE or UDP_CORK holds back; where it goes was settled by the first call."""

    data: bytearray
    source: bytes
    remote: SockAddr
    sent: Outgoing
    device: str | None
    """What it leaves by, if not by what the routing table says."""


class UdpSocket(Socket):
    """A SOCK_DGRAM socket of AF_INET. Not there: UDP_GRO (without effect)."""

    type = c.SOCK_DGRAM
    protocol = c.IPPROTO_UDP

    def __init__(self, network: Network, uid: int, udp: UdpLayer) -> None:
        super().__init__(network, uid)
        self.udp = udp
        self.endpoint = Endpoint(self._told)
        self.groups = SocketGroups(udp.ip)
        self.endpoint.admits = self._admits
        self._arrivals: deque[int] = deque()
        """When each datagram in the endpoint's queue came in."""
        self._corked: _Corked | None = None
        self._zero_copy = ZeroCopy()
        self._udp_options: dict[int, int] = {}
        self._binding: Binding | None = None
        self._source = ANY
        """The address that datagrams leave with (inet_saddr); ANY: the route's."""
        self._address_locked = False
        self._port_locked = False
        """bind(2) asked for this very address or port: a disconnect leaves it (SOCK_BINDADDR_LOCK …)."""
        self._receive_shut = False
        self._send_shut = False

    def _told(self, event: Event) -> None:
        """UDP has news; wake as sock_def_readable, sock_def_error_report and sock_def_write_space do."""
        if event is Event.DATA:
            self._arrivals.append(self.network.scheduler.now)
        if event is not Event.ROOM:
            self.notify(DATA_READY if event is Event.DATA else c.POLLERR)
        elif self.endpoint.writable:
            self.notify(WRITABLE)
        else:
            self.queue.wake()

    def poll(self) -> int:
        """datagram_poll of net/core/datagram.c."""
        endpoint = self.endpoint
        mask = 0
        if endpoint.error or self.errors:
            mask |= c.POLLERR
            if self.options.number(c.SOL_SOCKET, c.SO_SELECT_ERR_QUEUE):
                mask |= c.POLLPRI
        if self._receive_shut:
            mask |= c.POLLRDHUP | READABLE
            if self._send_shut:
                mask |= c.POLLHUP
        if endpoint.pending:
            mask |= READABLE
        if endpoint.writable:
            mask |= WRITABLE
        return mask

    # Names

    def bind(self, address: SockAddr) -> None:
        """bind(2): EADDRNOTAVAIL, EACCES, EINVAL if bound (by sending, too), EADDRINUSE.

        A broadcast or group address is allowed: only what is sent to it is received then.
        """
        host, port = address
        group = self.network.is_group(host)
        foreign = self.options.number(c.IPPROTO_IP, c.IP_FREEBIND)
        foreign |= self.options.number(c.IPPROTO_IP, c.IP_TRANSPARENT)
        if not group and not foreign and not self.network.is_local(host):
            raise error(errno.EADDRNOTAVAIL)
        if 0 < port < 1024 and self.uid != 0:
            raise error(errno.EACCES)
        if self.endpoint.remote is not None or self.endpoint.local[1]:
            raise error(errno.EINVAL)
        self._bind(host, port, errno.EADDRINUSE)
        self._source = ANY if group else host
        self._address_locked = host != ANY
        self._port_locked = port != 0

    def _bind(self, host: bytes, port: int, failure: int) -> None:
        """Take `port`, or any if it is 0; OSError(`failure`) if that cannot be."""
        options, ports = self.options, self.network.udp_ports
        binding = Binding(
            host, port, self.uid, bool(options.reuse_address), bool(options.reuse_port), True, lambda: True
        )
        if ports.conflict(binding) if port else not ports.choose_for_bind(binding):
            raise error(failure)
        ports.add(binding)
        self._binding = binding
        self.udp.bind(self.endpoint, (host, binding.port))

    def _autobind(self) -> None:
        """inet_autobind: whoever sends or connects needs a port; EAGAIN if none is left."""
        if not self.endpoint.local[1]:
            self._bind(self.endpoint.local[0], 0, errno.EAGAIN)

    def _set_address(self, host: bytes) -> None:
        self.udp.bind(self.endpoint, (host, self.endpoint.local[1]))
        if self._binding is not None:
            self._binding.address = host

    def _unbind(self) -> None:
        self.udp.unbind(self.endpoint)
        if self._binding is not None:
            self.network.udp_ports.remove(self._binding)
            self._binding = None

    def local_name(self) -> SockAddr:
        """getsockname(2): (0.0.0.0, 0) before anything was bound or sent."""
        return self.endpoint.local

    def peer_name(self) -> SockAddr:
        """getpeername(2): ENOTCONN."""
        remote = self.endpoint.remote
        if remote is None or not remote[1]:
            raise error(errno.ENOTCONN)
        return remote

    # The association

    def path_mtu(self) -> int:
        """IP_MTU: of the path to the peer; ENOTCONN."""
        if self.endpoint.remote is None:
            raise error(errno.ENOTCONN)
        return self.udp.ip.mtu_for(self.endpoint.remote[0], self.groups.device)

    def _admits(self, datagram: Datagram) -> bool:
        return self.groups.admits(datagram, bool(self.options.number(c.IPPROTO_IP, c.IP_MULTICAST_ALL)))

    def _route(self, address: bytes, sent: Outgoing = NOTHING_SAID) -> tuple[bytes, bytes, str | None]:
        """(source, destination, device or None) for datagrams to `address`.

        ENETUNREACH, EACCES for a broadcast without SO_BROADCAST, EINVAL from 127/8 to another host.
        """
        if address == ANY:
            address = LOOPBACK if self._source == ANY else self._source
        if is_multicast(address):
            return self._group_route(address, sent)
        wanted = sent.source
        route = self.network.ip.source_for(address)
        if route is None:
            raise error(errno.ENETUNREACH)
        source = route if self._source == ANY else self._source
        if wanted is not None:
            if not self.network.is_local(wanted):
                raise error(errno.ENETUNREACH)
            source = wanted
        ip = self.udp.ip
        if source[0] == LOOPBACK[0] and not ip.is_local(address):
            raise error(errno.EINVAL)
        if ip.is_broadcast(address) and not self.options.broadcast:
            raise error(errno.EACCES)
        return source, address, None

    def _group_route(self, group: bytes, sent: Outgoing) -> tuple[bytes, bytes, str]:
        """As `_route`: a source that is given names the device where nothing else does (ip_route_output)."""
        ip = self.udp.ip
        device = self.groups.device
        if sent.interface:
            device = ip.device_at(sent.interface)
            if device is None:
                raise error(errno.ENODEV)
        source = sent.source or (self.groups.source if self._source == ANY else self._source)
        if device is None:
            device = ip.device_towards(group) if source == ANY else ip.device_of(source)
        if device is None or (sent.source and not self.network.is_local(sent.source)):
            raise error(errno.ENETUNREACH)
        if source == ANY:
            source = ip.address_of(device)
        if source[0] == LOOPBACK[0] and device != "lo":
            raise error(errno.EINVAL)
        return source, group, device

    def connect(self, address: SockAddr | None) -> Blocking[None]:
        """connect(2): from whom to receive and whom to send to. Never blocks; may be called again.

        EAGAIN (no port is left), and as `_route`.
        """
        yield from ()
        if address is None:
            self._disconnect()
            return
        self._autobind()
        source, host, _ = self._route(address[0])
        if self._source == ANY:
            self._source = source
        if self.endpoint.local[0] == ANY:
            self._set_address(source)
        self.endpoint.remote = (host, address[1])
        if self._corked is not None:  # what is held back goes there, too: they share inet_cork in Linux
            self._corked.source, self._corked.remote = source, self.endpoint.remote

    def _disconnect(self) -> None:
        """__udp_disconnect: keeps what bind(2) was asked for, and what was received."""
        self.endpoint.remote = None
        if not self._address_locked:
            self._source = ANY
            self._set_address(ANY)
        if not self._port_locked:
            self._unbind()

    # Data

    def send(
        self,
        data: memoryview,
        flags: int,
        address: SockAddr | None = None,
        control: Sequence[Control] = (),
    ) -> Blocking[int]:
        """sendmsg(2): one datagram, whole or not at all; with MSG_MORE or UDP_CORK a part of one.

        EAGAIN, EMSGSIZE (with IP_PMTUDISC_DO: beyond one packet of the path), EDESTADDRREQ, EINVAL for
        port 0, EPIPE, a pending error of earlier datagrams (ECONNREFUSED), and as `_route`.
        """
        self._autobind()
        if len(data) > 0xFFFF:
            raise error(errno.EMSGSIZE)
        if flags & c.MSG_OOB:
            raise error(errno.EOPNOTSUPP)
        more = bool(flags & c.MSG_MORE or self._udp_options.get(c.UDP_CORK))
        corked = self._corked
        if corked is None:
            remote = address if address is not None else self.endpoint.remote
            if remote is None:
                raise error(errno.EDESTADDRREQ)
            if address is not None and not address[1]:
                raise error(errno.EINVAL)
            sent = outgoing(control)
            source, host, device = self._route(remote[0], sent)
            corked = _Corked(bytearray(), source, (host, remote[1]), sent, device)
        if len(corked.data) + len(data) > MAX_DATAGRAM:
            self._corked = None
            raise error(errno.EMSGSIZE)
        if flags & c.MSG_CONFIRM:
            self.udp.ip.confirm(corked.remote[0])
        if flags & c.MSG_PROBE:
            return len(data)  # the route was looked up, and that is all
        if self._corked is None:  # what is added later has its place, whatever has happened meanwhile
            yield from self._wait_room(self.deadline(self.options.send_timeout, flags))
        if more:
            corked.data += data
            self._corked = corked
            return len(data)
        whole = corked.data + data if corked.data else data
        self._corked = None
        self._send_now(corked, memoryview(whole))
        if flags & c.MSG_ZEROCOPY and self.options.number(c.SOL_SOCKET, c.SO_ZEROCOPY):
            self._zero_copied()
        return len(data)

    def _wait_room(self, deadline: int | None) -> Blocking[None]:
        while True:
            self._raise_error()
            if self._send_shut:
                raise error(errno.EPIPE)
            if self.endpoint.has_room:
                return
            if self._expired(deadline):
                raise error(errno.EAGAIN)
            yield Wait(self.queue, deadline=deadline)

    def _send_now(self, corked: _Corked, data: memoryview) -> None:
        ttl, tos = corked.sent.ttl, corked.sent.tos
        group = is_multicast(corked.remote[0])
        if ttl is None:
            ttl = self.options.number(c.IPPROTO_IP, c.IP_MULTICAST_TTL if group else c.IP_TTL)
        tos = self.options.number(c.IPPROTO_IP, c.IP_TOS) if tos is None else tos
        size = corked.sent.segment
        size = self._udp_options.get(c.UDP_SEGMENT, 0) if size is None else size
        if size and len(data) > size * MAX_SEGMENTS:
            raise error(errno.EINVAL)
        discover = self.options.number(c.IPPROTO_IP, c.IP_MTU_DISCOVER)
        forbidden = discover in (c.IP_PMTUDISC_DO, c.IP_PMTUDISC_PROBE)
        wanted = forbidden or discover == c.IP_PMTUDISC_WANT
        fragment = not forbidden and not size  # UDP_SEGMENT's own segments are never cut again
        size = size or max(len(data), 1)
        for at in range(0, max(len(data), 1), size):
            part = data[at : at + size]
            number = self.udp.send(
                self.endpoint,
                part,
                corked.source,
                corked.remote,
                ttl=ttl,
                tos=tos,
                discover=wanted,
                fragment=fragment,
                device=corked.device,
                loop=bool(self.options.number(c.IPPROTO_IP, c.IP_MULTICAST_LOOP)),
            )
            if number == errno.EMSGSIZE and self.options.number(c.IPPROTO_IP, c.IP_RECVERR):
                mtu = self.udp.ip.mtu_for(corked.remote[0], corked.device)
                self.errors.add(
                    QueuedError(number, c.SO_EE_ORIGIN_LOCAL, info=mtu, destination=corked.remote)
                )
            if number:
                raise error(number)

    def _zero_copied(self) -> None:
        """MSG_ZEROCOPY of a datagram is over as soon as it was copied."""
        self._zero_copy.sent(0)
        done = self._zero_copy.completed(0)
        assert done is not None
        self.errors.add(done)
        self.notify(c.POLLERR)

    def _refused(self, refusal: Refusal) -> None:
        self.errors.add(
            QueuedError(
                refusal.number,
                c.SO_EE_ORIGIN_ICMP,
                refusal.kind,
                refusal.code,
                refusal.info,
                offender=refusal.offender,
                destination=refusal.destination,
                payload=refusal.payload,
            )
        )

    def set_error(self, number: int) -> None:
        """Make `number` the pending error."""
        self.endpoint.error = number

    def receive_message(self, count: int, flags: int) -> Blocking[Message]:
        """recvmsg(2): one datagram, of which what is beyond `count` bytes is lost (MSG_TRUNC is set).

        MSG_PEEK, MSG_TRUNC (its real length is returned), MSG_DONTWAIT. EAGAIN, or a pending error of
        datagrams sent (ECONNREFUSED). After SHUT_RD a call that would block returns b"" and no sender.
        """
        deadline = self.deadline(self.options.receive_timeout, flags)
        peek = bool(flags & c.MSG_PEEK)
        while True:
            self._raise_error()
            place = self._next(peek)
            if place is not None:
                break
            if self._expired(deadline):
                raise error(errno.EAGAIN)
            if self._receive_shut:
                return Message(b"", None, 0, 0)
            yield Wait(self.queue, deadline=deadline)
        at, skipped = place
        datagram, when = self.endpoint.received[at], self._arrivals[at]
        data = datagram.data
        kept = data[skipped : skipped + count]
        # udp_recvmsg: what was peeked at before does not count as kept, unless the buffer was too large.
        truncated = c.MSG_TRUNC if len(kept) < len(data) and skipped + count <= len(data) else 0
        length = len(data) if flags & c.MSG_TRUNC else len(kept)
        if not peek:
            self.endpoint.receive()
            self._arrivals.popleft()
            self.peek.forget(id(datagram))
        self.peek.moved(length if peek else -length)
        return Message(kept, datagram.sender, truncated, length, tuple(self._control(datagram, when)))

    def _next(self, peek: bool) -> tuple[int, int] | None:
        """The datagram to receive: its index, and from which byte on; None if there is none."""
        received = self.endpoint.received
        if not peek:
            return (0, 0) if received else None
        return self.peek.locate((len(datagram.data), id(datagram)) for datagram in received)

    def _control(self, datagram: Datagram, when: int) -> Iterator[Control]:
        """sock_recv_cmsgs, then ip_cmsg_recv: what the options ask for, in Linux's order."""
        options = self.options
        if not options.numbers:
            return
        sol, ip = c.SOL_SOCKET, c.IPPROTO_IP
        if options.number(sol, c.SO_TIMESTAMP) or options.number(sol, c.SO_TIMESTAMPNS):
            yield timestamp(bool(options.number(sol, c.SO_TIMESTAMPNS)), when)
        if options.number(sol, c.SO_TIMESTAMPING) & c.SOF_TIMESTAMPING_SOFTWARE:
            yield timestamping(when)
        if options.number(sol, c.SO_RXQ_OVFL) and self.endpoint.drops:
            yield sol, c.SO_RXQ_OVFL, INT.pack(self.endpoint.drops)
        host, _ = datagram.destination
        if options.number(ip, c.IP_PKTINFO):
            index = self.udp.ip.index_of(datagram.interface)
            own = (
                host if self.udp.ip.is_local(host) else self.network.ip.source_for(datagram.sender[0]) or host
            )
            yield pktinfo(index, own, host)
        if options.number(ip, c.IP_RECVTTL):
            yield ip, c.IP_TTL, INT.pack(datagram.ttl)
        if options.number(ip, c.IP_RECVTOS):
            yield ip, c.IP_TOS, bytes([datagram.tos])
        if options.number(ip, c.IP_RECVORIGDSTADDR):
            yield ip, c.IP_RECVORIGDSTADDR, sockaddr_in(datagram.destination)

    def receive(self, count: int, flags: int) -> Blocking[tuple[bytes, SockAddr | None]]:
        """recvfrom(2): as `receive_message`; what MSG_TRUNC counts beyond the buffer reads as zeros."""
        message = yield from self.receive_message(count, flags)
        return message.data.ljust(message.length, b"\0"), message.sender

    def _raise_error(self) -> None:
        number = self.endpoint.take_error()
        if number:
            raise error(number)

    def _expired(self, deadline: int | None) -> bool:
        return deadline is not None and deadline <= self.network.scheduler.now

    def ioctl(self, request: int, argument: int) -> int:
        """SIOCINQ: the length of the next datagram; SIOCOUTQ: truesize of what is being sent (udp(7))."""
        if request == c.SIOCINQ:
            return self.endpoint.next_length
        if request == c.SIOCOUTQ:
            return self.endpoint.sending
        return super().ioctl(request, argument)

    # The end

    def shutdown(self, how: int) -> None:
        """shutdown(2): EINVAL; ENOTCONN if not connected, but even then it has its effect (inet_shutdown)."""
        if how not in (c.SHUT_RD, c.SHUT_WR, c.SHUT_RDWR):
            raise error(errno.EINVAL)
        self._receive_shut |= how != c.SHUT_WR
        self._send_shut |= how != c.SHUT_RD
        self.notify()
        if self.endpoint.remote is None:
            raise error(errno.ENOTCONN)

    def release(self) -> None:
        """The last descriptor is closed: the port is free at once, what was sent still goes out."""
        self.groups.leave_all()
        self._unbind()
        self.queue.wake()

    # Options

    def memory(self) -> tuple[int, int, int, int]:
        """As SO_MEMINFO counts it."""
        endpoint = self.endpoint
        return endpoint.held, endpoint.sending, 0, endpoint.drops

    def take_error(self) -> int:
        """SO_ERROR."""
        return self.endpoint.take_error()

    def option_stored(self, attribute: str) -> None:
        """Hand on what UDP or the bind table must know."""
        options, endpoint = self.options, self.endpoint
        if self._binding is not None:
            self._binding.reuse_address = bool(options.reuse_address)
            self._binding.reuse_port = bool(options.reuse_port)
        endpoint.share = bool(options.reuse_port)
        endpoint.refused = self._refused if options.number(c.IPPROTO_IP, c.IP_RECVERR) else None
        if attribute == "receive_buffer" and options.receive_buffer is not None:
            endpoint.rcvbuf = options.receive_buffer
        elif attribute == "send_buffer" and options.send_buffer is not None:
            endpoint.sndbuf = options.send_buffer
            self._told(Event.ROOM)

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2), with udp(7)'s options: turning UDP_CORK off sends what was held back."""
        if level == c.IPPROTO_IP and name in groups.OPTIONS:
            self.groups.set_option(name, value)
            return
        if level != c.IPPROTO_UDP:
            super().set_option(level, name, value)
            return
        if len(value) < INT.size:
            raise error(errno.EINVAL)
        if name not in UDP_OPTIONS:
            raise error(errno.ENOPROTOOPT)
        self._udp_options[name] = UDP_OPTIONS[name].check(INT.unpack_from(value)[0], self.uid)
        if name == c.UDP_CORK and not self._udp_options[name] and self._corked is not None:
            corked, self._corked = self._corked, None
            self._send_now(corked, memoryview(corked.data))

    def get_option(self, level: int, name: int) -> bytes:
        """getsockopt(2), with udp(7)'s options."""
        if level == c.IPPROTO_UDP:
            if name not in UDP_OPTIONS:
                raise error(errno.ENOPROTOOPT)
            return INT.pack(self._udp_options.get(name, 0))
        if (level, name) == (c.IPPROTO_IP, c.IP_MULTICAST_IF):
            return self.groups.source
        if level == c.SOL_SOCKET and name == c.SO_SNDBUF:
            return INT.pack(self.endpoint.sndbuf)
        if level == c.SOL_SOCKET and name == c.SO_RCVBUF:
            return INT.pack(self.endpoint.rcvbuf)
        return super().get_option(level, name)
