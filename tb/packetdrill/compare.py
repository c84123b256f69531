"""Compares what the machine sent with what the script says it sends, field by field."""

from dataclasses import dataclass

from pymodel.simtime import US
from tb.packetdrill.config import Config
from tb.packetdrill.flows import MASK, Flow
from tb.packetdrill.syntax import Ecn, IcmpMessage, IpInfo, Option, Packet, TcpSegment, UdpDatagram
from tb.packetdrill.wire import ICMP, TCP, UDP, LivePacket

_FLAG_ORDER = "FSRPUEWA."


@dataclass(frozen=True)
class Difference:
    """One field: what the script says, and what was sent."""

    field: str
    expected: str
    sent: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, sent {self.sent}"


def in_order(flags: str) -> str:
    """Flags as they are usually written: "S.", "FP."."""
    return "".join(letter for letter in _FLAG_ORDER if letter in flags) or "-"


def describe(packet: LivePacket, flow: Flow | None) -> str:
    """`packet` in the language of scripts, in the script's numbers where `flow` is known."""
    if packet.protocol == UDP:
        return f"udp ({packet.length})"
    if packet.protocol == ICMP:
        return f"icmp type {packet.icmp_type} code {packet.icmp_code}"
    seq, options = packet.seq, packet.options
    if flow is not None and flow.live_isn is not None:
        seq = flow.to_script(seq)
        options = _script_options(options, flow)
    elif "S" in packet.flags:
        seq = 0
    end = seq + packet.length & MASK
    words = [in_order(packet.flags), f"{seq}:{end}({packet.length})"]
    if "." in packet.flags:
        words.append(f"ack {packet.ack}")
    words.append(f"win {packet.window}")
    if packet.urgent:
        words.append(f"urg {packet.urgent}")
    if options:
        words.append("<" + ",".join(map(str, options)) + ">")
    return " ".join(words)


def _script_options(options: tuple[Option, ...], flow: Flow) -> tuple[Option, ...]:
    back = {live: script for script, live in flow.live_stamp.items()}
    return tuple(
        Option("TS", (back.get(option.values[0], option.values[0]), option.values[1]))
        if option.name == "TS"
        else option
        for option in options
    )


def ip_differences(expected: IpInfo, packet: LivePacket) -> list[Difference]:
    """TOS, ECN and TTL where the script says something about them."""
    found: list[Difference] = []
    ecn = packet.tos & 3
    if expected.ecn is not None and ecn not in expected.ecn.value:
        sent = {0: Ecn.NOECN, 1: Ecn.ECT1, 2: Ecn.ECT0, 3: Ecn.CE}[ecn]
        found.append(Difference("ECN", expected.ecn.name.lower(), sent.name.lower()))
    if expected.tos is not None and expected.tos != packet.tos:
        found.append(Difference("TOS", hex(expected.tos), hex(packet.tos)))
    if expected.ttl is not None and expected.ttl != packet.ttl:
        found.append(Difference("TTL", str(expected.ttl), str(packet.ttl)))
    return found + [Difference(fault, "right", "wrong") for fault in packet.faults]


def differences(expected: Packet, packet: LivePacket, flow: Flow, config: Config) -> list[Difference]:
    """Everything in which `packet` is not as the script says. Learns the machine's timestamps."""
    body = expected.body
    wanted = {TcpSegment: TCP, UdpDatagram: UDP, IcmpMessage: ICMP}[type(body)]
    if packet.protocol != wanted:
        names = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP"}
        return [Difference("protocol", names[wanted], names[packet.protocol])]
    found = ip_differences(expected.ip, packet)
    if isinstance(body, UdpDatagram):
        if body.length != packet.length:
            found.append(Difference("length", str(body.length), str(packet.length)))
    elif isinstance(body, IcmpMessage):
        for name, want, sent in (
            ("ICMP type", body.type, packet.icmp_type),
            ("ICMP code", body.code, packet.icmp_code),
            ("ICMP MTU", body.mtu, packet.icmp_mtu if body.mtu else 0),
        ):
            if want != sent:
                found.append(Difference(name, str(want), str(sent)))
    else:
        found += _tcp(body, packet, flow, config)
    return found


def _tcp(body: TcpSegment, packet: LivePacket, flow: Flow, config: Config) -> list[Difference]:
    found: list[Difference] = []

    def check(field: str, want: object, sent: object) -> None:
        if want != sent:
            found.append(Difference(field, str(want), str(sent)))

    check("flags", in_order(body.flags), in_order(packet.flags))
    seq = flow.to_script(packet.seq)
    if flow.live_isn is None and "R" in packet.flags:
        seq = packet.seq  # an answer from CLOSED takes its number from us
    check("sequence number", body.seq & MASK, seq)
    check("payload bytes", body.length, packet.length)
    if body.ack is not None:
        check("acknowledgement number", body.ack & MASK, packet.ack)
    if body.window is not None:
        check("window", body.window, packet.window)
    check("urgent pointer", body.urgent or 0, packet.urgent)
    if body.options is not None:
        found += _options(body.options, packet, flow, config)
    return found


def _options(
    expected: tuple[Option, ...], packet: LivePacket, flow: Flow, config: Config
) -> list[Difference]:
    sent = packet.options
    found: list[Difference] = []
    if [option.name for option in expected] != [option.name for option in sent]:
        return [Difference("TCP options", _listed(expected), _listed(_script_options(sent, flow)))]
    for want, got in zip(expected, sent, strict=True):
        if want.name == "TS":
            found += _timestamps(want, got, packet, flow, config)
        elif want.name in ("FO", "FOEXP", "md5") and not want.data:
            continue
        elif want != got:
            found.append(Difference(f"TCP option {want.name}", str(want), str(got)))
    return found


def _listed(options: tuple[Option, ...]) -> str:
    return "<" + ",".join(map(str, options)) + ">"


def _timestamps(
    want: Option, got: Option, packet: LivePacket, flow: Flow, config: Config
) -> list[Difference]:
    found: list[Difference] = []
    (want_value, want_echo), (value, echo) = want.values, got.values
    if want_echo != echo:
        found.append(Difference("timestamp echo", str(want_echo), str(echo)))
    tick = config.tcp_ts_tick_usecs * US
    if tick and flow.first_stamp is not None:
        script, live, when = flow.first_stamp
        seen = (value - live + script) & MASK
        slack = config.tolerance(packet.time - when) // tick + 1
        if not -slack <= ((seen - want_value + 0x8000_0000) & MASK) - 0x8000_0000 <= slack:
            found.append(Difference("timestamp value", str(want_value), str(seen)))
    flow.learn_stamp(want_value, value, packet.time)
    return found
