"""How the attacker behaves for a while, and the frames and buffer sizes it likes: all drawn from one seed."""

import random
from dataclasses import dataclass

from lockstep_ledger import numbered, with_fcs

from pymodel.simtime import NS, US
from tb.cosim.library import load
from tb.cosim.rtl_nic import RtlNic

LONGEST = 1518
"""Longest frame without FCS that the contract allows (MTU 1500, header, VLAN tag)."""

OFFSETS_READ_ONLY = (0x000, 0x004, 0x008, 0x00C, 0x010, 0x034, 0x060, 0x0B0, 0x0FC, 0x100, 0x104, 0x108)
STATISTICS = {
    name: 0x1100 + 8 * i
    for i, name in enumerate(
        (
            "rx_frames",
            "rx_bytes",
            "rx_bad_preamble",
            "rx_code_error",
            "rx_undersize",
            "rx_oversize",
            "rx_fcs_error",
            "rx_disabled",
            "rx_overflow",
            "rx_truncated",
            "rx_kicks",
        )
    )
} | {
    name: 0x1180 + 8 * i
    for i, name in enumerate(("tx_frames", "tx_bytes", "tx_oversize", "tx_underflow", "tx_kicks"))
}
"""Offsets from docs/registers.md."""


@dataclass
class Habits:
    """Chances are per step, times in ps, gaps in byte times."""

    interrupts: bool
    """Used entries are looked for on interrupts only; else by polling, and suppression flips at random."""
    step: int
    poll: float
    refill: float
    """0: the receive ring starves."""
    fill: float
    """Share of the receive ring that is filled."""
    small: float
    """Receive chains that may be too small."""
    batch: int
    burst: int
    gap: int
    most_pieces: int
    torn: float
    """Chance that time passes between the writes that publish chains."""
    late: int
    """Longest delay of a notification that is due."""
    redundant: float
    bad: float
    """Received frames that are not good."""
    flip: float
    poke: float
    link: float

    @staticmethod
    def draw(rng: random.Random) -> "Habits":
        """New habits."""
        pick = rng.choice
        return Habits(
            interrupts=rng.random() < 0.4,
            step=pick((40 * NS, 400 * NS, 3 * US)),
            poll=pick((1.0, 0.3, 0.05)),
            refill=pick((1.0, 0.5, 0.1, 0.02, 0.0)),
            fill=pick((1.0, 1.0, 0.5, 0.01)),
            small=pick((0.0, 0.0, 0.1, 0.9)),
            batch=pick((1, 2, 8, 40)),
            burst=pick((1, 3, 12)),
            gap=pick((12, 12, 100, 2000, 8000)),
            most_pieces=pick((1, 2, 4, 16, 256)),
            torn=pick((0.0, 0.2, 0.9)),
            late=pick((0, 0, 200 * NS, 20 * US)),
            redundant=pick((0.0, 0.1, 0.5)),
            bad=pick((0.0, 0.2, 0.8)),
            flip=pick((0.0, 0.1, 0.5)),
            poke=pick((0.0, 0.1, 0.5)),
            link=pick((0.0, 0.0, 0.02)),
        )


def rough_surroundings(nic: RtlNic, rng: random.Random) -> str:
    """Give the NIC another memory and another gap between received frames; what was chosen."""
    pick = rng.choice
    memory = {
        "read_latency": pick((0, 1, 8, 32, 150)),
        "write_latency": pick((0, 1, 8, 16, 150)),
        "jitter": pick((0, 0, 5, 200)),
        "stall_percent": pick((0, 0, 10, 60)),
        "seed": rng.randrange(1, 1 << 32),
    }
    # 802.3 §46.2.1: a receiver may see a gap shrunk to 5 bytes.
    gap = pick((12, 12, 8, 5))
    nic.configure_memory(**memory)
    load().fdw_wire_gap(gap)
    return f"{memory}, wire gap {gap}"


def random_frame(rng: random.Random, serial: int, length: int) -> bytes:
    """`length` >= 14 random bytes with a serial number."""
    return numbered(serial, rng.randbytes(length))


def tx_length(rng: random.Random) -> int:
    """Length of a frame to send, without FCS; more than LONGEST is too long."""
    if rng.random() < 0.07:
        return rng.choice((LONGEST + 1, rng.randint(LONGEST + 1, 1600), rng.randint(1600, 9000), 70_000))
    return rng.choice((14, 59, 60, 61, 1514, LONGEST, rng.randint(14, 80), rng.randint(14, LONGEST)))


def rx_capacity(rng: random.Random, small: float) -> int:
    """Length of a receive chain."""
    if rng.random() < small:
        return rng.choice((1, 11, 12, 13, 72, rng.randint(1, 1530)))
    if rng.random() < 0.01:
        return rng.choice((65_535, 65_536, 65_537, 131_072, 200_003))
    return rng.choice((12 + LONGEST, 12 + LONGEST, 1536, rng.randint(12 + LONGEST, 5000)))


def split(rng: random.Random, length: int, most: int) -> list[int]:
    """Lengths of 1…`most` pieces that make up `length`."""
    count = min(length, rng.choice((1, min(2, most), rng.randint(1, most))))
    if rng.random() < 0.3 and count > 1 and length > 12:
        cuts = sorted({12, *rng.sample(range(1, length), count - 2)})
    else:
        cuts = sorted(rng.sample(range(1, length), count - 1))
    return [b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True)]


def wire_frame(rng: random.Random, serial: int, bad: float) -> tuple[str, bytes, bool]:
    """A frame for the NIC to receive: the counter that it belongs to ("good"), DA…FCS, code error?"""
    length = rng.choice((60, 61, 63, 64, 1514, LONGEST, rng.randint(60, 200), rng.randint(60, LONGEST)))
    frame = with_fcs(random_frame(rng, serial, length))
    if rng.random() >= bad:
        return "good", frame, False
    kind = rng.choice(("rx_fcs_error", "rx_undersize", "rx_oversize", "rx_code_error"))
    if kind == "rx_undersize":
        short = rng.randrange(64)
        frame = with_fcs(rng.randbytes(short - 4)) if short > 4 else rng.randbytes(short)
    elif kind == "rx_oversize":
        frame = with_fcs(rng.randbytes(rng.choice((1519, 1520, 1526, rng.randint(1519, 9600)))))
    elif kind == "rx_code_error":
        return kind, rng.choice((frame, frame[: rng.randint(1, 80)], frame + rng.randbytes(200))), True
    if kind == "rx_fcs_error" or rng.random() < 0.3:
        at = rng.randrange(len(frame)) if frame else 0
        frame = frame[:at] + bytes([b ^ 1 << rng.randrange(8) for b in frame[at : at + 1]]) + frame[at + 1 :]
    return kind, frame, False
