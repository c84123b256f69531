"""The demultiplexer: from IP to connections and listeners, CLOSED's answers, and the user's opens."""

import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from errno import EADDRINUSE, EADDRNOTAVAIL, EMSGSIZE, ENETUNREACH, ENOBUFS
from os import strerror
from typing import Any, Final

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.skbuff import Checksum, SkBuff
from pymodel.tcp import (
    berkeley,
    fastopen,
    handshake,
    lifecycle,
    md5sig,
    mss,
    predicted,
    recovery,
    retransmit,
    segment,
    timerset,
    transmit,
)
from pymodel.tcp import input as segment_input
from pymodel.tcp.connection import TcpConnection
from pymodel.tcp.fastopen import FastOpen
from pymodel.tcp.hostcache import HostCache
from pymodel.tcp.ipsender import IpSender
from pymodel.tcp.isn import IsnGenerator
from pymodel.tcp.listener import Listener
from pymodel.tcp.options import TcpOptions
from pymodel.tcp.profile import LINUX, Profile, routed
from pymodel.tcp.segment import SentSegment
from pymodel.tcp.seq import HALF, MASK, gt, lt
from pymodel.tcp.sndbuf import SendBuffer
from pymodel.tcp.sndpages import PAGE, SMALL_PAGE, PagedSendBuffer
from pymodel.tcp.state import State
from pymodel.tcp.syncookie import SynCookies
from pymodel.tcp.syncookie import bits as cookie_bits
from pymodel.tcp.sysctl import Sysctl
from pymodel.tcp.tcb import Pending, Tcb
from pymodel.wire.checksum import checksum, pseudo_header, verify
from pymodel.wire.errors import WireError
from pymodel.wire.tcp import ACK, FIN, PROTO, RST, SYN, TcpHeader, emit, parse

ConnectionKey = tuple[bytes, int, bytes, int]
"""(local address, local port, remote address, remote port)."""

_LOOPBACK_NET: Final = 127
_TIME_WAIT_SEQUENCE_GAP: Final = 0xFFFF + 2
"""How far beyond the old SND.NXT a connection that reuses TIME-WAIT starts (Linux does the same)."""


class TcpLayer:
    """TCP of one host.

    `connections` holds every connection that is not CLOSED, half-open and TIME-WAIT ones too; `listeners`
    is by local (address, port). `stats` counts segments, and drops by reason. `on_release(connection)`
    is called when a connection has become CLOSED: its port may be free again. `secret` keys the initial
    sequence numbers. `ip.send` must not deliver to `input` before it returns. `profile` is copied: the
    layer's own `profile` may be changed (`pymodel.tcp.sysctl`) and holds for what happens from then on.
    `memory`: DMA memory for the send buffers (`PagedSendBuffer`); None: they are the stack's own.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        ip: IpSender,
        *,
        profile: Profile = LINUX,
        secret: bytes,
        memory: HostMemory | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.ip = ip
        self.profile = replace(profile)
        self.sysctl = Sysctl(self.profile)
        self.stats: Counter[str] = Counter()
        self.connections: dict[ConnectionKey, TcpConnection] = {}
        self.listeners: dict[tuple[bytes, int], Listener] = {}
        self._sharers: dict[tuple[bytes, int], list[Listener]] = {}
        """Where several listen on one address and port (SO_REUSEPORT): all of them."""
        self._memory = memory
        self.on_release: Callable[[TcpConnection], None] | None = None
        self._isn = IsnGenerator(secret)
        self.cookies = SynCookies(secret, cookie_bits(self.profile))
        self.fast_open = FastOpen(self.profile, secret)
        self.host_cache = HostCache()
        self._challenge_second = -1
        self._challenges = 0

    # --- the user's side --------------------------------------------------------------------------

    def connect(
        self,
        local: tuple[bytes, int],
        remote: tuple[bytes, int],
        options: TcpOptions | None = None,
        fast: str = "",
        **more: Any,
    ) -> TcpConnection:
        """Open actively: sends the SYN and returns at once, in SYN-SENT.

        `fast` "data": the SYN waits for `TcpConnection.fast_open`; "connect" (TCP_FASTOPEN_CONNECT): likewise
        if there is a Fast Open cookie for the peer, else the SYN asks for one.

        `options` (copied) and single ones by keyword: see `TcpOptions`. An unspecified local address (all
        zeros) is replaced by the route's. OSError: EADDRNOTAVAIL if this very connection exists already
        (but see `port_is_free`), ENETUNREACH without a route, ENOBUFS when there are `max_connections`.
        TypeError, ValueError for a wrong option.
        """
        wanted = TcpOptions() if options is None else replace(options)
        wanted.update(more)
        if not any(local[0]):
            source = self.ip.source_for(remote[0])
            if source is None:
                raise OSError(ENETUNREACH, strerror(ENETUNREACH))
            local = (source, local[1])
        old = self.connections.get((*local, *remote))
        if old is not None and not self._gives_way(old):
            raise OSError(EADDRNOTAVAIL, strerror(EADDRNOTAVAIL))
        if not self.has_room():
            raise OSError(ENOBUFS, strerror(ENOBUFS))
        now = self.scheduler.now
        if old is None:
            iss = self._isn.isn(now, *local, *remote)
        else:
            self.stats["time_wait_reused"] += 1
            lifecycle.finish(old)
            iss = (old.snd_nxt + _TIME_WAIT_SEQUENCE_GAP) & MASK or 1
        connection = self.new_connection(local, remote, iss, wanted)
        if old is not None:
            connection.ts_recent, connection.ts_recent_at = old.ts_recent, old.ts_recent_at
        lifecycle.set_state(connection, State.SYN_SENT)
        self.stats["active_opens"] += 1
        if fast:
            connection.syn_deferred = fast == "data" or fastopen.may_send_data(connection, self.fast_open)
            if not connection.syn_deferred:
                fastopen.start(connection, self.fast_open, memoryview(b""), now)
            return connection
        connection.snd_nxt = (connection.iss + 1) & MASK
        segment.append(connection, SentSegment(connection.iss, connection.snd_nxt, now, SYN))
        transmit.syn(connection, now, False)
        timerset.start(connection, Pending.RETRANSMIT, now + connection.rtt.rto)
        limit = self.profile.open_timeout if wanted.open_timeout is None else wanted.open_timeout
        if limit:
            connection.state_timer.set(now + limit)
        return connection

    def port_is_free(self, local: tuple[bytes, int], remote: tuple[bytes, int], chosen: bool) -> bool:
        """`connect` may use these addresses (Linux: tcp_twsk_unique).

        A connection in TIME-WAIT gives way if it has timestamps, which tell its segments from those of the
        new one (RFC 6191 §2): always to a program that is bound to its port; if the port is to be `chosen`,
        as tcp_tw_reuse says.
        """
        old = self.connections.get((*local, *remote))
        if old is None:
            return True
        if not chosen or not self._gives_way(old):
            return self._gives_way(old)
        profile = self.profile
        loops = local[0][0] == _LOOPBACK_NET or remote[0][0] == _LOOPBACK_NET
        allowed = profile.tw_reuse == 1 or (profile.tw_reuse == 2 and loops)
        waited = self.scheduler.now - old.started >= profile.tw_reuse_delay
        return allowed and waited and old.state is State.TIME_WAIT

    def _gives_way(self, old: TcpConnection) -> bool:
        gone = old.state is State.TIME_WAIT or (old.state is State.FIN_WAIT_2 and old.orphan)
        return gone and old.ts_on and not self.profile.berkeley

    def listen(
        self,
        local: tuple[bytes, int],
        backlog: int,
        options: TcpOptions | None = None,
        *,
        share: bool = False,
        **more: Any,
    ) -> Listener:
        """Open passively; an address of zeros is any. OSError(EADDRINUSE) if `local` is listened on.

        Several may listen on `local` if all of them `share` it: each flow has one of them.

        Options as for `connect`; connections inherit them when their SYN comes.
        """
        wanted = TcpOptions() if options is None else replace(options)
        wanted.update(more)
        others = self._sharers.get(local)
        if local in self.listeners and not (share and others):
            raise OSError(EADDRINUSE, strerror(EADDRINUSE))
        listener = Listener(self, local, backlog, wanted)
        self.listeners.setdefault(local, listener)
        if share:
            self._sharers.setdefault(local, []).append(listener)
        return listener

    def stop_listening(self, listener: Listener) -> None:
        """`listener` is closed; those that share its port go on."""
        sharers = self._sharers.get(listener.local, [])
        if listener in sharers:
            sharers.remove(listener)
        if self.listeners.get(listener.local) is listener:
            del self.listeners[listener.local]
            if sharers:
                self.listeners[listener.local] = sharers[0]
        if not sharers:
            self._sharers.pop(listener.local, None)

    def _listener(self, local: tuple[bytes, int], remote: tuple[bytes, int]) -> Listener | None:
        """Who listens for `remote` at `local`; of those who share a port the flow's hash chooses one."""
        listeners = self.listeners
        found = listeners.get(local) or listeners.get((bytes(len(local[0])), local[1]))
        if found is None:
            return None
        sharers = self._sharers.get(found.local)
        if sharers is None or len(sharers) == 1:
            return found
        return sharers[zlib.crc32(repr((local, remote)).encode()) % len(sharers)]

    # --- services for connections and listeners -----------------------------------------------------

    def profile_for(self, dst: bytes) -> Profile:
        """The profile, with what the route to `dst` says otherwise."""
        metrics = self.ip.metrics_for(dst)
        return routed(self.profile, metrics) if metrics else self.profile

    def new_connection(
        self, local: tuple[bytes, int], remote: tuple[bytes, int], iss: int, options: TcpOptions
    ) -> TcpConnection:
        """A connection in CLOSED, entered in `connections`; it keeps `options`."""
        offset = self._isn.timestamp_offset(*local, *remote)
        connection = TcpConnection(self, local, remote, iss, offset, options)
        self.connections[(*local, *remote)] = connection
        return connection

    def has_room(self) -> bool:
        """Another connection may exist. Where their number is bounded, the oldest in TIME-WAIT makes room."""
        most = self.profile.max_connections
        if not most or len(self.connections) < most:
            return True
        old = next((each for each in self.connections.values() if each.state is State.TIME_WAIT), None)
        if old is None:
            return False
        self.stats["time_wait_recycled"] += 1
        lifecycle.finish(old)
        return True

    def send_buffer(self, base: int) -> SendBuffer:
        """An empty send buffer whose first byte will have sequence number `base`."""
        if self._memory is None:
            return SendBuffer(base)
        page = SMALL_PAGE if self.profile.sndbuf_max <= 2 * PAGE else PAGE
        return PagedSendBuffer(base, self._memory, page)

    def closed(self, tcb: Tcb) -> None:
        """`tcb` is CLOSED: forget it."""
        if tcb.profile.host_cache:
            self.host_cache.remember(tcb, self.scheduler.now)
        connection = self.connections.pop((*tcb.local, *tcb.remote), None)
        if tcb.listener is not None:
            tcb.listener.forget(tcb)
        if connection is not None and self.on_release is not None:
            self.on_release(connection)

    def challenge_allowed(self, now: int) -> bool:
        """One more challenge ACK may be sent in this second (RFC 5961 §7)."""
        second = now // SEC
        if second != self._challenge_second:
            self._challenge_second = second
            self._challenges = 0
        self._challenges += 1
        return self._challenges <= self.profile.challenge_ack_limit

    # --- from IP --------------------------------------------------------------------------------------

    def input(self, skb: SkBuff, src: bytes, dst: bytes) -> None:
        """A segment from IP, or several joined to one: `skb`'s data begins at the TCP header. Consumes it.

        The TOS is read at `skb.network_header`, where that is set. What is wrong with the segment is
        counted in `stats` by reason, never raised.
        """
        stats = self.stats
        tos = 0
        if skb.network_header is not None:
            tos = skb.memory.view[skb.network_header - skb.memory.base + 1]
        stats["in_segs"] += 1
        data = memoryview(skb.bytes()) if skb.data_len else skb.linear()
        try:
            # The device vouches for it, or a loopback that never summed it up.
            summed = skb.ip_summed
            vouched = summed is Checksum.UNNECESSARY or summed is Checksum.PARTIAL
            if not vouched and not verify(data, pseudo_header(src, dst, PROTO, len(data))):
                stats["bad_checksum"] += 1
                return
            header = parse(data)
            if skb.gso_size:
                header.segments, header.segment_size = skb.gso_segs, skb.gso_size
            if header.malformed:
                stats["malformed_options"] += 1
            connection = self.connections.get((dst, header.dport, src, header.sport))
            options = connection.options if connection is not None else self._asked_of(header, src, dst)
            if header.md5 is not None or (options is not None and options.md5_keys):
                reason = md5sig.refused(options, header, data, src, dst)
                if reason:
                    stats[reason] += 1
                    return
            self._dispatch(connection, header, data[header.header_len :], src, dst, tos)
        except WireError as error:
            stats[error.reason] += 1
        finally:
            skb.free()

    def _asked_of(self, header: TcpHeader, src: bytes, dst: bytes) -> TcpOptions | None:
        """The options of the listener that a segment is for."""
        listener = self._listener((dst, header.dport), (src, header.sport))
        return None if listener is None else listener.options

    def _dispatch(
        self,
        connection: TcpConnection | None,
        header: TcpHeader,
        payload: memoryview | bytes,
        src: bytes,
        dst: bytes,
        tos: int,
    ) -> None:
        now = self.scheduler.now
        if connection is not None:
            if connection.state is State.ESTABLISHED:
                answered = predicted.taken(
                    connection, header, payload, now, tos
                ) or segment_input.synchronized(connection, header, payload, now, tos)
            elif connection.state is State.SYN_SENT:
                answered = handshake.syn_sent(connection, header, payload, now, tos)
            elif self.profile.berkeley and berkeley.is_half_open(connection):
                verdict = berkeley.half_open(connection, header, now)
                answered = verdict is not berkeley.Verdict.RESET
                if verdict is berkeley.Verdict.GO_ON:
                    answered = segment_input.synchronized(connection, header, payload, now, tos)
            elif connection.state is State.TIME_WAIT and self._reuse_time_wait(connection, header, now):
                iss = (connection.snd_nxt + _TIME_WAIT_SEQUENCE_GAP) & MASK
                self._listen(header, payload, src, dst, iss, tos)
                return
            elif connection.state is State.TIME_WAIT and self.profile.berkeley:
                berkeley.time_wait(connection, header, len(payload), now)
                return
            else:
                answered = segment_input.synchronized(connection, header, payload, now, tos)
            if not answered:
                self._reset(header, len(payload), src, dst)
            return
        iss = -1
        if header.flags & (SYN | ACK | RST) == SYN:
            iss = self._isn.isn(now, dst, header.dport, src, header.sport)
        self._listen(header, payload, src, dst, iss, tos)

    def _listen(
        self, header: TcpHeader, payload: memoryview | bytes, src: bytes, dst: bytes, iss: int, tos: int
    ) -> None:
        """§3.10.7.2 LISTEN, or §3.10.7.1 CLOSED when nobody listens."""
        listener = self._listener((dst, header.dport), (src, header.sport))
        flags = header.flags
        if listener is not None and flags & (ACK | SYN | RST) == ACK:
            child = listener.cookie_ack(header, (dst, header.dport), (src, header.sport))
            if child is not None:
                segment_input.synchronized(child, header, payload, self.scheduler.now, tos)
                return
        if listener is None or flags & ACK:
            if listener is None:
                self.stats["no_port"] += 1
                if self.profile.blackhole and (flags & SYN or self.profile.blackhole > 1):
                    return
            self._reset(header, len(payload), src, dst)
        elif flags & (SYN | RST) == SYN and not (flags & FIN and self.profile.syn_fin_dropped):
            if _is_group(src) or _is_group(dst):
                self.stats["syn_to_group"] += 1  # RFC 9293 §3.9.2.3, MUST-57
                return
            self.stats["passive_opens"] += 1
            listener.syn(header, payload, (dst, header.dport), (src, header.sport), iss, tos)

    def _takes_over(self, old: TcpConnection, header: TcpHeader) -> bool:
        if self.profile.berkeley:
            return gt(header.seq, old.rcv_nxt)
        if header.ts_val is not None and old.ts_on:
            return gt(header.ts_val, old.ts_recent)  # RFC 6191 §2
        return gt(header.seq, old.rcv_nxt)  # RFC 9293 MAY-2, RFC 1122 §4.2.2.13

    def _reuse_time_wait(self, old: TcpConnection, header: TcpHeader, now: int) -> bool:
        """A SYN that cannot be an old duplicate opens the connection anew, if somebody listens."""
        if header.flags & (SYN | ACK | RST | FIN) != SYN or not self._takes_over(old, header):
            return False
        port = header.dport
        if (old.src, port) not in self.listeners and (bytes(len(old.src)), port) not in self.listeners:
            return False
        lifecycle.finish(old)
        return True

    def _reset(self, header: TcpHeader, length: int, src: bytes, dst: bytes) -> None:
        """The answer of a connection that does not exist (§3.5.2 group 1, §3.10.7.1)."""
        flags = header.flags
        if flags & RST or _is_group(dst):
            return
        answer = TcpHeader(header.dport, header.sport)
        if flags & ACK:
            answer.seq = header.ack
            answer.flags = RST
        else:
            answer.ack = (header.seq + length + (flags & FIN) + (flags >> 1 & 1)) & MASK
            answer.flags = RST | ACK
        self.stats["out_rsts"] += 1
        self.stats["out_segs"] += 1
        raw = bytearray(emit(answer, b""))
        raw[16:18] = checksum(raw, pseudo_header(dst, src, PROTO, len(raw))).to_bytes(2, "big")
        try:
            skb = self.ip.alloc_skb(len(raw))
        except MemoryError:
            self.stats["out_errors"] += 1
            return
        skb.put(len(raw))[:] = raw
        if self.ip.send(skb, PROTO, dst, src):
            self.stats["out_errors"] += 1

    # --- errors from below ----------------------------------------------------------------------------

    def unreachable(
        self, error: int, src: bytes, dst: bytes, sport: int, dport: int, seq: int, mtu: int = 0
    ) -> None:
        """ICMP or the neighbour layer reports `error` (errno) about a segment that we sent.

        `src`, `sport` are ours. EMSGSIZE comes with the `mtu` that the message gives; 0: `ip.mtu_for` knows
        it already. A sequence number that is not in flight is a forgery or old, and ignored (RFC 5927 §4.1).
        While opening, the error ends the attempt, as in Linux; later it is only remembered, in case we give
        up (RFC 5927 §5.2).
        """
        connection = self.connections.get((src, sport, dst, dport))
        if connection is None:
            self.stats["unreachable_no_connection"] += 1
            return
        oldest = connection.iss if connection.fast_child else connection.snd_una
        if (seq - oldest) & MASK >= HALF or not lt(seq, connection.snd_nxt):
            self.stats["unreachable_out_of_window"] += 1
            return
        self.stats["unreachable"] += 1
        if error == EMSGSIZE:
            if mtu:
                self.ip.reduce_mtu(dst, mtu)
            self._packet_too_big(connection)
        elif self.profile.berkeley:
            berkeley.unreachable(connection, error)
        elif connection.opening or (connection.fast_child and connection.listener is not None):
            lifecycle.finish(connection, error)
        else:
            connection.soft_error = error

    def _packet_too_big(self, connection: TcpConnection) -> None:
        """Path MTU discovery (RFC 1191 §6.4): smaller segments from now on, refused ones at once."""
        if connection.state <= State.SYN_RECEIVED:
            return
        old = connection.snd_mss
        mss.sync(connection)
        if connection.snd_mss < old:
            now = self.scheduler.now
            recovery.resend_too_big(connection)
            retransmit.lost(connection, now)


def _is_group(address: bytes) -> bool:
    """Multicast or limited broadcast: no TCP there (RFC 9293 §3.9.2.3)."""
    if len(address) == 4:
        return address[0] >> 4 == 0xE or address == b"\xff\xff\xff\xff"
    return address[0] == 0xFF
