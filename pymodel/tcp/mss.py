"""The effective send MSS (RFC 9293 §3.7.1) and how much of a write one chunk takes."""

from typing import TYPE_CHECKING, Final

from pymodel.tcp import md5sig, transmit
from pymodel.wire.tcp import TIMESTAMPS_LEN

if TYPE_CHECKING:
    from pymodel.tcp.plpmtud import MtuProbing
    from pymodel.tcp.tcb import Tcb

DEFAULT_MSS: Final = 536
DEFAULT_MSS_6: Final = 1220
"""Where a SYN has no MSS option (RFC 9293 MUST-15), for IPv4 and IPv6."""

_GSO_HEADROOM: Final = 320
"""Of `gso_max_size`, what headers may take."""


def default(tcb: "Tcb") -> int:
    """The MSS of a peer that announces none."""
    return tcb.profile.default_mss if len(tcb.dst) == 4 else DEFAULT_MSS_6


def _within_half_window(tcb: "Tcb", size: int) -> int:
    """A peer with a tiny window gets segments of half of it, so that two fit (Linux; RFC 1122 §4.2.3.4)."""
    largest = tcb.max_snd_wnd
    cutoff = largest >> 1 if largest > DEFAULT_MSS else largest
    if cutoff and size > cutoff:
        return max(cutoff, 68 - (32 if tcb.ts_on else 20))
    return size


def of_mtu(tcb: "Tcb", mtu: int) -> int:
    """Payload of a packet of `mtu` bytes, if the peer takes as much (tcp_mtu_to_mss)."""
    mss = max(min(mtu - tcb.ip_overhead, tcb.peer_mss), tcb.profile.min_mss)
    return mss - (TIMESTAMPS_LEN if tcb.ts_on else 0)


def _within_search(tcb: "Tcb", probing: "MtuProbing", mss: int) -> int:
    """Where the path MTU is searched for: no more than is known to pass (tcp_sync_mss)."""
    probing.high = min(probing.high, tcb.layer.ip.mtu_for(tcb.dst))
    return min(mss, of_mtu(tcb, probing.low)) if probing.enabled else mss


def sync(tcb: "Tcb") -> None:
    """Eff.snd.MSS = min(SendMSS, path MTU - headers) - options, from what is known of the route now."""
    mss = min(tcb.peer_mss, tcb.layer.ip.mtu_for(tcb.dst) - tcb.ip_overhead)
    tcb.gso_max_segs = min(tcb.profile.gso_max_segs, tcb.layer.ip.gso_max_segs(tcb.dst))
    if tcb.options.maxseg:
        mss = min(mss, tcb.options.maxseg)
    if tcb.mss_bound:
        mss = min(mss, tcb.mss_bound)
    if tcb.ts_on:
        mss -= TIMESTAMPS_LEN
    if tcb.md5_key is not None:
        mss -= md5sig.OPTION_LEN
    mss = max(mss, tcb.profile.min_mss - (TIMESTAMPS_LEN if tcb.ts_on and tcb.profile.berkeley else 0))
    mss = mss if tcb.profile.berkeley else _within_half_window(tcb, mss)
    tcb.snd_mss = mss if tcb.probing is None else _within_search(tcb, tcb.probing, mss)


def current(tcb: "Tcb") -> int:
    """Payload of a full segment sent now: SACK blocks that go with it take room, too."""
    return tcb.snd_mss - transmit.options_len(tcb)


def size_goal(tcb: "Tcb", mss: int) -> int:
    """Bytes that one chunk of the send queue collects: whole segments, as many as a GSO packet takes."""
    goal = tcb.profile.gso_max_size - _GSO_HEADROOM - 1
    if not tcb.profile.berkeley:
        goal = _within_half_window(tcb, goal)
    return max(goal // mss * mss, mss)
