"""The golden NIC's two engines, with their timing: TX chains to the wire, frames into RX chains."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from pymodel.golden import mac, tx, tx_tso
from pymodel.golden.counters import Counters
from pymodel.golden.features import Features
from pymodel.golden.queue import DeviceQueue
from pymodel.golden.ring import Chain, RingFault
from pymodel.golden.rx_place import Landing, Part, in_used_order
from pymodel.golden.tx import Job
from pymodel.ports import Frame
from pymodel.regs import NET_HDR_BYTES
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G

_GAP: Final = mac.GAP_SIZE * BYTE_TIME_10G

_BURST: Final = 4096
"""Bytes of one read at most: AXI4's limit."""
_DECISION: Final = NET_HDR_BYTES + tx_tso.HEADERS_MAX
"""With so many bytes of a chain it is known what is to be done."""


class TxMac:
    """Puts frames on the wire one after the other; `on_sent(frame)` at the end of each."""

    def __init__(self, scheduler: Scheduler, on_sent: Callable[[Frame], None]) -> None:
        self.occupied = 0
        """Bytes accepted and not yet sent."""
        self._scheduler = scheduler
        self._on_sent = on_sent
        self._queue: deque[bytes] = deque()
        self.busy = False
        """A frame is on the wire."""
        self._free_at = 0
        self._epoch = 0

    def send(self, data: bytes) -> None:
        """Queue a frame (DA…FCS)."""
        self.occupied += len(data)
        self._queue.append(data)
        if not self.busy:
            self._start()

    def _start(self) -> None:
        data = self._queue.popleft()
        self.busy = True
        start = max(self._scheduler.now, self._free_at)
        frame = Frame(data, start, start + mac.duration(len(data)))
        self._free_at = frame.end + _GAP
        epoch = self._epoch

        def ended() -> None:
            if epoch != self._epoch:
                return
            self.busy = False
            self.occupied -= len(data)
            if self._queue:
                self._start()
            self._on_sent(frame)

        self._scheduler.at(frame.end, ended)

    def flush(self) -> None:
        """Device reset: frames not yet begun are dropped; the one on the wire is sent whole."""
        self.occupied -= sum(map(len, self._queue))
        self._queue.clear()

    def abandon(self) -> None:
        """Hardware reset: the frame on the wire breaks off, too."""
        self._epoch += 1
        self._queue.clear()
        self.occupied = 0
        self.busy = False


class _Transfer:
    """A chain on its way through the TX engine: what is still to be read, and what was."""

    def __init__(self, chain: Chain, most: int) -> None:
        self.chain = chain
        self.plan = deque(_pieces(chain, most))
        self.data = bytearray()
        self.whole = sum(length for _, length in self.plan)
        self.job: Job | None = None
        self.held = 0
        """Bytes for which the FIFO keeps room."""
        self._frames = 0

    def read(self, at: int, size: int) -> bytes:
        """Bytes of the chain that are there."""
        with memoryview(self.data) as data:
            return data[at : at + size].tobytes()

    def decide(self, features: Features, mtu: int) -> bool:
        """Find out what is to be done, as soon as the headers are there. True: just now."""
        if self.job is not None or len(self.data) < min(self.whole, _DECISION):
            return False
        self.job = tx.execute(self.read, self.chain.length, features, mtu)
        return True

    def frames(self) -> list[bytes]:
        """Those frames that can be made by now, and were not."""
        job = self.job
        if job is None:
            return []
        if len(self.data) == self.whole:
            return list(job.frames)
        count = 0
        if job.step and len(self.data) >= job.first:
            count = (len(self.data) - job.first) // job.step + 1 - self._frames
            self._frames += count
        return list(islice(job.frames, count))


class TxEngine:
    """Reads the chains of one running queue and feeds the MAC, whose FIFO holds `fifo_bytes`.

    A frame is read whole before it is sent, a super-frame as far as its next segment; beyond that as far as
    the FIFO has room.
    """

    def __init__(self, tx_mac: TxMac, counters: Counters, *, fifo_bytes: int) -> None:
        self._mac = tx_mac
        self._counters = counters
        self._fifo_bytes = fifo_bytes
        self._reserved = 0  # bytes that are being read, or were and are in no frame yet
        self._reading = 0
        self._transfer: _Transfer | None = None  # the one that is not all asked for

    def pump(self, queue: DeviceQueue, mtu: int) -> None:
        """Read the fetched chains, as far as the FIFO has room."""
        while not queue.stopped:
            transfer = self._transfer
            if transfer is None:
                if not queue.chains:
                    return
                try:
                    tx.check(queue.chains[0])
                except RingFault as fault:
                    queue.fault(fault.reason)
                    return
                most = NET_HDR_BYTES + tx.longest(queue.features, mtu)
                transfer = self._transfer = _Transfer(queue.take(), most)
            while transfer.plan:
                if not self._room(transfer.plan[0][1]):
                    return
                self._read(queue, transfer, mtu)
            self._transfer = None

    def _room(self, length: int) -> bool:
        """For `length` bytes more: in the FIFO, or because nothing else will ever make room."""
        if self._reserved + self._mac.occupied + length <= self._fifo_bytes:
            return True
        return not self._mac.occupied and not self._reading

    def _read(self, queue: DeviceQueue, transfer: _Transfer, mtu: int) -> None:
        address, length = transfer.plan.popleft()
        self._reserved += length
        transfer.held += length
        self._reading += 1
        last = not transfer.plan

        def done(piece: bytes) -> None:
            if queue.stopped:
                return
            self._reading -= 1
            transfer.data += piece
            if transfer.decide(queue.features, mtu) and transfer.job is not None and transfer.job.counter:
                self._counters.count(transfer.job.counter)
            frames = transfer.frames()
            for frame in frames:
                self._mac.send(frame)
            step = 0 if transfer.job is None else transfer.job.step
            freed = transfer.held if last else min(len(frames) * step, transfer.held)
            transfer.held -= freed
            self._reserved -= freed
            if last:
                queue.give_back([(transfer.chain, 0)])
            self.pump(queue, mtu)  # what is not sent makes room now, and nothing else will say so

        queue.dma.read(address, length, done)

    def flush(self) -> None:
        """The queue was stopped: nothing that was being read comes any more."""
        self._reserved = self._reading = 0
        self._transfer = None


def _pieces(chain: Chain, most: int) -> Iterator[tuple[int, int]]:
    """(address, length) of reads of the first `most` bytes of `chain`: beyond, nothing is of any use."""
    for address, length in chain.descriptors:
        end = address + min(length, most)
        most -= min(length, most)
        while address < end:
            size = min(end - address, _BURST)
            yield address, size
            address += size


class RxEngine:
    """A FIFO of `fifo_bytes` for good frames, and the writer that moves them into RX chains."""

    def __init__(self, counters: Counters, *, fifo_bytes: int) -> None:
        self._counters = counters
        self._fifo_bytes = fifo_bytes
        self._frames: deque[bytes] = deque()
        self._occupied = 0
        self._landing: Landing | None = None

    def has_room(self, frame: bytes) -> bool:
        """Does `frame` (DA…FCS) fit in the FIFO now?"""
        return self._occupied + len(frame) - mac.FCS_SIZE <= self._fifo_bytes

    def store(self, frame: bytes) -> None:
        """Take a good frame; call `pump` next."""
        self._occupied += len(frame) - mac.FCS_SIZE
        self._frames.append(frame)

    def pump(self, queue: DeviceQueue) -> None:
        """Move frames into chains while there are both."""
        while self._frames and queue.chains and not queue.stopped:
            landing = self._landing
            if landing is None:
                landing = self._landing = Landing(self._frames[0], queue.features, queue.ring.size)
            landing.add(queue.take())
            if landing.complete:
                self._landing = None
                self._write(queue, landing, self._frames.popleft())

    def _write(self, queue: DeviceQueue, landing: Landing, frame: bytes) -> None:
        parts = landing.parts()
        if landing.lost:
            self._counters.rx_truncated += 1
        writes = [piece for part in parts for piece in _writes(part)]

        def done() -> None:
            if not queue.stopped:
                self._occupied -= len(frame) - mac.FCS_SIZE
                queue.give_back([(part.chain, part.used_length) for part in in_used_order(parts)])

        for address, piece in writes[:-1]:
            queue.dma.write(address, piece)
        address, piece = writes[-1]
        queue.dma.write(address, piece, done)

    def flush(self) -> None:
        """The queue was stopped: frames that had not been stored in host memory are dropped."""
        self._frames.clear()
        self._occupied = 0
        self._landing = None


def _writes(part: Part) -> list[tuple[int, bytes]]:
    """(address, bytes) of what goes into each buffer of a chain."""
    writes = []
    at = 0
    for address, length in part.chain.descriptors:
        if at == len(part.data):
            break
        piece = part.data[at : at + length]
        writes.append((address, piece))
        at += len(piece)
    return writes
