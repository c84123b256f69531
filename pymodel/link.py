"""A cable between two wire ports, with what a real network does to frames: seeded and deterministic.

A frame that one port has sent whole starts at the other after `delay`, or as soon as that port's wire is
free: frames never overlap and keep the gap of IEEE 802.3 §4A.4.2. Each direction draws from a random
generator of its own, the same number of draws for each frame, so one frame's fate does not depend on
which impairments are on, nor on the traffic in the other direction.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pymodel.ports import Frame, WirePort
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G, US

GAP: Final = 12 * BYTE_TIME_10G
"""Least time between two frames (interPacketGap, 96 bits)."""

MAX_FLIPS: Final = 3
"""Bits flipped in a corrupted frame, at most: CRC-32 finds up to 3 in every frame of Ethernet's lengths."""


class Direction(Enum):
    """Which way a frame goes."""

    A_TO_B = "a->b"
    B_TO_A = "b->a"


@dataclass(frozen=True, slots=True)
class Impairments:
    """Probabilities (0…1) for each frame, independent of each other.

    `loss`: it vanishes; `duplicate`: it comes twice; `corrupt`: 1…3 of its bits are flipped, so that its
    FCS fails; `reorder`: it is held back by `reorder_delay` ps while later frames pass. A ValueError for
    a probability out of range.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    reorder_delay: int = 50 * US

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "corrupt", "reorder"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name}={value}, a probability 0..1 expected")
        if self.reorder_delay < 0:
            raise ValueError(f"reorder_delay={self.reorder_delay} ps is negative")


@dataclass(slots=True)
class LinkCounters:
    """Frames of one direction: sent + duplicated = delivered + lost + unplugged + those on their way.

    `reordered` and `corrupted` count frames that were sent so treated (and not lost).
    """

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    corrupted: int = 0
    reordered: int = 0
    unplugged: int = 0


class _Way:
    """One direction of a link."""

    def __init__(
        self, link: "Link", direction: Direction, to: WirePort, scheduler: Scheduler, seed: int
    ) -> None:
        self.counters = LinkCounters()
        self._scheduler = scheduler
        self._link = link
        self._direction = direction
        self._to = to
        self._random = random.Random(f"{seed} {direction.value}")
        self._free_at = 0

    def take(self, frame: Frame) -> None:
        """`frame` was sent whole."""
        link = self._link
        counters = self.counters
        counters.sent += 1
        if link.on_frame is not None:
            link.on_frame(self._direction, frame)
        if not link.up:
            counters.unplugged += 1
            return
        impairments = link.impairments
        if impairments is None:
            self._send_on(frame, 0)
            return
        draw = self._random.random
        lost, twice, corrupt, late = draw(), draw(), draw(), draw()
        flips = random.Random(self._random.getrandbits(64))
        if lost < impairments.loss:
            counters.lost += 1
            return
        if corrupt < impairments.corrupt:
            counters.corrupted += 1
            frame = frame._replace(data=_flip(frame.data, flips))
        hold = 0
        if late < impairments.reorder:
            counters.reordered += 1
            hold = impairments.reorder_delay
        self._send_on(frame, hold)
        if twice < impairments.duplicate:
            counters.duplicated += 1
            self._send_on(frame, hold)

    def _send_on(self, frame: Frame, hold: int) -> None:
        self._scheduler.at(frame.end + self._link.delay + hold, lambda: self._arrive(frame))

    def _arrive(self, frame: Frame) -> None:
        link = self._link
        if not link.up:
            self.counters.unplugged += 1
            return
        start = self._scheduler.now
        if start < self._free_at:
            start = self._free_at
        end = start + frame.end - frame.start
        self._free_at = end + GAP
        self.counters.delivered += 1
        arrived = Frame(frame.data, start, end, frame.error)
        if link.on_deliver is not None:
            link.on_deliver(self._direction, arrived)
        self._to.deliver(arrived)


def _flip(data: bytes, generator: random.Random) -> bytes:
    flipped = bytearray(data)
    bits = 8 * len(data)
    for bit in generator.sample(range(bits), min(bits, generator.randint(1, MAX_FLIPS))):
        flipped[bit >> 3] ^= 1 << (bit & 7)
    return bytes(flipped)


class Link:
    """Joins ports `a` and `b`. `delay`: ps from a frame's end at one port to its start at the other.

    `impairments` may be replaced at any time (None: a perfect cable). Two taps, None or a callable:
    `on_frame(direction, frame)` sees each frame as it was sent, at its end; `on_deliver(direction,
    frame)` each frame as it will arrive, with its times at the receiver. `far`: the queue of what arrives at
    `b`, if that is another than `scheduler`; one clock for both.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        a: WirePort,
        b: WirePort,
        *,
        delay: int = 1 * US,
        impairments: Impairments | None = None,
        seed: int = 0,
        far: Scheduler | None = None,
    ) -> None:
        if delay < 0:
            raise ValueError(f"delay={delay} ps is negative")
        self.scheduler = scheduler
        self.delay = delay
        self.impairments = impairments
        self.up = True
        self.on_frame: Callable[[Direction, Frame], None] | None = None
        self.on_deliver: Callable[[Direction, Frame], None] | None = None
        self._ports = (a, b)
        self._ways = {
            Direction.A_TO_B: _Way(self, Direction.A_TO_B, b, far or scheduler, seed),
            Direction.B_TO_A: _Way(self, Direction.B_TO_A, a, scheduler, seed),
        }
        a.set_wire_handler(self._ways[Direction.A_TO_B].take)
        b.set_wire_handler(self._ways[Direction.B_TO_A].take)

    def counters(self, direction: Direction) -> LinkCounters:
        """What happened to the frames of one direction."""
        return self._ways[direction].counters

    def plug(self, up: bool) -> None:
        """Plug the cable in or pull it: both ports see it, frames on their way are lost."""
        self.up = up
        for port in self._ports:
            port.set_link(up)
