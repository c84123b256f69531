"""The golden NIC's two engines, with their timing: TX chains to the wire, frames into RX chains."""

from collections import deque
from collections.abc import Callable
from typing import Final

from pymodel.golden import mac, rx, tx
from pymodel.golden.counters import Counters
from pymodel.golden.dma import Dma
from pymodel.golden.queue import DeviceQueue
from pymodel.golden.ring import Chain, RingFault
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
    """Reads the chains of one running queue and feeds the MAC, whose FIFO holds `fifo_bytes`."""

    def __init__(self, dma: Dma, tx_mac: TxMac, counters: Counters, *, mtu: int, fifo_bytes: int) -> None:
        self._dma = dma
        self._mac = tx_mac
        self._counters = counters
        self._mtu = mtu
        self._fifo_bytes = fifo_bytes
        self._reserved = 0

    def pump(self, queue: DeviceQueue, on_fault: Callable[[str], None]) -> None:
        """Start on the fetched chains, as long as the FIFO has room for their frames."""
        while queue.chains and not queue.stopped:
            chain = queue.chains[0]
            try:
                tx.check(chain)
            except RingFault as fault:
                on_fault(fault.reason)
                return
            if tx.oversize(chain, self._mtu):
                self._discard(queue, queue.take())
                continue
            room = self._fifo_bytes - self._reserved - self._mac.occupied
            if chain.length > room:
                return
            self._read(queue, queue.take())

    def _discard(self, queue: DeviceQueue, chain: Chain) -> None:
        """An oversize frame: only its first bytes are read, which keeps the used entries in order."""
        address, length = chain.descriptors[0]

        def done(_: bytes) -> None:
            if not queue.stopped:
                self._counters.tx_oversize += 1
                queue.give_back(chain, 0)

        self._dma.read(address, min(length, NET_HDR_BYTES), done)

    def _read(self, queue: DeviceQueue, chain: Chain) -> None:
        self._reserved += chain.length
        pieces: list[bytes] = []
        missing = len(chain.descriptors)

        def done(piece: bytes) -> None:
            nonlocal missing
            if queue.stopped:
                return
            pieces.append(piece)
            missing -= 1
            if missing == 0:
                self._reserved -= chain.length
                self._mac.send(tx.wire_frame(b"".join(pieces)))
                queue.give_back(chain, 0)

        for address, length in chain.descriptors:
            self._dma.read(address, length, done)

    def flush(self) -> None:
        """The queue was stopped: nothing that was being read comes any more."""
        self._reserved = 0


class RxEngine:
    """A FIFO of `fifo_bytes` for good frames, and the writer that moves them into RX chains."""

    def __init__(self, dma: Dma, counters: Counters, *, fifo_bytes: int) -> None:
        self._dma = dma
        self._counters = counters
        self._fifo_bytes = fifo_bytes
        self._frames: deque[bytes] = deque()
        self._occupied = 0

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
            self._write(queue, queue.take(), self._frames.popleft())

    def _write(self, queue: DeviceQueue, chain: Chain, frame: bytes) -> None:
        placement = rx.place(chain, frame)
        if placement.truncated:
            self._counters.rx_truncated += 1

        def done() -> None:
            if not queue.stopped:
                self._occupied -= len(frame) - mac.FCS_SIZE
                queue.give_back(chain, placement.used_length)

        for address, piece in placement.writes[:-1]:
            self._dma.write(address, piece)
        address, piece = placement.writes[-1]
        self._dma.write(address, piece, done)

    def flush(self) -> None:
        """The queue was stopped: frames that had not been stored in host memory are dropped."""
        self._frames.clear()
        self._occupied = 0
