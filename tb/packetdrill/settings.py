"""sysctl(8) names of Linux and FreeBSD, on a simulated host's settings."""

import re
from typing import Final

from pymodel.host import Host
from pymodel.simtime import MS, SEC
from pymodel.tcp import fastopen
from pymodel.tcp.profile import STACKS
from pymodel.tcp.sysctl import INERT
from tb.packetdrill.errors import ScriptError

DEFAULTS: Final = {
    "net.ipv4.tcp_rmem": "4096 540000 15728640",
    "net.ipv4.tcp_wmem": "4096 262144 4194304",
    "net.ipv4.tcp_syn_retries": "5",
    "net.ipv4.tcp_slow_start_after_idle": "0",
    "net.ipv4.tcp_ecn": "0",
    "net.ipv4.tcp_congestion_control": "cubic",
    "net.ipv4.tcp_fastopen": "0x70403",
    "net.ipv4.tcp_fastopen_key": "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
}
"""What the `defaults.sh` of the collections for Linux set beyond what a machine has anyhow: their scripts
expect window scale 8, no ECN, no slow start after idle, and Fast Open with this key."""

_HARMLESS: Final = frozenset(
    f"tcp_{name}"
    for name in [
        "adv_win_scale",
        "autocorking",
        "backlog_ack_defer",
        "child_ehash_entries",
        "early_demux",
        "comp_sack_slack_ns",
        "fack",
        "fastopen_blackhole_timeout_sec",
        "limit_output_bytes",
        "low_latency",
        "max_orphans",
        "max_tw_buckets",
        "mem",
        "no_metrics_save",
        "no_ssthresh_metrics_save",
        "rcvbuf_low_rtt",
        "thin_dupack",
        "tso_rtt_log",
    ]
)
"""Settings of Linux that change nothing in a machine just started with one wire, whatever their value."""

_NOTHING_HERE: Final = re.compile(
    r"net\.core\.(?:busy_|dev_weight|tstamp_allow_data|skb_defer_max|[rw]mem_default|flow_limit|netdev_|somax|warn)"
    r"|net\.ipv4\.(?:conf|neigh|route)\.|net\.ipv4\.(?:icmp_(?:rate|msgs)|ping_group|ip_nonlocal|ipfrag_|udp_)"
    r"|net\.(?:ipv6|mptcp|netfilter|unix)\.|(?:kernel|vm|fs|dev|hw|security|debug)\."
    r"|net\.inet\.tcp\.(?:rack|bbr|lro|hpts|bb)\.|net\.inet\.tcp\.fastopen\.(?:ccache|keylen|numpsks|numkeys)"
    r"|net\.inet\.(?:udp|raw|sctp|icmp|igmp)\.|net\.inet\.ip\.(?:random_id|check_interface|fw|forward|sendsource)"
    r"|net\.(?:link|isr|route|bpf|inet6|fibs)|kern\.(?:hz|maxfiles|ipc\.(?:nmb|tls|mb|acceptqueue)|eventtimer|features)"
)
"""Settings of other protocols, of devices and of what a machine has many of: one wire shows none of them."""

_FIXED: Final = {
    "net.core.default_qdisc": ("pfifo_fast", "fq", "fq_codel", "pfifo"),
    "net.core.optmem_max": None,
    "net.core.rmem_max": None,
    "net.core.wmem_max": None,
    "net.core.somaxconn": ("4096", "1024", "128"),
    "net.core.netdev_max_backlog": None,
    "net.ipv4.ip_no_pmtu_disc": ("0",),
    "net.ipv4.ip_forward": ("0",),
    "net.ipv4.route.flush": None,
    "net.ipv4.tcp_available_congestion_control": None,
    "net.ipv4.conf.all.rp_filter": None,
    "net.ipv4.conf.default.rp_filter": None,
    "kern.timecounter.alloweddeviation": None,
    "kern.ipc.somaxconn": ("128", "4096"),
    "net.inet.ip.portrange.randomized": None,
    "net.inet.icmp.icmplim": None,
    "net.inet.tcp.log_debug": None,
    "net.inet.tcp.log_in_vain": None,
    "net.inet.tcp.nolocaltimewait": ("0", "1"),
    "net.ipv4.ip_default_ttl": ("64",),
    "net.ipv4.tcp_available_ulp": None,
    "net.ipv4.tcp_allowed_congestion_control": None,
    "net.inet.ip.ttl": ("64",),
    "net.inet.tcp.ecn.generation": None,
    "net.inet.tcp.syncache.count": ("0",),
    "net.inet.tcp.syncache.rst_on_sock_fail": None,
    "net.inet.tcp.isn_reseed_interval": None,
    "net.inet.tcp.ts_offset_per_conn": None,
    "net.inet.tcp.rfc3042": ("1",),
    "net.inet.tcp.rfc3390": ("1",),
    "net.inet.tcp.tso": ("0", "1"),
    "net.inet.tcp.insecure_ack": ("0",),
    "net.inet.tcp.blackhole_local": None,
    "net.inet.tcp.do_tcpdrain": None,
    "net.inet.tcp.drop": None,
    "net.inet.tcp.newcwv": ("0",),
    "net.inet.tcp.rfc3465": ("1",),
    "net.inet.tcp.sack.lrd": None,
    "net.inet.tcp.do_lrd": None,
    "net.inet.tcp.sack.revised": None,
    "net.inet.tcp.rfc6675_pipe": None,
    "net.inet.tcp.per_cpu_timers": None,
    "net.inet.tcp.soreceive_stream": None,
    "net.inet.tcp.syncache.see_other": None,
    "net.inet.tcp.bb.log_auto_all": None,
    "net.inet.tcp.hostcache.prune": None,
    "net.inet.icmp.icmplim_output": None,
    "net.inet.tcp.ecn.maxretries": None,
    "net.inet.tcp.hostcache.purge": None,
    "net.inet.tcp.udp_tunneling_port": ("0",),
    "net.inet.tcp.udp_tunneling_overhead": None,
    "net.inet.tcp.require_unique_port": None,
    "net.inet.tcp.reass.maxqueuelen": None,
    "net.inet.tcp.reass.maxsegments": None,
    "net.inet.tcp.reass.new_limit": None,
    "net.inet.tcp.sack.maxholes": None,
    "net.inet.tcp.sack.globalmaxholes": None,
    "net.inet.tcp.sack.tso": ("0", "1"),
    "net.inet.tcp.maxtcptw": None,
    "net.inet.tcp.map_limit": None,
    "net.inet.tcp.split_limit": None,
    "net.inet.tcp.pacing_limit": None,
    "net.inet.tcp.v6mssdflt": None,
    "net.inet.tcp.v6pmtud_blackhole_mss": None,
    "net.inet.tcp.cc.abe": ("0",),
    "net.inet.tcp.cc.abe_frlossreduce": ("0",),
    "net.inet.tcp.syncache.bucketlimit": None,
    "net.inet.tcp.syncache.hashsize": None,
    "net.inet.tcp.sendbuf_auto_lowat": None,
    "net.inet.tcp.bb.log_auto_mode": None,
    "net.inet.tcp.bb.log_session_limit": None,
    "net.inet.tcp.log_pcb": None,
    "net.inet.ip.random_id": None,
    "net.inet.tcp.use_newrto": None,
}
"""Settings of which only these values (None: any) have the effect that they would have here: none."""

_LAST_PORT: Final = 65_535
_SECONDS_FROM_MS: Final = 1000
_FINWAIT2_TIMEOUT: Final = 60 * SEC
_FREEBSD: Final = {
    "net.inet.tcp.sack.enable": ("tcp_sack",),
    "net.inet.tcp.ecn.enable": ("tcp_ecn",),
    "net.inet.tcp.cc.algorithm": ("tcp_congestion_control",),
    "net.inet.tcp.keepcnt": ("tcp_keepalive_probes",),
    "net.inet.tcp.syncache.rexmtlimit": ("tcp_synack_retries",),
    "net.inet.tcp.sack.permit": ("tcp_sack",),
    "net.inet.tcp.path_mtu_discovery": (),
    "net.inet.tcp.syncookies": ("tcp_syncookies",),
}
"""FreeBSD's names (tcp(4)) by what Linux calls the same thing."""
_FREEBSD_PROFILE: Final = {
    "kern.ipc.maxsockbuf": ("window_scale_for", 1),
    "net.inet.tcp.initcwnd_segments": ("initial_cwnd", 1),
    "net.inet.tcp.recvspace": ("rcvbuf", 1),
    "net.inet.tcp.sendspace": ("sndbuf", 1),
    "net.inet.tcp.recvbuf_max": ("rcvbuf_max", 1),
    "net.inet.tcp.sendbuf_max": ("sndbuf_max", 1),
    "net.inet.tcp.recvbuf_auto": ("moderate_rcvbuf", 1),
    "net.inet.tcp.sendbuf_auto": ("moderate_sndbuf", 1),
    "net.inet.tcp.msl": ("time_wait", 2 * MS),
    "net.inet.tcp.delacktime": ("delayed_ack", MS),
    "net.inet.tcp.rexmit_min": ("rto_min", MS),
    "net.inet.tcp.rexmit_slop": ("rto_slop", MS),
    "net.inet.tcp.rexmit_initial": ("rto_initial", MS),
    "net.inet.tcp.keepinit": ("open_timeout", MS),
    "net.inet.tcp.persmin": ("persist_min", MS),
    "net.inet.tcp.persmax": ("persist_max", MS),
    "net.inet.tcp.always_keepalive": ("keepalive_always", 1),
    "net.inet.tcp.blackhole": ("blackhole", 1),
    "net.inet.tcp.drop_synfin": ("syn_fin_dropped", 1),
    "net.inet.tcp.tolerate_missing_ts": ("missing_timestamps_tolerated", 1),
    "net.inet.tcp.ack_war_cnt": ("challenge_acks", 1),
    "net.inet.tcp.ack_war_timewindow": ("challenge_window", MS),
    "net.inet.tcp.minmss": ("min_mss", 1),
    "net.inet.tcp.mssdflt": ("default_mss", 1),
    "net.inet.tcp.abc_l_var": ("slow_start_segments", 1),
    "net.inet.tcp.do_prr": ("prr", 1),
    "net.inet.tcp.retries": ("retries", 1),
    "net.inet.tcp.syncache.cachelimit": ("max_syn_backlog", 1),
    "net.inet.tcp.rexmit_drop_options": ("syn_options_dropped", 1),
    "net.inet.tcp.insecure_rst": ("insecure_rst", 1),
    "net.inet.tcp.insecure_syn": ("insecure_syn", 1),
    "net.inet.tcp.icmp_may_rst": ("icmp_may_reset", 1),
    "net.inet.tcp.pmtud_blackhole_detection": ("black_hole_detection", 1),
    "net.inet.tcp.pmtud_blackhole_mss": ("black_hole_mss", 1),
    "net.inet.tcp.delayed_ack": ("acks_are_delayed", 1),
    "net.inet.tcp.hostcache.enable": ("host_cache", 1),
    "net.inet.tcp.hostcache.expire": ("host_cache_expire", SEC),
}
"""FreeBSD's names for figures of the profile: attribute and unit."""
_RFC1323: Final = "net.inet.tcp.rfc1323"
"""0: neither option, 1: both, 2: only window scaling, 3: only timestamps (tcp(4))."""
_FINWAIT2_RECYCLE: Final = "net.inet.tcp.fast_finwait2_recycle"
"""1: a closed FIN-WAIT-2 lasts finwait2_timeout, not as long as keepalive would watch it."""
_STACK: Final = "net.inet.tcp.functions_default"
_FAST_OPEN: Final = {
    "net.inet.tcp.fastopen.client_enable": fastopen.CLIENT,
    "net.inet.tcp.fastopen.server_enable": fastopen.SERVER,
    "net.inet.tcp.fastopen.acceptany": fastopen.SERVER_NO_COOKIE,
}
_STACKS: Final = "net.inet.tcp.functions_available"
_HOSTS: Final = "net.inet.tcp.hostcache.list"
_PURGE: Final = "net.inet.tcp.hostcache.purgenow"
_PORT_RANGE: Final = "net.ipv4.ip_local_port_range"
_SYNCOOKIES_ONLY: Final = "net.inet.tcp.syncookies_only"
_FREEBSD_MILLISECONDS: Final = {
    "net.inet.tcp.keepidle": "tcp_keepalive_time",
    "net.inet.tcp.keepintvl": "tcp_keepalive_intvl",
    "net.inet.tcp.finwait2_timeout": "tcp_fin_timeout",
}


def write(host: Host, name: str, value: str) -> None:
    """Set `name`. ScriptError if it is unknown, or the value one that nothing here would heed."""
    name = name.replace("/", ".")
    value = " ".join(value.split())
    if _NOTHING_HERE.match(name):
        return
    if name in _FIXED:
        values = _FIXED[name]
        if values is not None and value not in values:
            raise ScriptError(f"sysctl {name}={value}: only {', '.join(values)} has an effect here")
        return
    if name == _RFC1323:
        number = int(value, 0)
        if not 0 <= number <= 3:
            raise ScriptError(f"sysctl {name}={value}: 0…3 expected")
        host.tcp.profile.window_scaling = number in (1, 2)
        host.tcp.profile.timestamps = number in (1, 3)
    elif name in _FREEBSD_MILLISECONDS:
        _linux(host, _FREEBSD_MILLISECONDS[name], str(int(value) // _SECONDS_FROM_MS), name)
    elif name in _FREEBSD_PROFILE:
        attribute, unit = _FREEBSD_PROFILE[name]
        number = int(value, 0) * unit
        kept = getattr(host.tcp.profile, attribute)
        setattr(host.tcp.profile, attribute, bool(number) if isinstance(kept, bool) else number)
    elif name == _STACK:
        if value not in STACKS:
            raise ScriptError(f"sysctl {name}={value}: only {', '.join(STACKS)} are there")
        host.tcp.profile.rack = host.tcp.profile.tail_loss_probe = value == "rack"
    elif name in _FAST_OPEN:
        bit = _FAST_OPEN[name]
        host.tcp.profile.fastopen = host.tcp.profile.fastopen & ~bit | (bit if int(value) else 0)
    elif name == _PURGE:
        host.tcp.host_cache.purge()
    elif name == _PORT_RANGE:
        low, high = map(int, value.split())
        if not 1 <= low <= high <= _LAST_PORT:
            raise ScriptError(f"sysctl {name}={value}: two ports expected, in order")
        host.kernel.network.tcp_ports.ephemeral = range(low, high + 1)
    elif name == _SYNCOOKIES_ONLY:
        host.tcp.profile.syncookies = 2 if int(value) else 1
    elif name == _FINWAIT2_RECYCLE:
        if int(value):
            host.tcp.profile.fin_timeout = _FINWAIT2_TIMEOUT
    elif name in _FREEBSD:
        if name.endswith("cc.algorithm") and value == "newreno":
            value = "reno"
        for linux in _FREEBSD[name]:
            _linux(host, linux, value, name)
    elif name.startswith("net.ipv4."):
        _linux(host, name.removeprefix("net.ipv4."), value, name)
    else:
        raise ScriptError(f"sysctl {name} is not known here")


def _linux(host: Host, short: str, value: str, shown: str) -> None:
    inert = INERT.get(short)
    if inert is not None and short not in _HARMLESS and value != " ".join(inert.split()):
        raise ScriptError(f"sysctl {shown}={value}: only {inert}, the default, is there")
    try:
        host.tcp.sysctl.set(short, value)
    except KeyError:
        raise ScriptError(f"sysctl {shown} is not known here") from None
    except ValueError as error:
        raise ScriptError(f"sysctl {shown}={value}: {error}") from None


def read(host: Host, name: str) -> str:
    """The value of `name` as sysctl prints it."""
    if name == _RFC1323:
        scaling, stamps = host.tcp.profile.window_scaling, host.tcp.profile.timestamps
        return "1" if scaling and stamps else "2" if scaling else "3" if stamps else "0"
    if name == _STACK:
        return STACKS[host.tcp.profile.rack]
    if name == _STACKS:
        return " ".join(STACKS)
    if name in _FAST_OPEN:
        return str(int(bool(host.tcp.profile.fastopen & _FAST_OPEN[name])))
    if name == _HOSTS:
        return "\n".join(host.tcp.host_cache.lines(host.scheduler.now))
    if name == _PORT_RANGE:
        ports = host.kernel.network.tcp_ports.ephemeral
        return f"{ports.start}\t{ports[-1]}"
    if name == _SYNCOOKIES_ONLY:
        return str(int(host.tcp.profile.syncookies == 2))
    if name in _FREEBSD_PROFILE:
        attribute, unit = _FREEBSD_PROFILE[name]
        return str(int(getattr(host.tcp.profile, attribute)) // unit)
    if name in _FREEBSD_MILLISECONDS:
        return host.tcp.sysctl.get(_FREEBSD_MILLISECONDS[name]) + "000"
    if _NOTHING_HERE.match(name):
        return "0"
    if name in _FIXED:
        values = _FIXED[name]
        return values[0] if values else "0"
    short = name.replace("/", ".").removeprefix("net.ipv4.")
    names = _FREEBSD.get(name, (short,))
    try:
        return host.tcp.sysctl.get(names[0])
    except (KeyError, IndexError):
        raise ScriptError(f"sysctl {name} is not known here") from None
