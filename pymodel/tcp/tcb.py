"""The transmission control block (RFC 9293 §3.3.1): every variable of one connection, no behaviour.

Names are the RFC's: `snd_una` is SND.UNA, `rcv_nxt` is RCV.NXT. Sequence numbers are modulo 2^32,
sizes in bytes, windows of congestion control and counts in segments, times in ps.
"""

from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from pymodel.scheduler import Scheduler
from pymodel.task import WaitQueue
from pymodel.tcp.ackcompress import Compression
from pymodel.tcp.algorithms import Algorithm
from pymodel.tcp.chrono import Clock, Timeouts
from pymodel.tcp.ipsender import IpSender
from pymodel.tcp.lazytimer import LazyTimer
from pymodel.tcp.options import TcpOptions
from pymodel.tcp.profile import Profile, of_stack
from pymodel.tcp.rcvmem import ReceiveMemory
from pymodel.tcp.reassembly import Reassembly
from pymodel.tcp.rtt import RttEstimator
from pymodel.tcp.segment import SentSegment, unpack
from pymodel.tcp.seq import HALF, MASK
from pymodel.tcp.sndbuf import SendBuffer
from pymodel.tcp.state import SENDING, State
from pymodel.tcp.txstamp import Stamps
from pymodel.wire.checksum import pseudo_header
from pymodel.wire.tcp import HEADER_LEN, PROTO

if TYPE_CHECKING:
    from pymodel.tcp.accecn import AccEcn
    from pymodel.tcp.listener import Listener
    from pymodel.tcp.plpmtud import MtuProbing

LONG_AGO: Final = -(1 << 62)


class Recovery(IntEnum):
    """What the sender thinks of the path (Linux's tcp_ca_state, with its numbers)."""

    OPEN = 0
    DISORDER = 1
    """Duplicate ACKs or SACK blocks, not enough to call anything lost."""
    CWR = 2
    """The window is being reduced because of an ECN echo or a tail loss."""
    RECOVERY = 3
    """Fast recovery (RFC 6582, RFC 8985)."""
    LOSS = 4
    """After a retransmission time-out, until everything sent before it is acknowledged."""


class Pending(IntEnum):
    """What `rtx_timer` is at present; it is one timer, as in Linux."""

    NONE = 0
    RETRANSMIT = 1
    """RTO (RFC 6298)."""
    PERSIST = 2
    """Window probe (RFC 9293 §3.8.6.1)."""
    TAIL_PROBE = 3
    """PTO (RFC 8985 §7)."""
    REORDER = 4
    """RACK's reordering timer (RFC 8985 §6.3)."""


class Services(Protocol):
    """What a connection needs of the layer it lives in."""

    scheduler: Scheduler
    ip: IpSender
    profile: Profile
    stats: Counter[str]

    @property
    def fast_open(self) -> Any:
        """`pymodel.tcp.fastopen.FastOpen` of the host."""

    @property
    def host_cache(self) -> Any:
        """`pymodel.tcp.hostcache.HostCache` of the host."""

    def challenge_allowed(self, now: int) -> bool:
        """One more challenge ACK may be sent now (RFC 5961 §7)."""

    def profile_for(self, dst: bytes) -> Profile:
        """The profile for connections to `dst`."""

    def send_buffer(self, base: int) -> SendBuffer:
        """An empty send buffer whose first byte will have sequence number `base`."""

    def closed(self, tcb: "Tcb") -> None:
        """`tcb` is CLOSED: forget it."""


def _either(asked: int | None, default: int) -> int:
    return default if asked is None else asked


class Tcb:
    """One connection's variables. `layer`: where it lives; `listener`: for a passive open, until accepted."""

    # A dictionary for so many would be four times as large.
    # fmt: off
    __slots__ = (
        "accecn", "accurate", "ack_now", "ack_pushed", "ack_scheduled", "advertised_mss", "app_limited",
        "ato", "by_cookie", "bytes_acked", "bytes_received", "bytes_retrans", "bytes_sent", "cc",
        "challenge_until", "challenges", "clock", "compression", "copied_seq", "cwnd_limited",
        "cwnd_stamp", "cwnd_usage_seq", "cwnd_used", "data_segs_in", "data_segs_out", "deferred",
        "delack_timer", "delivered", "delivered_at", "delivered_ce", "discards", "dport", "dsack",
        "dsack_dups", "dst", "dup_acks", "ecn_cwr", "ecn_echo", "ecn_offered", "ecn_on", "ecn_seen",
        "error", "fast_child", "fastopen_client_fail", "fin_queued", "first_sent_at", "frto",
        "gso_max_segs", "high_seq", "highest_sack", "irs", "iss", "keepalive", "keepalive_count",
        "keepalive_idle", "keepalive_interval", "keepalive_timer", "last_challenge", "last_data",
        "last_received", "last_seg_size", "last_sent", "layer", "listener", "local", "lost", "lost_out",
        "max_packets_out", "max_snd_wnd", "mss_bound", "nagle_push", "no_space", "nodelay", "options",
        "orphan", "output_from_idle", "packets_out", "peer_mss", "pending", "pingpong", "prior_cwnd",
        "prior_ssthresh", "probe_byte", "probe_high", "probe_retransmitted", "probes", "probes_since",
        "probing", "profile", "prr_delivered", "prr_out", "pseudo", "pushed_seq", "queue", "quick_acks",
        "rack_advanced", "rack_dsack_seen", "rack_last_delivered", "rack_order", "rack_persist",
        "rack_rtt", "rack_sent_at", "rack_steps", "rate_app_limited", "rate_delivered", "rate_interval",
        "rcv_adv", "rcv_fin", "rcv_memory", "rcv_mss", "rcv_no_memory", "rcv_nxt", "rcv_ooopack",
        "rcv_rtt", "rcv_rtt_at", "rcv_rtt_ecr", "rcv_rtt_seq", "rcv_ssthresh", "rcv_up", "rcv_wscale",
        "rcv_wup", "rcvbuf", "rcvbuf_locked", "read_shut", "reassembly", "recovery", "recv_queue",
        "remote", "reneging", "reord_seen", "reordering", "retrans_out", "retrans_stamp",
        "retransmit_hint", "retries", "rtt", "rtx_timer", "sack_on", "sacked_out", "scale_on", "segs_in",
        "segs_out", "send_queue", "settled", "snd_fin", "snd_mss", "snd_nxt", "snd_sml", "snd_una",
        "snd_up", "snd_wl1", "snd_wnd", "snd_wscale", "sndbuf", "soft_error", "space", "space_at",
        "space_seq", "sport", "src", "stamps", "started", "state", "state_timer", "syn_data",
        "syn_data_acked", "syn_deferred", "syn_option_sent", "timeline", "timeouts", "tos",
        "total_retrans", "trains", "trains_out", "transmissions", "ts_ecr", "ts_offset", "ts_on",
        "ts_recent", "ts_recent_at", "ttl", "undo_marker", "undo_retrans", "undo_valid", "urgent_byte",
        "urgent_pending", "urgent_read", "window_clamp", "wire_at", "write_pending",
    )
    # fmt: on

    def __init__(
        self,
        layer: Services,
        local: tuple[bytes, int],
        remote: tuple[bytes, int],
        iss: int,
        ts_offset: int,
        options: TcpOptions,
    ) -> None:
        self.layer = layer
        self.profile = profile = of_stack(layer.profile_for(remote[0]), options.stack)
        self.options = options
        self.local = local
        self.remote = remote
        self.src, self.sport = local
        self.dst, self.dport = remote
        self.pseudo = pseudo_header(self.src, self.dst, PROTO, 0)
        self.state = State.CLOSED
        self.listener: Listener | None = None
        self.started = layer.scheduler.now
        """When it was made; in TIME-WAIT: since when."""
        self.deferred = False
        """The handshake is complete but for data that TCP_DEFER_ACCEPT waits for."""
        self.by_cookie = False
        """Nothing but a SYN cookie was there before the handshake ended (`pymodel.tcp.syncookie`)."""
        self.orphan = False
        """No program holds the connection any more: text that still arrives is answered with RST."""
        self.read_shut = False
        """shutdown(SHUT_RD) in Linux: once the writing side is shut, too, text is answered with RST."""
        self.discards = False
        """Text that arrives is acknowledged and thrown away: shutdown(SHUT_RD) in the BSDs."""
        self.error = 0
        self.soft_error = 0
        """An ICMP error that may pass (RFC 9293 §3.9.2.2); becomes the error if we give up."""
        self.queue = WaitQueue()

        # Send sequence space (figure 3).
        self.iss = iss
        self.snd_una = iss
        self.snd_nxt = iss
        self.snd_wnd = 0
        self.snd_wl1 = 0
        self.snd_wscale = 0
        self.max_snd_wnd = 0
        self.mss_bound = 0
        """While a black hole is suspected (the BSDs): of a segment's payload and options; 0: none."""
        self.snd_sml = iss
        """End of the last segment sent that was smaller than the MSS (Minshall's Nagle)."""
        self.snd_fin = -1
        """Sequence number of our FIN once it was sent."""
        self.snd_up = iss
        """SND.UP: behind the urgent byte; SND.UNA when there is none."""
        self.fin_queued = False
        self.probing: MtuProbing | None = None
        """Path MTU discovery by probes (`pymodel.tcp.plpmtud`), where the profile wants it."""
        self.fast_child = False
        """Made at its SYN by Fast Open; our SYN,ACK is not acknowledged yet."""
        self.syn_deferred = False
        """TCP_FASTOPEN_CONNECT: the SYN waits for the first data."""
        self.syn_option_sent = False
        self.syn_data = False
        """Our SYN carried a Fast Open option; data."""
        self.syn_data_acked = False
        self.fastopen_client_fail = 0
        self.send_queue = layer.send_buffer((iss + 1) & MASK)
        self.pushed_seq = (iss + 1) & MASK
        """Up to here PSH was asked for."""
        self.sndbuf = 0
        """Memory that the send queue may take (Linux: sk_sndbuf)."""
        self.trains_out = 0
        """sk_buffs of sent data that are not wholly acknowledged: several segments may have left as one."""
        self.nodelay = False
        self.output_from_idle = True
        """Nothing was in flight when the present output began (the BSDs' Nagle)."""
        self.nagle_push = False
        """TCP_NODELAY was just set, or a cork pulled under it: what waits goes out whole."""
        self.keepalive = bool(options.keepalive) or profile.keepalive_always
        self.keepalive_idle = 0
        self.keepalive_interval = 0
        self.keepalive_count = 0
        self.last_sent = 0
        """When data, or a SYN, last left."""
        self.wire_at = LONG_AGO
        """When any segment with data last left, retransmissions too (Linux: tcp_wstamp_ns)."""

        # Receive sequence space (figure 4).
        self.irs = 0
        self.rcv_nxt = 0
        self.rcv_wup = 0
        """RCV.NXT when the last ACK was sent: Last.ACK.sent of RFC 7323."""
        self.rcv_adv = 0
        """Right edge of the window, as last offered."""
        self.rcv_wscale = 0
        self.rcv_fin = -1
        """Sequence number of the peer's FIN once it was taken."""
        self.rcv_mss = 0
        """The peer's segments' size as observed: what "every second full-sized segment" means."""
        self.last_seg_size = 0
        self.recv_queue = bytearray()
        self.rcv_memory = ReceiveMemory()
        self.rcv_no_memory = False
        """A segment was dropped for want of memory: the next ACK offers no window."""
        self.copied_seq = 0
        """Sequence number of the first byte that the program has not read."""
        self.reassembly = Reassembly(0)
        self.dsack: tuple[int, int] | None = None
        """Duplicate to report with the next ACK (RFC 2883)."""
        self.rcvbuf = 0
        self.rcvbuf_locked = False
        self.window_clamp = 0
        self.rcv_ssthresh = 0
        """The window that may be offered at present; grows as segments prove worth their memory."""
        self.space_seq = 0
        self.space_at = 0
        self.space = 0
        """Bytes read in the last round trip: what receive buffer tuning compares with."""
        self.rcv_rtt = 0
        self.rcv_rtt_seq = 0
        self.rcv_rtt_at = 0
        self.rcv_rtt_ecr = -1

        # Acknowledging.
        self.ack_scheduled = False
        self.ack_now = False
        self.compression: Compression | None = None
        self.ack_pushed = 0
        """A short segment came (1), or several (3), since the last ACK: reading everything sends one."""
        self.quick_acks = 0
        self.pingpong = 0
        self.ato = 0
        """Linux's estimate of when the next segment comes, which bounds the delay of an ACK."""
        self.last_received = 0
        """When the last acceptable segment came."""
        self.last_data = LONG_AGO
        """When the last one with text came."""
        self.last_challenge = LONG_AGO
        self.challenges = 0
        """Challenge ACKs sent until `challenge_until`."""
        self.challenge_until = LONG_AGO

        # Options.
        self.advertised_mss = 0
        self.peer_mss = 0
        self.snd_mss = 0
        """Effective send MSS: payload of a full segment, options deducted (RFC 9293 §3.7.1, RFC 6691)."""
        self.gso_max_segs = 1
        """Segments that one sk_buff may hold (`IpSender.gso_max_segs`, and the profile's)."""
        self.ts_on = False
        self.ts_offset = ts_offset
        self.ts_recent = 0
        self.ts_recent_at = 0
        self.ts_ecr = 0
        """TSecr of the segment that is being processed; 0: none."""
        self.sack_on = False
        self.scale_on = False

        # Retransmission queue (`segment`).
        self.settled: list[SentSegment] = []
        """The queue but for `trains`."""
        self.trains: list[SentSegment] = []
        """What has left since and was not looked at."""
        self.timeline: dict[SentSegment, None] = {}
        """`by_time` but for `trains`."""
        self.transmissions = 0
        """Segments put on the queue or sent again so far."""
        self.packets_out = 0
        self.sacked_out = 0
        """SACKed; without SACK, segments that duplicate ACKs have told of."""
        self.lost_out = 0
        self.retrans_out = 0
        self.retransmit_hint: SentSegment | None = None
        """No segment before it waits for retransmission."""
        self.highest_sack = iss
        """End of the highest SACKed segment; only with `sacked_out`."""

        # Loss recovery.
        self.rtt = RttEstimator(profile)
        self.cc: Algorithm
        self.recovery = Recovery.OPEN
        self.high_seq = iss
        """RFC 6582's recover: SND.NXT when the present state began."""
        self.reordering = profile.dup_ack_threshold
        self.reord_seen = 0
        self.dup_acks = 0
        self.prior_ssthresh = 0
        self.prior_cwnd = 0
        self.prr_delivered = 0
        self.prr_out = 0
        self.undo_marker = 0
        self.undo_valid = False
        """`undo_marker` is set: the last reduction may still turn out to be wrong."""
        self.undo_retrans = 0
        """Retransmissions not yet reported as duplicates; -1: none was sent."""
        self.retrans_stamp = -1
        """When the first retransmission of this episode was sent; -1: there was none."""
        self.frto = False
        self.rack_advanced = False
        self.rack_sent_at = LONG_AGO
        self.rack_order = 0
        self.rack_rtt = 0
        self.rack_steps = 1
        self.rack_persist = 0
        self.rack_dsack_seen = False
        self.rack_last_delivered = 0
        self.probe_high = -1
        """TLP.end_seq (RFC 8985 §7.2): SND.NXT after the probe; -1: none is out."""
        self.probe_retransmitted = False
        self.reneging = False

        # Explicit congestion notification.
        self.tos = 0
        self.ttl = 64
        self.ecn_offered = False
        self.ecn_on = False
        """RFC 3168 was agreed on."""
        self.accurate = False
        """RFC 9768 was, instead."""
        self.accecn: AccEcn | None = None
        """Its counters (`pymodel.tcp.accecn`)."""
        self.ecn_echo = False
        self.ecn_cwr = False
        self.ecn_seen = False

        # Urgent data received.
        self.rcv_up = 0
        """Behind the peer's urgent byte."""
        self.urgent_pending = False
        """An urgent byte was announced and is not read yet."""
        self.urgent_byte = -1
        """The byte itself, taken out of the stream; -1: not here, or read."""
        self.urgent_read = False

        # Congestion window validation.
        self.cwnd_limited = False
        self.max_packets_out = 0
        self.cwnd_usage_seq = iss
        self.cwnd_used = 0
        self.cwnd_stamp = 0

        # Timers.
        self.retries = 0
        """Expirations of the retransmission timer since something new was acknowledged."""
        self.timeouts = Timeouts()
        self.probes = 0
        """Window or keepalive probes sent since the last ACK came."""
        self.probes_since = -1
        self.probe_byte = False
        """A byte beyond the closed window was sent as a probe; SND.NXT does not count it."""
        self.pending = Pending.NONE
        self.rtx_timer: LazyTimer
        self.delack_timer: LazyTimer
        self.keepalive_timer: LazyTimer
        self.state_timer: LazyTimer
        """2 MSL in TIME-WAIT, and how long an orphan may stay in FIN-WAIT-2."""

        # Counters (TCP_INFO), and what the delivery rate is measured by.
        self.total_retrans = 0
        self.delivered = 0
        self.delivered_ce = 0
        self.lost = 0
        self.delivered_at = 0
        self.first_sent_at = 0
        self.app_limited = 0
        self.rate_delivered = 0
        self.rate_interval = 0
        self.rate_app_limited = False
        self.bytes_sent = 0
        self.bytes_retrans = 0
        self.bytes_acked = 0
        self.bytes_received = 0
        self.segs_in = 0
        self.segs_out = 0
        self.data_segs_in = 0
        self.data_segs_out = 0
        self.dsack_dups = 0
        self.rcv_ooopack = 0
        self.clock = Clock()
        self.no_space = False
        """The program has found the send buffer full and waits for room (Linux: SOCK_NOSPACE)."""
        self.stamps = Stamps()
        self.write_pending = False
        """The program waits for the handshake to write something."""
        self.apply_options()

    def apply_options(self) -> None:
        """Take over what `options` says, or the profile where it says nothing."""
        options, profile = self.options, self.profile
        self.nodelay = profile.nodelay if options.nodelay is None else bool(options.nodelay)
        if options.sndbuf is not None or not self.sndbuf:
            self.sndbuf = _either(options.sndbuf, profile.sndbuf)
            if options.sndbuf is not None and not (profile.skb_overhead or profile.berkeley):
                self.sndbuf //= 2
        if options.rcvbuf is not None or not self.rcvbuf:
            self.rcvbuf = _either(options.rcvbuf, profile.rcvbuf)
            if profile.max_connections:
                self.rcvbuf = min(self.rcvbuf, profile.rcvbuf_max)
        self.rcvbuf_locked = options.rcvbuf is not None
        self.tos = options.tos & ~3
        self.ttl = options.ttl
        self.keepalive_idle = _either(options.keepalive_idle, profile.keepalive_idle)
        self.keepalive_interval = _either(options.keepalive_interval, profile.keepalive_interval)
        self.keepalive_count = _either(options.keepalive_count, profile.keepalive_count)

    def handshake_deferred(self, now: int) -> bool:
        """TCP_DEFER_ACCEPT: an ACK without data does not complete the handshake yet."""
        return now - self.started < self.options.defer_accept

    @property
    def now(self) -> int:
        """The simulated time in ps."""
        return self.layer.scheduler.now

    @property
    def sent(self) -> list[SentSegment]:
        """The retransmission queue, segment by segment (`segment`)."""
        if self.trains:
            unpack(self)
        return self.settled

    @property
    def by_time(self) -> dict[SentSegment, None]:
        """What of it may be lost yet, in the order of the last transmission."""
        if self.trains:
            unpack(self)
        return self.timeline

    @by_time.setter
    def by_time(self, order: dict[SentSegment, None]) -> None:
        self.timeline = order

    @property
    def rcv_wnd(self) -> int:
        """RCV.WND: how much the peer may still send."""
        window = (self.rcv_adv - self.rcv_nxt) & MASK
        return window if window < HALF else 0

    @property
    def flight(self) -> int:
        """FlightSize in bytes (RFC 5681 §2)."""
        return (self.snd_nxt - self.snd_una) & MASK

    @property
    def in_flight(self) -> int:
        """Segments thought to be in the network: RFC 6675's pipe."""
        return self.packets_out - self.sacked_out - self.lost_out + self.retrans_out

    @property
    def write_seq(self) -> int:
        """Sequence number behind everything that was queued for sending, FIN included."""
        return (self.send_queue.end + self.fin_queued) & MASK

    @property
    def all_acknowledged(self) -> bool:
        """Nothing that was queued is unacknowledged."""
        return self.snd_una == self.write_seq

    @property
    def unsent(self) -> int:
        """Bytes in the send buffer that have never been sent (SIOCOUTQNSD, tcpi_notsent_bytes)."""
        queue = self.send_queue
        return len(queue) - min((self.snd_nxt - queue.base) & MASK, len(queue)) if queue.chunks else 0

    @property
    def queued_memory(self) -> int:
        """What the send queue takes (Linux: sk_wmem_queued)."""
        queue = self.send_queue
        cuts = sum(entry.edge and not entry.closes for entry in self.settled)
        return len(queue) + self.profile.skb_overhead * (self.trains_out + cuts + len(queue.chunks))

    @property
    def memory_used(self) -> tuple[int, int]:
        """Bytes that received data and the send queue take (sk_rmem_alloc, sk_wmem_queued)."""
        return self.rcv_memory.used, self.queued_memory

    @property
    def md5_key(self) -> bytes | None:
        """RFC 2385: what the segments of this connection are signed with."""
        keys = self.options.md5_keys
        return keys.get(self.dst) if keys else None

    @property
    def opening(self) -> bool:
        """Neither data nor FIN may be sent yet."""
        return self.state in (State.SYN_SENT, State.SYN_RECEIVED) and not self.fast_child

    @property
    def may_send(self) -> bool:
        """The user may hand over data (RFC 9293 §3.10.2; RFC 7413 §4.2 for SYN-RECEIVED)."""
        return self.state in SENDING or (self.fast_child and self.state is State.SYN_RECEIVED)

    @property
    def has_unsent(self) -> bool:
        """There is something to send for the first time, be it only a FIN (Linux: tcp_send_head)."""
        return bool(self.send_queue.chunks) or (self.fin_queued and self.snd_fin < 0)

    @property
    def ip_overhead(self) -> int:
        """Bytes of IP and TCP header without options."""
        return (20 if len(self.src) == 4 else 40) + HEADER_LEN
