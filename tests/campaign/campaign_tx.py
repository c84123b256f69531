"""What the campaign sends: headers and frames with and without offload work, right and wrong.

Each comes with an `Expectation`: what must be seen of it on the wire, as far as can be said without
building it: neither golden model nor RTL has a part in that.
"""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from campaign_packets import TCP, UDP, Packet, packet
from campaign_sums import ones_sum, pseudo

HEADER = 12
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_TYPES, GSO_ECN = {4: 1, 6: 4}, 0x80
LONGEST_TSO = {4: 65535 + 18, 6: 65535 + 40 + 18}
OVERSIZE, BAD_OFFLOAD, TSO = "tx_oversize", "tx_bad_offload", "tx_tso"


@dataclass(frozen=True)
class Offers:
    """What the device was asked to do (`tso`: for these versions of IP), how long a frame may be (no FCS)."""

    csum: bool
    tso: tuple[int, ...]
    longest: int


def net_header(
    rng: random.Random, *, flags: int = 0, gso: int = 0, mss: int = 0, start: int = 0, offset: int = 0
) -> bytes:
    """struct virtio_net_hdr (§5.1.6); hdr_len and num_buffers are noise."""
    return struct.pack(
        "<BBHHHHH", flags, gso, rng.randrange(1 << 16), mss, start, offset, rng.randrange(1 << 16)
    )


def unsealed(data: bytes) -> bytes:
    """A frame from the wire without its FCS, which must be right."""
    assert zlib.crc32(data[:-4]).to_bytes(4, "little") == data[-4:], f"wrong FCS: {data[:16].hex()}"
    return data[:-4]


class Expectation:
    """What must appear of one chain. `accept(data)` for each frame: is it the next one? `done`: no more."""

    done = False

    def accept(self, data: bytes) -> bool:
        """`data`: DA…FCS."""
        raise NotImplementedError


@dataclass
class AsItIs(Expectation):
    """The frame itself, padded."""

    frame: bytes
    done: bool = False

    def accept(self, data: bytes) -> bool:
        self.done = unsealed(data) == self.frame.ljust(60, b"\0")
        return self.done


@dataclass
class WithChecksum(Expectation):
    """The frame with another field: what the sum covers then adds up to 0xffff."""

    frame: bytes
    start: int
    offset: int
    done: bool = False

    def accept(self, data: bytes) -> bool:
        got, frame = unsealed(data), self.frame
        at = self.start + self.offset
        padded = frame.ljust(60, b"\0")
        if len(got) != len(padded) or got[:at] != padded[:at] or got[at + 2 :] != padded[at + 2 :]:
            return False
        value = int.from_bytes(got[at : at + 2], "big")
        assert value == (0xFFFF - ones_sum(frame[self.start :]) or 0xFFFF), f"checksum {value:#06x}"
        self.done = True
        return True


@dataclass
class Segments(Expectation):
    """The payload in order in pieces of `mss`, each with headers that fit it."""

    packet: Packet
    mss: int
    sent: int = 0
    number: int = 0
    done: bool = False

    def accept(self, data: bytes) -> bool:
        got, whole = unsealed(data), self.packet
        total = len(whole.data) - whole.payload
        size = min(self.mss, total - self.sent)
        length = whole.payload + size
        at = whole.payload + self.sent
        if got[whole.payload : length] != whole.data[at : at + size] or len(got) != max(length, 60):
            return False
        if got[:12] != whole.data[:12]:
            return False  # another frame, whose length is the same, and this one has no payload
        last = self.sent + size == total
        self._check(got[: whole.payload], got[whole.payload : length], last=last)
        self.sent += size
        self.number += 1
        self.done = last
        return True

    def _check(self, head: bytes, payload: bytes, *, last: bool) -> None:
        whole, number = self.packet, self.number
        old = whole.data[: whole.payload]
        ip, tcp = whole.ip, whole.transport

        def field(raw: bytes, at: int, size: int = 2) -> int:
            return int.from_bytes(raw[at : at + size], "big")

        if whole.version == 4:
            assert field(head, ip + 2) == len(head) - ip + len(payload), "total length"
            assert field(head, ip + 4) == (field(old, ip + 4) + number) % 0x10000, "identification"
            assert ones_sum(head[ip:tcp]) == 0xFFFF, "IPv4 header checksum"
            changed = {ip + 2, ip + 3, ip + 4, ip + 5, ip + 10, ip + 11}
        else:
            assert field(head, ip + 4) == len(head) - ip - 40 + len(payload), "payload length"
            changed = {ip + 4, ip + 5}
        assert field(head, tcp + 4, 4) == (field(old, tcp + 4, 4) + self.sent) % (1 << 32), "sequence number"
        segment = head[tcp:] + payload
        assert ones_sum(pseudo(*whole.addresses, TCP, len(segment)), segment) == 0xFFFF, "TCP checksum"
        flags = old[tcp + 13]
        flags &= 0xFF if last else ~0x09
        flags &= ~0x80 if number else 0xFF
        assert head[tcp + 13] == flags, "flags"
        changed |= {tcp + 13, tcp + 16, tcp + 17, *range(tcp + 4, tcp + 8)}
        assert all(a == b for i, (a, b) in enumerate(zip(head, old, strict=True)) if i not in changed)


@dataclass
class Job:
    """A chain's bytes, what must appear of it (None: nothing), and what it is counted under."""

    data: bytes
    expect: Expectation | None
    counter: str | None = None


def plain(rng: random.Random, serial: int, offers: Offers) -> Job:
    """A frame that is sent as it is; what was not accepted in its header means nothing."""
    length = rng.choice(
        (14, 59, 60, 61, 1514, 1518, offers.longest, rng.randint(14, 80), rng.randint(14, 1518))
    )
    frame = _numbered(rng, serial, min(length, offers.longest))
    return Job(_ignored_header(rng, offers) + frame, AsItIs(frame))


def _ignored_header(rng: random.Random, offers: Offers) -> bytes:
    noise = rng.randbytes(HEADER)
    flags = noise[0] & ~NEEDS_CSUM if offers.csum else noise[0]
    gso = noise[1] & GSO_ECN if offers.tso else noise[1]
    return bytes([flags & 0xFF, gso]) + noise[2:]


def _numbered(rng: random.Random, serial: int, length: int) -> bytes:
    noise = rng.randbytes(length)
    return noise[:6] + serial.to_bytes(6, "big") + noise[12:]


def too_long(rng: random.Random, serial: int, offers: Offers) -> Job:
    """One byte more than allowed, or many."""
    first = offers.longest + 1
    length = rng.choice((first, rng.randint(first, first + 100), rng.randint(first, first + 9000), 70_000))
    return Job(_ignored_header(rng, offers) + _numbered(rng, serial, length), None, OVERSIZE)


def partial(rng: random.Random, serial: int, offers: Offers) -> Job:
    """A checksum to complete: of TCP or UDP, or anywhere."""
    flags = rng.randrange(256) | NEEDS_CSUM
    gso = rng.choice((0, GSO_ECN)) if offers.tso else rng.randrange(256)
    if rng.random() < 0.5:
        kind = rng.choice((TCP, UDP))
        size = rng.choice((0, 1, rng.randint(0, max(offers.longest - 200, 0))))
        sample = packet(rng, serial, size, version=rng.choice((4, 6)), protocol=kind, tags=rng.randint(0, 1))
        frame, start, offset = sample.data, sample.transport, 16 if kind == TCP else 6
        if len(frame) > offers.longest:
            return plain(rng, serial, offers)
    else:
        frame = _numbered(rng, serial, rng.randint(14, min(1518, offers.longest)))
        start = rng.randrange(len(frame) - 1)
        offset = rng.choice((0, len(frame) - start - 2, rng.randrange(len(frame) - start - 1)))
    header = net_header(rng, flags=flags, gso=gso, start=start, offset=offset, mss=rng.randrange(1 << 16))
    return Job(header + frame, WithChecksum(frame, start, offset))


def bad_partial(rng: random.Random, serial: int, offers: Offers) -> Job:
    """A checksum field outside the frame."""
    frame = _numbered(rng, serial, rng.randint(14, min(1518, offers.longest)))
    start = rng.choice((len(frame) - 1, len(frame), 0xFFFF, rng.randrange(len(frame))))
    offset = max(len(frame) - 1 - start, 0) + rng.choice((0, 1, rng.randrange(1000)))
    header = net_header(rng, flags=NEEDS_CSUM, start=start, offset=min(offset, 0xFFFF))
    return Job(header + frame, None, BAD_OFFLOAD)


def super_frame(rng: random.Random, serial: int, offers: Offers) -> tuple[Packet, int]:
    """A frame to cut up, up to 64 KiB, and the size of the pieces."""
    flags = rng.choice((0x10, 0x18, 0x19, 0x98, rng.randrange(256)))
    size = rng.choice((0, 1, rng.randint(1, 3000), rng.randint(1, 3000), rng.randint(1, 64000), 65535 - 200))
    whole = packet(
        rng, serial, size, version=rng.choice(offers.tso), tags=rng.randint(0, 1), flags=flags,
        extensions=rng.choice((0, 0, 8, 64, 8 * rng.randint(0, 8))),
    )  # fmt: skip
    longest = offers.longest - whole.payload
    least = max(size // 48, 1)
    mss = rng.choice((min(1448, longest), longest, longest - 1, rng.randint(1, longest), size, size - 1))
    return whole, min(max(mss, least, 1), longest)


def cut_up(rng: random.Random, serial: int, offers: Offers) -> Job:
    """TSO."""
    if offers.longest < 600:
        return plain(rng, serial, offers)
    whole, mss = super_frame(rng, serial, offers)
    return Job(_gso_header(rng, whole, mss) + whole.partial(), Segments(whole, mss), TSO)


def _gso_header(rng: random.Random, whole: Packet, mss: int) -> bytes:
    gso = GSO_TYPES[whole.version] | rng.choice((0, GSO_ECN))
    flags = NEEDS_CSUM | rng.choice((0, 0xFE))
    return net_header(rng, flags=flags, gso=gso, mss=mss, start=whole.transport, offset=16)


def bad_cut_up(rng: random.Random, serial: int, offers: Offers) -> Job:
    """TSO of something that is none, or whose pieces are too long."""
    if offers.longest < 600:
        return too_long(rng, serial, offers)
    whole, mss = super_frame(rng, serial, offers)
    header, data = bytearray(_gso_header(rng, whole, mss)), bytearray(whole.data)
    ip, tcp = whole.ip, whole.transport
    other = GSO_TYPES[10 - whole.version]
    kinds: dict[str, Callable[[], object]] = {
        "type": lambda: _set(header, 1, bytes([rng.choice((3, other, 5, 0x7F, other | GSO_ECN))])),
        "no csum": lambda: _set(header, 0, bytes([rng.choice((0, 0xFE))])),
        "mss 0": lambda: _set(header, 4, b"\0\0"),
        "offset": lambda: _set(header, 8, rng.choice((15, 17, 6, 0)).to_bytes(2, "little")),
        "start": lambda: _set(
            header, 6, rng.choice((tcp - 1, tcp + 1, tcp + 4, 0, 0xFFFF)).to_bytes(2, "little")
        ),
        "ethertype": lambda: _set(data, ip - 2, rng.choice((b"\x88\x47", b"\x08\x06", b"\x81\x00"))),
        "version": lambda: _set(data, ip, bytes([data[ip] & 15 | 5 << 4])),
        "data offset": lambda: _set(data, tcp + 12, bytes([rng.randrange(5) << 4])),
        "cut off": lambda: data.__delitem__(slice(rng.randrange(14, tcp + 20), None)),
    }
    if whole.version == 4:
        kinds |= {
            "ihl": lambda: _set(data, ip, bytes([4 << 4 | rng.randrange(5)])),
            "fragment": lambda: _set(data, ip + 6, rng.choice((b"\x20\x00", b"\x00\x01", b"\x1f\xff"))),
            "protocol": lambda: _set(data, ip + 9, bytes([rng.choice((17, 1, 0))])),
        }
    else:
        kinds["next header"] = lambda: _set(data, ip + 6, bytes([rng.choice((17, 44, 50, 59))]))
    kind = rng.choice((*kinds, "pieces", "longer than IP"))
    beyond = LONGEST_TSO[whole.version]
    if kind == "pieces":
        data += rng.randbytes(max(offers.longest + 1 - len(data), 0))
        least = offers.longest - whole.payload + 1
        header[4:6] = rng.choice((least, 0xFFFF)).to_bytes(2, "little")
        if len(data) > beyond:
            return too_long(rng, serial, offers)
        return Job(bytes(header + data), None, OVERSIZE)
    if kind == "longer than IP":
        data += rng.randbytes(beyond + rng.choice((1, 17, 5000)) - len(data))
        return Job(bytes(header + data), None, OVERSIZE)
    kinds[kind]()
    return Job(bytes(header + data), None, BAD_OFFLOAD)


def _set(raw: bytearray, at: int, value: bytes) -> None:
    raw[at : at + len(value)] = value


def draw(rng: random.Random, serial: int, offers: Offers) -> Job:
    """Any of these."""
    makers: list[Callable[[random.Random, int, Offers], Job]] = [plain] * 12 + [too_long]
    if offers.csum:
        makers += [partial] * 8 + [bad_partial]
    if offers.tso:
        makers += [cut_up] * 2 + [bad_cut_up]
    return rng.choice(makers)(rng, serial, offers)
