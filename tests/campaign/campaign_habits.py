"""How the driver behaves for a while, and the sizes it likes: all drawn from one seed."""

import random
from dataclasses import dataclass

from pymodel.simtime import NS, US
from tb.memory_settings import CHANNELS, MemorySettings


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
    """Receive chains that may be too small for a frame."""
    batch: int
    burst: int
    gap: int
    most_pieces: int
    indirect: float
    """Share of indirect chains, where they may be."""
    torn: float
    """Chance that time passes between the writes that publish chains."""
    late: int
    """Longest delay of a notification that is due."""
    redundant: float
    bad: float
    """Received frames that are not good."""
    garbage: float
    flip: float
    poke: float
    link: float
    parts: float = 0.5
    """Receive chains that need not take a whole frame, where frames may be merged."""

    @staticmethod
    def draw(rng: random.Random) -> "Habits":
        """New habits."""
        pick = rng.choice
        return Habits(
            interrupts=rng.random() < 0.4,
            step=pick((100 * NS, 1 * US, 4 * US)),
            poll=pick((1.0, 0.3, 0.05)),
            refill=pick((1.0, 1.0, 0.5, 0.1, 0.02, 0.0)),
            fill=pick((1.0, 1.0, 0.5, 0.01)),
            small=pick((0.0, 0.0, 0.1, 0.9)),
            batch=pick((1, 4, 16, 40)),
            burst=pick((1, 4, 12)),
            gap=pick((12, 12, 12, 100, 2000)),
            most_pieces=pick((1, 2, 4, 16, 256)),
            indirect=pick((0.0, 0.3, 1.0)),
            torn=pick((0.0, 0.0, 0.2, 0.9)),
            late=pick((0, 0, 200 * NS, 20 * US)),
            redundant=pick((0.0, 0.1, 0.5)),
            bad=pick((0.0, 0.2, 0.8)),
            garbage=pick((0.0, 0.0, 0.1)),
            flip=pick((0.0, 0.1, 0.5)),
            poke=pick((0.0, 0.1, 0.3)),
            link=pick((0.0, 0.0, 0.02)),
        )


def surroundings(rng: random.Random) -> MemorySettings:
    """Host memory with one kind of trouble: slow and stalling, or short of bandwidth, bursts or order.

    All at once, the rest of a long frame would take longer than the checker allows a queue that was stopped
    (`tb.lockstep.ring_protocol.LONGEST`).
    """
    pick = rng.choice
    scarce = pick(("time", "time", "bandwidth", "bursts", "order"))
    if scarce == "time":
        return MemorySettings(
            read_latency=pick((0, 1, 8, 32, 150)),
            write_latency=pick((0, 1, 8, 16, 150)),
            jitter=pick((0, 0, 5, 200)),
            stall_percent=pick((0, 0, 0, 10, 60)),
            stalls={channel: pick((0, 20, 90)) for channel in rng.sample(CHANNELS, pick((0, 0, 2)))},
            seed=rng.randrange(1, 1 << 32),
        )
    return MemorySettings(
        read_latency=pick((0, 1, 8, 32)),
        write_latency=pick((0, 1, 8, 16)),
        jitter=pick((0, 5)),
        read_bandwidth=pick((8, 12.8)) if scarce == "bandwidth" else 0,
        write_bandwidth=pick((8, 12.8)) if scarce == "bandwidth" else 0,
        read_limit=pick((2, 8)) if scarce == "bursts" else 0,
        write_limit=pick((4, 8)) if scarce == "bursts" else 0,
        reorder_percent=pick((10, 40)) if scarce == "order" else 0,
        seed=rng.randrange(1, 1 << 32),
    )


def rx_capacity(rng: random.Random, small: float, longest: int, *, parts: float) -> int:
    """Length of a receive chain; one that is not small takes a whole frame, but for a share of `parts`."""
    if rng.random() < small:
        return rng.choice((1, 11, 12, 13, 72, rng.randint(1, 12 + longest)))
    if rng.random() < 0.01:
        return rng.choice((65_535, 65_536, 65_537, 131_072, 200_003))
    if parts and rng.random() < parts:
        return rng.choice((256, 512, 1024, 2048, rng.randint(200, 3000)))
    whole = 12 + longest
    return rng.choice((whole, whole, whole + 6, rng.randint(whole, whole + 4000)))


def split(rng: random.Random, length: int, most: int) -> list[int]:
    """Lengths of 1…`most` pieces that make up `length`."""
    count = min(length, rng.choice((1, min(2, most), rng.randint(1, most))))
    if rng.random() < 0.3 and count > 1 and length > 12:
        cuts = sorted({12, *rng.sample(range(1, length), count - 2)})
    else:
        cuts = sorted(rng.sample(range(1, length), count - 1))
    return [b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True)]
