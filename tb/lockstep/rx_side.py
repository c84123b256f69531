"""The golden core's receive side: which chains a frame goes to, and what they must hold when used."""

from collections import deque

from pymodel.golden.counters import Counters
from pymodel.golden.features import Features
from pymodel.golden.ring import UsedEntry
from pymodel.golden.rx_place import Landing, Part, in_used_order
from tb.lockstep.buffers import ChainRecord
from tb.lockstep.side import Side
from tb.lockstep.tally import Tally, difference


class RxSide(Side):
    """One life of the receive ring.

    What is written to a buffer before its chain is used means nothing (cut-through): it is looked at when
    the used entry comes.
    """

    def __init__(self, tally: Tally, base: int, size: int, features: Features, *, counters: Counters) -> None:
        super().__init__(tally, "RX", base, size, features, writable=True)
        self._counters = counters
        self._frames: deque[bytes] = deque()
        self._due: dict[int, tuple[UsedEntry, Part]] = {}
        """Used entries of the frame under way, by address."""
        self._last = 0
        """Address of the one that must come last."""
        self._lost = False

    def store(self, frame: bytes) -> None:
        """A good frame (DA…FCS) is in the FIFO: it must come out into the next chains."""
        self._frames.append(frame)

    def _land(self, frame: bytes, first: int = 0) -> Landing | None:
        """`frame` in the chains from number `first` on; None if there are not enough."""
        landing = Landing(frame, self.features, self.ring.size)
        for chain in list(self.chains)[first:] if first else self.chains:
            landing.add(chain)
            if landing.complete:
                return landing
        return None

    def _open(self) -> None:
        landing = self._land(self._frames[0]) if self._frames else None
        if landing is None:
            return
        self._frames.popleft()
        for _ in landing.chains:
            self.chains.popleft()
        self._lost = landing.lost
        self._counters.rx_truncated += landing.lost
        for part in in_used_order(landing.parts()):
            entry = self.ring.use(part.chain, part.used_length)
            self._due[entry.address] = entry, part
            self._last = entry.address

    def used_write(self, time: int, address: int, data: bytes, record: ChainRecord | None) -> None:
        """The NIC wrote a used entry: every byte of it must be as predicted, and of the chain's content.

        `record`: what was done to the chain that the entry gives back.
        """
        if not self._due:
            self._open()
        found = self._due.pop(address, None)
        if found is None:
            expected = next(iter(self._due.values()))[0] if self._due else None
            self.compare_used(time, expected, address, data)
            return
        entry, part = found
        if self._due and address == self._last:
            text = f"RX: the first chain's was written before {len(self._due)} others of its frame"
            self._tally.mismatch(time, "used entry", text)
        self.compare_used(time, entry, address, data)
        if record is not None and not (self._lost and self.features.mrg_rxbuf):
            self._compare_content(time, part.data, record)

    def use_failed(self, address: int) -> None:
        """The write of a used entry was answered with an error; the next one may be on its way already."""
        if not self._due:
            self._open()
        self._due.pop(address, None)

    def _compare_content(self, time: int, expected: bytes, record: ChainRecord) -> None:
        counts = self._tally.counts
        counts["payload bytes"] += len(expected)
        counts["payloads"] += 1
        missing = record.missing(len(expected))
        if missing:
            text = f"{missing} bytes of the frame were not written before use"
            self._tally.mismatch(time, "payload", text)
            return
        got = record.content(len(expected))
        if got != expected:
            text = f"buffer id {record.buffer_id}: {difference(expected, got)}"
            self._tally.mismatch(time, "payload", text, expected=expected, came=got)

    @property
    def in_flight(self) -> int:
        """Frames stored and not yet given to the driver."""
        return len(self._frames) + bool(self._due)

    @property
    def pending(self) -> int:
        """Used entries that must still come: there are chains for them."""
        pending, chain = len(self._due), 0
        for frame in self._frames:
            landing = self._land(frame, chain)
            if landing is None:
                break
            chain += len(landing.chains)
            pending += len(landing.chains)
        return pending
