"""The transmission control block (RFC 9293 §3.3.1): every variable of one connection, no behaviour.

Names are the RFC's: `snd_una` is SND.UNA, `rcv_nxt` is RCV.NXT. Sequence numbers are modulo 2^32,
sizes in bytes, times in ps.
"""

from collections import Counter, deque
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from pymodel.scheduler import Scheduler
from pymodel.task import WaitQueue
from pymodel.tcp.congestion import CongestionControl
from pymodel.tcp.ipsender import IpSender
from pymodel.tcp.lazytimer import LazyTimer
from pymodel.tcp.options import TcpOptions
from pymodel.tcp.profile import Profile
from pymodel.tcp.reassembly import Reassembly
from pymodel.tcp.rtt import RttEstimator
from pymodel.tcp.seq import HALF, MASK
from pymodel.tcp.sndbuf import SendBuffer
from pymodel.tcp.state import State
from pymodel.wire.checksum import pseudo_header
from pymodel.wire.tcp import HEADER_LEN, PROTO

if TYPE_CHECKING:
    from pymodel.tcp.listener import Listener


class Recovery(IntEnum):
    """What the sender thinks of the path (Linux's tcp_ca_state)."""

    OPEN = 0
    DISORDER = 1
    """Duplicate ACKs or SACK blocks, not enough to call anything lost."""
    RECOVERY = 2
    """Fast recovery (RFC 6582, RFC 6675)."""
    LOSS = 3
    """After a retransmission time-out, until everything sent before it is acknowledged."""


class SentSegment:
    """A piece of sequence space that was sent and is not acknowledged yet."""

    __slots__ = ("end", "lost", "retransmitted", "sacked", "sent_at", "seq", "transmissions")

    def __init__(self, seq: int, end: int, sent_at: int) -> None:
        self.seq = seq
        self.end = end
        self.sent_at = sent_at
        self.transmissions = 1
        self.sacked = False
        self.lost = False
        self.retransmitted = False
        """A retransmission is out since it was last declared lost."""


def _either(asked: int | None, default: int) -> int:
    return default if asked is None else asked


class Services(Protocol):
    """What a connection needs of the layer it lives in."""

    scheduler: Scheduler
    ip: IpSender
    profile: Profile
    stats: Counter[str]

    def challenge_allowed(self, now: int) -> bool:
        """One more challenge ACK may be sent now (RFC 5961 §7)."""

    def closed(self, tcb: "Tcb") -> None:
        """`tcb` is CLOSED: forget it."""


class Tcb:
    """One connection's variables. `layer`: where it lives; `listener`: for a passive open, until accepted."""

    def __init__(
        self,
        layer: Services,
        local: tuple[bytes, int],
        remote: tuple[bytes, int],
        iss: int,
        ts_offset: int,
        options: TcpOptions,
    ) -> None:
        profile = layer.profile
        self.layer = layer
        self.profile = profile
        self.options = options
        self.local = local
        self.remote = remote
        self.src, self.sport = local
        self.dst, self.dport = remote
        self.pseudo = pseudo_header(self.src, self.dst, PROTO, 0)
        self.state = State.CLOSED
        self.listener: Listener | None = None
        self.orphan = False
        """No program holds the connection any more: text that still arrives is answered with RST."""
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
        self.snd_wl2 = 0
        self.snd_wscale = 0
        self.max_snd_wnd = 0
        self.snd_sml = iss
        """End of the last segment sent that was smaller than the MSS (Minshall's Nagle)."""
        self.snd_fin = -1
        """Sequence number of our FIN once it was sent."""
        self.fin_queued = False
        self.send_queue = SendBuffer((iss + 1) & MASK)
        self.sndbuf = 0
        self.nodelay = False
        self.more = False
        """The last write said that more will follow (MSG_MORE)."""
        self.keepalive = options.keepalive
        self.keepalive_idle = 0
        self.keepalive_interval = 0
        self.keepalive_count = 0
        self.cwnd_limited = False
        self.last_sent = 0

        # Receive sequence space (figure 4).
        self.irs = 0
        self.rcv_nxt = 0
        self.rcv_adv = 0
        """RCV.NXT + RCV.WND: the furthest right edge ever offered."""
        self.rcv_wup = 0
        """RCV.NXT when the last ACK was sent: Last.ACK.sent of RFC 7323."""
        self.rcv_wscale = 0
        self.rcv_fin = -1
        """Sequence number of the peer's FIN once it was seen, perhaps ahead of what is missing."""
        self.rcv_mss = 0
        """Largest segment seen: what "every second full-sized segment" means."""
        self.recv_queue = bytearray()
        self.reassembly = Reassembly(0)
        self.rcvbuf = 0
        self.quick_acks = profile.quick_acks
        self.last_received = 0
        """When the last acceptable segment came."""
        self.last_data = -(1 << 62)
        """When the last one with text came."""
        self.last_challenge = -(1 << 62)

        # Options.
        self.advertised_mss = 0
        self.peer_mss = 0
        self.snd_mss = 0
        """Effective send MSS: payload of a full segment, options deducted (RFC 9293 §3.7.1, RFC 6691)."""
        self.ts_on = False
        self.ts_offset = ts_offset
        self.ts_recent = 0
        self.ts_recent_at = 0
        self.sack_on = False
        self.scale_on = False

        # Retransmission and congestion.
        self.sent: deque[SentSegment] = deque()
        self.rtt = RttEstimator(profile)
        self.cc: CongestionControl
        self.recovery = Recovery.OPEN
        self.recover = iss
        """RFC 6582's recover, RFC 6675's RecoveryPoint."""
        self.dup_acks = 0
        self.sacked_out = 0
        """Bytes in `sent` that are SACKed; without SACK, duplicate ACKs' worth of segments."""
        self.lost_out = 0
        self.retrans_out = 0
        self.force_retransmit = False
        """The first retransmission of a fast recovery goes out whatever cwnd says."""
        self.retries = 0
        """Expirations of the retransmission timer since something new was acknowledged."""
        self.probes = 0
        """Window or keepalive probes sent since the last ACK came."""
        self.persist_backoff = 0
        self.persisting = False
        """`rtx_timer` is the persist timer at present."""
        self.total_retrans = 0
        self.rtx_timer: LazyTimer
        self.delack_timer: LazyTimer
        self.keepalive_timer: LazyTimer
        self.state_timer: LazyTimer
        """2 MSL in TIME-WAIT, and how long an orphan may stay in FIN-WAIT-2."""
        self.apply_options()

    def apply_options(self) -> None:
        """Take over what `options` says, or the profile where it says nothing."""
        options, profile = self.options, self.profile
        self.nodelay = profile.nodelay if options.nodelay is None else bool(options.nodelay)
        self.sndbuf = profile.sndbuf if options.sndbuf is None else options.sndbuf
        self.rcvbuf = profile.rcvbuf if options.rcvbuf is None else options.rcvbuf
        self.keepalive_idle = _either(options.keepalive_idle, profile.keepalive_idle)
        self.keepalive_interval = _either(options.keepalive_interval, profile.keepalive_interval)
        self.keepalive_count = _either(options.keepalive_count, profile.keepalive_count)

    @property
    def now(self) -> int:
        """The simulated time in ps."""
        return self.layer.scheduler.now

    @property
    def rcv_wnd(self) -> int:
        """RCV.WND: how much the peer may still send."""
        window = (self.rcv_adv - self.rcv_nxt) & MASK
        return window if window < HALF else 0

    @property
    def flight(self) -> int:
        """FlightSize (RFC 5681 §2)."""
        return (self.snd_nxt - self.snd_una) & MASK

    @property
    def pipe(self) -> int:
        """Bytes thought to be in the network (RFC 6675 §4; without SACK, RFC 6582's deflated flight)."""
        pipe = ((self.snd_nxt - self.snd_una) & MASK) - self.sacked_out - self.lost_out + self.retrans_out
        return pipe if pipe > 0 else 0

    @property
    def ip_overhead(self) -> int:
        """Bytes of IP and TCP header without options."""
        return (20 if len(self.src) == 4 else 40) + HEADER_LEN
