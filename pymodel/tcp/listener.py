"""LISTEN (RFC 9293 §3.10.7.2): the queue of half-open connections and the queue of finished ones."""

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from pymodel.task import WaitQueue
from pymodel.tcp import fastopen, handshake, lifecycle, rcvwindow, segment, syncookie, timerset, transmit
from pymodel.tcp.connection import TcpConnection
from pymodel.tcp.options import TcpOptions
from pymodel.tcp.segment import SentSegment
from pymodel.tcp.seq import MASK
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Pending, Tcb
from pymodel.wire.tcp import SYN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.layer import TcpLayer


class Listener:
    """A listening port. `queue` is woken when a finished connection arrives; `backlog` may be set.

    As in Linux, up to `backlog` + 1 finished connections wait; while that queue is full SYNs are dropped
    and the last ACK of a handshake is ignored. Half-open connections are bounded by `backlog` too; beyond
    that SYNs are answered with cookies (`syncookie`).
    """

    def __init__(
        self, layer: "TcpLayer", local: tuple[bytes, int], backlog: int, options: TcpOptions
    ) -> None:
        self.layer = layer
        self.local = local
        self.backlog = backlog
        self.options = options
        """What connections inherit; may be changed (`TcpOptions.update`) at any time."""
        self.read_shut = self.send_shut = False
        """Connections are shut from the beginning, as shutdown(2) on the listening socket says (Linux)."""
        self.queue = WaitQueue()
        self.closed = False
        self._finished: deque[TcpConnection] = deque()
        self._half_open: dict[Tcb, None] = {}
        self._fast: list[Tcb] = []
        """Made by Fast Open, SYN,ACK not acknowledged when last looked at."""

    @property
    def pending(self) -> int:
        """Finished connections that nobody has accepted yet."""
        return len(self._finished)

    @property
    def half_open(self) -> int:
        """Connections in SYN-RECEIVED."""
        return len(self._half_open)

    def has_room(self) -> bool:
        """The accept queue takes another connection."""
        if self.layer.profile.berkeley:
            return len(self._finished) <= 3 * self.backlog // 2
        return len(self._finished) <= self.backlog

    def accept(self) -> TcpConnection | None:
        """The oldest finished connection, or None. It may have been reset meanwhile: `error` tells."""
        if not self._finished:
            return None
        connection = self._finished.popleft()
        connection.listener = None
        return connection

    def close(self) -> None:
        """Stop listening; connections nobody accepted are reset, half-open ones forgotten."""
        if self.closed:
            return
        self.closed = True
        self.layer.stop_listening(self)
        for half_open in list(self._half_open):
            lifecycle.finish(half_open)
        while self._finished:
            connection = self._finished.popleft()
            connection.listener = None
            connection.abort()
        self.queue.wake()

    def syn(
        self,
        header: TcpHeader,
        payload: memoryview | bytes,
        local: tuple[bytes, int],
        remote: tuple[bytes, int],
        iss: int,
        tos: int,
    ) -> None:
        """A SYN for this port: SYN-RECEIVED and a SYN,ACK, or nothing when a queue is full.

        What came along is kept only if Fast Open allows it; else the SYN,ACK does not acknowledge it.
        """
        stats = self.layer.stats
        profile = self.layer.profile
        if not self.layer.has_room():
            stats["syn_no_memory"] += 1
            return
        if not self.has_room() and not profile.berkeley:
            stats["listen_overflow"] += 1
            return
        now = self.layer.scheduler.now
        most = profile.max_syn_backlog
        full = len(self._half_open) >= max(most if profile.berkeley else min(self.backlog, most), 1)
        if full or profile.syncookies == 2:
            stats["syn_queue_full"] += full
            if profile.syncookies:
                self._answer_with_cookie(header, local, remote, now, tos)
            return
        child = self.layer.new_connection(local, remote, iss, self._inherited(tos))
        self._adopt(child)
        handshake.learn_syn(child, header, now, tos)
        if profile.fastopen & fastopen.ALL_LISTENERS and not child.options.fastopen:
            child.options.fastopen = self.backlog
        waiting = sum(other.fast_child for other in self._fast)
        fast, answer = fastopen.judge(child, self.layer.fast_open, header, len(payload), waiting)
        extra = None if answer is None else answer.raw()
        if fast:
            self._fast = [other for other in self._fast if other.fast_child] + [child]
            fastopen.make_child(child, header, payload, now)
            transmit.syn(child, now, True, extra)
            timerset.start(child, Pending.RETRANSMIT, now + child.rtt.rto)
            if self.send_shut:
                child.fin_queued = False
                lifecycle.send_fin(child, now)
            self.finished(child)
            return
        child.snd_nxt = (child.iss + 1) & MASK
        segment.append(child, SentSegment(child.iss, child.snd_nxt, now, SYN))
        lifecycle.set_state(child, State.SYN_RECEIVED)
        self._half_open[child] = None
        transmit.syn(child, now, True, extra)
        timerset.start(child, Pending.RETRANSMIT, now + child.rtt.rto)

    def _adopt(self, child: Tcb) -> None:
        child.listener = self
        child.read_shut, child.fin_queued = self.read_shut, self.send_shut

    def _inherited(self, tos: int) -> TcpOptions:
        """The options of a connection whose SYN came with `tos`."""
        options = replace(self.options)
        if self.layer.profile.reflect_tos:
            options.tos = tos & ~3
        return options

    def _answer_with_cookie(
        self, header: TcpHeader, local: tuple[bytes, int], remote: tuple[bytes, int], now: int, tos: int
    ) -> None:
        """A SYN,ACK that leaves nothing behind but its sequence number."""
        layer = self.layer
        layer.stats["syn_cookies_sent"] += 1
        profile = layer.profile
        cookie = layer.cookies.make((*local, *remote), header.seq, syncookie.described(profile, header), now)
        child = layer.new_connection(local, remote, cookie, self._inherited(tos))
        handshake.learn_syn(child, syncookie.remembered_syn(profile, header), now, tos)
        said = syncookie.stamp_bits(profile, header)
        if said is not None:
            # The options replace the clock's low bits; the result is never ahead of the clock.
            clock = transmit.timestamp_now(child, now) - child.ts_offset & MASK
            whole = 1 << syncookie.STAMP_BITS
            stamp = clock // whole * whole | said
            child.ts_offset += stamp - clock - (whole if stamp > clock else 0)
        transmit.syn(child, now, True)
        layer.connections.pop((*local, *remote))

    def cookie_ack(
        self, header: TcpHeader, local: tuple[bytes, int], remote: tuple[bytes, int]
    ) -> TcpConnection | None:
        """An ACK without a connection: one in SYN-RECEIVED if it brings back a cookie of ours, else None."""
        layer = self.layer
        now = layer.scheduler.now
        irs, iss = (header.seq - 1) & MASK, (header.ack - 1) & MASK
        profile = layer.profile
        data = layer.cookies.check((*local, *remote), irs, iss, now)
        if not profile.syncookies or not layer.stats["syn_cookies_sent"] or data is None:
            return None
        if not self.has_room() or not layer.has_room():
            layer.stats["listen_overflow"] += 1
            return None
        layer.stats["syn_cookies_received"] += 1
        child = layer.new_connection(local, remote, iss, replace(self.options))
        syn = syncookie.syn_of(profile, header, data, child.ts_offset)
        if syn is None:
            layer.connections.pop((*local, *remote))
            return None
        self._adopt(child)
        child.by_cookie = True
        handshake.learn_syn(child, syn, now, 0)
        if not profile.berkeley:
            rcvwindow.open_for_syn(child, 0, child.peer_mss)
        child.snd_nxt = (iss + 1) & MASK
        segment.append(child, SentSegment(iss, child.snd_nxt, now, SYN))
        lifecycle.set_state(child, State.SYN_RECEIVED)
        return child

    def ready(self, child: Tcb, header: TcpHeader, length: int, now: int) -> bool:
        """`child`'s SYN,ACK is acknowledged: may it finish? Else it is as if that ACK was lost."""
        if not self.has_room():
            # Our SYN,ACK will be repeated.
            self.layer.stats["accept_queue_full"] += 1
            if self.layer.profile.abort_on_overflow:
                lifecycle.abort(child, now)
            return False
        if not length and child.handshake_deferred(now):
            child.deferred = True
            self.layer.stats["accepts_deferred"] += 1
            return False
        return True

    def finished(self, child: Tcb) -> None:
        """`child`'s handshake is complete."""
        self._half_open.pop(child, None)
        assert isinstance(child, TcpConnection)
        self._finished.append(child)
        self.queue.wake()

    def forget(self, child: Tcb) -> None:
        """`child` ended before it was accepted. A finished one stays, as in Linux, for accept to return."""
        self._half_open.pop(child, None)
