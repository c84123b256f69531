"""TCP Fast Open (RFC 7413): data in the SYN, allowed by a cookie that the server gave earlier.

Cookies are Linux's: SipHash of both addresses. A server that is shown the right one makes the connection at
the SYN (`Tcb.fast_child`): it is accepted, read and written in SYN-RECEIVED, and only its SYN,ACK is repeated
until the peer has acknowledged it. A client that has no cookie asks for one; what the SYN carried and the
SYN,ACK does not acknowledge goes again at once (§4.2.2).
"""

import hashlib
import struct
from dataclasses import dataclass
from errno import ETIMEDOUT
from typing import TYPE_CHECKING, Final, NamedTuple

from pymodel.tcp import (
    keepalive,
    lifecycle,
    mss,
    rcvmem,
    rcvwindow,
    recovery,
    retransmit,
    segment,
    sndtune,
    timerset,
    transmit,
)
from pymodel.tcp.profile import Profile
from pymodel.tcp.segment import SentSegment, mark_lost
from pymodel.tcp.seq import MASK
from pymodel.tcp.siphash import siphash
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Pending
from pymodel.wire.tcp import FIN, PSH, SYN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

CLIENT: Final = 0x1
SERVER: Final = 0x2
CLIENT_NO_COOKIE: Final = 0x4
SERVER_NO_COOKIE: Final = 0x200
ALL_LISTENERS: Final = 0x400
"""Bits of net.ipv4.tcp_fastopen."""

KIND: Final = 34
EXPERIMENT: Final = 254
MAGIC: Final = b"\xf9\x89"
"""§4.1.1, and the experimental option (RFC 6994) that it had before."""

_MAX_OPTIONS: Final = 40
_COOKIE_MIN, _COOKIE_MAX = 4, 16

UNAVAILABLE: Final = 1
NOT_ACKNOWLEDGED: Final = 2
SYN_RETRANSMITTED: Final = 3
"""tcpi_fastopen_client_fail."""


class Option(NamedTuple):
    """A Fast Open option: the cookie (b"": a request), and whether it is the experimental kind."""

    cookie: bytes
    experimental: bool = False

    def raw(self) -> tuple[int, bytes]:
        """(kind, value)."""
        return (EXPERIMENT, MAGIC + self.cookie) if self.experimental else (KIND, self.cookie)


def option_of(header: TcpHeader) -> Option | None:
    """The Fast Open option of a SYN; None: there is none, or its length is wrong."""
    for kind, value in header.unknown:
        experimental = kind == EXPERIMENT and value[:2] == MAGIC
        if kind == KIND or experimental:
            cookie = value[2:] if experimental else value
            if not cookie or (_COOKIE_MIN <= len(cookie) <= _COOKIE_MAX and len(cookie) % 2 == 0):
                return Option(cookie, experimental)
            return None
    return None


@dataclass
class _Known:
    """What a client remembers of a server (Linux: tcp_metrics)."""

    cookie: bytes = b""
    mss: int = 0
    experimental: bool = False
    try_experimental: int = 0


def parse_keys(text: str) -> tuple[bytes, ...]:
    """net.ipv4.tcp_fastopen_key: one key, or two with a comma in between. ValueError for anything else."""
    keys = []
    for part in text.strip().split(","):
        words = [int(word, 16) for word in part.strip().split("-")]
        if len(words) != 4 or max(words) > MASK:
            raise ValueError(f"{part!r} is no key of four 32-bit words")
        keys.append(struct.pack("<4I", *words))
    if not 1 <= len(keys) <= 2:
        raise ValueError("one or two keys")
    return tuple(keys)


def show_keys(keys: tuple[bytes, ...]) -> str:
    """As `parse_keys` reads it."""
    return ",".join("-".join(f"{word:08x}" for word in struct.unpack("<4I", key)) for key in keys)


class FastOpen:
    """One host's cookies: those it gives (`keys` of the profile, else one of its own) and those it got."""

    def __init__(self, profile: Profile, secret: bytes) -> None:
        self._profile = profile
        self._own = hashlib.blake2s(secret, person=b"fastopen", digest_size=16).digest()
        self._known: dict[bytes, _Known] = {}

    def keys(self, tcb: "Tcb") -> tuple[bytes, ...]:
        """The listener's (TCP_FASTOPEN_KEY), the host's, or one made up; the first makes cookies."""
        return tcb.options.fastopen_keys or self._profile.fastopen_keys or (self._own,)

    def cookie(self, tcb: "Tcb", key: bytes) -> bytes:
        """The cookie of the peer of `tcb`."""
        return siphash(key, tcb.dst + tcb.src)

    def known(self, server: bytes) -> _Known:
        """What is remembered of `server`."""
        return self._known.setdefault(server, _Known())

    @property
    def servers(self) -> dict[bytes, tuple[int, bytes]]:
        """Of each server that has told something: its MSS and its cookie (0 and empty: not told)."""
        return {
            server: (known.mss, known.cookie)
            for server, known in self._known.items()
            if known.mss or known.cookie
        }

    def forget(self, server: bytes) -> None:
        """Nothing is known of `server` any more."""
        self._known.pop(server, None)


# --- the server's side ----------


def judge(
    tcb: "Tcb", fast: FastOpen, header: TcpHeader, length: int, waiting: int
) -> tuple[bool, Option | None]:
    """A SYN with `length` bytes for a listener (its options are `tcb`'s) whose queue holds `waiting`: is the
    connection made at once, and what does the SYN,ACK say? (Linux: tcp_try_fastopen.)"""
    setting, stats = tcb.profile.fastopen, tcb.layer.stats
    asked = option_of(header)
    most = tcb.options.fastopen
    if not setting & SERVER or (asked is None and not length) or not most:
        return False, None
    if waiting >= most:
        stats["fastopen_overflow"] += 1
        return False, None
    if setting & SERVER_NO_COOKIE or tcb.options.fastopen_no_cookie:
        return True, None
    if asked is None:
        return False, None
    keys = fast.keys(tcb)
    fresh = Option(fast.cookie(tcb, keys[0]), asked.experimental)
    if not asked.cookie:
        stats["fastopen_cookies_asked"] += 1
        return False, fresh
    for number, key in enumerate(keys):
        if asked.cookie == fast.cookie(tcb, key):
            return True, fresh if number else None
    stats["fastopen_passive_failures"] += 1
    return False, fresh


def make_child(tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes, now: int) -> None:
    """`tcb`, which has taken in the SYN, becomes a connection that may be used at once."""
    tcb.layer.stats["fastopen_passive"] += 1
    tcb.fast_child = True
    begin = (tcb.iss + 1) & MASK
    tcb.snd_una = tcb.snd_nxt = tcb.snd_sml = tcb.snd_up = tcb.high_seq = begin
    tcb.cwnd_usage_seq = begin
    lifecycle.set_state(tcb, State.SYN_RECEIVED)
    rcvwindow.established(tcb, now)
    sndtune.expand(tcb)
    tcb.cwnd_stamp = now
    take_data(tcb, header, payload)


def take_data(tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes) -> None:
    """What came with a SYN, or with its answer, is the beginning of the stream."""
    n = len(payload)
    if not n:
        return
    tcb.syn_data_acked = True
    tcb.recv_queue += payload
    tcb.rcv_memory.queued(n, *rcvmem.cost(n + header.header_len + 20))
    tcb.rcv_nxt = tcb.rcv_wup = (tcb.rcv_nxt + n) & MASK
    tcb.rcv_adv = (tcb.rcv_adv + n) & MASK
    tcb.bytes_received += n
    tcb.data_segs_in += 1
    if header.flags & FIN:
        tcb.rcv_fin = tcb.rcv_nxt
        tcb.rcv_nxt = tcb.rcv_wup = (tcb.rcv_nxt + 1) & MASK
        lifecycle.set_state(tcb, State.CLOSE_WAIT)


def child_established(tcb: "Tcb", now: int) -> None:
    """The peer has acknowledged our SYN,ACK."""
    tcb.fast_child = False
    if not tcb.rtt.srtt and not tcb.total_retrans:
        tcb.rtt.observe_min(now - tcb.started, now)
        tcb.rtt.sample(now - tcb.started, tcb.snd_una, tcb.snd_nxt)
    tcb.retries = 0
    tcb.retrans_stamp = -1
    tcb.soft_error = 0
    timerset.stop(tcb)
    timerset.rearm_rto(tcb, now)
    if tcb.state is State.SYN_RECEIVED:
        lifecycle.set_state(tcb, State.ESTABLISHED)
    keepalive.start(tcb, now)


def repeat_synack(tcb: "Tcb", now: int) -> None:
    """Its time-out: nothing else is repeated until it is acknowledged (Linux: tcp_fastopen_synack_timer)."""
    if tcb.retries > tcb.profile.synack_retries:
        tcb.layer.stats["timeouts"] += 1
        lifecycle.finish(tcb, tcb.soft_error or ETIMEDOUT)
        return
    if tcb.retries == 1 and tcb.sent:
        recovery.enter_loss(tcb, now)
    transmit.syn(tcb, now, True)
    tcb.timeouts.expired(not tcb.retries, now)
    tcb.retries += 1
    tcb.total_retrans += 1
    if tcb.retrans_stamp < 0:
        tcb.retrans_stamp = now
    wait = min(tcb.profile.rto_initial << tcb.retries, tcb.profile.rto_max)
    timerset.start(tcb, Pending.RETRANSMIT, now + wait)


# --- the client's side ----------


def may_send_data(tcb: "Tcb", fast: FastOpen) -> bool:
    """There is a cookie for the peer, or none is needed."""
    no_cookie = tcb.profile.fastopen & CLIENT_NO_COOKIE or tcb.options.fastopen_no_cookie
    return bool(no_cookie or fast.known(tcb.dst).cookie)


def start(tcb: "Tcb", fast: FastOpen, data: memoryview, now: int) -> int:
    """Send the SYN, with as much of `data` as may go along; how much that was (tcp_send_syn_data)."""
    known = fast.known(tcb.dst)
    no_cookie = tcb.profile.fastopen & CLIENT_NO_COOKIE or tcb.options.fastopen_no_cookie
    option: Option | None = None
    n = 0
    if no_cookie or known.cookie:
        tcb.peer_mss = known.mss or tcb.advertised_mss
        if tcb.options.maxseg:
            tcb.peer_mss = min(tcb.peer_mss, tcb.options.maxseg)
        mss.sync(tcb)
        room = min(tcb.peer_mss, tcb.layer.ip.mtu_for(tcb.dst) - tcb.ip_overhead) - _MAX_OPTIONS
        n = max(min(len(data), room), 0)
        if not no_cookie:
            option = Option(known.cookie, known.experimental)
    else:
        tcb.fastopen_client_fail = UNAVAILABLE
        option = Option(b"", known.try_experimental == 1)
    tcb.syn_option_sent = option is not None
    tcb.snd_nxt = (tcb.iss + 1) & MASK
    segment.append(tcb, SentSegment(tcb.iss, tcb.snd_nxt, now, SYN))
    if n:
        tcb.send_queue.append(data[:n], False)
        end = (tcb.snd_nxt + n) & MASK
        segment.append(tcb, SentSegment(tcb.snd_nxt, end, now, PSH))
        tcb.sent[-1].closes = True
        tcb.trains_out += 1
        tcb.snd_nxt = tcb.pushed_seq = end
        tcb.send_queue.sent(end)
        tcb.syn_data = True
        tcb.data_segs_out += 1
        tcb.bytes_sent += n
    transmit.syn(tcb, now, False, option.raw() if option else None, bytes(data[:n]))
    timerset.start(tcb, Pending.RETRANSMIT, now + tcb.rtt.rto)
    return n


def answered(tcb: "Tcb", fast: FastOpen, header: TcpHeader, now: int) -> bool:
    """The SYN,ACK to a SYN of `start`. True: what the SYN carried is sent again, with the ACK that is due."""
    known = fast.known(tcb.dst)
    option = option_of(header) if tcb.syn_option_sent else None
    unacknowledged = tcb.syn_data and bool(tcb.sent)
    known.mss = header.mss or mss.default(tcb)
    if option is not None and option.cookie:
        known.cookie, known.experimental = option
    elif tcb.syn_option_sent and not tcb.total_retrans and option is None and not tcb.syn_data:
        attempt = 2 if known.try_experimental == 1 else 1
        if attempt > known.try_experimental and not known.cookie:
            known.try_experimental = attempt
    if not unacknowledged:
        tcb.syn_data_acked = tcb.syn_data
        if tcb.syn_data:
            tcb.layer.stats["fastopen_active"] += 1
            tcb.delivered -= tcb.delivered > 1
        return False
    tcb.fastopen_client_fail = SYN_RETRANSMITTED if tcb.total_retrans else NOT_ACKNOWLEDGED
    tcb.layer.stats["fastopen_active_failures"] += 1
    for entry in tcb.sent:
        mark_lost(tcb, entry)
    recovery.without_congestion(tcb)
    retransmit.lost(tcb, now)
    return True
