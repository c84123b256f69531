"""The golden NIC's two engines, with their timing: TX chains to the wire, frames into RX chains."""

from collections import deque
from collections.abc import Callable
from typing import Final

from pymodel.golden import mac, tx, tx_tso
from pymodel.golden.counters import Counters
from pymodel.golden.queue import DeviceQueue
from pymodel.golden.ring import Chain, RingFault
from pymodel.golden.rx_place import Landing, Part, in_used_order
from pymodel.ports import Frame
from pymodel.regs import NET_HDR_BYTES
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G

_GAP: Final = mac.GAP_SIZE * BYTE_TIME_10G


class TxMac:
    """Puts frames on the wire one after the other; `on_sent(frame)` at the end of each."""

    def __init__(self, scheduler: Scheduler, on_sent: Callable[[Frame], None]) -> None:
        self.occupied = 0
        """Bytes accepted and not yet sent."""
        self._scheduler = scheduler
        self._on_sent = on_sent
        self._queue: deque[bytes] = deque()
        self._busy = False
        self._free_at = 0
        self._epoch = 0

    def send(self, data: bytes) -> None:
        """Queue a frame (DA…FCS)."""
        self.occupied += len(data)
        self._queue.append(data)
        if not self._busy:
            self._start()

    def _start(self) -> None:
        data = self._queue.popleft()
        self._busy = True
        start = max(self._scheduler.now, self._free_at)
        frame = Frame(data, start, start + mac.duration(len(data)))
        self._free_at = frame.end + _GAP
        epoch = self._epoch

        def ended() -> None:
            if epoch != self._epoch:
                return
            self._busy = False
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
        self._busy = False


class TxEngine:
    """Reads the chains of one running queue and feeds the MAC, whose FIFO holds `fifo_bytes`.

    A chain is read whole before anything of it is sent. One that is larger than the FIFO goes alone.
    """

    def __init__(self, tx_mac: TxMac, counters: Counters, *, fifo_bytes: int) -> None:
        self._mac = tx_mac
        self._counters = counters
        self._fifo_bytes = fifo_bytes
        self._reserved = 0

    def pump(self, queue: DeviceQueue, mtu: int) -> None:
        """Start on the fetched chains, as long as the FIFO has room for their frames."""
        while queue.chains and not queue.stopped:
            chain = queue.chains[0]
            try:
                tx.check(chain)
            except RingFault as fault:
                queue.fault(fault.reason)
                return
            reserve = min(chain.length, self._fifo_bytes)
            if self._reserved + self._mac.occupied + reserve > self._fifo_bytes:
                return
            self._read(queue, queue.take(), reserve, mtu)

    def _read(self, queue: DeviceQueue, chain: Chain, reserve: int, mtu: int) -> None:
        self._reserved += reserve
        pieces: list[bytes] = []
        longest = tx_tso.LONGEST if queue.features.tso4 else mac.max_frame(mtu)
        plan = _pieces(chain, NET_HDR_BYTES + longest)

        def done(piece: bytes) -> None:
            if queue.stopped:
                return
            pieces.append(piece)
            if len(pieces) == len(plan):
                self._reserved -= reserve
                self._send(queue, chain, b"".join(pieces), mtu)
                self.pump(queue, mtu)  # what is not sent makes room now, and nothing else will say so

        for address, length in plan:
            queue.dma.read(address, length, done)

    def _send(self, queue: DeviceQueue, chain: Chain, data: bytes, mtu: int) -> None:
        job = tx.execute(lambda at, size: data[at : at + size], chain.length, queue.features, mtu)
        if job.counter is not None:
            self._counters.count(job.counter)
        for frame in job.frames:
            self._mac.send(frame)
        queue.give_back([(chain, 0)])

    def flush(self) -> None:
        """The queue was stopped: nothing that was being read comes any more."""
        self._reserved = 0


def _pieces(chain: Chain, most: int) -> list[tuple[int, int]]:
    """(address, length) of the first `most` bytes of `chain`: of a longer frame the rest is of no use."""
    pieces = []
    for address, length in chain.descriptors:
        if most <= 0:
            break
        pieces.append((address, min(length, most)))
        most -= length
    return pieces


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
