"""When what the program wrote was sent and acknowledged (SO_TIMESTAMPING's transmit time stamps).

A stamp belongs to the last byte of a call, as in Linux: it is reported when the packet with that byte is
handed to the device (twice: scheduled, sent), again when it is retransmitted, and when the peer has
acknowledged it.
"""

from collections.abc import Callable
from typing import Final

from pymodel.tcp.seq import HALF, MASK

SENT: Final = 0
SCHEDULED: Final = 1
ACKNOWLEDGED: Final = 2
"""SCM_TSTAMP_SND, SCM_TSTAMP_SCHED, SCM_TSTAMP_ACK."""

TX_HARDWARE: Final = 0x1
TX_SOFTWARE: Final = 0x2
TX_SCHED: Final = 0x100
TX_ACK: Final = 0x200
RECORDED: Final = TX_HARDWARE | TX_SOFTWARE | TX_SCHED | TX_ACK
"""SOF_TIMESTAMPING_TX_*: what a call asks for."""

Report = Callable[[int, int], None]
"""(SENT, SCHEDULED or ACKNOWLEDGED; sequence number of the byte)."""


class Stamps:
    """The stamps of one connection that are still to come."""

    __slots__ = ("_wanted", "report")

    def __init__(self) -> None:
        self._wanted: list[tuple[int, int]] = []
        self.report: Report | None = None

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def add(self, key: int, flags: int, packet: int) -> None:
        """Stamp byte `key`, instead of one before it in the same packet, which begins at `packet`."""
        while self._wanted and (self._wanted[-1][0] - packet) & MASK < HALF:
            self._wanted.pop()
        self._wanted.append((key, flags))

    def transmitted(self, seq: int, n: int) -> None:
        """`n` bytes from `seq` leave."""
        for key, flags in self._wanted:
            if (key - seq) & MASK < n:
                self._tell(flags, TX_SCHED, SCHEDULED, key)
                self._tell(flags, TX_SOFTWARE, SENT, key)

    def acknowledged(self, una: int) -> None:
        """Everything before `una` has arrived."""
        while self._wanted and (una - 1 - self._wanted[0][0]) & MASK < HALF:
            key, flags = self._wanted.pop(0)
            self._tell(flags, TX_ACK, ACKNOWLEDGED, key)

    def _tell(self, flags: int, wanted: int, kind: int, key: int) -> None:
        if flags & wanted and self.report is not None:
            self.report(kind, key)
