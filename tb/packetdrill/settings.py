"""sysctl(8) names of Linux and FreeBSD, on a simulated host's settings."""

from typing import Final

from pymodel.host import Host
from pymodel.simtime import MS
from pymodel.tcp.sysctl import INERT
from tb.packetdrill.errors import ScriptError

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
    "net.ipv4.ip_local_port_range": None,
    "net.ipv4.conf.all.rp_filter": None,
    "net.ipv4.conf.default.rp_filter": None,
    "kern.timecounter.alloweddeviation": None,
    "kern.ipc.maxsockbuf": None,
    "kern.ipc.somaxconn": ("128", "4096"),
    "net.inet.ip.portrange.randomized": None,
    "net.inet.icmp.icmplim": None,
    "net.inet.tcp.log_debug": None,
    "net.inet.tcp.log_in_vain": None,
    "net.inet.tcp.nolocaltimewait": ("0", "1"),
    "net.inet.tcp.functions_default": ("freebsd",),
    "net.inet.tcp.hostcache.enable": None,
    "net.inet.tcp.hostcache.purgenow": None,
    "net.inet.tcp.syncache.rst_on_sock_fail": None,
    "net.inet.tcp.isn_reseed_interval": None,
    "net.inet.tcp.ts_offset_per_conn": None,
    "net.inet.tcp.rfc3042": ("1",),
    "net.inet.tcp.rfc3390": ("1",),
    "net.inet.tcp.do_prr": ("1",),
    "net.inet.tcp.tso": ("0", "1"),
    "net.inet.tcp.delayed_ack": ("1",),
    "net.inet.tcp.blackhole": ("0",),
    "net.inet.tcp.drop_synfin": ("0",),
    "net.inet.tcp.insecure_syn": ("0",),
    "net.inet.tcp.insecure_rst": ("0",),
    "net.inet.tcp.insecure_ack": ("0",),
    "net.inet.tcp.syncookies_only": ("0",),
    "net.inet.tcp.fast_finwait2_recycle": ("0",),
    "net.inet.tcp.tolerate_missing_ts": ("1",),
    "net.inet.tcp.pmtud_blackhole_detection": ("0",),
    "net.inet.tcp.recvbuf_auto": ("1",),
    "net.inet.tcp.sendbuf_auto": ("1",),
}
"""Settings of which only these values (None: any) have the effect that they would have here: none."""

_SECONDS_FROM_MS: Final = 1000
_FREEBSD: Final = {
    "net.inet.tcp.rfc1323": ("tcp_timestamps", "tcp_window_scaling"),
    "net.inet.tcp.sack.enable": ("tcp_sack",),
    "net.inet.tcp.ecn.enable": ("tcp_ecn",),
    "net.inet.tcp.cc.algorithm": ("tcp_congestion_control",),
    "net.inet.tcp.keepcnt": ("tcp_keepalive_probes",),
    "net.inet.tcp.path_mtu_discovery": (),
    "net.inet.tcp.syncookies": ("tcp_syncookies",),
}
"""FreeBSD's names (tcp(4)) by what Linux calls the same thing."""
_FREEBSD_PROFILE: Final = {
    "net.inet.tcp.initcwnd_segments": ("initial_cwnd", 1, 0),
    "net.inet.tcp.recvspace": ("rcvbuf", 1, 0),
    "net.inet.tcp.sendspace": ("sndbuf", 1, 0),
    "net.inet.tcp.msl": ("time_wait", 2 * MS, 0),
    "net.inet.tcp.delacktime": ("delayed_ack", MS, 0),
    "net.inet.tcp.rexmit_min": ("rto_min", MS, 200 * MS),
    "net.inet.tcp.rexmit_initial": ("rto_initial", MS, 0),
}
"""FreeBSD's names for figures of the profile: attribute, unit, what comes on top (rexmit_slop)."""
_FREEBSD_MILLISECONDS: Final = {
    "net.inet.tcp.keepidle": "tcp_keepalive_time",
    "net.inet.tcp.keepintvl": "tcp_keepalive_intvl",
    "net.inet.tcp.finwait2_timeout": "tcp_fin_timeout",
}


def write(host: Host, name: str, value: str) -> None:
    """Set `name`. ScriptError if it is unknown, or the value one that nothing here would heed."""
    name = name.replace("/", ".")
    value = " ".join(value.split())
    if name in _FIXED:
        values = _FIXED[name]
        if values is not None and value not in values:
            raise ScriptError(f"sysctl {name}={value}: only {', '.join(values)} has an effect here")
        return
    if name in _FREEBSD_MILLISECONDS:
        _linux(host, _FREEBSD_MILLISECONDS[name], str(int(value) // _SECONDS_FROM_MS), name)
    elif name in _FREEBSD_PROFILE:
        attribute, unit, more = _FREEBSD_PROFILE[name]
        setattr(host.tcp.profile, attribute, int(value) * unit + more)
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
    if inert is not None and value != " ".join(inert.split()):
        raise ScriptError(f"sysctl {shown}={value}: only {inert}, the default, is there")
    try:
        host.tcp.sysctl.set(short, value)
    except KeyError:
        raise ScriptError(f"sysctl {shown} is not known here") from None
    except ValueError as error:
        raise ScriptError(f"sysctl {shown}={value}: {error}") from None


def read(host: Host, name: str) -> str:
    """The value of `name` as sysctl prints it."""
    short = name.replace("/", ".").removeprefix("net.ipv4.")
    names = _FREEBSD.get(name, (short,))
    try:
        return host.tcp.sysctl.get(names[0])
    except (KeyError, IndexError):
        raise ScriptError(f"sysctl {name} is not known here") from None
