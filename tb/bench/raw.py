"""Raw frames in batches, both ways at once, through the RTL by either attachment: the same test on both."""

import hashlib
import random
import zlib
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G
from pymodel.task import Blocking, sleep_until
from tb.rawframes import RawFrames, RawPort

BATCH: Final = 128
"""Frames of one batch, half a ring."""
SHORTEST, LONGEST = 60, 1514
"""Bytes without FCS."""
_WIRE: Final = 20
"""Bytes of wire time around a frame: preamble and gap (IEEE 802.3 §4.4.2)."""


def frames_of(seed: int, count: int, frame_bytes: int) -> list[bytes]:
    """`count` frames without FCS, of `frame_bytes` with it (0: of any length), of random content."""
    rng = random.Random(seed)
    head = bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5))
    lengths = [frame_bytes - 4 if frame_bytes else rng.randint(SHORTEST, LONGEST) for _ in range(count)]
    return [head + rng.randbytes(length - len(head)) for length in lengths]


class Exchange:
    """`size` frames at least each way through `nic`: those of `frames` (without FCS), again and again.

    `out`: what left the NIC, `arrived`: what its driver got, both in order. Run `start`, then `pump`.
    """

    def __init__(self, nic: RawPort, scheduler: Scheduler, frames: Sequence[bytes], size: int) -> None:
        self.out: list[Frame] = []
        self.arrived: list[bytes] = []
        self._frames = list(frames)
        self._wired = [frame + zlib.crc32(frame).to_bytes(4, "little") for frame in frames]
        self._size = size
        self._nic = nic
        self._scheduler = scheduler
        mean = sum(map(len, self._wired)) // len(self._wired)
        self._pause: Final = min(BATCH // 2, max(1, size // 4)) * (mean + _WIRE) * BYTE_TIME_10G
        """Between two looks at the rings (ps): half a batch."""
        self._driver = RawFrames(nic, scheduler, slack=self._pause)

    def start(self) -> Blocking[None]:
        """Bring the NIC up."""
        yield from self._driver.start()
        self._nic.set_wire_handler(self.out.append)

    @property
    def done(self) -> int:
        """Frames that have passed each way."""
        return min(len(self.out), len(self.arrived))

    def pump(self, begin: Callable[[], None], end: Callable[[], None]) -> Blocking[None]:
        """Keep both ways busy until `size` frames have passed; `begin` is called after an eighth of them."""
        begun, posted, offered = False, 0, 0
        while self.done < self._size:
            self.arrived.extend(self._driver.received())
            while self._driver.room >= BATCH:
                self._driver.send(self._batch(self._frames, posted))
                posted += BATCH
            while offered - len(self.arrived) < 2 * BATCH:
                batch = self._batch(self._wired, offered)
                self._nic.deliver_many(batch, self._scheduler.now)
                offered += BATCH
            if not begun and self.done >= self._size // 8:
                begun = True
                begin()
            yield from sleep_until(self._scheduler.now + self._pause)
        end()

    @staticmethod
    def _batch(frames: list[bytes], at: int) -> list[bytes]:
        at %= len(frames)
        return [*islice(frames, at, at + BATCH), *islice(frames, max(0, at + BATCH - len(frames)))]

    def digest(self) -> str:
        """Of the first `size` frames each way, with their order. AssertionError if one is not right."""
        count = len(self._frames)
        sent = [frame.data for frame in self.out[: self._size]]
        received = self.arrived[: self._size]
        assert all(data == self._wired[n % count] for n, data in enumerate(sent))
        assert all(data == self._frames[n % count] for n, data in enumerate(received))
        return hashlib.sha256(b"".join(sent) + b"".join(received)).hexdigest()
