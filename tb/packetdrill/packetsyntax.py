"""Parses packets: TCP segments with their options, UDP datagrams, ICMP errors."""

from typing import Final

from tb.packetdrill.errors import ScriptError
from tb.packetdrill.scanner import Scanner
from tb.packetdrill.syntax import Ecn, IcmpMessage, IpInfo, Option, Packet, TcpSegment, UdpDatagram

ICMP_TYPES: Final = {
    "echo_reply": 0,
    "unreachable": 3,
    "source_quench": 4,
    "redirect": 5,
    "echo_request": 8,
    "time_exceeded": 11,
    "parameter_problem": 12,
}
ICMP_CODES: Final = {
    3: {
        name: code
        for code, names in enumerate(
            (
                "net_unreachable net",
                "host_unreachable host",
                "protocol_unreachable protocol",
                "port_unreachable port",
                "frag_needed",
                "source_route_failed",
                "net_unknown",
                "host_unknown",
                "source_host_isolated",
                "net_prohibited",
                "host_prohibited",
                "net_unreachable_for_tos net_tos",
                "host_unreachable_for_tos host_tos",
                "admin_prohibited",
                "host_precedence_violation",
                "precedence_cutoff",
            )
        )
        for name in names.split()
    },
    11: {"exceed_ttl": 0, "ttl": 0, "exceed_frag": 1, "frag": 1},
}

_INTEGER = r"\d+"
_FLAG_DIGITS: Final = {0: "", 1: "E", 2: "W", 3: "EW", 4: "A", 5: "EA", 6: "WA", 7: "EWA"}
"""The ACE field as a number (AccECN): AE is 4, CWR 2, ECE 1."""


def packet(scanner: Scanner) -> Packet:
    """The packet at the scanner's place, which is its `<` or `>`."""
    inbound = scanner.expect(r"[<>]", "a packet's direction") == "<"
    ip = _ip_info(scanner)
    scanner.take(r"\(\s*flowlabel\s+(?:0[xX][0-9a-fA-F]+|\d+)\s*\)")  # IPv6 has one, IPv4 ignores it
    if scanner.peek(r"(?:ipv4|ipv6|gre|mpls)\b"):
        raise scanner.error("encapsulated packets are not there yet")
    if scanner.peek(r"(?:sctp|udplite|igmp)\b"):
        raise scanner.error("only TCP, UDP and ICMP are there")
    if scanner.take(r"udp\b"):
        return Packet(inbound, ip, UdpDatagram(_in_parentheses(scanner)))
    if scanner.take(r"icmpv6\b"):
        raise scanner.error("IPv6 is not there yet")
    if scanner.take(r"icmp\b"):
        return Packet(inbound, ip, _icmp(scanner))
    return Packet(inbound, ip, _tcp(scanner, inbound))


def _integer(scanner: Scanner, what: str) -> int:
    return int(scanner.expect(_INTEGER, what))


def _in_parentheses(scanner: Scanner) -> int:
    scanner.expect(r"\(", "a length in parentheses")
    length = _integer(scanner, "a length")
    scanner.expect(r"\)", "a closing parenthesis")
    return length


def _ip_info(scanner: Scanner) -> IpInfo:
    if not scanner.take(r"\["):
        return IpInfo()
    ecn: Ecn | None = None
    numbers: dict[str, int] = {}
    while not scanner.take(r"\]"):
        word = scanner.expect(r"\w+", "ect0, ect1, ect01, ce, noecn, tos, ttl or flowlabel").lower()
        if word.upper() in Ecn.__members__:
            ecn = Ecn[word.upper()]
        elif word in ("tos", "ttl", "flowlabel", "hlim"):
            scanner.take(r"=")
            numbers[word] = int(scanner.expect(r"0[xX][0-9a-fA-F]+|\d+", "a number"), 0)
        else:
            raise scanner.error(f"{word} says nothing about an IP header")
        scanner.take(r",")
    return IpInfo(ecn, numbers.get("tos"), numbers.get("ttl", numbers.get("hlim")), numbers.get("flowlabel"))


def _icmp(scanner: Scanner) -> IcmpMessage:
    name = scanner.expect(r"\w+", "an ICMP type")
    if name.isdigit():
        kind = int(name)
    elif name in ICMP_TYPES:
        kind = ICMP_TYPES[name]
    else:
        raise scanner.error(f"{name} is no ICMP type")
    code = 0
    word = scanner.peek(r"(?!mtu\b)(\w+)")
    if word:
        scanner.at = word.end()
        if word.group(1).isdigit():
            code = int(word.group(1))
        elif word.group(1) in ICMP_CODES.get(kind, {}):
            code = ICMP_CODES[kind][word.group(1)]
        else:
            raise scanner.error(f"{word.group(1)} is no code of ICMP type {name}")
    mtu = _integer(scanner, "an MTU") if scanner.take(r"mtu\b") else 0
    tcp: tuple[int, int] | None = None
    udp: int | None = None
    if scanner.take(r"\["):
        if scanner.take(r"udp\b"):
            udp = _in_parentheses(scanner)
        else:
            tcp = _sequence(scanner)
        scanner.expect(r"\]", "a closing bracket")
    return IcmpMessage(kind, code, mtu, tcp, udp)


def _sequence(scanner: Scanner) -> tuple[int, int]:
    start = _integer(scanner, "a sequence range such as 1:1001(1000)")
    scanner.expect(r":", "a colon")
    end = _integer(scanner, "the end of the sequence range")
    length = _in_parentheses(scanner)
    if (start + length) & 0xFFFF_FFFF != end & 0xFFFF_FFFF:
        raise scanner.error(
            f"{start}:{end}({length}) is inconsistent: {length} bytes end at {start + length}"
        )
    return start, length


def _flags(scanner: Scanner) -> str:
    # Digits are the ACE field; what follows them is a blank, unlike in a sequence range.
    text = scanner.expect(r"[FSRPEWUCA.\-0-7]+(?=\s)", "TCP flags")
    flags = ""
    for letter in text:
        if letter.isdigit():
            flags += _FLAG_DIGITS[int(letter)]
        elif letter != "-":
            flags += "W" if letter == "C" else letter
    if len(set(flags)) != len(flags):
        raise scanner.error(f"a flag stands twice in {text}")
    return flags


def _tcp(scanner: Scanner, inbound: bool) -> TcpSegment:
    flags = _flags(scanner)
    seq, length = _sequence(scanner)
    ack = _integer(scanner, "an acknowledgement number") if scanner.take(r"ack\b") else None
    window = _integer(scanner, "a window") if scanner.take(r"win\b") else None
    urgent = _integer(scanner, "an urgent pointer") if scanner.take(r"urg\b") else None
    options: tuple[Option, ...] | None = ()
    if scanner.take(r"<\s*\.\.\.\s*>"):
        if inbound:
            raise scanner.error("<...> can only be asked of outbound packets; say which options come")
        options = None
    elif scanner.peek(r"<\s*(?:[A-Za-z]|>)"):
        scanner.take(r"<")
        options = _options(scanner)
    if "." in flags and ack is None:
        raise scanner.error("the ACK flag is there, but no `ack` number")
    if "U" in flags and urgent is None:
        raise scanner.error("the URG flag is there, but no `urg` pointer")
    if inbound and window is None:
        if "R" not in flags:
            raise scanner.error("an inbound packet needs its window (`win`)")
        window = 0
    return TcpSegment(flags, seq, length, ack, window, urgent, options)


def _options(scanner: Scanner) -> tuple[Option, ...]:
    options: list[Option] = []
    while not scanner.take(r">"):
        if options:
            scanner.expect(r",", "a comma or > between TCP options")
        options.append(_option(scanner))
    return tuple(options)


def _option(scanner: Scanner) -> Option:
    name = scanner.expect(r"[A-Za-z]\w*", "a TCP option")
    if name in ("nop", "eol", "sackOK"):
        return Option(name)
    if name in ("mss", "wscale"):
        return Option(name, (_integer(scanner, f"the value of {name}"),))
    if name == "sack":
        edges: list[int] = []
        while scanner.peek(r"\d+\s*:"):
            edges.append(_integer(scanner, "a left edge"))
            scanner.expect(r":", "a colon")
            edges.append(_integer(scanner, "a right edge"))
        return Option(name, tuple(edges))
    if name == "TS":
        scanner.expect(r"val\b", "val")
        value = _integer(scanner, "a timestamp")
        scanner.expect(r"ecr\b", "ecr")
        return Option(name, (value, _integer(scanner, "a timestamp to echo")))
    if name in ("FO", "FOEXP", "md5"):
        return Option(name, (), _hex(scanner))
    if name == "ECN":
        return _accurate_ecn(scanner)
    raise scanner.error(f"{name} is not a TCP option known here")


def _hex(scanner: Scanner) -> bytes:
    digits = scanner.take(r"(?:0[xX])?[0-9a-fA-F]+(?=[\s,>])") or ""
    digits = digits[2:] if digits[:2] in ("0x", "0X") else digits
    if len(digits) % 2:
        raise ScriptError(f"{digits}: an even number of hexadecimal digits expected", scanner.line)
    return bytes.fromhex(digits)


def _accurate_ecn(scanner: Scanner) -> Option:
    """AccECN (draft-ietf-tcpm-accurate-ecn §3.2.3): `ECN e0b 1 ceb 0 e1b 1`, in either order."""
    names: list[str] = []
    counters: list[int] = []
    while (field := scanner.take(r"(?:e0b|ceb|e1b)\b")) is not None:
        names.append(field)
        counters.append(_integer(scanner, f"the value of {field}"))
    order = {"e0b": 172, "e1b": 174}.get(names[0] if names else "e0b")
    if order is None or names[1:2] not in ([], ["ceb"]):
        raise scanner.error("ECN counters come as e0b, ceb, e1b or as e1b, ceb, e0b")
    return Option("ECN", (order, *counters))
