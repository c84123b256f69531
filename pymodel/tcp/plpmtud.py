"""Packetization layer path MTU discovery (RFC 4821), as Linux does it for TCP (tcp_mtu_probing).

Segments are `low` bytes of packet at most; now and then one of half the way to `high` is sent. If it arrives,
`low` is its size; if it alone is lost, `high` is below it, and congestion has nothing to do with it (§7.6).
When nothing gets through any more, the path may be a black hole for packets of the size that was thought
right, and `low` begins far below (§7.7).
"""

from typing import TYPE_CHECKING, Final

from pymodel.tcp import mss as mss_of
from pymodel.tcp import prr
from pymodel.tcp.seq import HALF, MASK
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Recovery
from pymodel.wire.tcp import TIMESTAMPS_LEN

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

_LEAST_CWND: Final = 11
"""Segments of congestion window below which a lost probe would cost too much (§7.4)."""


class MtuProbing:
    """What one connection knows. Sizes are of IP packets."""

    __slots__ = ("begun", "enabled", "end", "high", "low", "size", "start")

    def __init__(self, enabled: bool, low: int, high: int, now: int) -> None:
        self.enabled = enabled
        self.low = low
        """Passes (§7.2: search_low)."""
        self.high = high
        """Nothing larger passes."""
        self.size = 0
        """Of the probe that is out; 0: none is."""
        self.start = self.end = 0
        """Its sequence numbers."""
        self.begun = now


def _overhead(tcb: "Tcb") -> int:
    return tcb.ip_overhead + (TIMESTAMPS_LEN if tcb.ts_on else 0)


def begin(tcb: "Tcb", now: int) -> None:
    """The peer's SYN has come, or the handshake is over (tcp_mtup_init)."""
    profile = tcb.profile
    if profile.mtu_probing:
        low, high = profile.base_mss + _overhead(tcb), tcb.peer_mss + tcb.ip_overhead
        if tcb.state is State.SYN_SENT and profile.timestamps and not tcb.ts_on:
            low += TIMESTAMPS_LEN  # Linux reckons with what its SYN had
        tcb.probing = MtuProbing(profile.mtu_probing > 1, low, high, now)


def _again_some_time(tcb: "Tcb", probing: MtuProbing, now: int) -> None:
    """The path may have changed for the better (§7.2: ten minutes; tcp_probe_interval)."""
    if now - probing.begun >= tcb.profile.mtu_probe_interval:
        probing.size = 0
        probing.high = tcb.peer_mss + tcb.ip_overhead
        probing.low = mss_of.current(tcb) + _overhead(tcb)
        probing.begun = now


def wanted(tcb: "Tcb", now: int) -> int:
    """Payload of the probe to send now; 0: send as usual; -1: send nothing, the next ACK will let a probe go
    (tcp_mtu_probe)."""
    probing = tcb.probing
    if (
        probing is None
        or not probing.enabled
        or probing.size
        or tcb.recovery is not Recovery.OPEN
        or tcb.cc.cwnd < _LEAST_CWND
        or tcb.reassembly.reported
        or tcb.dsack is not None
    ):
        return 0
    size = mss_of.of_mtu(tcb, (probing.high + probing.low) >> 1)
    needed = size + (tcb.reordering + 1) * tcb.snd_mss
    if (
        size > mss_of.of_mtu(tcb, probing.high)
        or probing.high - probing.low < tcb.profile.mtu_probe_threshold
    ):
        _again_some_time(tcb, probing, now)
        return 0
    if tcb.unsent < needed or tcb.snd_wnd < needed:
        return 0
    if (tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt - needed) & MASK >= HALF:
        return -1
    if tcb.in_flight + 2 > tcb.cc.cwnd:
        return -1 if tcb.in_flight else 0
    chunks = tcb.send_queue.chunks
    if (chunks[0].end - tcb.snd_nxt) & MASK < size and len(chunks) > 1:
        tcb.send_queue.grow(size - ((chunks[0].end - tcb.snd_nxt) & MASK))
    return size if (chunks[0].end - tcb.snd_nxt) & MASK >= size else 0


def sent(tcb: "Tcb", seq: int, n: int) -> None:
    """The probe of `n` bytes from `seq` has left. It counts twice: one segment less may be in flight."""
    probing = tcb.probing
    assert probing is not None
    tcb.cc.cwnd -= 1
    probing.size = n + _overhead(tcb)
    probing.start, probing.end = seq, (seq + n) & MASK
    tcb.layer.stats["mtu_probes"] += 1


def acknowledged(tcb: "Tcb", now: int) -> None:
    """SND.UNA has moved: if over the probe, packets of its size pass (tcp_mtup_probe_success)."""
    probing = tcb.probing
    if probing is None or not probing.size or (tcb.snd_una - probing.end) & MASK >= HALF:
        return
    cc = tcb.cc
    tcb.prior_ssthresh = prr.current_ssthresh(tcb)
    # The same number of bytes in larger segments.
    cc.cwnd = max(cc.cwnd * (tcb.snd_mss + _overhead(tcb)) // probing.size, 1)
    tcb.cwnd_stamp = now
    cc.ssthresh = prr.current_ssthresh(tcb)
    probing.low, probing.size = probing.size, 0
    mss_of.sync(tcb)
    tcb.layer.stats["mtu_probes_passed"] += 1


def lost(tcb: "Tcb") -> bool:
    """A loss was found: True if it is the probe's, at the very front. Then it is not congestion's."""
    probing = tcb.probing
    if probing is None or not probing.size or tcb.recovery >= Recovery.CWR or tcb.snd_una != probing.start:
        return False
    probing.high, probing.size = probing.size - 1, 0
    tcb.cc.cwnd += 1
    tcb.layer.stats["mtu_probes_lost"] += 1
    return True


def black_hole(tcb: "Tcb", now: int) -> None:
    """Retransmissions do not get through (tcp_mtu_probing): begin with small segments, then smaller ones."""
    probing = tcb.probing
    if probing is None:
        return
    profile = tcb.profile
    if not probing.enabled:
        probing.enabled, probing.begun = True, now
    else:
        size = min(profile.base_mss, mss_of.of_mtu(tcb, probing.low) >> 1)
        probing.low = max(size, profile.mtu_probe_floor, profile.min_mss) + _overhead(tcb)
    mss_of.sync(tcb)
