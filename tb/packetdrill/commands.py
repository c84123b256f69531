"""The commands that a script's shell lines may use, on the tables of a simulated host.

Each takes (host, arguments, input) and returns (exit status, output).
"""

import ipaddress
import re
from collections.abc import Callable
from errno import ECONNABORTED
from itertools import pairwise
from typing import Final

from pymodel.host import Host
from pymodel.tcp import lifecycle
from pymodel.tcp.algorithms import ALGORITHMS
from pymodel.tcp.profile import METRICS
from pymodel.tcp.state import State
from tb.packetdrill import filters, settings
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.metrics import tcp_metrics
from tb.packetdrill.nstat import Nstat
from tb.packetdrill.ssview import ss

Command = Callable[[Host, list[str], str], tuple[int, str]]
_PROC: Final = "/proc/sys/"


def helper(host: Host, arguments: list[str]) -> tuple[int, str]:
    """A `set_sysctls.py` names settings, as paths below /proc/sys; a `defaults.sh` that is not there stands
    for `settings.DEFAULTS`."""
    if not host.tcp.profile.berkeley and not any("=" in argument for argument in arguments):
        for name, value in settings.DEFAULTS.items():
            settings.write(host, name, value)
    for argument in arguments:
        if "=" in argument:
            name, value = argument.split("=", 1)
            settings.write(host, name.removeprefix("/proc/sys/").replace("/", "."), value)
    return 0, ""


def _sysctl(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """sysctl(8): `-w name=value`, `name=value`, `name`."""
    ignore = False
    lines: list[str] = []
    value_only = False
    names: list[str] = []
    for word in arguments:
        if word.startswith("-"):
            ignore |= "e" in word or "i" in word
            value_only |= "n" in word
        elif names and names[-1].endswith("="):
            names[-1] += word
        else:
            names.append(word)
    fault: ScriptError | None = None
    for word in names:
        if "=" in word:
            name, value = word.split("=", 1)
            try:
                settings.write(host, name.strip(), value.strip())
            except ScriptError as error:
                fault = fault or error  # the others are set all the same
        else:
            value = settings.read(host, word)
            between = ": " if host.tcp.profile.berkeley else " = "
            lines.append(value if value_only else word + between + value)
    if fault is not None:
        raise fault
    return 0, "\n".join(lines)


_SHOW: Final = (["show"], ["list"], ["ls"], ["lst"])


def _ip(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ip(8): routes with their MTU, and what leaves a machine just started as it is."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == ["tcp_metrics"]:
        return tcp_metrics(host, words[1:])
    if words[:1] in (["route"], ["ro"], ["r"]) and words[1:2] in ([], *_SHOW, ["get"]):
        return 0, _routes(host, words[2:] if words[1:2] == ["get"] else [])
    if words[1:2] in (["flush"], *_SHOW):
        return 0, _link(host) if words[:1] == ["link"] else ""
    if words[:1] == ["link"] and "txqueuelen" in words:
        host.device.txqueuelen = int(words[words.index("txqueuelen") + 1])
        return 0, ""
    if words[:1] == ["link"] and "gso_max_segs" in words:
        host.device.gso_max_segs = int(words[words.index("gso_max_segs") + 1])
        return 0, ""
    if words[:2] == ["link", "set"] and words[-1] == "up":
        return 0, ""
    if words[:1] in (["route"], ["ro"], ["r"]) and len(words) > 1:
        return _route(host, words[1], words[2:])
    if words[:1] == ["link"] and "mtu" in words:
        host.device.mtu = int(words[words.index("mtu") + 1])
        return 0, ""
    raise ScriptError(f"`ip {' '.join(arguments)}` is not known here")


def _link(host: Host) -> str:
    device = host.device
    return f"2: {device.name}: <UP,LOWER_UP> mtu {device.mtu} state UP qlen {device.txqueuelen}"


def _routes(host: Host, wanted: list[str]) -> str:
    """The routing table, or the route to an address."""
    lines = []
    for route in host.ip.routes:
        network = f"{ipaddress.IPv4Address(route.prefix)}/{route.length}" if route.length else "default"
        if wanted:
            found = host.ip.routes.lookup(ipaddress.IPv4Address(wanted[0]).packed)
            if route is not found:
                continue
            network = wanted[0]
        line = network
        if route.gateway is not None:
            line += f" via {ipaddress.IPv4Address(route.gateway)}"
        line += f" dev {host.device.name}"
        line += f" mtu {'lock ' * route.mtu_locked}{route.mtu}" if route.mtu else ""
        lines.append(line + "".join(f" {name} {value}" for name, value in route.metrics.items()))
    return "\n".join(lines)


_QDISCS: Final = frozenset(
    {"pfifo", "bfifo", "pfifo_fast", "pfifo_head_drop", "fq", "fq_codel", "mq", "noqueue"}
)


def _tc(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """tc(8): a queue that keeps the order and is never full changes nothing here; any other is an error."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == ["qdisc"] and words[1:2] in (["show"], ["list"], ["del"], ["delete"], []):
        return 0, f"qdisc pfifo_fast 0: dev {host.device.name} root" if words[1:2] != ["del"] else ""
    if words[:1] != ["qdisc"] or not _QDISCS & set(words):
        raise ScriptError(
            f"`tc {' '.join(arguments)}`: only the queues {', '.join(sorted(_QDISCS))} are there"
        )
    return 0, ""


def _ifconfig(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ifconfig(8): shows the device, or sets its MTU."""
    if "mtu" in arguments:
        host.device.mtu = int(arguments[arguments.index("mtu") + 1])
    elif "txqueuelen" in arguments:
        host.device.txqueuelen = int(arguments[arguments.index("txqueuelen") + 1])
    elif len(arguments) > 1 and arguments[-1] != "up":
        raise ScriptError(f"`ifconfig {' '.join(arguments)}` is not known here")
    return 0, _link(host)


def _bsd_route(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """route(8): `add`, `change` or `delete` a destination with its `-mtu`, or `get` one."""
    words = [word for word in arguments if word not in ("-n", "-q", "-4", "-inet", "-host", "-net")]
    if words[:1] == ["flush"]:
        return 0, ""
    if words[:1] == ["get"] and len(words) > 1:
        return 0, _routes(host, words[1:2])
    mtu = ["mtu", words[words.index("-mtu") + 1]] if "-mtu" in words else []
    if words[:1] not in (["add"], ["change"], ["delete"], ["del"]) or len(words) < 2:
        raise ScriptError(f"`route {' '.join(arguments)}` is not known here")
    action = "replace" if words[0] in ("add", "change") else "del"
    return _route(host, action, [words[1], *mtu])


def _cat(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """cat(1) of its input, and of settings below /proc/sys."""
    if not arguments:
        return 0, given
    for path in arguments:
        if not path.startswith(_PROC):
            raise ScriptError(f"`cat {path}`: only what is below {_PROC} is there")
    return 0, "\n".join(settings.read(host, path.removeprefix(_PROC).replace("/", ".")) for path in arguments)


def _exists(host: Host, path: str) -> bool:
    if not path.startswith(_PROC):
        return False
    try:
        settings.read(host, path.removeprefix(_PROC).replace("/", "."))
    except ScriptError:
        return False
    return True


def _uname(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    bsd = host.tcp.profile.berkeley
    if arguments[:1] in (["-r"], ["-K"], ["-U"]):
        return 0, ("14.0-RELEASE" if arguments[0] == "-r" else "1400097") if bsd else "7.0.0"
    return 0, "FreeBSD" if bsd else "Linux"


_ROUTE_WORDS: Final = frozenset({"dev", "via", "src", "proto", "scope", "mtu", "metric", "table", "type"})
_LOCKED: Final = "lock"
_PEERS: Final = 24
_DEAD_ENDS: Final = frozenset({"blackhole", "unreachable", "prohibit", "throw", "local", "broadcast", "nat"})


def _metric(name: str, value: str) -> tuple[str, int | str]:
    """A metric of ip-route(8) for TCP: `rto_min` may be in s or ms, `features ecn` is a bit."""
    if name == "congctl":
        if value not in ALGORITHMS:
            raise ScriptError(f"`ip route … congctl {value}`: there are only {', '.join(ALGORITHMS)}")
        return name, value
    if name == "features":
        if value != "ecn":
            raise ScriptError(f"`ip route … features {value}`: only ecn is there")
        return "ecn", 1
    if name not in METRICS - {"ecn"}:
        raise ScriptError(f"`ip route … {name} {value}`: routes have no {name} here")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", value)
    if found is None or (found[2] and name != "rto_min"):
        raise ScriptError(f"`ip route … {name} {value}`: a number expected")
    return name, int(float(found[1]) * (1000 if found[2] == "s" else 1))


def _route(host: Host, action: str, words: list[str]) -> tuple[int, str]:
    if action not in ("add", "change", "replace", "del", "delete", "append"):
        raise ScriptError(f"`ip route {action}` is not known here")
    if words and words[0] in ("unicast", "to"):
        words = words[1:]
    if words and words[0] in _DEAD_ENDS:
        raise ScriptError(f"`ip route {action} {words[0]}`: every route here leads to the one wire")
    if not words:
        raise ScriptError("`ip route` needs a destination")
    destination = "0.0.0.0/0" if words[0] == "default" else words[0]
    network = ipaddress.IPv4Network(destination if "/" in destination else destination + "/32", strict=False)
    given: dict[str, str] = {}
    rest = [word for word in words[1:] if word != _LOCKED]
    metrics: dict[str, int | str] = {}
    for name, value in zip(rest[::2], rest[1::2], strict=False):
        if name in _ROUTE_WORDS:
            given[name] = value
        else:
            metrics.update((_metric(name, value),))
    table = host.ip.routes
    old = [r for r in table if r.prefix == network.network_address.packed and r.length == network.prefixlen]
    if action in ("change", "replace", "del", "delete"):
        for route in old[:1]:
            table.remove(route)
        # packetdrill's own machine has a route to the /24 of its peer; here the default route is that one.
        known = old or (action == "change" and network.prefixlen == _PEERS)
        if not known and action != "replace":
            return 2, "RTNETLINK answers: No such process"
        if action in ("del", "delete"):
            return 0, ""
    gateway = given.get("via") or _gateway(old, host)
    mtu = int(given["mtu"]) if "mtu" in given else None
    locked = ("mtu", _LOCKED) in pairwise(words)
    host.ip.add_route(str(network), gateway, mtu=mtu, metrics=metrics, mtu_locked=locked)
    return 0, ""


def _gateway(old: list[object], host: Host) -> str:
    """A route given only by its device goes the way of the default route: there is one wire."""
    for route in host.ip.routes:
        if route.gateway is not None:
            return str(ipaddress.IPv4Address(route.gateway))
    raise ScriptError("there is no gateway")


def _nothing(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """What needs not be done here: modules are in, devices configured, time is simulated."""
    return 0, ""


_OPEN: Final = frozenset(
    {"-F", "-X", "-Z", "-L", "-S", "-P", "-t", "flush", "list", "-d", "-f", "-q", "delete"}
)
"""Words that leave a firewall without rules, or show them."""


def _firewall(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """iptables(8), nft(8), pfctl(8), ipfw(8): there are no rules that had to go; ScriptError for new ones."""
    if not _OPEN & set(arguments) or {"DROP", "REJECT", "deny", "add", "block"} & set(arguments):
        raise ScriptError(f"a firewall's rule, `{' '.join(arguments)}`: there is no firewall here")
    return 0, ""


def _tee(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """tee(1): into files below /proc/sys."""
    for path in arguments:
        if path.startswith(_PROC):
            settings.write(host, path.removeprefix(_PROC).replace("/", "."), given)
        elif not path.startswith("-") and path != "/dev/null":
            raise ScriptError(f"`tee {path}`: only what is below {_PROC} is there")
    return 0, given


_MODULES: Final = frozenset(
    {
        "cc_cubic", "cc_newreno", "cc_dctcp", "cc_htcp", "cc_hd", "cc_chd", "cc_cdg", "cc_vegas",
        "tcp_cubic", "tcp_reno", "tcp_rack", "tcp_bbr", "tcphpts",
        "siftr", "tun", "if_tun", "tuntap", "sch_fq", "tcp_diag",
    }
)  # fmt: skip
"""Modules whose presence alone changes nothing: a congestion control or a TCP stack must be chosen, too."""


def _module(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """kldload(8), modprobe(8): what they load is there; ScriptError for what is not."""
    for name in arguments:
        if not name.startswith("-") and name.removesuffix(".ko") not in _MODULES:
            raise ScriptError(f"the kernel module {name} stands for something that is not there")
    return 0, ""


# ---- connections

_FREEBSD_STATES: Final = {
    State.SYN_SENT: "SYN_SENT", State.SYN_RECEIVED: "SYN_RCVD", State.ESTABLISHED: "ESTABLISHED",
    State.CLOSE_WAIT: "CLOSE_WAIT", State.FIN_WAIT_1: "FIN_WAIT_1", State.CLOSING: "CLOSING",
    State.LAST_ACK: "LAST_ACK", State.FIN_WAIT_2: "FIN_WAIT_2", State.TIME_WAIT: "TIME_WAIT",
    State.CLOSED: "CLOSED",
}  # fmt: skip


def _dotted(address: bytes) -> str:
    return "*" if not any(address) else ".".join(map(str, address))


def _connections(host: Host) -> list[tuple[str, tuple[bytes, int], tuple[bytes, int]]]:
    listening = [("LISTEN", local, (bytes(4), 0)) for local in host.tcp.listeners]
    return listening + [(_FREEBSD_STATES[c.state], c.local, c.remote) for c in host.tcp.connections.values()]


def _sockstat(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """sockstat(1) and netstat(1): one line for each TCP endpoint, its state at the end."""
    ports = _ports(arguments)
    letters = "".join(word[1:] for word in arguments if re.fullmatch(r"-[A-Za-z0-9]+", word))
    lines = []
    for state, (ip, port), (remote, rport) in _connections(host):
        if ports and port not in ports and rport not in ports:
            continue
        if ("l" in letters) != ("c" in letters) and (state == "LISTEN") != ("l" in letters):
            continue
        there = f"{_dotted(remote)}:{rport or '*'}"
        lines.append(f"root packetdrill {host.name} 3 tcp4 {_dotted(ip)}:{port} {there} {state}")
    return 0, "\n".join(lines)


def _netstat(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """netstat(8): as `_sockstat`. Its statistics are not there: ScriptError."""
    if any(re.fullmatch(r"-[a-zA-Z]*s[a-zA-Z]*|--statistics", word) for word in arguments):
        raise ScriptError(f"`netstat {' '.join(arguments)}`: counters are told by nstat only")
    return _sockstat(host, arguments, given)


_OFFLOADS: Final = {
    "rx-checksumming": "rx",
    "rx-checksum": "rx",
    "tx-checksumming": "tx",
    "tx-checksum-ipv4": "tx",
    "tx-checksum-ip-generic": "tx",
    "tx-scatter-gather": "sg",
    "tx-tcp-segmentation": "tso",
    "tx-generic-segmentation": "gso",
    "rx-gro": "gro",
    "scatter-gather": "sg",
    "tcp-segmentation-offload": "tso",
    "generic-segmentation-offload": "gso",
    "generic-receive-offload": "gro",
}
"""The long names of what `NetDevice.set_features` switches."""


_ABSENT: Final = frozenset({
    *("lro", "ufo", "ntuple", "rxhash", "rxvlan", "txvlan", "large-receive-offload", "rx-lro", "rx-gro-hw"),
    *("udp-fragmentation-offload", "tx-udp-segmentation", "rx-udp-gro-forwarding", "tx-checksum-ipv6"),
    *("tx-tcp6-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-gso-partial"),
    *("tx-gso-list", "rx-gro-list", "tx-nocache-copy", "highdma", "rx-all", "rx-fcs"),
})  # fmt: skip
_UNCHANGED: Final = frozenset("acCdgGiklLnpPsSTx")
"""Letters of ethtool's options that show something, or set what no host notices."""


def _ethtool(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ethtool(8): `-K DEVICE offload on|off …` and `-k DEVICE`, for the host's one device, however the script
    calls it; of the other options those that change nothing here."""
    if arguments[:1] in (["-k"], ["--show-offload"], ["--show-features"]):
        used = host.device.features_in_use
        shown = [(n, short) for n, short in _OFFLOADS.items() if n.endswith(("summing", "gather", "offload"))]
        lines = [f"{name}: {'on' if short in used else 'off'}" for name, short in shown]
        return 0, "\n".join([f"Features for {host.device.name}:", *lines])
    if arguments[:1] not in (["-K"], ["--offload"], ["--features"]):
        option = arguments[0] if arguments else ""
        if option.startswith("-") and not option.startswith("--") and option[1:] not in _UNCHANGED:
            raise ScriptError(f"`ethtool {' '.join(arguments)}` is not known here")
        return 0, ""
    words = arguments[2:]
    if not words or len(words) % 2 or not set(words[1::2]) <= {"on", "off"}:
        raise ScriptError(f"`ethtool {' '.join(arguments)}` is not known here")
    wanted = zip(words[::2], words[1::2], strict=True)
    # What this device never has may be switched off.
    switches = {_OFFLOADS.get(n, n): s == "on" for n, s in wanted if s == "on" or n not in _ABSENT}
    try:
        host.device.set_features(**switches)
    except OSError as error:
        return 1, str(error)
    return 0, ""


def _ports(arguments: list[str]) -> set[int]:
    for option, value in pairwise(arguments):
        if re.fullmatch(r"-\w*p", option) and re.fullmatch(r"[\d,]+", value):
            return {int(port) for port in value.split(",")}
    return set()


def _tcpdrop(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """tcpdrop(8): reset a connection by its addresses (`local port foreign port`), by state, or all."""
    chosen = list(host.tcp.connections.values())
    words = [word for word in arguments if word not in ("-l", "-a")]
    if words[:1] in (["-s"], ["-S"]):
        chosen = [c for c in chosen if words[0] == "-s" and _FREEBSD_STATES[c.state] == words[1].upper()]
    elif len(words) in (2, 4) and "-a" not in arguments:
        ends = _endpoints(words)
        chosen = [c for c in chosen if c.local == ends[0] and c.remote == ends[1]]
        if not chosen:
            return 1, "No such connection"
    elif "-a" not in arguments:
        raise ScriptError(f"`tcpdrop {' '.join(arguments)}` is not known here")
    for connection in chosen:
        lifecycle.abort(connection, connection.now, ECONNABORTED)  # tcp_drop
    return 0, ""


def _endpoints(words: list[str]) -> list[tuple[bytes, int]]:
    if len(words) == 2:
        words = [part for word in words for part in word.rsplit(":", 1)]
    pairs = zip(words[::2], words[1::2], strict=True)
    return [(ipaddress.IPv4Address(ip).packed, int(port)) for ip, port in pairs]


def _test(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """test(1) on two numbers or strings."""
    words = arguments[:-1] if arguments[-1:] == ["]"] else arguments
    compare: dict[str, Callable[[str, str], bool]] = {
        "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
        "-eq": lambda a, b: int(a) == int(b), "-ne": lambda a, b: int(a) != int(b),
        "-gt": lambda a, b: int(a) > int(b), "-lt": lambda a, b: int(a) < int(b),
        "-ge": lambda a, b: int(a) >= int(b), "-le": lambda a, b: int(a) <= int(b),
    }  # fmt: skip
    if words[:1] == ["!"]:
        return 1 - _test(host, words[1:], given)[0], ""
    if len(words) == 2 and words[0] in ("-f", "-e", "-r", "-w", "-s"):
        return int(not _exists(host, words[1])), ""
    if len(words) == 2 and words[0] in ("-n", "-z"):
        return int((words[1] == "") != (words[0] == "-z")), ""
    if len(words) == 1:
        return int(not words[0]), ""
    if len(words) != 3 or words[1] not in compare:
        raise ScriptError(f"`test {' '.join(arguments)}` is not known here")
    return int(not compare[words[1]](words[0], words[2])), ""


def _false(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    return 1, ""


KNOWN: Final[dict[str, Command]] = {
    "sysctl": _sysctl,
    "ip": _ip,
    "tc": _tc,
    "ethtool": _ethtool,
    "nstat": Nstat(),
    "true": _nothing,
    ":": _nothing,
    "cat": _cat,
    "uname": _uname,
    "dmesg": _nothing,
    "logger": _nothing,
    "date": _nothing,
    "sync": _nothing,
    "cd": _nothing,
    "set": _nothing,
    **dict.fromkeys(("iptables", "nft", "pfctl", "ipfw"), _firewall),
    "tee": _tee,
    "kldload": _module,
    "kldunload": _module,
    "rmmod": _module,
    "kldstat": _nothing,
    "modprobe": _module,
    "sockstat": _sockstat,
    "netstat": _netstat,
    "ss": ss,
    "tcpdrop": _tcpdrop,
    "ifconfig": _ifconfig,
    "route": _bsd_route,
    "test": _test,
    "[": _test,
    "false": _false,
    **filters.KNOWN,
}
