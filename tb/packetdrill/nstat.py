"""nstat(8): the counters of /proc/net/snmp and netstat that the simulated host keeps, by Linux's names."""

import re
from collections.abc import Callable
from typing import Final

from pymodel.host import Host
from tb.packetdrill.errors import ScriptError

Count = Callable[[Host], int]


def _of(*names: str) -> Count:
    """The sum of counters of TCP."""
    return lambda host: sum(host.tcp.stats[name] for name in names)


_COUNTERS: Final[dict[str, Count]] = {
    "TcpActiveOpens": _of("active_opens"),
    "TcpPassiveOpens": _of("passive_opens"),
    "TcpInSegs": _of("in_segs"),
    "TcpOutSegs": _of("out_segs"),
    "TcpRetransSegs": _of("retrans_segs"),
    "TcpInErrs": _of("bad_checksum", "malformed_options"),
    "TcpInCsumErrors": _of("bad_checksum"),
    "TcpOutRsts": _of("out_rsts"),
    "TcpEstabResets": _of("resets_received"),
    "TcpExtSyncookiesSent": _of("syn_cookies_sent"),
    "TcpExtSyncookiesRecv": _of("syn_cookies_received"),
    "TcpExtTWRecycled": _of("time_wait_reused"),
    "TcpExtPAWSEstab": _of("paws_rejected"),
    "TcpExtBeyondWindow": _of("beyond_window"),
    "TcpExtDelayedACKs": _of("delayed_acks"),
    "TcpExtDelayedACKLost": _of("old_data"),
    "TcpExtListenOverflows": _of("listen_overflow", "accept_queue_full"),
    "TcpExtListenDrops": _of("listen_overflow", "accept_queue_full", "syn_no_memory"),
    "TcpExtTCPSACKReneging": _of("sack_reneging"),
    "TcpExtTCPTimeouts": _of("rto_expirations"),
    "TcpExtTCPLossProbes": _of("tail_loss_probes"),
    "TcpExtTCPLossProbeRecovery": _of("tail_losses_repaired"),
    "TcpExtTCPDSACKRecv": _of("dsack_received"),
    "TcpExtTCPAbortOnTimeout": _of("timeouts"),
    "TcpExtTCPAbortOnData": _of("data_after_close"),
    "TcpExtTCPDeferAcceptDrop": _of("accepts_deferred"),
    "TcpExtTCPReqQFullDoCookies": _of("syn_queue_full"),
    "TcpExtTCPOFOQueue": _of("out_of_order"),
    "TcpExtTCPOFODrop": _of("out_of_order_pruned"),
    "TcpExtTCPChallengeACK": _of("challenge_acks"),
    "TcpExtTCPSYNChallenge": _of("syn_in_connection"),
    "TcpExtTCPFastOpenActive": _of("fastopen_active"),
    "TcpExtTCPFastOpenActiveFail": _of("fastopen_active_failures"),
    "TcpExtTCPFastOpenPassive": _of("fastopen_passive"),
    "TcpExtTCPFastOpenPassiveFail": _of("fastopen_passive_failures"),
    "TcpExtTCPFastOpenListenOverflow": _of("fastopen_overflow"),
    "TcpExtTCPFastOpenCookieReqd": _of("fastopen_cookies_asked"),
    "TcpExtTCPKeepAlive": _of("keepalive_probes"),
    "TcpExtTCPMTUPFail": _of("mtu_probes_lost"),
    "TcpExtTCPMTUPSuccess": _of("mtu_probes_passed"),
    "TcpExtTCPAckCompressed": _of("acks_compressed"),
    "TcpExtTCPZeroWindowDrop": _of("zero_window_drop"),
    "TcpExtTCPRcvQDrop": _of("receive_no_memory"),
    "IpInReceives": lambda host: host.ip.stats["ip_in"],
    "IpOutRequests": lambda host: host.ip.stats["ip_out"],
}
"""By name; the others that Linux has are zero here, as nothing counts them."""


class Nstat:
    """The command, with the history that its increments are counted from."""

    def __init__(self) -> None:
        self._before: dict[int, dict[str, int]] = {}

    def __call__(self, host: Host, arguments: list[str], given: str) -> tuple[int, str]:
        """nstat [-naszr] [pattern …]: increments since the last call without -s, or with -a all of each."""
        letters = "".join(word[1:] for word in arguments if re.fullmatch(r"-[a-z]+", word))
        patterns = [word for word in arguments if not word.startswith("-")]
        if set(letters) - set("naszrj"):
            raise ScriptError(f"`nstat {' '.join(arguments)}` is not known here")
        now = {name: count(host) for name, count in _COUNTERS.items()}
        before = {} if set("ar") & set(letters) else self._before.get(id(host), {})
        if "s" not in letters:
            self._before[id(host)] = now
        if "n" in letters:
            return 0, ""
        lines = ["#kernel"]
        for pattern in patterns:
            if pattern not in now and not re.search(r"[*?\[]", pattern):
                now[pattern] = 0
        for name, value in now.items():
            wanted = not patterns or any(_matches(pattern, name) for pattern in patterns)
            more = value - before.get(name, 0)
            if wanted and (more or "z" in letters):
                lines.append(f"{name:<32}{more:<16} 0.0")
        return 0, "\n".join(lines)


def _matches(pattern: str, name: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name) is not None
