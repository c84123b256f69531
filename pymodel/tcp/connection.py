"""One connection as a socket layer holds it: the TCB with the user calls of RFC 9293 §3.9.1."""

from functools import partial

from pymodel.tcp import algorithms, keepalive, lifecycle, output, timers, transmit
from pymodel.tcp.lazytimer import LazyTimer
from pymodel.tcp.seq import HALF, MASK
from pymodel.tcp.state import SENDING, State
from pymodel.tcp.tcb import Services, Tcb


class TcpConnection(Tcb):
    """A connection, made by `TcpLayer.connect` or `Listener.accept`. Nothing here blocks.

    `state`, `local`, `remote`; `queue` is woken at any change that a reader, writer or connector may
    care about. `error` is the pending errno (0: none), sticky until `take_error`. `nodelay`, `sndbuf` and
    `rcvbuf` may be set at any time; the buffers are in bytes of payload (Linux's getsockopt shows about
    twice that).
    """

    def __init__(
        self, layer: Services, local: tuple[bytes, int], remote: tuple[bytes, int], iss: int, ts_offset: int
    ) -> None:
        super().__init__(layer, local, remote, iss, ts_offset)
        profile = layer.profile
        self.advertised_mss = layer.ip.mtu_for(self.dst) - self.ip_overhead
        self.snd_mss = self.advertised_mss
        self.cc = algorithms.make(profile.congestion, self.snd_mss, profile)
        self.rtx_timer = LazyTimer(layer.scheduler, partial(timers.retransmission, self))
        self.delack_timer = LazyTimer(layer.scheduler, partial(timers.delayed_ack, self))
        self.keepalive_timer = LazyTimer(layer.scheduler, partial(keepalive.expired, self))
        self.state_timer = LazyTimer(layer.scheduler, partial(timers.state, self))

    def __repr__(self) -> str:
        return f"<TcpConnection {self.sport}→{self.dport} {self.state.name}>"

    def take_error(self) -> int:
        """The pending error, which is then cleared (SO_ERROR)."""
        error, self.error = self.error, 0
        return error

    def set_congestion(self, name: str) -> None:
        """Another congestion control ("cubic", "reno") from now on, with the windows reached so far.

        ValueError for an unknown name.
        """
        new = algorithms.make(name, self.snd_mss, self.profile)
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
        elif not on:
            self.keepalive = False
            self.keepalive_timer.stop()

    def set_keepalive_idle(self, idle: int) -> None:
        """How long (ps) the peer may be silent before the first probe, counted from its last segment."""
        self.keepalive_idle = idle
        keepalive.restart(self, self.layer.scheduler.now)

    @property
    def readable(self) -> int:
        """Bytes that `recv` can return now."""
        return len(self.recv_queue)

    @property
    def eof(self) -> bool:
        """No more bytes will ever come: FIN received (or connection ended), and everything before it read."""
        if self.recv_queue:
            return False
        return self.state is State.CLOSED or (self.rcv_fin >= 0 and self.state >= State.CLOSE_WAIT)

    @property
    def writable(self) -> int:
        """Bytes that `send` would take now; 0 also where sending is over or not yet possible."""
        if self.fin_queued or self.state not in SENDING:
            return 0
        return max(self.sndbuf - len(self.send_queue), 0)

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Copy what fits into the send buffer and return how many bytes that was; then push output."""
        room = self.writable
        n = len(data)
        if n > room:
            n = room
            data = memoryview(data)[:n]
        if n:
            self.send_queue.append(data)
            output.push(self, self.layer.scheduler.now)
        return n

    def recv(self, n: int, peek: bool = False) -> bytes:
        """Up to `n` bytes; b"" if none is there. Taking bytes opens the window.

        A window update goes out when the window can grow by two segments or half the buffer
        (RFC 9293 §3.8.6.2.2 asks for one segment; twice that is what Linux waits for).
        """
        queue = self.recv_queue
        with memoryview(queue) as view:
            data = bytes(view[:n])
        if peek or not data:
            return data
        del queue[: len(data)]
        if self.state in (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2):
            offered = (self.rcv_adv - self.rcv_nxt) & MASK
            if offered >= HALF:
                offered = 0
            gain = self.rcvbuf - len(queue) - offered
            if gain >= min(self.rcvbuf >> 1, 2 * self.advertised_mss):
                transmit.ack(self, self.layer.scheduler.now)
        return data

    def shutdown_write(self) -> None:
        """No more data will be sent: FIN after what is queued (half close). Repeating it does nothing."""
        if self.state in (State.SYN_SENT, State.SYN_RECEIVED):
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
        elif self.recv_queue:
            self.recv_queue.clear()
            lifecycle.abort(self, now)
        elif self.state is State.FIN_WAIT_2:
            self.state_timer.set(now + self.profile.fin_timeout)
        else:
            self.shutdown_write()

    def abort(self) -> None:
        """RST, and CLOSED at once; what was received and not read is lost (RFC 9293 §3.10.5)."""
        self.orphan = True
        self.recv_queue.clear()
        lifecycle.abort(self, self.layer.scheduler.now)

    def info(self) -> dict[str, int | str]:
        """Figures of the TCB, by the RFCs' names (like Linux's TCP_INFO); times in ps."""
        return {
            "state": self.state.name,
            "iss": self.iss,
            "irs": self.irs,
            "snd_una": self.snd_una,
            "snd_nxt": self.snd_nxt,
            "snd_wnd": self.snd_wnd,
            "snd_wl1": self.snd_wl1,
            "snd_wl2": self.snd_wl2,
            "snd_wscale": self.snd_wscale,
            "snd_mss": self.snd_mss,
            "rcv_nxt": self.rcv_nxt,
            "rcv_wnd": self.rcv_wnd,
            "rcv_wscale": self.rcv_wscale,
            "advmss": self.advertised_mss,
            "timestamps": int(self.ts_on),
            "sack": int(self.sack_on),
            "congestion": self.cc.name,
            "cwnd": self.cc.cwnd,
            "ssthresh": self.cc.ssthresh,
            "recovery": self.recovery.name,
            "flight": self.flight,
            "pipe": self.pipe,
            "lost": self.lost_out,
            "sacked": self.sacked_out,
            "retrans": self.retrans_out,
            "total_retrans": self.total_retrans,
            "retries": self.retries,
            "probes": self.probes,
            "backoff": self.rtt.backoff,
            "srtt": self.rtt.srtt,
            "rttvar": self.rtt.rttvar,
            "min_rtt": self.rtt.min_rtt,
            "rto": self.rtt.rto,
            "unread": len(self.recv_queue),
            "out_of_order": self.reassembly.held,
            "unsent": max(len(self.send_queue) - ((self.snd_nxt - self.send_queue.base) & MASK), 0),
            "unacked": len(self.send_queue),
        }
