"""TCP and UDP packets with random headers, options, tags and padding: right, or wrong in one place."""

import random
import struct
from dataclasses import dataclass

from campaign_sums import checksum, ones_sum, pseudo

TCP, UDP = 6, 17
GROUPS = (b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x01", b"\x33\x33\x00\x00\x00\x02")
UNICAST = b"\x02\0\0\0\0\x01"


@dataclass
class Packet:
    """A frame without FCS: where its IP and its TCP or UDP header begin, and where the payload does.

    `addresses`: those of the pseudo-header, source and destination.
    """

    data: bytes
    ip: int
    transport: int
    payload: int
    addresses: tuple[bytes, bytes]

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.data[self.ip] >> 4

    def partial(self) -> bytes:
        """The frame as TCP leaves it to a device: its checksum is the sum of the pseudo-header (§5.1.6.2)."""
        at = self.transport + 16
        total = ones_sum(pseudo(*self.addresses, TCP, len(self.data) - self.transport))
        return self.data[:at] + total.to_bytes(2, "big") + self.data[at + 2 :]


def ethernet(rng: random.Random, kind: int, serial: int, tags: int) -> bytes:
    """Addresses, `tags` VLAN tags and the EtherType. The serial number is the source address."""
    destination = rng.choice((UNICAST, UNICAST, UNICAST, *GROUPS))
    header = destination + serial.to_bytes(6, "big")
    for _ in range(tags):
        header += struct.pack("!HH", rng.choice((0x8100, 0x88A8)), rng.randrange(1 << 16))
    return header + struct.pack("!H", kind)


def tcp(rng: random.Random, options: int, flags: int) -> bytes:
    """A header with a checksum of 0."""
    header = struct.pack(
        "!HHIIBBHHH",
        rng.randrange(1 << 16), rng.randrange(1 << 16),
        rng.choice((0xFFFF_FFF0, rng.randrange(1 << 32))), rng.randrange(1 << 32),
        5 + options << 4, flags, rng.randrange(1 << 16), 0, 0,
    )  # fmt: skip
    return header + rng.randbytes(4 * options)


def packet(
    rng: random.Random,
    serial: int,
    size: int,
    *,
    version: int = 4,
    protocol: int = TCP,
    tags: int = 0,
    flags: int = 0x18,
    extensions: int = 0,
) -> Packet:
    """A packet with `size` bytes of payload, right checksums, `extensions` bytes (8·n) of IPv6's headers."""
    options = rng.choice((0, 0, 3, rng.randint(0, 10)))
    payload = rng.randbytes(size)
    if protocol == TCP:
        header, at = tcp(rng, options, flags), 16
    else:
        header, at = struct.pack("!HHHH", rng.randrange(1 << 16), rng.randrange(1 << 16), 8 + size, 0), 6
    source, destination = rng.randbytes(4 if version == 4 else 16), rng.randbytes(4 if version == 4 else 16)
    length = len(header) + size
    value = checksum(pseudo(source, destination, protocol, length), header, payload) or 0xFFFF
    header = header[:at] + value.to_bytes(2, "big") + header[at + 2 :]
    if version == 4:
        ip = ipv4(rng, source, destination, protocol, min(length, 65535))
    else:
        ip = ipv6(rng, source, destination, protocol, length, extensions)
    link = ethernet(rng, 0x0800 if version == 4 else 0x86DD, serial, tags)
    start = len(link)
    transport = start + len(ip)
    data = link + ip + header + payload
    return Packet(data, start, transport, transport + len(header), (source, destination))


def ipv6(
    rng: random.Random, source: bytes, destination: bytes, protocol: int, length: int, extensions: int
) -> bytes:
    """A header for `length` bytes behind it and its extension headers (RFC 8200 §4).

    With a routing header the address in the IPv6 header is not the one that counts (§8.1).
    """
    kind, chain, shown = protocol, b"", destination
    while len(chain) < extensions:  # the last one first
        rest = extensions - len(chain)
        size = rest if rng.random() < 0.3 else 8 * rng.randint(1, rest // 8)
        chain = bytes([kind, size // 8 - 1]) + rng.randbytes(size - 2) + chain
        kind = rng.choice((0, 43, 60))
        if kind == 43:
            shown = rng.randbytes(16)
    begins = struct.pack("!IHBB", 6 << 28 | rng.randrange(1 << 28), min(length + extensions, 65535), kind, 64)
    return begins + source + shown + chain


def ipv4(rng: random.Random, source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """A header, with random options, for `length` bytes behind it."""
    options = rng.randbytes(4 * rng.choice((0, 0, 0, rng.randint(0, 10))))
    size = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH", 4 << 4 | size // 4, rng.randrange(256), min(size + length, 65535),
        rng.choice((0xFFFE, rng.randrange(1 << 16))), rng.choice((0, 0x4000)), rng.randrange(256),
        protocol, 0,
    ) + source + destination + options  # fmt: skip
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
