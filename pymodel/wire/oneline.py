"""A frame in one line, in the words of tcpdump(1)."""

from pymodel.wire import arp, eth, icmp, ipv4, tcp, udp
from pymodel.wire.errors import WireError

_FLAGS = (
    (tcp.FIN, "F"),
    (tcp.SYN, "S"),
    (tcp.RST, "R"),
    (tcp.PSH, "P"),
    (tcp.ACK, "."),
    (tcp.URG, "U"),
    (tcp.ECE, "E"),
    (tcp.CWR, "W"),
)


def one_line(frame: bytes) -> str:
    """What `frame` (from the destination address on; an FCS behind it does no harm) says.

    Absolute sequence numbers. What cannot be read is named by the reason that `WireError` gives.
    """
    try:
        ethertype = eth.parse(frame).ethertype
        body = frame[eth.HEADER_LEN :]
        if ethertype == eth.ETHERTYPE_ARP:
            return _arp(arp.parse(body))
        if ethertype == eth.ETHERTYPE_IPV4:
            return _ipv4(body)
    except WireError as error:
        return f"[{error}], length {len(frame)}"
    return f"ethertype {ethertype:#06x}, length {len(frame)}"


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))


def _arp(packet: arp.ArpPacket) -> str:
    if packet.op == arp.REQUEST:
        return f"ARP, Request who-has {_dotted(packet.tpa)} tell {_dotted(packet.spa)}"
    return f"ARP, Reply {_dotted(packet.spa)} is-at {eth.format_mac(packet.sha)}"


def _ipv4(packet: bytes) -> str:
    header = ipv4.parse(packet)
    payload = packet[header.header_len : header.total_len]
    src, dst = _dotted(header.src), _dotted(header.dst)
    offset = (header.fragment & ipv4.OFFSET_MASK) * 8
    if offset or header.fragment & ipv4.MF:
        more = "+" if header.fragment & ipv4.MF else ""
        return f"IP {src} > {dst}: frag {header.ident}:{len(payload)}@{offset}{more}"
    if header.proto == ipv4.PROTO_TCP:
        return _tcp(src, dst, payload)
    if header.proto == ipv4.PROTO_UDP:
        ports = udp.parse(payload, header.src, header.dst)
        return f"IP {src}.{ports.sport} > {dst}.{ports.dport}: UDP, length {len(payload) - udp.HEADER_LEN}"
    if header.proto == ipv4.PROTO_ICMP:
        message = icmp.parse(payload)
        return f"IP {src} > {dst}: ICMP type {message.kind} code {message.code}, length {len(payload)}"
    return f"IP {src} > {dst}: protocol {header.proto}, length {len(payload)}"


def _tcp(src: str, dst: str, segment: bytes) -> str:
    header = tcp.parse(segment)
    length = len(segment) - header.header_len
    flags = "".join(letter for bit, letter in _FLAGS if header.flags & bit) or "none"
    parts = [f"IP {src}.{header.sport} > {dst}.{header.dport}: Flags [{flags}]"]
    if length or header.flags & (tcp.SYN | tcp.FIN | tcp.RST):
        end = f":{header.seq + length & 0xFFFFFFFF}" if length else ""
        parts.append(f"seq {header.seq}{end}")
    if header.flags & tcp.ACK:
        parts.append(f"ack {header.ack}")
    parts.append(f"win {header.window}")
    for left, right in header.sack:
        parts.append(f"sack {left}:{right}")
    parts.append(f"length {length}")
    return ", ".join(parts)
