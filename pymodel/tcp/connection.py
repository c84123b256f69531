"""One connection as a socket layer holds it: the TCB with the user calls of RFC 9293 §3.9.1."""

from functools import partial
from typing import Any

from pymodel.tcp import (
    algorithms,
    cwndcheck,
    delack,
    fastopen,
    keepalive,
    lifecycle,
    mss,
    output,
    rcvwindow,
    tcpinfo,
    timers,
    transmit,
    urgent,
)
from pymodel.tcp import options as tcp_options
from pymodel.tcp.chrono import Chrono
from pymodel.tcp.lazytimer import LazyTimer
from pymodel.tcp.options import TcpOptions
from pymodel.tcp.profile import of_stack
from pymodel.tcp.segment import head
from pymodel.tcp.seq import MASK, gt
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Services, Tcb


class TcpConnection(Tcb):
    """A connection, made by `TcpLayer.connect` or `Listener.accept`. Nothing here blocks.

    `state`, `local`, `remote`; `queue` is woken at any change that a reader, writer or connector may
    care about. `error` is the pending errno (0: none), sticky until `take_error`. `options` is what was
    asked for; change it by `set_option` only. `sndbuf` is what SO_SNDBUF shows, `rcvbuf` half of what
    SO_RCVBUF shows (see `Profile`). `pymodel.tcp.tcpinfo.tcp_info` gives TCP_INFO.
    """

    __slots__ = ()

    def __init__(
        self,
        layer: Services,
        local: tuple[bytes, int],
        remote: tuple[bytes, int],
        iss: int,
        ts_offset: int,
        options: TcpOptions,
    ) -> None:
        super().__init__(layer, local, remote, iss, ts_offset, options)
        profile = self.profile
        self.advertised_mss = layer.ip.mtu_for(self.dst) - self.ip_overhead
        if profile.advmss:
            self.advertised_mss = min(self.advertised_mss, profile.advmss)
        if options.maxseg and not profile.berkeley:
            self.advertised_mss = min(self.advertised_mss, options.maxseg)
        self.peer_mss = mss.default(self)
        self.snd_mss = self.advertised_mss
        self.cc = algorithms.make(options.congestion or profile.congestion, profile)
        self.rtx_timer = LazyTimer(layer.scheduler, partial(timers.fired, self))
        self.delack_timer = LazyTimer(layer.scheduler, partial(timers.delayed_ack, self))
        self.keepalive_timer = LazyTimer(layer.scheduler, partial(keepalive.expired, self))
        self.state_timer = LazyTimer(layer.scheduler, partial(timers.state, self))

    def __repr__(self) -> str:
        return f"<TcpConnection {self.sport}→{self.dport} {self.state.name}>"

    def take_error(self) -> int:
        """The pending error, which is then cleared (SO_ERROR)."""
        error, self.error = self.error, 0
        return error

    def set_option(self, name: str, value: Any) -> None:
        """Change one of `TcpOptions` by name, at any time; what it allows to be sent goes out at once.

        TypeError for an unknown name; ValueError for a value that Linux answers with EINVAL (ENOENT for
        `congestion`).
        """
        tcp_options.check(name, value)
        if name == "congestion":
            self.set_congestion(value if value is not None else self.profile.congestion)
        setattr(self.options, name, value)
        now = self.layer.scheduler.now
        match name:
            case "nodelay" | "cork":
                self.apply_options()
                if bool(value) == (name == "nodelay"):
                    self.nagle_push = self.nodelay
                    output.push(self, now)
            case "stack":
                self.profile = of_stack(self.profile, value)
            case "keepalive":
                self.set_keepalive(value)
            case "keepalive_idle":
                self.set_keepalive_idle(self.profile.keepalive_idle if value is None else value)
            case _:
                self.apply_options()

    @property
    def quickack(self) -> bool:
        """TCP_QUICKACK: ACKs are not left to ride on answers at present. It passes; it is no option."""
        return not delack.in_pingpong(self)

    def set_quickack(self, on: bool) -> None:
        """Acknowledge at once for a while, an ACK that waits too; or leave ACKs to ride on answers."""
        if not on:
            delack.enter_pingpong(self)
            return
        self.pingpong = 0
        if self.state in (State.ESTABLISHED, State.CLOSE_WAIT) and self.ack_scheduled:
            transmit.ack(self, self.layer.scheduler.now)

    def set_congestion(self, name: str) -> None:
        """Another congestion control ("cubic", "reno") from now on, with the windows reached so far.

        ValueError for an unknown name.
        """
        new = algorithms.make(name, self.profile)
        new.cwnd, new.ssthresh = self.cc.cwnd, self.cc.ssthresh
        self.cc = new

    def set_keepalive(self, on: bool) -> None:
        """Probe the peer when it is silent for `keepalive_idle`, or stop doing so (SO_KEEPALIVE).

        A peer that leaves `keepalive_count` probes, `keepalive_interval` ps apart, without an answer
        ends the connection with ETIMEDOUT, or with the error that IP has reported meanwhile.
        `keepalive_interval` and `keepalive_count` may be set at any time.
        """
        if on and not self.keepalive:
            self.keepalive = True
            keepalive.start(self, self.layer.scheduler.now)
        elif not on and not self.profile.keepalive_always:
            self.keepalive = False
            self.keepalive_timer.stop()

    def set_keepalive_idle(self, idle: int) -> None:
        """How long (ps) the peer may be silent before the first probe, counted from its last segment."""
        self.keepalive_idle = idle
        keepalive.restart(self, self.layer.scheduler.now)

    @property
    def readable(self) -> int:
        """Bytes that `recv` can return now: up to the urgent mark, if there is one (FIONREAD)."""
        mark = urgent.offset(self)
        if mark < 0 or mark >= len(self.recv_queue) or self.options.oobinline:
            return len(self.recv_queue)
        return mark if mark else len(self.recv_queue) - 1

    @property
    def eof(self) -> bool:
        """No more bytes will ever come: FIN received (or connection ended), and everything before it read."""
        if self.recv_queue:
            return False
        return self.state is State.CLOSED or (self.rcv_fin >= 0 and self.state >= State.CLOSE_WAIT)

    @property
    def writable(self) -> int:
        """Bytes that the send buffer has left; 0 also where sending is over or not yet possible."""
        if self.fin_queued or not self.may_send:
            return 0
        return max(self.sndbuf - self.queued_memory, 0)

    @property
    def _takes_more(self) -> bool:
        """Another sk_buff may be begun (Linux: sk_stream_memory_free)."""
        return self.queued_memory < self.sndbuf and self.unsent < self._notsent_lowat

    @property
    def _notsent_lowat(self) -> int:
        lowat = self.options.notsent_lowat
        return self.profile.notsent_lowat if lowat is None else lowat

    @property
    def unacknowledged(self) -> int:
        """Bytes in the send buffer, sent or not (SIOCOUTQ)."""
        return len(self.send_queue)

    @property
    def writable_for_poll(self) -> bool:
        """POLLOUT: a third of the send buffer is free, and fewer than TCP_NOTSENT_LOWAT bytes are unsent."""
        free = self.writable
        return free > 0 and 2 * free >= self.sndbuf - free and self.unsent < self._notsent_lowat

    def send(
        self,
        data: bytes | bytearray | memoryview,
        *,
        more: bool = False,
        oob: bool = False,
        eor: bool = False,
        lent: bool = False,
        stamp: int = 0,
    ) -> int:
        """Copy what fits into the send buffer and return how many bytes that was; then push output.

        `more` (MSG_MORE): a partial segment at the end waits for the next call, as with `cork`. `oob`
        (MSG_OOB): the last byte is urgent. `eor` (MSG_EOR): what is sent later joins no segment with it.
        `lent` (MSG_ZEROCOPY): refer to `data` instead of copying it, where the send buffer can.
        `stamp`: which time stamps of the last byte are wanted (`txstamp`).
        """
        n = len(data)
        if not n or self.fin_queued or not self.may_send:
            return 0
        now = self.layer.scheduler.now
        mss_now = mss.current(self)
        goal = mss_now if oob else mss.size_goal(self, mss_now)
        queue = self.send_queue
        cwndcheck.after_idle(self, now)
        self.nagle_push = False
        view = memoryview(data)
        at = 0
        full = False
        while at < n:
            tail = queue.tail(self.snd_nxt)
            continued = 0 < tail < goal
            strict = not self.profile.skb_overhead
            if (strict or not continued) and not self._takes_more:
                full = True
                break
            part = min(n - at, goal - tail if continued else goal)
            if strict:
                part = min(part, self.sndbuf - self.queued_memory)
            held = len(queue)
            try:
                chunk = queue.append(view[at : at + part], continued, lent=lent)
            except MemoryError:
                full = True
                break
            self.clock.start(Chrono.BUSY, now)
            at += len(queue) - held
            if len(queue) - held < part:
                full = True
                break
            if at < n:
                half = self.max_snd_wnd >> 1
                if self.profile.berkeley:
                    continue  # everything is in the buffer before anything leaves
                if gt(queue.end, (self.pushed_seq + half) & MASK):
                    chunk.push = True
                    self.pushed_seq = queue.end
                    output.push(self, now, output.NAGLE_OFF)
                elif len(queue.chunks) == 1 and self.may_send:
                    output.write(self, now, output.NAGLE_OFF, push_one=1)
        if not at:
            return 0
        if stamp:
            chunks = queue.chunks
            packet = chunks[-2].end if len(chunks) > 1 else self.snd_nxt
            self.stamps.add((queue.end - 1) & MASK, stamp, packet)
        if full or not more:
            chunk.push = True
            self.pushed_seq = queue.end
        if full:
            output.push(self, now, output.NAGLE_OFF)
            return at
        chunk.eor = eor
        if oob:
            self.snd_up = queue.end
        output.push(self, now, output.NAGLE_CORK if more else output.NAGLE_DEFAULT)
        return at

    def lends(self, data: memoryview) -> bool:
        """`send` with `lent` refers to `data` and does not copy it."""
        return self.send_queue.lends(data)

    def want_space(self, wanted: bool) -> None:
        """The program has found the buffer full, or has been told of room."""
        self.no_space = wanted
        if not wanted:
            queued = head(self) is not None or self.has_unsent
            self.clock.stop(Chrono.SNDBUF_LIMITED, self.layer.scheduler.now, queued)

    def stamp_base(self, written: bool) -> int:
        """What stamps count from: the byte that is written next, or the oldest unacknowledged one."""
        return self.send_queue.end if written else self.snd_una

    def fast_open(self, data: memoryview) -> int:
        """The SYN that waited (`TcpLayer.connect`) goes now; how much of `data` it carries (RFC 7413)."""
        self.syn_deferred = False
        return fastopen.start(self, self.layer.fast_open, data, self.layer.scheduler.now)

    def recv(self, n: int, peek: bool = False) -> bytes:
        """Up to `n` bytes; b"" if none is there. Taking bytes may open the window, and send what tells so.

        Reading stops at the urgent mark; the urgent byte itself is left out (unless `oobinline`).
        """
        queue = self.recv_queue
        mark = urgent.offset(self)
        start = 0
        if mark == 0 and not self.options.oobinline:
            if not peek:
                urgent.skip(self)
            else:
                start = 1
        elif mark > 0:
            n = min(n, mark)
        with memoryview(queue) as view:
            data = bytes(view[start : start + n])
        if peek or not data:
            return data
        del queue[: len(data)]
        later = self.rcv_memory.behind_first(len(data))
        if queue:
            self.rcv_memory.read(len(data))
        else:
            self.rcv_memory.drained()
        self.copied_seq = (self.copied_seq + len(data)) & MASK
        urgent.passed(self)
        now = self.layer.scheduler.now
        rcvwindow.read(self, now, later)
        if rcvwindow.update_due(self):
            transmit.ack(self, now)
        return data

    def recv_oob(self, peek: bool = False) -> bytes:
        """MSG_OOB: the urgent byte; b"" at the end of the stream. OSError: EINVAL, EAGAIN (`urgent.read`)."""
        return urgent.read(self, peek)

    @property
    def at_mark(self) -> bool:
        """SIOCATMARK: the next byte to read is the urgent one."""
        return urgent.offset(self) == 0

    @property
    def urgent_ready(self) -> bool:
        """POLLPRI: the urgent byte has come and is not read."""
        return self.urgent_byte >= 0

    def shutdown_read(self) -> None:
        """The program reads no more. Linux hands over what comes all the same, unless the writing side is
        shut, too; the BSDs throw it away.
        """
        if self.profile.berkeley:
            self.discards = True
            self.recv_queue.clear()
            self.copied_seq = self.rcv_nxt
        else:
            self.read_shut = True

    def shutdown_write(self) -> None:
        """No more data will be sent: FIN after what is queued (half close). Repeating it does nothing."""
        if self.opening:
            self.fin_queued = True  # after the handshake (RFC 9293 §3.10.4)
        elif self.state is not State.CLOSED:
            lifecycle.send_fin(self, self.layer.scheduler.now)

    def close(self) -> None:
        """The program lets go of the connection, which goes on by itself until it is CLOSED.

        Unread data → RST (RFC 9293 §3.6.1, RFC 2525 §2.17), else FIN after what is queued. Text that
        arrives later is answered with RST. FIN-WAIT-2 then lasts only the profile's `fin_timeout`.
        """
        if self.orphan:
            return
        self.orphan = True
        now = self.layer.scheduler.now
        if self.state is State.CLOSED:
            return
        if self.state is State.SYN_SENT:
            lifecycle.finish(self)
        elif self.recv_queue and not self.profile.berkeley:
            self.recv_queue.clear()
            lifecycle.abort(self, now)
        elif self.state is State.FIN_WAIT_2:
            lifecycle.orphan_in_fin_wait_2(self, now)
        else:
            self.shutdown_write()

    def abort(self) -> None:
        """RST, and CLOSED at once; what was received and not read is lost (RFC 9293 §3.10.5)."""
        self.orphan = True
        self.recv_queue.clear()
        lifecycle.abort(self, self.layer.scheduler.now)

    def info(self) -> dict[str, int]:
        """TCP_INFO: see `pymodel.tcp.tcpinfo.tcp_info`."""
        return tcpinfo.tcp_info(self)
