"""The frames of report.json, and each decoded field by field."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pymodel.wire import arp, eth, ipv4, tcp, udp
from pymodel.wire.errors import WireError

_FLAGS = tuple((int(flag), flag.name or "") for flag in tcp.Flags)
Fields = list[tuple[str, str, str]]
"""(layer, field, value) in the order of the bytes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame as it was sent. Times in ps; `size` with FCS; `fate` on its way: "", "lost", "corrupted"."""

    index: int
    a_to_b: bool
    start: int
    end: int
    size: int
    fate: str
    head: bytes


def read(document: dict[str, Any]) -> list[Seen]:
    """The frames kept in report.json."""
    return [
        Seen(index, a_to_b, start, end, size, fate, bytes.fromhex(head))
        for index, (a_to_b, start, end, size, fate, head) in enumerate(document["frames"])
    ]


def ip_header(head: bytes) -> ipv4.Ipv4Header | None:
    """The IPv4 header of a frame of which `head` is the beginning; None if there is none to be read."""
    try:
        if eth.parse(head).ethertype != eth.ETHERTYPE_IPV4:
            return None
        return ipv4.parse(head[eth.HEADER_LEN :], 0xFFFF)
    except WireError:
        return None


def tcp_header(head: bytes, ip: ipv4.Ipv4Header) -> tcp.TcpHeader | None:
    """The TCP header behind `ip`; None if it is something else, a later fragment or unreadable."""
    if ip.proto != ipv4.PROTO_TCP or ip.fragment & ipv4.OFFSET_MASK:
        return None
    try:
        return tcp.parse(head[eth.HEADER_LEN + ip.header_len :])
    except WireError:
        return None


def fields(head: bytes) -> Fields:
    """The headers in `head`.

    Of Ethernet (IEEE 802.3), ARP (RFC 826), IPv4 (RFC 791), TCP (RFC 9293), UDP (RFC 768).
    """
    try:
        outer = eth.parse(head)
    except WireError as error:
        return [("Ethernet", "unreadable", str(error))]
    found: Fields = [
        ("Ethernet", "destination", eth.format_mac(outer.dst)),
        ("Ethernet", "source", eth.format_mac(outer.src)),
        ("Ethernet", "type", f"{outer.ethertype:#06x}"),
    ]
    if outer.ethertype == eth.ETHERTYPE_ARP:
        return found + _arp(head[eth.HEADER_LEN :])
    ip = ip_header(head)
    if ip is None:
        return found + _unreadable(outer.ethertype, head[eth.HEADER_LEN :])
    found += _ip(ip)
    if ip.proto == udp.PROTO and not ip.fragment & ipv4.OFFSET_MASK:
        found += _udp(head[eth.HEADER_LEN + ip.header_len :], ip)
    header = tcp_header(head, ip)
    if header is not None:
        found += _tcp(header, ip.total_len - ip.header_len - header.header_len)
    return found


def dotted(address: bytes) -> str:
    """An IPv4 address in words."""
    return ".".join(map(str, address))


@lru_cache(maxsize=256)
def names(flags: int) -> str:
    """TCP flags: "SYN, ACK"."""
    return ", ".join(name for bit, name in _FLAGS if flags & bit) or "none"


def _arp(body: bytes) -> Fields:
    try:
        packet = arp.parse(body)
    except WireError as error:
        return [("ARP", "unreadable", str(error))]
    operation = "request" if packet.op == arp.REQUEST else "reply"
    return [
        ("ARP", "operation", f"{packet.op} ({operation})"),
        ("ARP", "sender", f"{eth.format_mac(packet.sha)} {dotted(packet.spa)}"),
        ("ARP", "target", f"{eth.format_mac(packet.tha)} {dotted(packet.tpa)}"),
    ]


def _unreadable(ethertype: int, packet: bytes) -> Fields:
    """Why there is no IPv4 header to be read, if there should be one."""
    if ethertype == eth.ETHERTYPE_IPV4:
        try:
            ipv4.parse(packet, 0xFFFF)
        except WireError as error:
            return [("IPv4", "unreadable", str(error))]
    return []


def _udp(datagram: bytes, ip: ipv4.Ipv4Header) -> Fields:
    """`datagram` may be the beginning of one only."""
    try:
        header = udp.parse(datagram.ljust(ip.total_len - ip.header_len, b"\0"), ip.src, ip.dst, verified=True)
    except WireError as error:
        return [("UDP", "unreadable", str(error))]
    return [
        ("UDP", "ports", f"{header.sport} → {header.dport}"),
        ("UDP", "length", str(header.length)),
        ("UDP", "checksum", f"{header.checksum:#06x}"),
    ]


def _ip(ip: ipv4.Ipv4Header) -> Fields:
    bits = [name for bit, name in ((ipv4.DF, "DF"), (ipv4.MF, "MF")) if ip.fragment & bit]
    values: Iterable[tuple[str, object]] = (
        ("header length", ip.header_len),
        ("DSCP, ECN", f"{ip.tos >> 2}, {ip.tos & 3}"),
        ("total length", ip.total_len),
        ("identification", ip.ident),
        ("flags, offset", f"{'|'.join(bits) or '0'}, {(ip.fragment & ipv4.OFFSET_MASK) * 8}"),
        ("time to live", ip.ttl),
        ("protocol", ip.proto),
        ("source", dotted(ip.src)),
        ("destination", dotted(ip.dst)),
    )
    return [("IPv4", name, str(value)) for name, value in values]


def _tcp(header: tcp.TcpHeader, payload: int) -> Fields:
    values: list[tuple[str, object]] = [
        ("ports", f"{header.sport} → {header.dport}"),
        ("sequence number", header.seq),
        ("acknowledgment", header.ack),
        ("data offset", header.header_len),
        ("flags", names(header.flags)),
        ("window", header.window),
    ]
    if header.flags & tcp.URG:
        values.append(("urgent pointer", header.urgent))
    if header.mss is not None:
        values.append(("MSS", header.mss))
    if header.wscale is not None:
        values.append(("window scale", header.wscale))
    if header.sack_permitted:
        values.append(("SACK permitted", "yes"))
    if header.sack:
        values.append(("SACK", " ".join(f"{left}–{right}" for left, right in header.sack)))
    if header.ts_val is not None:
        values.append(("time stamp, echo", f"{header.ts_val}, {header.ts_ecr}"))
    values.append(("payload bytes", payload))
    return [("TCP", name, str(value)) for name, value in values]
