"""What the campaign lets arrive: good frames and bad ones, and words that are no frames at all."""

import random
import zlib
from dataclasses import dataclass

from campaign_packets import TCP, UDP, packet
from campaign_tx import DATA_VALID

GOOD = "good"


@dataclass(frozen=True)
class Arrival:
    """`data`: DA…FCS; `kind`: GOOD or the counter that it belongs to; `error`: with /E/ in its middle;
    `valid`: its TCP or UDP checksum is there and right."""

    data: bytes
    kind: str
    error: bool = False
    valid: bool = False

    @property
    def flags(self) -> int:
        """What virtio_net_hdr says of it with GUEST_CSUM."""
        return DATA_VALID if self.valid else 0


def with_fcs(frame: bytes) -> bytes:
    """IEEE 802.3 §3.2.9."""
    return frame + zlib.crc32(frame).to_bytes(4, "little")


def numbered(rng: random.Random, serial: int, length: int) -> bytes:
    """`length` >= 14 random bytes with `serial` as their source address."""
    noise = rng.randbytes(length)
    return noise[:6] + serial.to_bytes(6, "big") + noise[12:]


def good(rng: random.Random, serial: int, longest: int) -> Arrival:
    """Noise, or a packet with a right or a wrong checksum."""
    if rng.random() < 0.6:
        length = rng.choice(
            (60, 61, 63, 64, 1514, longest, longest - 1, rng.randint(60, 200), rng.randint(60, longest))
        )
        return Arrival(with_fcs(numbered(rng, serial, min(length, longest))), GOOD)
    size = rng.choice((0, 1, 2, rng.randint(0, 100), rng.randint(0, max(longest - 200, 0))))
    sample = packet(
        rng,
        serial,
        size,
        version=rng.choice((4, 4, 6)),
        protocol=rng.choice((TCP, UDP)),
        tags=rng.choice((0, 0, 1, 2)),
    )
    data, valid = sample.data, sample.ip <= 18  # at most one tag is looked through
    if rng.random() < 0.3:
        at = rng.randrange(sample.transport, len(data))
        data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        valid = False
    data = (data + bytes(rng.choice((0, 0, 5)))).ljust(60, b"\0")
    if len(data) > longest:
        return Arrival(with_fcs(numbered(rng, serial, 60)), GOOD)
    return Arrival(with_fcs(data), GOOD, valid=valid)


def bad(rng: random.Random, serial: int, longest: int) -> Arrival:
    """A frame that is to be dropped."""
    frame = good(rng, serial, longest).data
    kind = rng.choice(("rx_fcs_error", "rx_undersize", "rx_oversize", "rx_code_error"))
    if kind == "rx_code_error":
        return Arrival(
            rng.choice((frame, frame[: rng.randint(1, 80)], frame + rng.randbytes(200))), kind, True
        )
    if kind == "rx_undersize":
        short = rng.randrange(64)
        frame = with_fcs(rng.randbytes(short - 4)) if short > 4 else rng.randbytes(short)
    elif kind == "rx_oversize":
        first = longest + 1
        length = rng.choice((first, first + 1, first + 7, rng.randint(first, first + 8000)))
        frame = with_fcs(rng.randbytes(length))
    if kind == "rx_fcs_error" or rng.random() < 0.3:
        at = rng.randrange(len(frame)) if frame else 0
        frame = frame[:at] + bytes([b ^ 1 << rng.randrange(8) for b in frame[at : at + 1]]) + frame[at + 1 :]
    return Arrival(frame, kind)


IDLE = 0x07
START, TERMINATE, ERROR, SEQUENCE = 0xFB, 0xFD, 0xFE, 0x9C


def garbage(rng: random.Random) -> list[tuple[int, int]]:
    """XGMII words (data, control) without meaning, or with a meaning that is broken off; ends idle."""
    characters: list[tuple[int, int]] = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.randrange(4)
        if kind == 0:
            codes = (START, START, TERMINATE, ERROR, IDLE, SEQUENCE, 0xD5)
            characters += [
                (rng.choice(codes), 1) if rng.random() < 0.4 else (rng.choice((0x55, 0xD5)), 0)
                for _ in range(rng.randint(1, 60))
            ]
        elif kind == 1:
            frame = [
                (START, 1),
                *((b, 0) for b in b"\x55" * 6 + b"\xd5"),
                *((b, 0) for b in rng.randbytes(200)),
            ]
            characters += frame[: rng.randint(1, len(frame))]
        elif kind == 2:
            characters += [(b, rng.randrange(2)) for b in rng.randbytes(rng.randint(1, 40))]
        else:
            characters += [(IDLE, 1)] * rng.randint(1, 20)
        characters += [(IDLE, 1)] * (-len(characters) % rng.choice((1, 4, 8)))
    characters += [(IDLE, 1)] * (16 + -len(characters) % 8)
    words = []
    for at in range(0, len(characters), 8):
        word = characters[at : at + 8]
        value = int.from_bytes(bytes(byte for byte, _ in word), "little")
        words.append((value, sum(control << lane for lane, (_, control) in enumerate(word))))
    return words
