"""One queue from the moment it runs; kept when it is stopped, because transfers in flight end."""

from pymodel.simtime import US
from tb.lockstep.ring_protocol import LONGEST, QueueProtocol
from tb.lockstep.rx_side import RxSide
from tb.lockstep.suppression import EventReads
from tb.lockstep.tx_side import TxSide

AFTERLIFE = LONGEST + 4 * US
"""How long after a queue was stopped its transfers in flight may last (ps)."""


class Life:
    """The rules of the ring, the golden core's side of it, and the reads of its event suppression."""

    __slots__ = ("over", "protocol", "reads", "side")

    def __init__(self, protocol: QueueProtocol, side: TxSide | RxSide, reads: EventReads) -> None:
        self.protocol = protocol
        self.side = side
        self.reads = reads
        self.over = False
        """Its last transfer in flight has ended."""

    @property
    def running(self) -> bool:
        """It has not been stopped."""
        return self.protocol.stopped_at is None

    def is_over(self, now: int) -> bool:
        """Nothing of it can be in flight any more."""
        stopped = self.protocol.stopped_at
        return stopped is not None and (self.over or stopped + AFTERLIFE < now)

    def used_write(self, time: int, address: int, data: bytes) -> None:
        """A write to the ring."""
        record = self.protocol.used_write(time, address, data)
        self.side.used_write(time, address, data, record)
        self.reads.used(time)

    def finish(self, time: int, *, faulty: bool) -> list[str]:
        """The run has ended at `time`: report what is missing; what the golden core misses is returned."""
        self.protocol.finish(time)
        if not self.running or faulty:
            return []
        self.reads.finish(time)
        pending = self.side.pending
        return [f"{pending} chains were never used"] if pending else []
