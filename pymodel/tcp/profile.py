"""How one operating system's TCP behaves, as data. Times in ps, sizes in bytes.

A host works on its own copy (`TcpLayer.profile`), which `pymodel.tcp.sysctl` changes by Linux's names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pymodel.simtime import MS, SEC


@dataclass(slots=True)
class Profile:
    """Figures and habits of one stack. The defaults are Linux's (sysctl names in the comments)."""

    name: str = "linux"

    berkeley: bool = False
    """Where the BSDs' TCP differs from Linux's in kind and not by a figure, as the BSDs do it: which segments
    are acceptable, when to acknowledge, PSH, Nagle, window updates and probes, ICMP (`pymodel.tcp.berkeley`),
    and the order of a SYN's options (`options_bytes_bsd`)."""
    timestamps: bool = True  # tcp_timestamps (RFC 7323 §3)
    window_scaling: bool = True  # tcp_window_scaling (RFC 7323 §2)
    sack: bool = True  # tcp_sack (RFC 2018)
    nodelay: bool = False  # Nagle's algorithm is on (RFC 9293 §3.7.4)

    rcvbuf: int = 65_536
    """Receive buffer in payload bytes: tcp_rmem[1] = 131072, of which Linux advertises half."""
    whole_segment_window: bool = True
    """The first window offered is the buffer rounded down to whole segments, as Linux does."""
    window_scale_for: int = 0
    """The window scale is what this many bytes need, whatever the buffer (kern.ipc.maxsockbuf); 0: see
    `rcvbuf_max`."""
    rcvbuf_max: int = 6 << 20
    """tcp_rmem[2]: what the window scale must be able to express."""
    sndbuf: int = 16_384
    """tcp_wmem[1]: the send buffer; what counts against it is payload and `skb_overhead`."""
    skb_overhead: int = 832
    """Memory of each sk_buff on the send queue beside its payload; a write may exceed the buffer by the rest
    of one, as in Linux. 0: only payload counts, and never more than the buffer."""
    sndbuf_max: int = 4 << 20
    """tcp_wmem[2]."""
    notsent_lowat: int = 0xFFFF_FFFF
    """tcp_notsent_lowat: a socket is writable while fewer unsent bytes than this wait."""

    congestion: str = "cubic"
    """tcp_congestion_control: a name in `algorithms`."""
    initial_cwnd: int = 10
    """Segments (RFC 6928)."""
    initial_cwnd_bytes: int = 0
    """RFC 6928 (1): with large segments the initial window is as many as fit into this, two at least; 0: no
    such bound."""
    syn_losses_forgiven: int = 1
    """After more lost SYNs than this the initial window is one segment (RFC 6928 §2 says 0)."""
    hystart: bool = True
    """CUBIC leaves slow start when delays grow (`pymodel.tcp.hystart`)."""
    cwnd_validation: bool = True
    """A window that the program does not fill does not grow (RFC 7661); False: it does, up to the peer's."""
    cwnd_clamp: int = 0
    """The congestion window never exceeds it; 0: no bound (`cwnd` of a route)."""
    initial_rwnd: int = 0
    """Segments that the first window offers at most; 0: no bound (`initrwnd` of a route)."""
    advmss: int = 0
    """The MSS that SYNs announce at most; 0: no bound but the MTU (`advmss` of a route)."""
    always_quick: bool = False
    """ACKs are never delayed (`quickack` of a route)."""
    dup_ack_threshold: int = 3  # tcp_reordering; DupThresh of RFC 6675
    slow_start_segments: int | None = None
    """L of RFC 3465: segments of growth per ACK at most; None: all that was acknowledged, as Linux."""

    rto_initial: int = 1 * SEC  # RFC 6298 (2.1)
    rto_min: int = 200 * MS  # tcp_rto_min_us; RFC 6298 (2.4) says 1 s, SHOULD
    rto_max: int = 120 * SEC  # tcp_rto_max_ms; RFC 6298 (2.5): at least 60 s
    rto_variance_min: int = 200 * MS
    """Floor of K·RTTVAR, G in RFC 6298 (2.2): Linux never adds less than TCP_RTO_MIN to SRTT."""
    host_cache: bool = False
    """What connections measure is remembered for later ones to the same host (`pymodel.tcp.hostcache`)."""
    host_cache_expire: int = 3600 * SEC  # net.inet.tcp.hostcache.expire
    rto_slop: int = 0
    """Comes on top of every RTO that was calculated (net.inet.tcp.rexmit_slop)."""
    synack_sample: bool = True
    """A passive open's SYN,ACK gives an RTT sample; False: only timestamps do (a SYN cache has no clock)."""
    rtt_peak_variance: bool = True
    """RTTVAR as in Linux (see `RttEstimator`); False: RFC 6298's."""
    rto_after_syn_loss: int = 3 * SEC  # RFC 6298 (5.7); 0: what it has grown to
    syn_retries: int = 6  # tcp_syn_retries
    syn_linear_timeouts: int = 4
    """tcp_syn_linear_timeouts: so many times a SYN's time-out is not doubled (and comes on top)."""
    synack_retries: int = 5  # tcp_synack_retries
    open_timeout: int = 0
    """How long an active open may take (TCP_KEEPINIT); 0: until `syn_retries` are used up."""
    keepalive_always: bool = False
    """Every connection is kept alive, whether its program asked or not (net.inet.tcp.always_keepalive)."""
    keepalive_idle: int = 7200 * SEC
    """tcp_keepalive_time: silence before the first probe (RFC 9293 §3.8.4: at least two hours)."""
    keepalive_interval: int = 75 * SEC  # tcp_keepalive_intvl
    keepalive_count: int = 9
    """tcp_keepalive_probes: so many unanswered ones end the connection."""
    retries1: int = 3  # tcp_retries1
    retries: int = 15
    """tcp_retries2: R2 of RFC 9293 §3.8.3, in retransmissions."""
    orphan_retries: int = 8
    """tcp_orphan_retries (0 means 8): the same once no program holds the connection."""

    persist_min: int = 0
    """Window probes are at least so far apart."""
    persist_max: int = 120 * SEC
    """Window probes are at most so far apart."""

    rack: bool = True
    """tcp_recovery bit 0: with SACK, loss is found by RACK-TLP (RFC 8985), not by counting (RFC 6675)."""
    rack_static_window: bool = False  # tcp_recovery bit 1: DSACKs do not widen RACK's reordering window
    rack_no_dup_threshold: bool = False  # tcp_recovery bit 2: three SACKed segments do not close it
    tail_loss_probe: bool = True  # tcp_early_retrans 3 or 4 (RFC 8985 §7)
    frto: bool = True  # tcp_frto (RFC 5682)
    prr: bool = True
    """Proportional rate reduction (RFC 6937) in recovery; False: the window falls at once (RFC 6675)."""
    dsack: bool = True  # tcp_dsack (RFC 2883)
    ecn: int = 2
    """tcp_ecn: 0 never, 1 ask for ECN (RFC 3168) and agree to it, 2 only agree; 3 ask for Accurate ECN (RFC
    9768) and agree to either, 4 ask for ECN and agree to either, 5 only agree to either."""
    ecn_fallback: bool = True
    """tcp_ecn_fallback: SYNs that get lost do without ECN, ACE fields that cannot be switch it off."""
    ecn_option: int = 2  # tcp_ecn_option: the AccECN option 0 never, 1 where needed, 2 always, 3 even if lost
    ecn_option_beacon: int = 3  # tcp_ecn_option_beacon: with 1, at least so often in a round trip
    max_reordering: int = 300  # tcp_max_reordering
    retransmit_collapse: bool = True  # tcp_retrans_collapse: small neighbours are resent together
    slow_start_after_idle: bool = True  # tcp_slow_start_after_idle (RFC 5681 §4.1)
    tso_win_divisor: int = 3  # tcp_tso_win_divisor
    min_tso_segs: int = 2  # tcp_min_tso_segs
    pacing_ss_ratio: int = 200  # tcp_pacing_ss_ratio
    pacing_ca_ratio: int = 120  # tcp_pacing_ca_ratio
    gso_max_size: int = 65_536
    """Bytes that leave in one go at most, as one sk_buff where something below can cut it (TSO, GSO)."""
    gso_max_segs: int = 65_535
    """Segments in one sk_buff at most; 1: TCP cuts by itself."""
    gro: bool = True
    """Received segments of a flow are joined before IP sees them (`Features.GRO` of the host's devices)."""
    max_connections: int = 0
    """So many may exist at a time, and no receive buffer is larger than `rcvbuf_max`; 0: no bound."""
    scatter_gather: bool = True
    """The send buffer is in DMA memory and segments refer to it: one copy of what is written, none of what is
    lent. False: as for a device that takes a frame in one piece only (no NETIF_F_SG), each segment is a
    second copy, and loans are copied."""

    acks_are_delayed: bool = True
    """False: every segment with text is acknowledged at once (net.inet.tcp.delayed_ack; the BSDs only)."""
    syn_options_dropped: bool = False
    """From its third retransmission on a SYN has only the MSS option (net.inet.tcp.rexmit_drop_options)."""
    insecure_rst: bool = False
    """An RST anywhere in the window is believed (net.inet.tcp.insecure_rst), as before RFC 5961."""
    insecure_syn: bool = False  # net.inet.tcp.insecure_syn: a SYN in the window resets
    icmp_may_reset: bool = True
    """An ICMP refusal ends an active open (net.inet.tcp.icmp_may_rst); the BSDs only."""
    black_hole_detection: bool = False
    """Full segments that do not get through become smaller (net.inet.tcp.pmtud_blackhole_detection)."""
    black_hole_mss: int = 1200  # net.inet.tcp.pmtud_blackhole_mss
    thin_linear_timeouts: bool = False  # tcp_thin_linear_timeouts: see `TcpOptions`
    standard_urgent: bool = False
    """tcp_stdurg: an urgent pointer points at the urgent byte (RFC 1122 §4.2.2.4), not behind it."""
    reflect_tos: bool = False  # tcp_reflect_tos: a passive open answers with the TOS of its SYN
    abort_on_overflow: bool = False
    """tcp_abort_on_overflow: the last ACK of a handshake that finds the accept queue full gets a RST."""
    min_rtt_window: int = 300 * SEC  # tcp_min_rtt_wlen: how long the smallest RTT is remembered
    mtu_probing: int = 0
    """tcp_mtu_probing (RFC 4821): 0 never, 1 when a black hole shows, 2 from the start."""
    base_mss: int = 1024  # tcp_base_mss: where probing begins
    mtu_probe_floor: int = 48  # tcp_mtu_probe_floor: no black hole makes the MSS smaller
    mtu_probe_threshold: int = 8  # tcp_probe_threshold: a search that is so close is over
    mtu_probe_interval: int = 600 * SEC  # tcp_probe_interval: and begins anew
    comp_sack_delay: int = 1 * MS
    """tcp_comp_sack_delay_ns: ACKs that only report SACK blocks wait so long for each other at most."""
    comp_sack_count: int = 44  # tcp_comp_sack_nr: so many may become one; 0: none
    comp_sack_rtt_percent: int = 5
    """tcp_comp_sack_rtt_percent: and no longer than this part of a round trip. (Since 6.19 it can be set, and
    is 33.)"""
    delayed_ack: int = 40 * MS  # TCP_DELACK_MIN; RFC 9293 §3.8.6.3: below 500 ms
    delayed_ack_max: int = 200 * MS  # TCP_DELACK_MAX
    quick_acks: int = 16
    """So many segments at the start of a connection are acknowledged at once (TCP_MAX_QUICKACKS)."""
    pingpong_threshold: int = 1
    """tcp_pingpong_thresh: after so many quick answers, ACKs are left to ride on answers."""
    adaptive_delayed_ack: bool = True
    """The delay follows the peer's rhythm (Linux's ATO); False: it is `delayed_ack`, and every second full
    segment is acknowledged from the first on."""
    moderate_rcvbuf: bool = True  # tcp_moderate_rcvbuf: the receive buffer follows what is read per RTT
    shrink_window: bool = False
    """tcp_shrink_window: a scaled window may be taken back when memory is short."""
    moderate_sndbuf: bool = True
    """The send buffer grows with the congestion window, up to tcp_wmem[2]."""

    time_wait: int = 60 * SEC
    """2 MSL (TCP_TIMEWAIT_LEN)."""
    fin_timeout: int = 60 * SEC
    """tcp_fin_timeout: how long FIN-WAIT-2 lasts once no program holds the connection."""
    signed_windows: bool = False
    """tcp_workaround_signed_windows: no window field that a peer could take for a negative 16-bit number."""
    tw_reuse: int = 2
    """tcp_tw_reuse: whether connect(2) may choose a port whose connection to the same peer is in TIME-WAIT
    (RFC 6191 §2): 0 never, 1 yes, 2 on the loopback addresses only."""
    tw_reuse_delay: int = 1 * SEC  # tcp_tw_reuse_delay: when it has been there for so long
    app_window: int = 31
    """tcp_app_win: the part of the receive buffer that is not offered, as a power of two; 0: nothing is held
    back, not even the one segment that 31 leaves."""
    rfc1337: bool = False
    """tcp_rfc1337: TIME-WAIT ignores RST."""
    missing_timestamps_tolerated: bool = True
    """A segment without the timestamps that were agreed on is taken; RFC 7323 §3.2: SHOULD NOT."""
    blackhole: int = 0
    """net.inet.tcp.blackhole: for a port where nobody listens, SYNs (1) or all segments (2, 3) get no RST."""
    syn_fin_dropped: bool = True
    """A SYN with FIN opens nothing (net.inet.tcp.drop_synfin)."""
    default_mss: int = 536
    """MSS of a peer whose SYN has none (RFC 9293 MUST-15), for IPv4 (net.inet.tcp.mssdflt)."""
    min_mss: int = 48
    """A peer cannot make us send smaller segments than this, options included (TCP_MIN_SND_MSS)."""

    challenge_ack_limit: int = 1000
    """tcp_challenge_ack_limit: challenge ACKs per second over the whole stack (RFC 5961 §7)."""
    challenge_acks: int = 0
    """So many challenge ACKs per `challenge_window` and connection, instead of the two limits
    beside (net.inet.tcp.ack_war_cnt); 0: those."""
    challenge_window: int = 1 * SEC  # net.inet.tcp.ack_war_timewindow
    challenge_ack_interval: int = 500 * MS
    """tcp_invalid_ratelimit: between two ACKs to unacceptable segments without data on one connection."""

    max_syn_backlog: int = 1024  # tcp_max_syn_backlog
    fastopen: int = 1
    """tcp_fastopen (RFC 7413): bits, see `pymodel.tcp.fastopen`; 1: only as a client."""
    fastopen_keys: tuple[bytes, ...] = ()
    """tcp_fastopen_key: one or two of 16 bytes; none: the host makes one up."""
    syncookies: int = 1
    """tcp_syncookies (RFC 4987 §3.6): 0 never, 1 when the SYN queue is full, 2 always."""


LINUX: Final = Profile()

FREEBSD: Final = Profile(
    name="freebsd",
    berkeley=True,
    host_cache=True,  # net.inet.tcp.hostcache.enable
    whole_segment_window=False,
    window_scale_for=2 << 20,  # kern.ipc.maxsockbuf
    rcvbuf=65_536,  # net.inet.tcp.recvspace
    rcvbuf_max=2 << 20,  # net.inet.tcp.recvbuf_max
    sndbuf=32_768,  # net.inet.tcp.sendspace
    skb_overhead=0,
    sndbuf_max=2 << 20,  # net.inet.tcp.sendbuf_max
    initial_cwnd_bytes=14_600,
    syn_losses_forgiven=0,
    slow_start_segments=2,  # net.inet.tcp.abc_l_var
    hystart=False,
    cwnd_validation=False,
    rto_min=30 * MS,  # net.inet.tcp.rexmit_min
    rto_slop=200 * MS,  # net.inet.tcp.rexmit_slop
    rto_variance_min=0,
    rto_max=64 * SEC,  # TCPTV_REXMTMAX
    rto_after_syn_loss=0,
    synack_sample=False,
    rtt_peak_variance=False,
    syn_retries=12,  # TCP_MAXRXTSHIFT, but `open_timeout` comes first
    syn_linear_timeouts=0,
    synack_retries=3,  # net.inet.tcp.syncache.rexmtlimit
    open_timeout=75 * SEC,  # net.inet.tcp.keepinit
    keepalive_always=True,
    keepalive_count=8,  # net.inet.tcp.keepcnt
    persist_min=5 * SEC,  # net.inet.tcp.persmin
    persist_max=60 * SEC,  # net.inet.tcp.persmax
    retries=12,  # TCP_MAXRXTSHIFT
    rack=False,
    tail_loss_probe=False,
    frto=False,
    delayed_ack=40 * MS,  # net.inet.tcp.delacktime
    fin_timeout=675 * SEC,
    missing_timestamps_tolerated=False,  # net.inet.tcp.tolerate_missing_ts
    syn_fin_dropped=False,
    min_mss=216,  # net.inet.tcp.minmss
    challenge_acks=5,
    max_syn_backlog=15_360,  # net.inet.tcp.syncache.cachelimit
)
"""FreeBSD 14: its default stack, not its RACK module. CUBIC is its default since 14.0. Figures: the sysctl(8)
names beside them, tcp(4) and sys/netinet/tcp_timer.h. A closed FIN-WAIT-2 lasts keepcnt · keepintvl of
silence and then once more keepintvl."""

EMBEDDED: Final = Profile(
    name="embedded",
    timestamps=False,
    window_scaling=False,
    sack=False,
    rcvbuf=4 * 1460,
    rcvbuf_max=4 * 1460,
    sndbuf=2 * 1460,
    skb_overhead=0,
    sndbuf_max=2 * 1460,
    congestion="reno",
    initial_cwnd=4,
    rto_initial=3 * SEC,
    rto_min=500 * MS,
    rto_variance_min=0,
    rto_max=64 * SEC,
    rtt_peak_variance=False,
    syn_retries=6,
    syn_linear_timeouts=0,
    retries=12,
    rack=False,
    tail_loss_probe=False,
    frto=False,
    prr=False,
    dsack=False,
    ecn=0,
    retransmit_collapse=False,
    tso_win_divisor=0,
    gso_max_segs=1,
    gro=False,
    delayed_ack=250 * MS,
    delayed_ack_max=250 * MS,
    quick_acks=0,
    adaptive_delayed_ack=False,
    moderate_rcvbuf=False,
    moderate_sndbuf=False,
    time_wait=120 * SEC,
    fin_timeout=20 * SEC,
    max_syn_backlog=4,
)
"""A small stack in the manner of lwIP: a few segments of buffer, no SACK, no timestamps, Reno."""

STACKS: Final = ("freebsd", "rack")
"""The TCP stacks of FreeBSD that a socket can choose (tcp_rack(4)): the second finds losses by RFC 8985."""


def of_stack(profile: Profile, stack: str) -> Profile:
    """`profile` with what the stack of this name does otherwise; "" chooses none."""
    if not stack:
        return profile
    rack = stack == "rack"
    return replace(profile, rack=rack, tail_loss_probe=rack)


_ROUTED: Final = {
    "initcwnd": ("initial_cwnd", 1),
    "cwnd": ("cwnd_clamp", 1),
    "initrwnd": ("initial_rwnd", 1),
    "advmss": ("advmss", 1),
    "quickack": ("always_quick", 1),
    "reordering": ("dup_ack_threshold", 1),
    "rto_min": ("rto_min", MS),
    "ecn": ("ecn", 1),
}
"""Metrics of a route that TCP heeds: the attribute, and the unit. `ecn` is ``features ecn``."""

METRICS: Final = frozenset(_ROUTED) | {"congctl", "fastopen_no_cookie"}
_NO_COOKIES: Final = 0x204
"""Of tcp_fastopen: neither side asks for cookies."""


def routed(profile: Profile, metrics: Mapping[str, int | str]) -> Profile:
    """`profile` as connections over a route with these `metrics` see it; unknown names are none of TCP's."""
    changes: dict[str, Any] = {}
    for name, value in metrics.items():
        if name == "congctl":
            changes["congestion"] = value
        elif name == "fastopen_no_cookie" and value:
            changes["fastopen"] = profile.fastopen | _NO_COOKIES
        elif name in _ROUTED and value:
            attribute, unit = _ROUTED[name]
            changes[attribute] = type(getattr(profile, attribute))(int(value) * unit)
    if "ecn" in changes:
        changes["ecn"] = {0: 1, 2: 1, 5: 4}.get(profile.ecn, profile.ecn)
    if "rto_min" in changes:
        changes["rto_variance_min"] = changes["rto_min"]
    return replace(profile, **changes)


PROFILES: Final = {profile.name: profile for profile in (LINUX, FREEBSD, EMBEDDED)}
"""By name, as on command lines."""
