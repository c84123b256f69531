"""What an XGMII receiver must make of a byte stream, one byte at a time; and a driver for such streams.

The reference shares nothing with the design: it walks over (byte, control) pairs where the RTL looks at
aligned words, and zlib checks the FCS.
"""

import random
import zlib
from collections.abc import Iterable
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from mac_bench import ERROR, IDLE, START, TERMINATE

BAD_PREAMBLE, CODE_ERROR, UNDERSIZE, OVERSIZE, FCS_ERROR, DISABLED, OVERFLOW, STORED = range(8)
SEQUENCE = 0x9C

Char = tuple[int, int]
"""A byte and 1 if it is a control character."""


def with_fcs(frame: bytes) -> bytes:
    return frame + zlib.crc32(frame).to_bytes(4, "little")


def data(raw: Iterable[int]) -> list[Char]:
    return [(byte, 0) for byte in raw]


def idle(count: int) -> list[Char]:
    return [(IDLE, 1)] * count


def on_wire(raw: bytes) -> list[Char]:
    """`raw` (DA up to FCS) with preamble and SFD before it and /T/ behind."""
    return [(START, 1), *data(b"\x55" * 6 + b"\xd5" + raw), (TERMINATE, 1)]


def judge(raw: bytes) -> int:
    """The status of a frame without control characters (DA up to FCS)."""
    if len(raw) < 64:
        return UNDERSIZE
    if len(raw) > 1522:
        return OVERSIZE
    return STORED if with_fcs(raw[:-4]) == raw else FCS_ERROR


def receive(stream: list[Char]) -> list[tuple[int, bytes]]:
    """(status, frame without FCS) of every frame in `stream`, which begins in lane 0 and ends idle."""
    out: list[tuple[int, bytes]] = []
    at = 0
    while at < len(stream):
        if stream[at] != (START, 1) or at % 4:
            at += 1
        elif stream[at + 4] == (START, 1):
            at += 4
        elif stream[at + 7] != (0xD5, 0):
            out.append((BAD_PREAMBLE, b""))
            at += 8
        elif any(control for _, control in stream[at + 1 : at + 7]):
            out.append((CODE_ERROR, b""))
            at += 8
        else:
            end = at + 8
            while not stream[end][1]:
                end += 1
            raw = bytes(byte for byte, _ in stream[at + 8 : end])
            out.append((judge(raw) if stream[end][0] == TERMINATE else CODE_ERROR, raw[:-4]))
            at = end
    return out


def random_stream(generator: random.Random, items: int) -> list[Char]:
    """Frames good and bad, noise, and gaps down to nothing, in every lane."""
    out: list[Char] = []
    for _ in range(items):
        raw = with_fcs(
            generator.randbytes(
                generator.choice((60, 60, generator.randint(0, 70), generator.randint(60, 300)))
            )
        )
        frame = on_wire(raw)
        kind = generator.choice(
            ("good", "good", "good", "flip", "control", "control", "preamble", "noise", "long")
        )
        if kind == "flip":
            at = generator.randrange(8, len(frame) - 1)
            frame[at] = (frame[at][0] ^ 1 << generator.randrange(8), 0)
        elif kind == "control":
            at = generator.randrange(1, len(frame))
            code = generator.choice((START, START, START, ERROR, IDLE, SEQUENCE, TERMINATE))
            frame[at] = (code, 1)
            if code == START and generator.random() < 0.7:  # a whole frame begins in the middle of this one
                frame[at:] = on_wire(with_fcs(generator.randbytes(60)))
        elif kind == "preamble":
            at = generator.randrange(1, 8)
            frame[at] = (generator.randrange(256), generator.randrange(2))
        elif kind == "noise":
            codes = (START, START, TERMINATE, ERROR, IDLE, 0xD5)
            frame = [
                (generator.choice(codes), 1)
                if generator.random() < 0.4
                else (generator.choice((0x55, 0xD5)), 0)
                for _ in range(generator.randint(1, 40))
            ]
        elif kind == "long" and generator.random() < 0.2:
            frame = on_wire(with_fcs(generator.randbytes(generator.randint(1510, 1600))))
        out += frame
        out += idle(generator.choice((0, 3, 4, 5, 9, 12, generator.randrange(30))))
        if generator.random() < 0.95:  # else /S/ comes in a lane where it is not allowed
            out += idle(-len(out) % generator.choice((4, 8)))
    return out


class RawSource:
    """Sends streams word by word, idle when it has nothing: the far end with no manners."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self._words: list[tuple[int, int]] = []
        cocotb.start_soon(self._run())

    def send(self, stream: list[Char]) -> None:
        """Queue `stream`, which begins in lane 0, filled up with idle to a whole word."""
        stream = stream + idle(-len(stream) % 8)
        for at in range(0, len(stream), 8):
            word = stream[at : at + 8]
            value = int.from_bytes(bytes(byte for byte, _ in word), "little")
            self._words.append((value, sum(control << lane for lane, (_, control) in enumerate(word))))

    @property
    def empty(self) -> bool:
        return not self._words

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.clk)
        quiet = int.from_bytes(bytes([IDLE] * 8), "little"), 0xFF
        while True:
            words, self._words = self._words or [quiet], []
            for value, control in words:
                self._dut.xgmii_rxd.value = value
                self._dut.xgmii_rxc.value = control
                await edge
