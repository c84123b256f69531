"""Packets as bytes: IPv4 with TCP, UDP or ICMP, made and taken apart.

A codec of its own, so that a mistake in the stack's codec shows: nothing here is shared with
`pymodel.wire`. TCP options keep their order and every padding byte.
"""

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from tb.packetdrill.syntax import Option

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17

_FLAG_BITS: Final[dict[str, int]] = {
    "F": 0x001, "S": 0x002, "R": 0x004, "P": 0x008, ".": 0x010, "U": 0x020, "E": 0x040, "W": 0x080,
    "A": 0x100,
}  # fmt: skip
_KINDS: Final[dict[str, int]] = {
    "eol": 0, "nop": 1, "mss": 2, "wscale": 3, "sackOK": 4, "sack": 5, "TS": 8, "md5": 19, "FO": 34,
}  # fmt: skip
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_EXPERIMENT: Final = 254
_FASTOPEN_MAGIC: Final = b"\xf9\x89"
"""Kind 254 with this ExID is Fast Open before it had a kind of its own (RFC 7413 §4.1.1, RFC 6994)."""
_ACCECN: Final = (172, 174)


@dataclass(frozen=True)
class LivePacket:
    """A packet that the machine sent at `time` (ps), taken apart. `faults`: checksums that are wrong."""

    time: int
    protocol: int
    source: bytes
    destination: bytes
    ttl: int
    tos: int
    sport: int = 0
    dport: int = 0
    flags: str = ""
    seq: int = 0
    ack: int = 0
    window: int = 0
    urgent: int = 0
    options: tuple[Option, ...] = ()
    payload: bytes = b""
    icmp_type: int = 0
    icmp_code: int = 0
    icmp_mtu: int = 0
    faults: tuple[str, ...] = field(default=())

    @property
    def length(self) -> int:
        """Bytes of payload."""
        return len(self.payload)


def checksum(data: bytes) -> int:
    """RFC 1071, over `data` as it is."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    return source + destination + struct.pack("!BBH", 0, protocol, length)


def ipv4(
    source: bytes, destination: bytes, protocol: int, payload: bytes, *, tos: int, ttl: int = 64
) -> bytes:
    """An IPv4 packet, DF set. ValueError beyond 65535 bytes."""
    total = 20 + len(payload)
    if total > 0xFFFF:
        raise ValueError(f"an IPv4 packet of {total} bytes; 65535 is the limit")
    header = struct.pack("!BBHHHBBH", 0x45, tos, total, 0, 0x4000, ttl, protocol, 0) + source + destination
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def fragments(packet: bytes, largest: int) -> list[bytes]:
    """An IPv4 packet without options in fragments of at most `largest` bytes (RFC 791 §3.2)."""
    if len(packet) <= largest:
        return [packet]
    header, body = packet[:20], packet[20:]
    room = (largest - 20) & ~7
    parts: list[bytes] = []
    for at in range(0, len(body), room):
        piece = body[at : at + room]
        more = 0x2000 if at + room < len(body) else 0
        fixed = header[:2] + struct.pack("!HHH", 20 + len(piece), 0x4D41, more | at >> 3)
        fixed += header[8:10] + b"\0\0" + header[12:20]
        parts.append(fixed[:10] + struct.pack("!H", checksum(fixed)) + fixed[12:] + piece)
    return parts


def options_bytes(options: tuple[Option, ...]) -> bytes:
    """TCP options as given, then zeros up to a multiple of four bytes. ValueError beyond 40 bytes."""
    data = b"".join(_option_bytes(option) for option in options)
    data += bytes(-len(data) % 4)
    if len(data) > 40:
        raise ValueError(f"{len(data)} bytes of TCP options; 40 is the limit")
    return data


def _option_bytes(option: Option) -> bytes:
    name, values = option.name, option.values
    if name in ("eol", "nop"):
        return bytes((_KINDS[name],))
    if name == "ECN":
        body = b"".join(value.to_bytes(3, "big") for value in values[1:])
        return bytes((values[0], 2 + len(body))) + body
    if name == "FOEXP":
        body = _FASTOPEN_MAGIC + option.data
        return bytes((_EXPERIMENT, 2 + len(body))) + body
    if name == "mss":
        body = struct.pack("!H", values[0])
    elif name == "wscale":
        body = struct.pack("!B", values[0])
    elif name in ("sack", "TS"):
        body = struct.pack(f"!{len(values)}I", *values)
    else:
        body = option.data
    return bytes((_KINDS[name], 2 + len(body))) + body


def flag_bits(flags: str) -> int:
    """The nine control bits (RFC 9293 §3.1, and AE) of letters such as "S."."""
    bits = 0
    for letter in flags:
        bits |= _FLAG_BITS[letter]
    return bits


def tcp(
    source: bytes,
    destination: bytes,
    sport: int,
    dport: int,
    *,
    seq: int,
    ack: int,
    flags: str,
    window: int,
    urgent: int,
    options: tuple[Option, ...],
    length: int,
) -> bytes:
    """A TCP segment with `length` zero bytes of payload and a right checksum."""
    packed = options_bytes(options)
    bits = flag_bits(flags)
    offset = (20 + len(packed)) << 2 | bits >> 8
    head = struct.pack("!HHIIBBH", sport, dport, seq, ack, offset, bits & 0xFF, window)
    tail = struct.pack("!H", urgent) + packed + bytes(length)
    whole = len(head) + 2 + len(tail)
    total = checksum(_pseudo(source, destination, TCP, whole) + head + b"\0\0" + tail)
    return head + struct.pack("!H", total) + tail


def udp(source: bytes, destination: bytes, sport: int, dport: int, length: int) -> bytes:
    """A UDP datagram with `length` zero bytes and a right checksum (RFC 768)."""
    data = struct.pack("!HHHH", sport, dport, 8 + length, 0) + bytes(length)
    total = checksum(_pseudo(source, destination, UDP, len(data)) + data) or 0xFFFF
    return data[:6] + struct.pack("!H", total) + data[8:]


def icmp(kind: int, code: int, rest: int, quoted: bytes) -> bytes:
    """An ICMP message (RFC 792) with `rest` in the second word."""
    data = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def parse(packet: bytes, time: int) -> LivePacket | None:
    """An IPv4 packet taken apart; None for a later fragment, and for protocols other than the three."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header_length = (packet[0] & 15) * 4
    tos, total, fragment, ttl, protocol = packet[1], *struct.unpack_from("!HxxHBB", packet, 2)
    faults: tuple[str, ...] = () if checksum(packet[:header_length]) == 0 else ("IP header checksum",)
    source, destination = packet[12:16], packet[16:20]
    body = packet[header_length:total]
    if fragment & 0x1FFF:
        return None
    base: dict[str, Any] = {"time": time, "protocol": protocol, "source": source, "destination": destination}
    if protocol == TCP and len(body) >= 20:
        if checksum(_pseudo(source, destination, TCP, len(body)) + body):
            faults += ("TCP checksum",)
        sport, dport, seq, ack, bits, window, urgent = struct.unpack_from("!HHIIHHxxH", body)
        offset = (bits >> 12) * 4
        letters = "".join(letter for letter, bit in _FLAG_BITS.items() if bits & bit)
        return LivePacket(
            **base, ttl=ttl, tos=tos, sport=sport, dport=dport, flags=letters, seq=seq, ack=ack,
            window=window, urgent=urgent, options=parse_options(body[20:offset]), payload=body[offset:],
            faults=faults,
        )  # fmt: skip
    if protocol == UDP and len(body) >= 8:
        sport, dport, length, given = struct.unpack_from("!HHHH", body)
        whole = not fragment & 0x2000
        if whole and given and checksum(_pseudo(source, destination, UDP, length) + body[:length]):
            faults += ("UDP checksum",)
        return LivePacket(
            **base, ttl=ttl, tos=tos, sport=sport, dport=dport, payload=bytes(length - 8), faults=faults
        )
    if protocol == ICMP and len(body) >= 8:
        if checksum(body):
            faults += ("ICMP checksum",)
        return LivePacket(
            **base, ttl=ttl, tos=tos, icmp_type=body[0], icmp_code=body[1],
            icmp_mtu=int.from_bytes(body[6:8], "big"), payload=body[8:], faults=faults,
        )  # fmt: skip
    return None


def parse_options(data: bytes) -> tuple[Option, ...]:
    """Every option in order; after an end-of-list each remaining byte counts as one more `eol`."""
    options: list[Option] = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 0:
            options += [Option("eol")] * (len(data) - at)
            break
        if kind == 1:
            options.append(Option("nop"))
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2 or at + length > len(data):
            options.append(Option("malformed", (), data[at:]))
            break
        options.append(_option(kind, data[at + 2 : at + length]))
        at += length
    return tuple(options)


def _option(kind: int, body: bytes) -> Option:
    name = _NAMES.get(kind, f"kind{kind}")
    if name in ("mss", "wscale"):
        return Option(name, (int.from_bytes(body, "big"),))
    if name == "sack" or (name == "TS" and len(body) == 8):
        return Option(name, struct.unpack(f"!{len(body) // 4}I", body[: len(body) & ~3]))
    if kind == _EXPERIMENT and body[:2] == _FASTOPEN_MAGIC:
        return Option("FOEXP", (), body[2:])
    if kind in _ACCECN:
        counters = tuple(int.from_bytes(body[at : at + 3], "big") for at in range(0, len(body), 3))
        return Option("ECN", (kind, *counters))
    return Option(name, (), body)
