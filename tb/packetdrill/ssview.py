"""ss(8) over the sockets of the simulated host: TCP endpoints as iproute2 prints them."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from errno import ECONNABORTED
from typing import Final

from pymodel.host import Host
from pymodel.simtime import MS
from pymodel.socket.ss import Row, rows
from pymodel.tcp import lifecycle
from tb.packetdrill.errors import ScriptError

_GROUPS: Final = {
    "all": None,
    "connected": {"ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT",
                  "LAST-ACK", "CLOSING"},
    "synchronized": {"ESTAB", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT", "LAST-ACK",
                     "CLOSING"},
    "bucket": {"SYN-RECV", "TIME-WAIT"},
    "big": {"ESTAB", "SYN-SENT", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK", "CLOSING", "LISTEN",
            "UNCONN"},
}  # fmt: skip
_NAMES: Final = {"ESTABLISHED": "ESTAB", "LISTENING": "LISTEN", "CLOSED": "UNCONN", "CLOSE": "UNCONN"}
_HIDDEN: Final = frozenset({"LISTEN", "UNCONN", "TIME-WAIT", "SYN-RECV"})
"""What is shown with -a, -l or `state` only."""
_LETTERS: Final = frozenset("tnalimoepHOK4Oru")
_LONG: Final = {
    "--tcp": "t", "--numeric": "n", "--all": "a", "--listening": "l", "--info": "i", "--memory": "m",
    "--options": "o", "--extended": "e", "--processes": "p", "--no-header": "H", "--ipv4": "4",
    "--oneline": "O", "--resolve": "r", "--kill": "K",
}  # fmt: skip
_LATE: Final = 10
"""TCP_INFO's ages are given only up to so many days in ms; never reached here."""
_INFINITE: Final = 0x7FFF_FFFF

Test = Callable[[Row], bool]


def ss(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """ss [-tnalimoepHOK4] [state S] [filter]: one line for each endpoint; what -i, -m, -o add. -K ends it."""
    letters = ""
    words: list[str] = []
    for word in arguments:
        if word in _LONG:
            letters += _LONG[word]
        elif re.fullmatch(r"-[A-Za-z0-9]+", word):
            letters += word[1:]
        else:
            words += re.findall(r"[()]|[^\s()]+", word)
    if set(letters) - _LETTERS:
        raise ScriptError(f"`ss {' '.join(arguments)}`: options known are -{''.join(sorted(_LETTERS))}")
    one = sum(word in ("state", "exclude") for word in words) == 1 and words[0] == "state"
    one = one and words[1].lower() not in _GROUPS
    wanted, words = _states(words, letters)
    test = _Filter(words).whole()
    heading = "State      Recv-Q Send-Q Local Address:Port Peer Address:Port Process"
    heading = heading[11:] if one else heading  # a state that was asked for is not repeated
    lines = [] if "H" in letters else [heading]
    for row in rows(host.kernel):
        if row.kind == "tcp" and wanted(row.state) and test(row):
            shown = list(_lines(host, row, letters))
            lines += [shown[0][11:], *shown[1:]] if one else shown
            if "K" in letters:
                _kill(host, row)
    return 0, "\n".join(lines)


def _kill(host: Host, row: Row) -> None:
    """tcp_abort (SOCK_DESTROY of sock_diag(7)): a RST, and ECONNABORTED for the program."""
    connection = host.tcp.connections.get((*row.local, *row.remote))
    if connection is not None:
        lifecycle.abort(connection, connection.now, ECONNABORTED)


def _states(words: list[str], letters: str) -> tuple[Callable[[str], bool], list[str]]:
    chosen: set[str] | None = None
    rest: list[str] = []
    at = 0
    while at < len(words):
        if words[at] in ("state", "exclude") and at + 1 < len(words):
            name = words[at + 1].upper()
            group = _GROUPS.get(words[at + 1].lower(), {_NAMES.get(name, name)})
            states = set(_GROUPS["connected"] or ()) | _HIDDEN if group is None else set(group)
            everything = set(_GROUPS["connected"] or ()) | _HIDDEN
            chosen = (chosen or set()) | states if words[at] == "state" else (chosen or everything) - states
            at += 2
        else:
            rest.append(words[at])
            at += 1
    if chosen is not None:
        final = chosen
        return lambda state: state in final, rest
    if "a" in letters:
        return lambda state: True, rest
    if "l" in letters:
        return lambda state: state == "LISTEN", rest
    return lambda state: state not in _HIDDEN, rest


class _Filter:
    """`( sport = :80 or dst 192.0.2.1 ) and not dport > :1024`, to a test of rows."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def whole(self) -> Test:
        if not self._words:
            return lambda row: True
        test = self._any()
        if self._at < len(self._words):
            raise ScriptError(f"`ss … {' '.join(self._words)}` is not known here")
        return test

    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _any(self) -> Test:
        test = self._every()
        while self._next() in ("or", "|", "||"):
            self._at += 1
            left, right = test, self._every()
            test = _either(left, right)
        return test

    def _every(self) -> Test:
        test = self._one()
        while self._next() and self._next() not in ("or", "|", "||", ")"):
            self._at += self._next() in ("and", "&", "&&")
            left, right = test, self._one()
            test = _both(left, right)
        return test

    def _one(self) -> Test:
        word = self._next()
        self._at += 1
        if word in ("not", "!"):
            inner = self._one()
            return lambda row: not inner(row)
        if word == "(":
            inner = self._any()
            self._at += 1
            return inner
        if word not in ("src", "dst", "sport", "dport"):
            raise ScriptError(f"`ss … {' '.join(self._words)}`: {word or 'nothing'} is not known here")
        operator = "="
        if re.fullmatch(r"[=!<>]+|eq|ne|lt|gt|le|ge", self._next()):
            operator = self._next()
            self._at += 1
        value = self._next()
        self._at += 1
        return _port(word, operator, value) if word.endswith("port") else _host(word, operator, value)


def _either(left: Test, right: Test) -> Test:
    return lambda row: left(row) or right(row)


def _both(left: Test, right: Test) -> Test:
    return lambda row: left(row) and right(row)


def _port(word: str, operator: str, value: str) -> Test:
    text = value.rsplit(":", 1)[-1]
    if not text.isdigit():
        raise ScriptError(f"`ss … {word} {operator} {value}`: a port number expected")
    number = int(text)
    compare: dict[str, Callable[[int], bool]] = {
        "=": lambda port: port == number, "!=": lambda port: port != number,
        "<": lambda port: port < number, ">": lambda port: port > number,
        "<=": lambda port: port <= number, ">=": lambda port: port >= number,
    }  # fmt: skip
    names = {"==": "=", "eq": "=", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
    judge = compare[names.get(operator, operator)]
    return lambda row: judge((row.local if word == "sport" else row.remote)[1])


def _host(word: str, operator: str, value: str) -> Test:
    text, _, port = value.partition(":")
    network = ipaddress.IPv4Network(text or "0.0.0.0/0")
    equal = operator in ("=", "==", "eq")

    def test(row: Row) -> bool:
        address, number = row.local if word == "src" else row.remote
        fits = ipaddress.IPv4Address(address) in network and port in ("", "*", str(number))
        return fits == equal

    return test


def _lines(host: Host, row: Row, letters: str) -> Iterator[str]:
    ends = [f"{_dotted(ip)}:{port or '*'}" for ip, port in (row.local, row.remote)]
    line = f"{row.state:<10} {row.receive_queue:<6} {row.send_queue:<6} {ends[0]:>18} {ends[1]:>18}"
    if "p" in letters and row.owner is not None:
        line += ' users:(("{}",pid={},fd={}))'.format(*row.owner)
    if "o" in letters:
        line += "".join(f" timer:({name},{_left(left)},{_count(row, name)})" for name, left in row.timers[:1])
    details = []
    if "m" in letters:
        details.append(_memory(host, row))
    if "i" in letters and row.info:
        details.append(_info(host, row, "o" in letters))
    if "O" in letters:
        yield " ".join([line, *details])
        return
    yield line
    if details:
        yield "\t " + " ".join(details)


def _dotted(address: bytes) -> str:
    return "*" if not any(address) else ".".join(map(str, address))


def _count(row: Row, name: str) -> int:
    return row.info.get("retransmits" if name == "on" else "probes", 0)


def _left(ps: int) -> str:
    """As print_ms_timer does."""
    ms = ps // MS
    minutes, seconds, rest = ms // 60_000, ms // 1000 % 60, ms % 1000
    if minutes:
        return f"{minutes}min" + (f"{seconds}sec" if seconds and minutes <= _LATE else "")
    if seconds:
        return f"{seconds}" + ("sec" if seconds > _LATE or not rest else f".{rest:03d}"[:4] + "sec")
    return f"{rest}ms"


def _memory(host: Host, row: Row) -> str:
    connection = host.tcp.connections.get((*row.local, *row.remote))
    if connection is None:
        return "skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)"
    queued = connection.queued_memory
    received = connection.rcv_memory.used
    return f"skmem:(r{received},rb{2 * connection.rcvbuf},t0,tb{connection.sndbuf},f0,w{queued},o0,bl0,d0)"


def _info(host: Host, row: Row, options: bool) -> str:
    """tcp_stats_print: what is zero or unknown is left away; `options`: with what the SYNs agreed on."""
    connection = host.tcp.connections.get((*row.local, *row.remote))
    info = row.info
    bits = info["options"]
    agreed = ((1, "ts"), (2, "sack"), (8, "ecn"), (16, "ecnseen"), (32, "fastopen"))
    parts = [name for bit, name in agreed if bits & bit and options]
    parts.append(connection.cc.name if connection is not None else host.tcp.profile.congestion)
    if bits & 4:
        parts.append(f"wscale:{info['snd_wscale']},{info['rcv_wscale']}")
    parts.append(f"rto:{info['rto'] / 1000:g}")
    parts += [f"backoff:{info['backoff']}"] if info["backoff"] else []
    if info["rtt"]:
        parts.append(f"rtt:{info['rtt'] / 1000:g}/{info['rttvar'] / 1000:g}")
    parts += [f"ato:{info['ato'] / 1000:g}"] if info["ato"] else []
    for shown, name in (("mss", "snd_mss"), ("pmtu", "pmtu"), ("rcvmss", "rcv_mss"), ("advmss", "advmss"),
                        ("cwnd", "snd_cwnd")):  # fmt: skip
        parts += [f"{shown}:{info[name]}"] if info[name] else []
    if info["snd_ssthresh"] < _INFINITE:
        parts.append(f"ssthresh:{info['snd_ssthresh']}")
    for name in ("bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received", "segs_out", "segs_in",
                 "data_segs_out", "data_segs_in"):  # fmt: skip
        parts += [f"{name}:{info[name]}"] if info[name] else []
    if info["rtt"]:
        parts.append(f"send {info['snd_cwnd'] * info['snd_mss'] * 8_000_000 // info['rtt']}bps")
    for shown, name in (("lastsnd", "last_data_sent"), ("lastrcv", "last_data_recv"),
                        ("lastack", "last_ack_recv")):  # fmt: skip
        parts += [f"{shown}:{info[name]}"] if info[name] else []
    if info["pacing_rate"] < 1 << 63:
        parts.append(f"pacing_rate {info['pacing_rate'] * 8}bps")
    parts += [f"delivery_rate {info['delivery_rate'] * 8}bps"] if info["delivery_rate"] else []
    parts += [f"{name}:{info[name]}" for name in ("delivered", "delivered_ce") if info[name]]
    parts += ["app_limited"] if info["delivery_rate_app_limited"] else []
    parts += [
        f"{shown}:{info[name] // 1000}ms"
        for shown, name in (("busy", "busy_time"), ("rwnd_limited", "rwnd_limited"),
                            ("sndbuf_limited", "sndbuf_limited"))
        if info[name]
    ]  # fmt: skip
    parts += [f"unacked:{info['unacked']}"] if info["unacked"] else []
    if info["retrans"] or info["total_retrans"]:
        parts.append(f"retrans:{info['retrans']}/{info['total_retrans']}")
    for name in ("lost", "sacked", "dsack_dups"):
        parts += [f"{name}:{info[name]}"] if info[name] else []
    if info["reordering"] != 3:
        parts.append(f"reordering:{info['reordering']}")
    parts += [f"reord_seen:{info['reord_seen']}"] if info["reord_seen"] else []
    parts += [f"rcv_rtt:{info['rcv_rtt'] / 1000:g}"] if info["rcv_rtt"] else []
    for shown, name in (("rcv_space", "rcv_space"), ("rcv_ssthresh", "rcv_ssthresh"),
                        ("notsent", "notsent_bytes")):  # fmt: skip
        parts += [f"{shown}:{info[name]}"] if info[name] else []
    if 0 < info["min_rtt"] < (1 << 32) - 1:
        parts.append(f"minrtt:{info['min_rtt'] / 1000:g}")
    for name in ("rcv_ooopack", "snd_wnd", "rcv_wnd"):
        parts += [f"{name}:{info[name]}"] if info[name] else []
    return " ".join(parts)
