"""The last stretch of what happened at the NIC's ports, kept as it came: what a failure is explained from.

It costs one append each time Python wakes up, and some megabytes. Nothing is decoded before it is asked for.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pymodel.regs import Reg

LIMIT: Final = 2 << 20
"""Bytes of records after which a new stretch begins; that one and the one before it are kept."""

_QUEUES: Final = 2
_OFTEN: Final = (Reg.QUEUE_NOTIFY, Reg.INTERRUPT_ACK)
_WRITES: Final = 4096
_POSTED: Final = 4096


class RegisterWrite(NamedTuple):
    """The driver posted a register write at `time` (ps)."""

    time: int
    offset: int
    value: int
    size: int


class Posted(NamedTuple):
    """At `time` (ps) the driver had made available all slots of `queue` before `place`.

    `place`: the slot that it fills next, and its wrap counter in bit 15 (virtio 1.2 §2.8.10).
    """

    time: int
    queue: int
    place: int


@dataclass
class _Stretch:
    began: int
    places: list[tuple[int, int] | None]
    logs: list[bytes] = field(default_factory=list)


class Recording(NamedTuple):
    """What is known of the last stretch.

    `began`: its start (ps); `places`: where the NIC was in each ring then (`RtlNic.ring_place`); `writes`: to
    registers, some of before `began`; `log`: records; `posted`: chains made available.
    """

    began: int
    places: list[tuple[int, int] | None]
    writes: list[RegisterWrite]
    log: bytes
    posted: list[Posted]


class FlightRecorder:
    """Told of everything; keeps the last of it. `now` gives the time, `place` the NIC's place in a ring."""

    def __init__(self, now: Callable[[], int], place: Callable[[int], tuple[int, int] | None]) -> None:
        self._now = now
        self._place = place
        self._size = 0
        self._before: _Stretch | None = None
        self._writes: deque[RegisterWrite] = deque(maxlen=_WRITES)
        self._posted: deque[Posted] = deque(maxlen=_POSTED)
        self._stretch = _Stretch(now(), [None] * _QUEUES)

    def log(self, log: bytes) -> None:
        """Records of the NIC's ports, which end now."""
        self._stretch.logs.append(log)
        self._size += len(log)
        if self._size > LIMIT:
            self._before = self._stretch
            self._stretch = _Stretch(self._now(), [self._place(queue) for queue in range(_QUEUES)])
            self._size = 0

    def register(self, offset: int, value: int, size: int) -> None:
        """The driver writes a register; notifies and acknowledgements are in the log alone."""
        if offset not in _OFTEN:
            self._writes.append(RegisterWrite(self._now(), offset, value, size))

    def available(self, queue: int, place: int) -> None:
        """The driver has made chains available; see `Posted`."""
        self._posted.append(Posted(self._now(), queue, place))

    def reset(self) -> None:
        """The NIC's hardware reset: to the registers as if Status 0 were written."""
        self._writes.append(RegisterWrite(self._now(), Reg.STATUS, 0, 4))

    def forget(self) -> None:
        """What was until now is somebody else's."""
        self._before, self._size = None, 0
        self._stretch = _Stretch(self._now(), [None] * _QUEUES)

    def recording(self) -> Recording:
        """What is kept now."""
        stretches = [self._stretch] if self._before is None else [self._before, self._stretch]
        log = b"".join(part for stretch in stretches for part in stretch.logs)
        first = stretches[0]
        return Recording(first.began, first.places, list(self._writes), log, list(self._posted))
