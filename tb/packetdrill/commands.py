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
from pymodel.tcp.profile import METRICS
from pymodel.tcp.state import State
from tb.packetdrill import settings
from tb.packetdrill.errors import ScriptError

Command = Callable[[Host, list[str], str], tuple[int, str]]


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
            lines.append(value if value_only else f"{word} = {value}")
    if fault is not None:
        raise fault
    return 0, "\n".join(lines)


def _ip(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ip(8): routes with their MTU, and what leaves a machine just started as it is."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == ["tcp_metrics"]:
        host.tcp.fast_open.flush()
        return 0, ""
    if words[1:2] in (["flush"], ["show"], ["list"]):
        return 0, ""
    if words[:1] in (["route"], ["ro"], ["r"]) and len(words) > 1:
        return _route(host, words[1], words[2:])
    if words[:1] == ["link"] and "mtu" in words:
        host.device.mtu = int(words[words.index("mtu") + 1])
        return 0, ""
    raise ScriptError(f"`ip {' '.join(arguments)}` is not known here")


_ROUTE_WORDS: Final = frozenset({"dev", "via", "src", "proto", "scope", "mtu", "metric", "table", "type"})
_LOCKED: Final = "lock"


def _metric(name: str, value: str) -> tuple[str, int]:
    """A metric of ip-route(8) for TCP: `rto_min` may be in s or ms, `features ecn` is a bit."""
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
    if not words:
        raise ScriptError("`ip route` needs a destination")
    destination = "0.0.0.0/0" if words[0] == "default" else words[0]
    network = ipaddress.IPv4Network(destination if "/" in destination else destination + "/32", strict=False)
    given: dict[str, str] = {}
    rest = [word for word in words[1:] if word != _LOCKED]
    metrics: dict[str, int] = {}
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
        if not old and action != "replace":
            return 2, "RTNETLINK answers: No such process"
        if action in ("del", "delete"):
            return 0, ""
    gateway = given.get("via") or _gateway(old, host)
    mtu = int(given["mtu"]) if "mtu" in given else None
    host.ip.add_route(str(network), gateway, mtu=mtu, metrics=metrics)
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
_SS_STATES: Final = {
    "SYN_SENT": "SYN-SENT", "SYN_RCVD": "SYN-RECV", "ESTABLISHED": "ESTAB", "CLOSE_WAIT": "CLOSE-WAIT",
    "FIN_WAIT_1": "FIN-WAIT-1", "LAST_ACK": "LAST-ACK", "FIN_WAIT_2": "FIN-WAIT-2", "TIME_WAIT": "TIME-WAIT",
    "CLOSED": "UNCONN",
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


_OFFLOADS: Final = {
    "rx-checksumming": "rx",
    "tx-checksumming": "tx",
    "scatter-gather": "sg",
    "tcp-segmentation-offload": "tso",
    "generic-segmentation-offload": "gso",
    "generic-receive-offload": "gro",
}
"""The long names of what `NetDevice.set_features` switches."""


_ABSENT: Final = {"lro", "ufo", "ntuple", "rxhash", "rxvlan", "txvlan"}


def _ethtool(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ethtool(8): `-K DEVICE offload on|off …`, for the host's one device, however the script calls it; other
    options change nothing here."""
    if arguments[:1] not in (["-K"], ["--offload"], ["--features"]):
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


def _ss(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ss(8): state, local and remote address of each TCP endpoint."""
    wanted = [a.upper().replace("ESTABLISHED", "ESTAB") for o, a in pairwise(arguments) if o == "state"]
    lines = []
    for state, (ip, port), (remote, rport) in _connections(host):
        shown = _SS_STATES.get(state, state)
        if not wanted or shown in wanted:
            lines.append(f"{shown} 0 0 {_dotted(ip)}:{port} {_dotted(remote)}:{rport or '*'}")
    return 0, "\n".join(lines)


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


# ---- filters


def _grep(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """grep(1): -q, -c, -v, -i, -w, -E, -F and one pattern."""
    flags = "".join(word[1:] for word in arguments if re.fullmatch(r"-[a-zA-Z]+", word))
    patterns = [word for word in arguments if not re.fullmatch(r"-[a-zA-Z]+", word)]
    if not patterns or set(flags) - set("qcviwEFnose"):
        raise ScriptError(f"`grep {' '.join(arguments)}` is not known here")
    pattern = re.escape(patterns[0]) if "F" in flags else patterns[0]
    if "w" in flags:
        pattern = rf"\b(?:{pattern})\b"
    wanted = re.compile(pattern, re.IGNORECASE if "i" in flags else 0)
    found = [line for line in given.splitlines() if bool(wanted.search(line)) != ("v" in flags)]
    output = str(len(found)) if "c" in flags else "\n".join(found)
    return int(not found), "" if "q" in flags else output


def _wc(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    return 0, str(len(given.splitlines()))


def _test(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """test(1) on two numbers or strings."""
    words = arguments[:-1] if arguments[-1:] == ["]"] else arguments
    compare: dict[str, Callable[[str, str], bool]] = {
        "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
        "-eq": lambda a, b: int(a) == int(b), "-ne": lambda a, b: int(a) != int(b),
        "-gt": lambda a, b: int(a) > int(b), "-lt": lambda a, b: int(a) < int(b),
    }  # fmt: skip
    if len(words) != 3 or words[1] not in compare:
        raise ScriptError(f"`test {' '.join(arguments)}` is not known here")
    return int(not compare[words[1]](words[0], words[2])), ""


def _echo(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    return 0, " ".join(arguments)


def _false(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    return 1, ""


KNOWN: Final[dict[str, Command]] = {
    "sysctl": _sysctl,
    "ip": _ip,
    "tc": _nothing,
    "ethtool": _ethtool,
    "nstat": _nothing,
    "true": _nothing,
    ":": _nothing,
    "sleep": _nothing,
    "cd": _nothing,
    "set": _nothing,
    "iptables": _nothing,
    "kldload": _module,
    "kldstat": _nothing,
    "modprobe": _module,
    "sockstat": _sockstat,
    "netstat": _sockstat,
    "ss": _ss,
    "tcpdrop": _tcpdrop,
    "grep": _grep,
    "egrep": _grep,
    "wc": _wc,
    "test": _test,
    "[": _test,
    "echo": _echo,
    "false": _false,
}
