"""`ip tcp_metrics` (ip-tcp_metrics(8)): what a host remembers of the servers that it has connected to.

Here that is what Fast Open needs (RFC 7413 §4.1.3): a server's cookie and its MSS.
"""

import ipaddress
from typing import Final

from pymodel.host import Host
from tb.packetdrill.errors import ScriptError

_SHOW: Final = ("show", "list", "lst", "ls")
_DELETE: Final = ("delete", "del")


def tcp_metrics(host: Host, words: list[str]) -> tuple[int, str]:
    """The command whose `words` follow `ip tcp_metrics`: (exit status, output). A ScriptError if unknown."""
    action = words[0] if words else "show"
    selector = [word for word in words[1:] if word != "address"]
    known = host.tcp.fast_open.servers
    if len(selector) > 1 or action not in ("flush", *_SHOW, *_DELETE):
        raise ScriptError(f"`ip tcp_metrics {' '.join(words)}` is not known here")
    named = selector not in ([], ["all"]) and "/" not in selector[0]
    network = _network(selector)
    chosen = [server for server in known if ipaddress.IPv4Address(server) in network]
    if action in _SHOW:
        return 0, "\n".join(_line(server, *known[server]) for server in chosen)
    if action in _DELETE and not named:
        return 1, "Error: a specific IP address is expected"
    if named and not chosen:
        return 2, "RTNETLINK answers: No such process"
    for server in chosen:
        host.tcp.fast_open.forget(server)
    return 0, ""


def _network(selector: list[str]) -> ipaddress.IPv4Network:
    """What is selected; without a selector everything is."""
    if selector in ([], ["all"]):
        return ipaddress.IPv4Network("0.0.0.0/0")
    try:
        return ipaddress.IPv4Network(selector[0], strict=False)
    except ValueError as error:
        raise ScriptError(f"ip tcp_metrics: {selector[0]!r} is no IPv4 prefix") from error


def _line(server: bytes, mss: int, cookie: bytes) -> str:
    """As iproute2 writes it."""
    parts = [str(ipaddress.IPv4Address(server))]
    if mss:
        parts.append(f"fo_mss {mss}")
    if cookie:
        parts.append(f"fo_cookie {cookie.hex()}")
    return " ".join(parts)
