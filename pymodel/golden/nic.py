"""The golden NIC as a device: both seams of `pymodel.ports` on the functional core, with a timing.

The contract is in docs/device.md. Its timing is plausible, not the RTL's: MMIO takes some cycles,
DMA a fixed latency, the wire exactly its 10 Gb/s.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from pymodel.golden import mac as ethernet
from pymodel.golden.counters import Counters
from pymodel.golden.dma import Channel, Dma
from pymodel.golden.engines import RxEngine, TxEngine, TxMac
from pymodel.golden.observer import Observer
from pymodel.golden.queue import DeviceQueue
from pymodel.golden.registers import QUEUES, Registers
from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.regs import FEATURES_OFFERED, NET_HDR_BYTES, Queue, RxStatus
from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE

MMIO_LATENCY: Final = 8 * CYCLE
DMA_LATENCY: Final = 48 * CYCLE
RX_DECISION_LATENCY: Final = 4 * CYCLE
FIFO_BYTES: Final = 32768


class GoldenNic:
    """`DevicePort` and `WirePort` of one NIC.

    `mac`: its address; `mtu`: greatest payload of a frame in bytes after the hardware reset; `queue_num_max`:
    greatest ring size; `offered`: its feature bits;
    `dma_latency`: ps from a request to its first data; `rx_fifo_bytes`, `tx_fifo_bytes`: capacities.
    `counters` shows the statistics; `faults` why the device asked for a reset, in words.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        memory: HostMemory,
        *,
        mac: bytes = b"\x02\0\0\0\0\1",
        mtu: int = 1500,
        queue_num_max: int = 256,
        offered: int = FEATURES_OFFERED,
        dma_latency: int = DMA_LATENCY,
        rx_fifo_bytes: int = FIFO_BYTES,
        tx_fifo_bytes: int = FIFO_BYTES,
    ) -> None:
        longest = ethernet.max_frame(mtu) + NET_HDR_BYTES
        if longest > min(rx_fifo_bytes, tx_fifo_bytes):
            raise ValueError(f"a FIFO is too small for one frame: {longest} bytes with mtu={mtu}")
        self.memory = memory
        self.counters = Counters()
        self.registers = Registers(
            self, self.counters, mac=mac, mtu=mtu, queue_num_max=queue_num_max, offered=offered
        )
        self.faults: list[str] = []
        self._scheduler = scheduler
        self._observer: Observer | None = None
        self._dma = Dma(
            scheduler,
            memory,
            latency=dma_latency,
            on_error=lambda: self._fault("DMA transfer answered with an error"),
        )
        self._tx_mac = TxMac(scheduler, self._sent)
        self._tx = TxEngine(self._tx_mac, self.counters, fifo_bytes=tx_fifo_bytes)
        self._rx = RxEngine(self.counters, fifo_bytes=rx_fifo_bytes)
        self._channels = [Channel(self._dma) for _ in range(QUEUES)]
        self._queues: list[DeviceQueue | None] = [None] * QUEUES
        self._used = [0] * QUEUES
        """Of each queue that was stopped: the slots that were used."""
        self._interrupt_handler: Callable[[bool], None] | None = None
        self._wire_handler: Callable[[Frame], None] | None = None
        self._epoch = 0
        self._reaction = 2 * dma_latency + ethernet.duration(ethernet.MIN_FRAME)

    def observe(self, observer: Observer | None) -> None:
        """Tell `observer` what happens at the device from now on."""
        self._observer = observer
        self._dma.observer = observer

    def ring_used(self, queue: int) -> int:
        """Slots of `queue`'s ring that were given back since it was started last."""
        running = self._queues[queue]
        return self._used[queue] if running is None else running.given_back

    @property
    def reaction(self) -> int:
        """How much time (ps) passes at least from any event to the end of a frame that it makes the NIC send.

        It takes a descriptor, its buffer, and the shortest frame's time; 0 unless the transmitter is at rest.
        """
        if self._tx_mac.busy or self._channels[Queue.TX].inflight:
            return 0
        return self._reaction

    # ------------------------------------------------------------------ DevicePort

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """Post a register write; it takes effect after `MMIO_LATENCY`."""
        epoch = self._epoch

        def arrive() -> None:
            if epoch != self._epoch:
                return
            if self._observer is not None:
                self._observer.mmio_write(offset, value, size)
            self.registers.write(offset, value, size)

        self._scheduler.after(MMIO_LATENCY, arrive)

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        """Read a register: sampled after `MMIO_LATENCY`, answered after twice that."""

        def arrive() -> None:
            value = self.registers.read(offset, size)
            # A write may arrive before the answer does: the order in which they took effect is told.
            if self._observer is not None:
                self._observer.mmio_read(offset, size, value)
            self._scheduler.after(MMIO_LATENCY, lambda: done(value))

        self._scheduler.after(MMIO_LATENCY, arrive)

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        """`handler(level)` at each change of the interrupt line."""
        self._interrupt_handler = handler

    def reset(self) -> None:
        """Hardware reset, at once: posted writes, transfers and frames on their way are lost."""
        self._epoch += 1
        self._dma.abandon()
        self._channels = [Channel(self._dma) for _ in range(QUEUES)]
        self._tx_mac.abandon()
        for queue in range(QUEUES):
            self._stop(queue)
        self.counters.clear()
        self.faults.clear()
        if self._observer is not None:
            self._observer.reset()
        self.registers.hard_reset()

    # ------------------------------------------------------------------ WirePort

    def deliver(self, frame: Frame) -> None:
        """A frame arrives; the MAC decides on it shortly after its end."""
        epoch = self._epoch

        def decide() -> None:
            if epoch == self._epoch:
                self._received(frame)

        self._scheduler.at(frame.end + RX_DECISION_LATENCY, decide)

    def set_wire_handler(self, handler: Callable[[Frame], None]) -> None:
        """`handler(frame)` for each frame sent, at its end."""
        self._wire_handler = handler

    def set_link(self, up: bool) -> None:
        """The cable is plugged in or pulled: config space shows it. The MAC sends in either case."""
        if self._observer is not None:
            self._observer.link(up)
        self.registers.set_link(up)

    # ------------------------------------------------------------------ Listener of the registers

    def kick(self, queue: int) -> None:
        """The driver notified a queue that runs."""
        running = self._queues[queue]
        if running is not None:
            running.kick()

    def queue_changed(self, queue: int) -> None:
        """Start or stop a queue as the registers say."""
        runs = self.registers.runs(queue)
        if runs and self._queues[queue] is None:
            self._start(queue)
        elif not runs:
            self._stop(queue)
            if self._channels[queue].inflight:
                self._channels[queue].on_idle = partial(self._queue_idle, queue)
            else:
                self._queue_idle(queue)

    def device_reset(self) -> None:
        """Status 0 was written: everything stops, and Status reads 0 when the last transfer has ended."""
        for queue in range(QUEUES):
            self._stop(queue)
        self._tx_mac.flush()
        self.faults.clear()
        if self._dma.inflight:
            self._dma.on_idle = self.registers.finish_reset
        else:
            self.registers.finish_reset()

    def interrupt_changed(self, level: bool) -> None:
        """The interrupt line went to `level`."""
        if self._observer is not None:
            self._observer.irq(level)
        if self._interrupt_handler is not None:
            self._interrupt_handler(level)

    # ------------------------------------------------------------------ inside

    def _start(self, index: int) -> None:
        is_rx = index == Queue.RX
        queue = DeviceQueue(
            self._channels[index],
            self.registers.queues[index],
            self.registers.features,
            writable=is_rx,
            on_chain=self._pump_rx if is_rx else self._pump_tx,
            on_interrupt=self.registers.used_buffer,
            on_fault=self._fault,
        )
        self._queues[index] = queue

    def _stop(self, index: int) -> None:
        queue = self._queues[index]
        self._queues[index] = None
        if queue is None:
            return
        queue.stop()
        self._used[index] = queue.given_back
        if index == Queue.RX:
            self._rx.flush()
        else:
            self._tx.flush()

    def _pump_tx(self) -> None:
        queue = self._queues[Queue.TX]
        if queue is not None:
            self._tx.pump(queue, self.registers.mtu)

    def _pump_rx(self) -> None:
        queue = self._queues[Queue.RX]
        if queue is not None:
            self._rx.pump(queue)

    def _fault(self, reason: str) -> None:
        self.faults.append(reason)
        self.registers.needs_reset()

    def _queue_idle(self, queue: int) -> None:
        """`queue` has no transfer in flight: that ends its reset, if it is being reset."""
        if self._queues[queue] is None:
            self.registers.finish_queue_reset(queue)

    def _sent(self, frame: Frame) -> None:
        self.counters.sent(frame.data)
        if self._observer is not None:
            self._observer.wire_out(frame)
        if self._wire_handler is not None:
            self._wire_handler(frame)
        self._pump_tx()

    def _received(self, frame: Frame) -> None:
        status = ethernet.inspect(frame, self.registers.mtu)
        if status == RxStatus.STORED:
            if not self.registers.runs(Queue.RX):
                status = RxStatus.DISABLED
            elif not self._rx.has_room(frame.data):
                status = RxStatus.OVERFLOW
        wrong = status != RxStatus.STORED and ethernet.fcs_wrong(frame.data)
        self.counters.received(status, frame.data, fcs_wrong=wrong)
        if self._observer is not None:
            self._observer.wire_in(frame)
            self._observer.rx_decision(status)
        if status == RxStatus.STORED:
            self._rx.store(frame.data)
            self._pump_rx()
