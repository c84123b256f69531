"""What a host of the BSDs remembers of the others: round trips and ssthresh (tcp_hostcache(4) of FreeBSD).

A connection leaves its figures when it ends, if it took enough samples; the next one to the same host begins
with them. Figures of several connections are averaged. They are forgotten after `Profile.host_cache_expire`,
or when `MOST` hosts have left some since.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymodel.simtime import MS

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

MOST: Final = 15_360
"""Hosts (net.inet.tcp.hostcache.cachelimit)."""
_ENOUGH: Final = 4
"""RTT samples (t_rttupdated)."""
_HEADERS: Final = 40
"""struct tcpiphdr, which is counted with each segment of ssthresh."""


@dataclass(slots=True)
class Metrics:
    """Times in ps, `ssthresh` in bytes; 0: nothing is known. `expires`: when it is forgotten."""

    srtt: int = 0
    deviation: int = 0
    ssthresh: int = 0
    expires: int = 0


def _mean(old: int, new: int) -> int:
    return (old + new) // 2 if old and new else new or old


class HostCache:
    """Metrics by the peer's address."""

    def __init__(self) -> None:
        self._known: dict[bytes, Metrics] = {}

    def purge(self) -> None:
        """Forget everything (net.inet.tcp.hostcache.purgenow)."""
        self._known.clear()

    def known(self, host: bytes, now: int) -> Metrics | None:
        """What is remembered of `host`."""
        found = self._known.get(host)
        if found is not None and now >= found.expires:
            del self._known[host]
            return None
        return found

    def lines(self, now: int) -> list[str]:
        """One line for each host (net.inet.tcp.hostcache.list): address, ssthresh, RTT, deviation."""
        found: list[str] = []
        for host in list(self._known):
            entry = self.known(host, now)
            if entry is not None:
                times = f"{entry.srtt // MS}ms {entry.deviation // MS}ms"
                found.append(f"{'.'.join(map(str, host))} {entry.ssthresh} {times}")
        return found

    def remember(self, tcb: "Tcb", now: int) -> None:
        """`tcb` ends (tcp_discardcb)."""
        profile = tcb.profile
        if not profile.host_cache or tcb.rtt.samples < _ENOUGH:
            return
        entry = self.known(tcb.dst, now) or Metrics()
        mss = max(tcb.snd_mss, 1)
        ssthresh = tcb.cc.ssthresh
        known = 0
        if 0 < ssthresh * mss < tcb.sndbuf // 2:
            known = max(ssthresh, 2) * (mss + _HEADERS)
        entry.srtt = _mean(entry.srtt, tcb.rtt.srtt)
        entry.deviation = _mean(entry.deviation, tcb.rtt.deviation)
        entry.ssthresh = _mean(entry.ssthresh, known)
        entry.expires = now + profile.host_cache_expire
        self._known.pop(tcb.dst, None)  # the last to have left something is the last to be forgotten
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[tcb.dst] = entry

    def apply(self, tcb: "Tcb", now: int) -> None:
        """`tcb` is established: it begins with what is known of its peer (cc_conn_init)."""
        entry = self.known(tcb.dst, now) if tcb.profile.host_cache else None
        if entry is None:
            return
        if not tcb.rtt.srtt and entry.srtt:
            tcb.rtt.begin_with(entry.srtt, entry.deviation or entry.srtt)
        if entry.ssthresh:
            tcb.cc.ssthresh = max(2, entry.ssthresh // max(tcb.snd_mss, 1))
