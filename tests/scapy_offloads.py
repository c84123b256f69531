"""What a driver leaves to a device (virtio 1.2 §5.1.6.2), and what the device makes of it, as scapy has both.

Frames here are without FCS. What is not named is as scapy builds it: lengths, checksums, IPv4's options.
"""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN
from scapy.packet import Packet, Raw
from scapy.utils import checksum

FIN, PSH, CWR = 0x01, 0x08, 0x80


def extension(kind: type[Packet], size: int) -> Packet:
    """An extension header of IPv6 of `size` bytes (8·n), of hop-by-hop or destination options: padding."""
    return kind(options=[PadN(optdata=bytes(size - 4))])


_ROUTED = ["2001:db8::77"]

EXTENSIONS: dict[str, tuple[Packet, ...]] = {
    "none": (),
    "one": (extension(IPv6ExtHdrHopByHop, 8),),
    "longest": (extension(IPv6ExtHdrDestOpt, 64),),
    "two": (extension(IPv6ExtHdrHopByHop, 8), extension(IPv6ExtHdrDestOpt, 8)),
    "routing": (extension(IPv6ExtHdrHopByHop, 16), IPv6ExtHdrRouting(addresses=_ROUTED, segleft=1)),
    "routed": (IPv6ExtHdrRouting(addresses=_ROUTED, segleft=0), *[extension(IPv6ExtHdrDestOpt, 8)] * 5),
    "eight": (extension(IPv6ExtHdrDestOpt, 8),) * 8,
}
"""What may stand between IPv6's header and TCP's in a super-frame: at most 64 bytes."""


def place(packet: Packet) -> tuple[int, int]:
    """csum_start and csum_offset for TCP's or UDP's checksum."""
    layer, offset = (TCP, 16) if TCP in packet else (UDP, 6)
    return len(packet) - len(packet[layer]), offset


def partial(packet: Packet) -> bytes:
    """The frame with the sum of the pseudo-header where its TCP or UDP checksum goes.

    That is what scapy's checksum has beside what is summed up from csum_start on.
    """
    start, offset = place(packet)
    frame = packet.copy()
    del frame[TCP if TCP in frame else UDP].chksum
    data = bytearray(bytes(frame))
    field = slice(start + offset, start + offset + 2)
    whole = 0xFFFF ^ int.from_bytes(data[field], "big")
    data[field] = bytes(2)
    rest = 0xFFFF ^ checksum(bytes(data[start:]))
    data[field] = ((whole - rest) % 0xFFFF).to_bytes(2, "big")
    return bytes(data)


def segments(whole: Packet, size: int) -> list[bytes]:
    """The frames into which a TCP super-frame is cut, with `size` bytes of payload each, or what is left."""
    payload = bytes(whole[TCP].payload)
    cuts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    made = []
    for number, piece in enumerate(cuts):
        one = whole.copy()
        one[TCP].remove_payload()
        if IPv6 in one:
            one[IPv6].plen = None
        else:
            one[IP].id = (one[IP].id + number) % (1 << 16)
            one[IP].len = one[IP].chksum = None
        one[TCP].seq = (one[TCP].seq + number * size) % (1 << 32)
        last = number == len(cuts) - 1
        one[TCP].flags = int(one[TCP].flags) & ~(0 if last else FIN | PSH) & ~(CWR if number else 0)
        one[TCP].chksum = None
        frame = bytearray(bytes(one / Raw(piece)))
        start, offset = place(one)
        field = slice(start + offset, start + offset + 2)
        if frame[field] == b"\0\0":
            frame[field] = b"\xff\xff"  # the other zero, as devices send it (RFC 1624 §3)
        made.append(bytes(frame))
    return made
