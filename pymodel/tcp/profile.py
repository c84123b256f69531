"""How one operating system's TCP behaves, as data. Times in ps, sizes in bytes.

A host works on its own copy (`TcpLayer.profile`), which `pymodel.tcp.sysctl` changes by Linux's names.
"""

from dataclasses import dataclass
from typing import Final

from pymodel.simtime import MS, SEC


@dataclass(slots=True)
class Profile:
    """Figures and habits of one stack. The defaults are Linux's (sysctl names in the comments)."""

    name: str = "linux"

    timestamps: bool = True  # tcp_timestamps (RFC 7323 §3)
    window_scaling: bool = True  # tcp_window_scaling (RFC 7323 §2)
    sack: bool = True  # tcp_sack (RFC 2018)
    nodelay: bool = False  # Nagle's algorithm is on (RFC 9293 §3.7.4)

    rcvbuf: int = 65_536
    """Receive buffer in payload bytes: tcp_rmem[1] = 131072, of which Linux advertises half."""
    rcvbuf_max: int = 6 << 20
    """tcp_rmem[2]: what the window scale must be able to express."""
    sndbuf: int = 262_144
    """Send buffer in payload bytes."""
    sndbuf_max: int = 4 << 20
    """tcp_wmem[2]."""
    notsent_lowat: int = 0xFFFF_FFFF
    """tcp_notsent_lowat: a socket is writable while fewer unsent bytes than this wait."""

    congestion: str = "cubic"
    """tcp_congestion_control: a name in `algorithms`."""
    initial_cwnd: int = 10
    """Segments (RFC 6928)."""
    dup_ack_threshold: int = 3  # tcp_reordering; DupThresh of RFC 6675
    slow_start_segments: int | None = None
    """L of RFC 3465: segments of growth per ACK at most; None: all that was acknowledged, as Linux."""

    rto_initial: int = 1 * SEC  # RFC 6298 (2.1)
    rto_min: int = 200 * MS  # tcp_rto_min_us; RFC 6298 (2.4) says 1 s, SHOULD
    rto_max: int = 120 * SEC  # tcp_rto_max_ms; RFC 6298 (2.5): at least 60 s
    rto_variance_min: int = 200 * MS
    """Floor of K·RTTVAR, G in RFC 6298 (2.2): Linux never adds less than TCP_RTO_MIN to SRTT."""
    rto_after_syn_loss: int = 3 * SEC  # RFC 6298 (5.7)
    syn_retries: int = 6  # tcp_syn_retries: gives up after 127 s
    synack_retries: int = 5  # tcp_synack_retries
    keepalive_idle: int = 7200 * SEC
    """tcp_keepalive_time: silence before the first probe (RFC 9293 §3.8.4: at least two hours)."""
    keepalive_interval: int = 75 * SEC  # tcp_keepalive_intvl
    keepalive_count: int = 9
    """tcp_keepalive_probes: so many unanswered ones end the connection."""
    retries: int = 15
    """tcp_retries2: R2 of RFC 9293 §3.8.3, in retransmissions."""
    orphan_retries: int = 8
    """tcp_orphan_retries (0 means 8): the same once no program holds the connection."""

    delayed_ack: int = 40 * MS  # TCP_DELACK_MIN; RFC 9293 §3.8.6.3: below 500 ms
    quick_acks: int = 16
    """So many segments at the start of a connection are acknowledged at once (TCP_MAX_QUICKACKS)."""

    time_wait: int = 60 * SEC
    """2 MSL (TCP_TIMEWAIT_LEN)."""
    fin_timeout: int = 60 * SEC
    """tcp_fin_timeout: how long FIN-WAIT-2 lasts once no program holds the connection."""
    rfc1337: bool = False
    """tcp_rfc1337: TIME-WAIT ignores RST."""

    challenge_ack_limit: int = 1000
    """tcp_challenge_ack_limit: challenge ACKs per second over the whole stack (RFC 5961 §7)."""
    challenge_ack_interval: int = 500 * MS
    """tcp_invalid_ratelimit: between two ACKs to unacceptable segments without data on one connection."""

    max_syn_backlog: int = 1024  # tcp_max_syn_backlog


LINUX: Final = Profile()
