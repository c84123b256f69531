"""The golden core's transmit side: each chain's frames and used entry, from what the NIC has read."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from pymodel.golden import tx
from pymodel.golden.counters import Counters
from pymodel.golden.features import Features
from pymodel.golden.ring import Chain, UsedEntry
from tb.lockstep.buffers import ChainRecord
from tb.lockstep.side import Side
from tb.lockstep.tally import Tally
from tb.lockstep.wire_side import WireSide

Memory = Callable[[int, int], bytes]
"""(address, length) → what the NIC read there last."""


@dataclass(slots=True)
class _Work:
    """A chain under way. `sent`: how many of its frames were given to the wire side."""

    chain: Chain
    job: tx.Job
    frames: Iterator[bytes]
    sent: int = 0


@dataclass(slots=True)
class _Due:
    """A used entry that must come; `counter`: what the chain is counted under; `sends`: it was read whole."""

    entry: UsedEntry
    counter: str | None
    sends: bool


class TxSide(Side):
    """One life of the transmit ring. `memory` gives what the NIC read; frames go to `wire`.

    Frames are worked out one by one as they appear: the NIC may send the first segments of a chain before
    it has read the last.
    """

    def __init__(
        self,
        tally: Tally,
        base: int,
        size: int,
        features: Features,
        *,
        mtu: int,
        counters: Counters,
        memory: Memory,
        wire: WireSide,
    ) -> None:
        super().__init__(tally, "TX", base, size, features, writable=False)
        self._mtu = mtu
        self._counters = counters
        self._memory = memory
        self._wire = wire
        self._work: _Work | None = None
        self._due: deque[_Due] = deque()

    def check(self, chain: Chain) -> None:
        """A chain too short for the headers is refused."""
        tx.check(chain)

    def advance(self) -> bool:
        """Work out the next frame, or find that a chain has no more; False when there is nothing to do."""
        work = self._work
        if work is None:
            if not self.chains:
                return False
            chain = self.chains.popleft()
            job = self._execute(chain)
            work = self._work = _Work(chain, job, job.frames)
        frame = next(work.frames, None)
        if frame is None:
            self._due.append(_Due(self.ring.use(work.chain, 0), work.job.counter, work.job.sends))
            self._work = None
        else:
            work.sent += 1
            self._wire.expect(frame, plain=work.job.plain)
        return True

    def _execute(self, chain: Chain) -> tx.Job:
        return tx.execute(self._reader(chain), chain.length, self.features, self._mtu)

    def _reader(self, chain: Chain) -> Callable[[int, int], bytes]:
        def read(at: int, size: int) -> bytes:
            parts = []
            for address, length in chain.descriptors:
                if size <= 0:
                    break
                if at < length:
                    piece = self._memory(address + at, min(size, length - at))
                    parts.append(piece)
                    size -= len(piece)
                    at = 0
                else:
                    at -= length
            return b"".join(parts)

        return read

    def abandon(self) -> int:
        """The ring was stopped: what is under way may still be sent and used, or not.

        How many chains that is: each may have been counted or not, and is not counted here any more. To be
        called again when more chains become known.
        """
        uncounted = sum(due.counter is not None for due in self._due)
        work, self._work = self._work, None
        waiting = [(chain, 0) for chain in self.chains]
        self.chains.clear()
        if work is not None:
            waiting.insert(0, (work.chain, work.sent))
        for due in self._due:
            due.counter = None
        for chain, sent in waiting:
            self._wire.allow(lambda c=chain, n=sent: list(islice(self._execute(c).frames, n, None)))  # type: ignore[misc]
            self._due.append(_Due(self.ring.use(chain, 0), None, sends=False))
        return uncounted + len(waiting)

    def used_write(self, time: int, address: int, data: bytes, record: ChainRecord | None) -> None:
        """The NIC wrote a used entry: every byte of it must be as predicted, and what is sent read before.

        `record`: what was done to the chain that the entry gives back.
        """
        while not self._due and self.advance():
            pass
        due = self._due.popleft() if self._due else None
        self.compare_used(time, due.entry if due else None, address, data)
        if due is None:
            return
        if due.counter is not None:
            self._counters.count(due.counter)
        if due.sends and record is not None:
            self._check_read(time, record)

    def use_failed(self, address: int) -> None:
        """The write of a used entry was answered with an error; the next one may be on its way already."""
        while not self._due and self.advance():
            pass
        if self._due and self._due[0].entry.address == address:
            counter = self._due.popleft().counter
            if counter is not None:
                self._counters.count(counter)

    def _check_read(self, time: int, record: ChainRecord) -> None:
        length = record.length
        missing = record.missing(length)
        if missing:
            text = f"TX: buffer id {record.buffer_id} is used with {length - missing} of {length} bytes read"
            self._tally.mismatch(time, "used before payload", text)

    @property
    def pending(self) -> int:
        """Used entries that are still due."""
        return len(self.chains) + len(self._due) + (self._work is not None)

    @property
    def undecided(self) -> int:
        """Chains that are known only in part: one that is too long may be counted already."""
        return self.fetching + self.ring.inside_chain
