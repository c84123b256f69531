"""The register window as a state machine: virtio-mmio (virtio 1.2 §4.2.2), config space, statistics.

It knows no time and does no DMA. What a write sets off is told to a `Listener`; what the device finds
out comes in through `used_buffer`, `needs_reset`, `set_link` and `finish_reset`.
"""

from typing import Final, Protocol

from pymodel.golden.counters import COUNTER_AT, Counters
from pymodel.golden.features import Features
from pymodel.regs import (
    FEATURE_NEEDS,
    FEATURES_OFFERED,
    FEATURES_REQUIRED,
    REGISTERS,
    Config,
    Feature,
    Interrupt,
    NetStatus,
    Reg,
    Side,
    Status,
)

QUEUES: Final = 2
_WORD: Final = 0xFFFF_FFFF
_SETTABLE: Final = int(
    Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK | Status.FEATURES_OK | Status.FAILED
)
_RUN: Final = int(Status.DRIVER_OK)
_RUN_MASK: Final = int(Status.DRIVER_OK | Status.DEVICE_NEEDS_RESET)
_CONSTANTS: Final = {
    r.offset: r.reset for r in REGISTERS if r.readable and not r.writable and r.reset is not None
}
_ACTIONS: Final = frozenset(
    {int(Reg.QUEUE_NOTIFY), int(Reg.QUEUE_READY), int(Reg.QUEUE_RESET), int(Reg.STATUS)}
)
_MTU_MIN: Final = 68
MTU_MAX: Final = 9000
_RING_ALIGN: Final = 16
_EVENT_ALIGN: Final = 4


class Listener(Protocol):
    """Who carries out what the registers order."""

    def kick(self, queue: int) -> None:
        """The driver notified `queue`, and it runs."""

    def queue_changed(self, queue: int) -> None:
        """`Registers.runs(queue)` may have changed. If `Registers.queues[queue].resetting` is set, call
        `Registers.finish_queue_reset` when no transfer of that queue is in flight."""

    def device_reset(self) -> None:
        """Status 0 was written: stop; call `Registers.finish_reset` when no transfer is in flight."""

    def interrupt_changed(self, level: bool) -> None:
        """The interrupt line went to `level`."""


class QueueRegisters:
    """What the driver told about one queue; addresses are bus addresses."""

    __slots__ = ("desc", "device", "driver", "num", "ready", "resetting")

    def __init__(self) -> None:
        self.num = 0
        self.ready = False
        self.resetting = False
        self.desc = 0
        self.driver = 0
        self.device = 0

    @property
    def legal(self) -> bool:
        """May the queue become ready: a ring size, and the alignments of §2.8?"""
        return (
            self.num > 0
            and self.desc % _RING_ALIGN == 0
            and self.driver % _EVENT_ALIGN == 0
            and self.device % _EVENT_ALIGN == 0
        )


class Registers:
    """The 8 KiB window. `counters` are shown in it and belong to whoever counts.

    `offered`: the feature bits of the device; fewer than the register description's for a plain one.
    """

    def __init__(
        self,
        listener: Listener,
        counters: Counters,
        *,
        mac: bytes,
        mtu: int,
        queue_num_max: int,
        offered: int = FEATURES_OFFERED,
    ) -> None:
        if len(mac) != 6:
            raise ValueError(f"mac has {len(mac)} bytes, 6 expected")
        if not _MTU_MIN <= mtu <= MTU_MAX:
            raise ValueError(f"mtu={mtu}, {_MTU_MIN}..{MTU_MAX} expected")
        if not 1 <= queue_num_max <= 32768:
            raise ValueError(f"queue_num_max={queue_num_max}, 1..32768 expected (virtio 1.2 §2.8.10.1)")
        self.listener = listener
        self.counters = counters
        self.mac = mac
        self.mtu = mtu
        self._mtu_after_rst = mtu
        self.queue_num_max = queue_num_max
        self.offered = offered
        self.link_up = True
        self.config_generation = 0
        self.status = 0
        self.resetting = False
        self._latches: dict[str, int] = {}
        self._clear()

    @property
    def features(self) -> Features:
        """Those of the accepted features that change what becomes of chains and frames."""
        return Features.of(self.driver_features)

    @property
    def queue_selected(self) -> int:
        """What QUEUE_SEL holds."""
        return self._queue_sel

    def _clear(self) -> None:
        self.queues = [QueueRegisters() for _ in range(QUEUES)]
        self.interrupt_status = 0
        self.driver_features = 0
        self._beyond = False
        self._device_features_sel = 0
        self._driver_features_sel = 0
        self._queue_sel = 0

    # ------------------------------------------------------------------ what the device asks and tells

    @property
    def running(self) -> bool:
        """DRIVER_OK, no DEVICE_NEEDS_RESET, no reset under way."""
        return self.status & _RUN_MASK == _RUN and not self.resetting

    def runs(self, queue: int) -> bool:
        """May the device touch the ring of `queue`?"""
        return self.queues[queue].ready and self.running

    def used_buffer(self) -> None:
        """A used entry became visible and the driver wants to know."""
        self._raise(int(Interrupt.USED_BUFFER))

    def needs_reset(self) -> None:
        """The device met an error (§2.1.2): DEVICE_NEEDS_RESET, and the interrupt if DRIVER_OK is set."""
        if self.resetting or self.status & Status.DEVICE_NEEDS_RESET:
            return
        self.status |= int(Status.DEVICE_NEEDS_RESET)
        if self.status & Status.DRIVER_OK:
            self._raise(int(Interrupt.CONFIG_CHANGE))
        for queue in range(QUEUES):
            self.listener.queue_changed(queue)

    def set_link(self, up: bool) -> None:
        """The link went up or down: config space changes; an interrupt if the driver negotiated STATUS."""
        if up == self.link_up:
            return
        self.link_up = up
        self.config_generation = (self.config_generation + 1) & _WORD
        if (
            self.status & Status.DRIVER_OK
            and not self.resetting
            and self.driver_features >> Feature.STATUS & 1
        ):
            self._raise(int(Interrupt.CONFIG_CHANGE))

    def finish_reset(self) -> None:
        """The last transfer of before the reset has ended: Status reads 0 from now on."""
        self.status = 0
        self.resetting = False

    def finish_queue_reset(self, queue: int) -> None:
        """The last transfer of `queue` before its reset has ended: QueueReset reads 0 from now on."""
        self.queues[queue].resetting = False

    def hard_reset(self) -> None:
        """As after power-on. `link_up` is an input and stays. The counters are the owner's to clear."""
        level = self.interrupt_status != 0
        self._clear()
        self._latches.clear()
        self.config_generation = 0
        self.status = 0
        self.resetting = False
        self.mtu = self._mtu_after_rst
        if level:
            self.listener.interrupt_changed(False)

    def _raise(self, bit: int) -> None:
        before = self.interrupt_status
        self.interrupt_status = before | bit
        if not before:
            self.listener.interrupt_changed(True)

    # ------------------------------------------------------------------ reads

    def read(self, offset: int, size: int = 4) -> int:
        """The value of `size` bytes at `offset`. Unknown offsets read 0, as do write-only registers."""
        word = self._word(offset & ~3)
        return word >> 8 * (offset & 3) & (1 << 8 * size) - 1

    def _word(self, offset: int) -> int:
        if offset & ~4 in COUNTER_AT or offset in COUNTER_AT:
            return self._counter_word(offset)
        if Config.MAC <= offset < Config.MAC + 12:
            return int.from_bytes(self._config()[offset - Config.MAC :][:4], "little")
        match offset:
            case Reg.INTERRUPT_STATUS:
                return self.interrupt_status
            case Reg.STATUS:
                return self.status
            case Reg.QUEUE_READY:
                queue = self._queue()
                return int(queue is not None and queue.ready)
            case Reg.QUEUE_RESET:
                queue = self._queue()
                return int(queue is not None and queue.resetting)
            case Side.MTU:
                return self.mtu
            case Reg.QUEUE_NUM_MAX:
                return self.queue_num_max if self._queue() is not None else 0
            case Reg.DEVICE_FEATURES:
                sel = self._device_features_sel
                return self.offered >> 32 * sel & _WORD if sel < 2 else 0
            case Reg.CONFIG_GENERATION:
                return self.config_generation
        return _CONSTANTS.get(offset, 0)

    def _counter_word(self, offset: int) -> int:
        name = COUNTER_AT.get(offset)
        if name is None:
            return self._latches.get(COUNTER_AT[offset & ~4], 0)
        value: int = getattr(self.counters, name)
        self._latches[name] = value >> 32 & _WORD
        return value & _WORD

    def _config(self) -> bytes:
        status = NetStatus.LINK_UP if self.link_up else 0
        return self.mac + b"".join(v.to_bytes(2, "little") for v in (status, 1, self.mtu))

    def _queue(self) -> QueueRegisters | None:
        return self.queues[self._queue_sel] if self._queue_sel < QUEUES else None

    # ------------------------------------------------------------------ writes

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """A register write of `size` bytes: the other bytes of the word keep their value.

        A register whose write is an action acts if its first byte is written; the others count as 0 then.
        """
        shift = 8 * (offset & 3)
        offset &= ~3
        mask = (1 << 8 * size) - 1 << shift
        value = value << shift & mask
        if offset in _ACTIONS and not mask & 1:
            return
        match offset:
            case Reg.QUEUE_NOTIFY:
                self._notify(value)
            case Reg.INTERRUPT_ACK:
                before = self.interrupt_status
                self.interrupt_status = before & ~value
                if before and not self.interrupt_status:
                    self.listener.interrupt_changed(False)
            case Reg.STATUS:
                self._write_status(value)
            case Reg.DEVICE_FEATURES_SEL:
                self._device_features_sel = self._device_features_sel & ~mask | value
            case Reg.DRIVER_FEATURES_SEL:
                self._driver_features_sel = self._driver_features_sel & ~mask | value
            case Reg.DRIVER_FEATURES:
                self._accept(value, mask)
            case Reg.QUEUE_SEL:
                self._queue_sel = self._queue_sel & ~mask | value
            case Side.MTU:
                mtu = self.mtu & ~mask | value
                if self.status == 0 and _MTU_MIN <= mtu <= MTU_MAX:
                    self.mtu = mtu
            case _:
                self._write_queue(offset, value, mask)

    def _notify(self, value: int) -> None:
        if value >= QUEUES or not self.runs(value):
            return
        if value == 0:
            self.counters.rx_kicks += 1
        else:
            self.counters.tx_kicks += 1
        self.listener.kick(value)

    def _accept(self, value: int, mask: int) -> None:
        if self.status & Status.FEATURES_OK:
            return
        if self._driver_features_sel >= 2:
            self._beyond = self._beyond or value != 0
            return
        shift = 32 * self._driver_features_sel
        self.driver_features = self.driver_features & ~(mask << shift) | value << shift

    def _accepted(self, feature: Feature) -> bool:
        """Was `feature` negotiated?"""
        return bool(self.status & Status.FEATURES_OK) and bool(self.driver_features >> feature & 1)

    def _features_legal(self) -> bool:
        accepted = self.driver_features
        return (
            not self._beyond
            and accepted & ~self.offered == 0
            and accepted & FEATURES_REQUIRED == FEATURES_REQUIRED
            and all(
                any(accepted >> other & 1 for other in others)
                for one, others in FEATURE_NEEDS.items()
                if accepted >> one & 1
            )
        )

    def _write_status(self, value: int) -> None:
        if self.resetting:
            return
        if value == 0:
            self.resetting = True
            level = self.interrupt_status != 0
            self._clear()
            if level:
                self.listener.interrupt_changed(False)
            self.listener.device_reset()
            return
        before = self.status
        status = before | value & _SETTABLE
        if not before & Status.FEATURES_OK and not self._features_legal():
            status &= ~int(Status.FEATURES_OK)
        if not status & Status.FEATURES_OK:
            status &= ~int(Status.DRIVER_OK)
        self.status = status
        if status != before:
            for queue in range(QUEUES):
                self.listener.queue_changed(queue)

    def _write_queue(self, offset: int, value: int, mask: int) -> None:
        queue = self._queue()
        if queue is None:
            return
        if offset == Reg.QUEUE_RESET:
            if value & 1 and queue.ready and self._accepted(Feature.RING_RESET):
                queue.ready = False
                queue.resetting = True
                self.listener.queue_changed(self._queue_sel)
            return
        if offset == Reg.QUEUE_READY:
            if queue.resetting:
                return
            ready = bool(value & 1) and (queue.ready or queue.legal)
            if ready != queue.ready:
                queue.ready = ready
                self.listener.queue_changed(self._queue_sel)
            return
        if queue.ready:
            return
        match offset:
            case Reg.QUEUE_NUM:
                num = queue.num & ~mask | value
                queue.num = num if num <= self.queue_num_max else 0
            case Reg.QUEUE_DESC_LOW:
                queue.desc = queue.desc & ~mask | value
            case Reg.QUEUE_DESC_HIGH:
                queue.desc = queue.desc & ~(mask << 32) | value << 32
            case Reg.QUEUE_DRIVER_LOW:
                queue.driver = queue.driver & ~mask | value
            case Reg.QUEUE_DRIVER_HIGH:
                queue.driver = queue.driver & ~(mask << 32) | value << 32
            case Reg.QUEUE_DEVICE_LOW:
                queue.device = queue.device & ~mask | value
            case Reg.QUEUE_DEVICE_HIGH:
                queue.device = queue.device & ~(mask << 32) | value << 32
