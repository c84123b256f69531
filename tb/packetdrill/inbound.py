"""From a packet of the script to the bytes that arrive at the machine."""

from tb.packetdrill import wire
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.flows import MASK, Flow, Flows
from tb.packetdrill.syntax import IcmpMessage, IpInfo, Option, Packet, TcpSegment, UdpDatagram


def build(packet: Packet, flows: Flows) -> bytes:
    """The IP packet to inject. ScriptError for one that cannot be built."""
    body = packet.body
    try:
        if isinstance(body, TcpSegment):
            return _tcp(packet, body, flows)
        if isinstance(body, UdpDatagram):
            flow = flows.for_inbound(False, wire.UDP)
            data = wire.udp(flow.remote[0], flow.local[0], flow.remote[1], flow.local[1], body.length)
            return _ip(packet.ip, flow, wire.UDP, data)
        return _icmp(packet.ip, body, flows)
    except ValueError as error:
        raise ScriptError(str(error)) from None


def _ip(info: IpInfo, flow: Flow, protocol: int, payload: bytes) -> bytes:
    tos = info.tos or 0
    if info.ecn is not None:
        tos = (tos & ~3) | info.ecn.value[0]
    ttl = 64 if info.ttl is None else info.ttl
    return wire.ipv4(flow.remote[0], flow.local[0], protocol, payload, tos=tos, ttl=ttl)


def _tcp(packet: Packet, body: TcpSegment, flows: Flows) -> bytes:
    flow = flows.for_inbound("S" in body.flags and "." not in body.flags, wire.TCP)
    ack = 0 if body.ack is None else (flow.to_live(body.ack) if flow.live_isn is not None else body.ack)
    assert body.options is not None
    data = wire.tcp(
        flow.remote[0],
        flow.local[0],
        flow.remote[1],
        flow.local[1],
        seq=body.seq & MASK,
        ack=ack & MASK,
        flags=body.flags,
        window=body.window or 0,
        urgent=body.urgent or 0,
        options=tuple(_live(option, flow) for option in body.options),
        length=body.length,
    )
    flow.fin_in |= "F" in body.flags
    flow.reset |= "R" in body.flags
    return _ip(packet.ip, flow, wire.TCP, data)


def _live(option: Option, flow: Flow) -> Option:
    """SACK blocks and echoed timestamps are the machine's own numbers."""
    if option.name == "sack":
        return Option("sack", tuple(flow.to_live(edge) for edge in option.values))
    if option.name == "TS":
        value, echo = option.values
        return Option("TS", (value, flow.stamp_to_live(echo) if echo else 0))
    return option


def _icmp(info: IpInfo, body: IcmpMessage, flows: Flows) -> bytes:
    """An error quotes the IP header and eight bytes of the packet that it is about (RFC 792)."""
    protocol = wire.UDP if body.quoted_udp is not None else wire.TCP
    flow = flows.current if flows.current is not None and flows.current.remote[1] else None
    if flow is None:
        flow = flows.for_inbound(False, protocol)
    if flow.protocol == wire.UDP or body.quoted_udp is not None:
        quoted = wire.udp(flow.local[0], flow.remote[0], flow.local[1], flow.remote[1], body.quoted_udp or 0)
    else:
        seq, length = body.quoted_tcp if body.quoted_tcp is not None else (flow.script_isn, 0)
        quoted = wire.tcp(
            flow.local[0], flow.remote[0], flow.local[1], flow.remote[1],
            seq=flow.to_live(seq), ack=0, flags=".", window=0, urgent=0, options=(), length=length,
        )  # fmt: skip
    original = wire.ipv4(flow.local[0], flow.remote[0], flow.protocol, quoted, tos=0)
    message = wire.icmp(body.type, body.code, body.mtu, original[:28])
    return _ip(info, flow, wire.ICMP, message)
