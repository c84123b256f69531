"""`VirtioNetDevice`: the virtio-net driver (virtio 1.2 §5.1) over virtio-mmio version 2 and packed rings.

Below it is a `DevicePort`, above it the stack's view, `NetDevice`. Hot paths do not block: `start_xmit`
writes descriptors and posts the doorbell, interrupts and register reads come as callbacks.

Interrupt → read InterruptStatus, acknowledge it → poll with both rings' interrupts off, at most
`POLL_BUDGET` frames at a time (Linux: NAPI) → interrupts on, look at the rings once more. Interrupts go on
only after the acknowledgement has reached the device (its line has fallen): an event that the device signals
before that would be wiped out by the acknowledgement and never be seen.
"""

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from pymodel.driver import probe
from pymodel.driver.errors import ProbeError, RingError
from pymodel.driver.packed_ring import PackedRing
from pymodel.driver.rx import RxQueue, buffer_size
from pymodel.driver.tx import TxQueue
from pymodel.netdev import Features, NetDevice
from pymodel.ports import DevicePort, mmio_read
from pymodel.regs import Feature, Interrupt, Queue, Reg, Status
from pymodel.scheduler import Scheduler, Timer
from pymodel.simtime import MS, US
from pymodel.skbuff import MAX_SKB_FRAGS, SkBuff
from pymodel.task import Blocking, Task, blocking
from pymodel.wire import eth

__all__ = ["POLL_BUDGET", "DriverStats", "VirtioNetDevice"]

POLL_BUDGET: Final = 64
"""Frames handed up in one poll (Linux: NAPI_POLL_WEIGHT)."""

_ACK_TIME: Final = 2 * US
"""When the line is still high this long (ps) after an acknowledgement, there is a new reason: look again."""

_REFILL_DELAY: Final = 10 * MS
"""ps until the next try when host memory had no room for receive buffers."""

_QUEUE_RX: Final = int(Queue.RX)
_QUEUE_TX: Final = int(Queue.TX)
_QUEUE_NOTIFY: Final = int(Reg.QUEUE_NOTIFY)
_INTERRUPT_STATUS: Final = int(Reg.INTERRUPT_STATUS)
_INTERRUPT_ACK: Final = int(Reg.INTERRUPT_ACK)
_USED_BUFFER: Final = int(Interrupt.USED_BUFFER)
_CONFIG_CHANGE: Final = int(Interrupt.CONFIG_CHANGE)


class _State(Enum):
    DOWN = auto()  # not probed, or closed
    STARTING = auto()  # probe or recovery under way: frames wait in the qdisc
    RUNNING = auto()
    CLOSING = auto()
    BROKEN = auto()  # recovery failed: frames are dropped


@dataclass(slots=True)
class DriverStats:
    """What the driver did, beside the frames that `NetDevice.stats` counts."""

    interrupts: int = 0
    """Reads of InterruptStatus that found a reason."""
    spurious: int = 0
    """Reads that found none."""
    polls: int = 0
    kicks: int = 0
    """Doorbells written."""
    resets: int = 0
    """Recoveries from DEVICE_NEEDS_RESET or a broken ring."""
    rx_no_memory: int = 0
    """Refills that found host memory full."""


class VirtioNetDevice(NetDevice):
    """A virtio-net interface on `port`; `probe` brings it up, `close` down.

    `queue_size`: descriptors per ring, cut to what the device can. `napi_tx`: an interrupt for each sent
    frame, so that skbs are freed promptly; without, they are freed when the next frame is sent or
    received, and an skb's destructor runs when the frame enters the ring (Linux: module parameter
    napi_tx, skb_orphan). `scatter`: frames may come in pieces even if the device fills in no checksums
    (Linux has no use for that, as its stack does not sum up pieces; others do). `without`: features that are
    not accepted though both sides know them. `error`: why recovery failed, None while all is well.

    Interrupts are moderated by Linux's two settings of a device in sysfs. `gro_flush_timeout` (ps): so long a
    frame may wait for others to be joined with it; 0: until the end of the poll. `napi_defer_hard_irqs`: so
    many times in a row the driver looks again after that time, instead of waiting for an interrupt.
    """

    def __init__(
        self,
        port: DevicePort,
        scheduler: Scheduler,
        name: str = "eth0",
        queue_size: int = 256,
        *,
        napi_tx: bool = False,
        scatter: bool = False,
        without: Collection[Feature] = (),
    ) -> None:
        super().__init__(name)
        self._wanted = probe.wanted(without)
        self.carrier = False
        self.driver_stats = DriverStats()
        self.error: ProbeError | None = None
        self.gro_flush_timeout = 0
        self.napi_defer_hard_irqs = 0
        self.negotiated = 0
        """Accepted feature bits, as one number."""
        self.on_available: Callable[[int, int], None] | None = None
        """Told of a queue and its ring's `place` when chains, or none, have been made available."""
        self._port = port
        self._scheduler = scheduler
        self._queue_size = queue_size
        self._napi_tx = napi_tx
        self._scatter = scatter
        self._state = _State.DOWN
        self._tx: TxQueue | None = None
        self._rx: RxQueue | None = None
        self._level = False
        self._servicing = False  # between the interrupt and the proof that its acknowledgement arrived
        self._acked = False
        self._ack_timer: Timer | None = None
        self._polling = False
        self._poll_timer: Timer | None = None
        self._deferred = 0  # so many more times without an interrupt
        self._refill_timer: Timer | None = None
        self._config_task: Task[None] | None = None
        self._config_again = False
        self._recovery: Task[None] | None = None
        self._resizing: Task[None] | None = None

    # --- bringing up and down -------------------------------------------------------------------

    def probe(self) -> Blocking[None]:
        """Initialise the device (§3.1.1) and start it. Raises ProbeError; the device is FAILED then.

        RuntimeError when it is up already. `yield from` or `await` it.
        """
        return blocking(self._probe())

    def _probe(self) -> Blocking[None]:
        if self._state is not _State.DOWN:
            raise RuntimeError(f"{self.name} is {self._state.name.lower()}: probe() needs it down")
        self._state = _State.STARTING
        try:
            yield from probe.identify(self._port)
            self._port.set_interrupt_handler(self._interrupt)
            yield from self._bring_up()
        except ProbeError:
            self._state = _State.DOWN
            yield from probe.give_up(self._port)
            self._release()
            raise

    def _bring_up(self) -> Blocking[None]:
        """Steps 1 to 8 of §3.1.1, with the rings there are or new ones."""
        port = self._port
        yield from probe.reset(port, self._scheduler)
        for queue in (self._tx, self._rx):
            if queue is not None:
                queue.reset()
        negotiated = yield from probe.negotiate(port, self._wanted)
        if negotiated != self.negotiated:
            self._release()  # the rings were made for other features
            self.negotiated = negotiated
        self.offer(self._offloads())
        config = yield from probe.read_config(port, self.negotiated)
        # §5.1.5: without MAC the driver makes up a locally administered address.
        self.mac = config.mac or b"\x02" + self.name.encode()[-5:].rjust(5, b"\0")
        self.mtu = config.mtu or 1500
        rx, tx = yield from self._make_queues()
        yield from probe.setup_queue(port, _QUEUE_RX, rx.ring)
        yield from probe.setup_queue(port, _QUEUE_TX, tx.ring)
        self._servicing = self._acked = self._polling = False
        probe.drive(port)
        self._state = _State.RUNNING
        self._refill()
        self.set_carrier(config.link_up)
        self.wake_queue()
        # A change between reading the configuration and DRIVER_OK raises no interrupt.
        self._config_changed()
        if self._level:
            self._service()
        else:
            self._rest()

    def has(self, feature: Feature) -> bool:
        """`feature` was negotiated."""
        return probe.has(self.negotiated, feature)

    def _offloads(self) -> Features:
        """What the device does for the stack, by what was negotiated (Linux: virtnet_probe)."""
        # A chain may have any number of buffers (§2.8.9); VERSION_1 fixes no layout.
        features = Features.SG if self._scatter else Features.NONE
        if self.has(Feature.CSUM):
            features |= Features.HW_CSUM | Features.SG
        if self.has(Feature.HOST_TSO4):
            features |= Features.TSO
        if self.has(Feature.HOST_ECN):
            features |= Features.TSO_ECN
        if self.has(Feature.GUEST_CSUM):
            features |= Features.RXCSUM
        return features

    def _make_queues(self) -> Blocking[tuple[RxQueue, TxQueue]]:
        if self._rx is not None and self._rx.buffer_size < self._buffer_size():
            self._rx.release()  # the device's MTU has grown
            self._rx = None
        if self._rx is None:
            size = yield from probe.queue_size(self._port, _QUEUE_RX, self._queue_size)
            self._rx = self._make_rx(size)
        if self._tx is None:
            size = yield from probe.queue_size(self._port, _QUEUE_TX, self._queue_size)
            self._tx = self._make_tx(size)
        return self._rx, self._tx

    def resize(self, *, rx: int | None = None, tx: int | None = None) -> Task[None]:
        """Give the receive or transmit ring another size while the device runs (ethtool -G), by RING_RESET.

        Frames that the device had not sent yet are lost and counted in `tx_errors`. Raises RuntimeError when
        the device is not running, is resized already, or RING_RESET was not negotiated; ValueError for a
        size below 1. A device that does not finish the reset of a queue is reset whole.
        """
        if self._state is not _State.RUNNING or self._resizing is not None:
            raise RuntimeError(f"{self.name} is not running, or is being resized")
        if not self.has(Feature.RING_RESET):
            raise RuntimeError(f"{self.name}: the device cannot reset a queue (RING_RESET)")
        for size in (rx, tx):
            if size is not None and size < 1:
                raise ValueError(f"a ring of {size} descriptors")
        self._resizing = self._spawn(self._resize(rx, tx), "resize")
        return self._resizing

    def _resize(self, rx_size: int | None, tx_size: int | None) -> Blocking[None]:
        # Meanwhile the queue is None, so that nobody uses it; recovery and close wait for the end of this.
        try:
            if rx_size is not None and (rx := self._rx) is not None:
                self._rx = None
                try:
                    yield from probe.reset_queue(self._port, _QUEUE_RX, self._scheduler)
                except ProbeError:
                    self._rx = rx
                    raise
                rx.release()
                self._rx = self._make_rx((yield from probe.queue_size(self._port, _QUEUE_RX, rx_size)))
                yield from probe.setup_queue(self._port, _QUEUE_RX, self._rx.ring)
            if tx_size is not None and (tx := self._tx) is not None:
                self._tx = None
                try:
                    yield from probe.reset_queue(self._port, _QUEUE_TX, self._scheduler)
                except ProbeError:
                    self._tx = tx
                    raise
                tx.release()
                self._tx = self._make_tx((yield from probe.queue_size(self._port, _QUEUE_TX, tx_size)))
                yield from probe.setup_queue(self._port, _QUEUE_TX, self._tx.ring)
        except ProbeError:
            self._recover()
        finally:
            self._resizing = None
        if self._state is _State.RUNNING:
            self._refill()
            self.wake_queue()
            self._schedule_poll()

    def _buffer_size(self) -> int:
        return buffer_size(self.mtu, mergeable=self.has(Feature.MRG_RXBUF))

    def _make_rx(self, size: int) -> RxQueue:
        return RxQueue(
            self._port.memory,
            size,
            self,
            buffer_size=self._buffer_size(),
            mergeable=self.has(Feature.MRG_RXBUF),
            event_idx=self.has(Feature.EVENT_IDX),
        )

    def _make_tx(self, size: int) -> TxQueue:
        return TxQueue(
            self._port.memory,
            size,
            self.stats,
            # Without Features.SG a frame is one piece.
            max_segments=1 + MAX_SKB_FRAGS if self.hw_features & Features.SG else 1,
            interrupts=self._napi_tx,
            indirect=self.has(Feature.INDIRECT_DESC),
            event_idx=self.has(Feature.EVENT_IDX),
        )

    def _release(self) -> None:
        for queue in (self._rx, self._tx):
            if queue is not None:
                queue.release()
        self._rx = self._tx = None

    def close(self) -> Task[None]:
        """Stop the device and give its memory back. Runs on the scheduler: ``yield from dev.close().join()``.

        Frames that wait are dropped. The task raises ProbeError when the device does not finish its reset;
        the memory is then kept, as the device may still write to it.
        """
        return Task(self._scheduler, self._close(), f"{self.name} close")

    def _close(self) -> Blocking[None]:
        if self._recovery is not None:
            yield from self._recovery.join()
        if self._resizing is not None:
            yield from self._resizing.join()
        if self._state in (_State.DOWN, _State.CLOSING):
            return
        if self._state is _State.STARTING:
            raise RuntimeError(f"{self.name} is closed while probe() runs")
        self._state = _State.CLOSING
        self._cancel_timers()
        self.flush_queue()
        self.set_carrier(False)
        yield from probe.reset(self._port, self._scheduler)
        self._port.set_interrupt_handler(lambda level: None)
        self._release()
        self._state = _State.DOWN

    def _cancel_timers(self) -> None:
        for timer in (self._ack_timer, self._refill_timer, self._poll_timer):
            if timer is not None:
                timer.cancel()
        self._ack_timer = self._refill_timer = self._poll_timer = None
        self._deferred = 0
        self.gro_flush()

    def _spawn(self, program: Generator[Any, Any, None], what: str) -> Task[None]:
        """A task whose unexpected exception is raised out of the scheduler instead of being kept."""
        task = Task(self._scheduler, program, f"{self.name} {what}")
        task.finished.add(lambda: task.result())
        return task

    # --- recovery -------------------------------------------------------------------------------

    def _recover(self) -> None:
        """The device needs a reset (§2.1.2), or its ring is broken: reset it and start over."""
        if self._state is not _State.RUNNING:
            return
        self._state = _State.STARTING
        self._cancel_timers()
        self.stop_queue()
        self.driver_stats.resets += 1
        self._recovery = self._spawn(self._restart(), "recovery")

    def _restart(self) -> Blocking[None]:
        if self._resizing is not None:
            yield from self._resizing.join()
        try:
            yield from self._bring_up()
        except ProbeError as error:
            # The memory stays: the device may not have let go of it.
            self.error = error
            self._state = _State.BROKEN
            self.flush_queue()
            self.set_carrier(False)
            yield from probe.give_up(self._port)
        finally:
            self._recovery = None

    # --- transmit -------------------------------------------------------------------------------

    def start_xmit(self, skb: SkBuff) -> bool:
        """Put a frame on the transmit ring and ring the doorbell; see `NetDevice.start_xmit`."""
        tx = self._tx
        if self._state is not _State.RUNNING or tx is None:
            if self._state is _State.STARTING or self._resizing is not None:
                return False  # it waits in the qdisc
            self.stats.tx_dropped += 1
            skb.free()
            return True
        if skb.len < eth.HEADER_LEN:
            # The device would break on a chain without an Ethernet header.
            self.stats.tx_errors += 1
            skb.free()
            return True
        try:
            tx.reclaim()
        except RingError:
            self._recover()
            return False
        try:
            taken = tx.add(skb)
        except ValueError:
            # An offload request that makes no sense: the device would not send it.
            self.stats.tx_errors += 1
            skb.free()
            return True
        if taken:
            self._kick(tx.ring, _QUEUE_TX)
        if tx.ring.free < tx.need:
            self.stop_queue()
            if tx.wait_for_room():
                self._schedule_poll()
        return taken

    def _kick(self, ring: PackedRing[Any], queue: int) -> None:
        if self.on_available is not None:
            self.on_available(queue, ring.place)
        if ring.should_notify():
            self.driver_stats.kicks += 1
            self._port.write(_QUEUE_NOTIFY, queue)

    # --- interrupt ------------------------------------------------------------------------------

    def _interrupt(self, level: bool) -> None:
        self._level = level
        if self._state is not _State.RUNNING:
            return
        if level:
            if not self._servicing:
                self._service()
        elif self._acked:
            self._serviced()

    def _service(self) -> None:
        self._servicing = True
        self._acked = False
        self._port.read(_INTERRUPT_STATUS, 4, self._status_read)

    def _status_read(self, status: int) -> None:
        if self._state is not _State.RUNNING:
            return
        if status:
            self.driver_stats.interrupts += 1
            self._port.write(_INTERRUPT_ACK, status)
        else:
            self.driver_stats.spurious += 1
        self._acked = True
        if not self._level:
            self._serviced()
        else:
            self._ack_timer = self._scheduler.after(_ACK_TIME, self._ack_late)
        if status & _CONFIG_CHANGE:
            self._config_changed()
        if status & _USED_BUFFER and not self._polling:
            self._start_poll()
            self._poll()

    def _ack_late(self) -> None:
        self._servicing = self._acked = False
        self._ack_timer = None
        if self._level:
            self._service()
        else:
            self._rest()

    def _serviced(self) -> None:
        """The line has fallen, so the acknowledgement has arrived: later events raise it again."""
        self._servicing = self._acked = False
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        self._rest()

    # --- poll -----------------------------------------------------------------------------------

    def _start_poll(self) -> None:
        self._polling = True
        for queue in (self._rx, self._tx):
            if queue is not None:
                queue.ring.disable_interrupts()

    def _schedule_poll(self) -> None:
        if not self._polling:
            self._start_poll()
            self._scheduler.call_soon(self._poll)

    def _poll(self, late: bool = False) -> None:
        rx, tx = self._rx, self._tx
        if self._state is not _State.RUNNING or rx is None or tx is None:
            self._polling = False  # who brings the queues back polls them
            self.gro_flush()
            return
        self.driver_stats.polls += 1
        try:
            tx.reclaim()
            done = rx.poll(POLL_BUDGET, self._scheduler.now)
        except RingError:
            self._recover()
            return
        if not self._may_wait(done, late):
            self.gro_flush()
        self._refill()
        if self.queue_stopped and tx.ring.free >= tx.need:
            self.wake_queue()
        if done >= POLL_BUDGET:
            # Others get their turn before the next batch.
            self._scheduler.call_soon(self._poll)
            return
        if self._deferred and self._poll_timer is not None and not self.queue_stopped:
            self._deferred -= 1
            return  # the timer polls; no interrupt until then
        self._polling = False
        self._rest()

    def _may_wait(self, done: int, late: bool) -> bool:
        """After a poll that brought `done` frames: see that there is another one in time, if what waits to be
        joined may wait for it (Linux: napi_complete_done). `late`: it has waited already."""
        if not self.gro_flush_timeout:
            return False
        if done:
            self._deferred = self.napi_defer_hard_irqs
        waits = self.gro_waits and not late
        if (waits or self._deferred) and self._poll_timer is None:
            self._poll_timer = self._scheduler.after(self.gro_flush_timeout, self._poll_late)
        return waits

    def _poll_late(self) -> None:
        self._poll_timer = None
        if self._state is not _State.RUNNING:
            return
        if not self._polling:
            self._start_poll()
        self._poll(late=True)

    def _rest(self) -> None:
        """Nothing to poll and nothing to acknowledge: interrupts on, and a last look at the rings."""
        rx, tx = self._rx, self._tx
        if self._polling or self._servicing or self._state is not _State.RUNNING or rx is None or tx is None:
            return
        again = rx.ring.enable_interrupts()
        again |= tx.wait_for_room() if self.queue_stopped else tx.rest()
        if again:
            self._schedule_poll()

    def _refill(self) -> None:
        rx = self._rx
        if rx is None or self._state is not _State.RUNNING:
            return
        if not rx.refill() and self._refill_timer is None:
            self.driver_stats.rx_no_memory += 1
            self._refill_timer = self._scheduler.after(_REFILL_DELAY, self._refill_late)
        self._kick(rx.ring, _QUEUE_RX)

    def _refill_late(self) -> None:
        self._refill_timer = None
        self._refill()

    # --- configuration change -------------------------------------------------------------------

    def _config_changed(self) -> None:
        if self._config_task is not None:
            self._config_again = True
        else:
            self._config_task = self._spawn(self._read_changes(), "config")

    def _read_changes(self) -> Blocking[None]:
        """After a configuration interrupt: does the device need a reset, and is the link up?"""
        again = True
        try:
            while again and self._state is _State.RUNNING:
                self._config_again = False
                status = yield from mmio_read(self._port, Reg.STATUS)
                if status & Status.DEVICE_NEEDS_RESET or not status & Status.DRIVER_OK:
                    self._recover()
                    return
                config = yield from probe.read_config(self._port, self.negotiated)
                if self._state is _State.RUNNING:
                    self.set_carrier(config.link_up)
                again = self._config_again
        except ProbeError:
            self._recover()
        finally:
            self._config_task = None
