"""The lockstep checker: what the RTL does against what the golden core predicts from the same inputs.

It is fed every event at the NIC's ports in the order of simulated time, and looks at nothing else: the
golden core works on a shadow of host memory that holds what the NIC itself has read. Predicted are each
frame on the wire, each byte in a buffer that is used, each used entry, each counter, and whether an
interrupt is due. Beside it runs the ring-protocol checker. `finish` reports what should have come and did
not.

What a functional model cannot know is taken from the RTL's own events, each place with a comment.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from pymodel.golden.counters import COUNTER_AT, Counters
from pymodel.golden.registers import QUEUES, Registers
from pymodel.hostmem import HostMemory
from pymodel.regs import FEATURES_OFFERED, Interrupt, Queue, Reg, Side, Status
from pymodel.simtime import CYCLE, US
from tb.lockstep import events as ev
from tb.lockstep.counter_check import CounterChecker
from tb.lockstep.interrupts import REASON, InterruptChecker
from tb.lockstep.life import AFTERLIFE, Life
from tb.lockstep.receive import Receive
from tb.lockstep.ring_protocol import QueueProtocol
from tb.lockstep.rx_side import RxSide
from tb.lockstep.shadow import Shadow, shadow_of
from tb.lockstep.suppression import EventReads
from tb.lockstep.tally import Mismatch, Tally
from tb.lockstep.transfers import Transfers
from tb.lockstep.tx_side import TxSide
from tb.lockstep.wire_side import WireSide

PIN_DELAY: Final = 2 * CYCLE
"""How long after its event the reset pin is seen at a clock edge (ps)."""
OUTRUN: Final = 4 * US
"""By how much (ps) an error may be seen here later than the NIC has acted on it."""

_RX: Final = int(Queue.RX)
_TX: Final = int(Queue.TX)
_OUTPUTS: Final = (ev.DmaRequest, ev.DmaRead, ev.DmaWrite, ev.WireOut, ev.RxDecision)
_NEEDS_RESET: Final = int(Status.DEVICE_NEEDS_RESET)
_CONFIG: Final = int(Interrupt.CONFIG_CHANGE)
_TX_COUNTERS: Final = ("tx_oversize", "tx_bad_offload", "tx_tso")


class Checker:
    """Feed `observe`; call `finish` at the end; then look at `mismatches` and `comparisons`.

    `memory` says how large host memory is; its content is never looked at. `mac`, `mtu`,
    `queue_num_max` and `offered` (feature bits) are the parameters of the NIC under test.

    A checker that joins a NIC at work (`tb.lockstep.sampled`) has a `tally` and a `shadow` of host memory
    that others used before, and `places`: for queues that run, the position of the oldest chain not used yet.
    """

    def __init__(
        self,
        memory: HostMemory,
        *,
        mac: bytes = b"\x02\0\0\0\0\1",
        mtu: int = 1500,
        queue_num_max: int = 256,
        offered: int = FEATURES_OFFERED,
        tally: Tally | None = None,
        places: Mapping[int, int] | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self._places = dict(places or {})
        self.now = 0
        self._counters = Counters()
        self._registers = Registers(
            self, self._counters, mac=mac, mtu=mtu, queue_num_max=queue_num_max, offered=offered
        )
        self._counter_check = CounterChecker(self.tally, self._counters, self._counter_slack)
        counts = self._counter_check.about_to_count
        self._interrupts = InterruptChecker(self.tally)
        self._wire = WireSide(self.tally)
        self._lives: list[Life | None] = [None] * QUEUES
        self._fault: str | None = None
        self._fault_at_reset = False
        """There was an error when Status 0 was written, or since."""
        self._needs_reset_at: int | None = None
        """When DEVICE_NEEDS_RESET was read."""
        self._transfers = Transfers(
            self.tally,
            shadow_of(memory) if shadow is None else shadow,
            self._lives,
            fault=self._found_fault,
            chains_found=self._chains_found,
            counts=counts,
            uncertain=lambda: self._fault is not None,
        )
        self._receive = Receive(
            self.tally,
            self._registers,
            self._counters,
            store=self._store,
            counts=counts,
            faulty=lambda: self._fault is not None,
        )
        self._uncounted: Counter[str] = Counter()
        self._kicks: deque[tuple[int, int]] = deque()
        """(time, queue) of notifies that an error, of which the end is not seen yet, may have outrun."""
        self._deaf_until = 0
        """What the NIC still shows before this comes from before the reset pin was seen."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            ev.MmioWrite: self._mmio_write,
            ev.MmioRead: self._mmio_read,
            ev.DmaRequest: self._transfers.request,
            ev.DmaRead: self._transfers.read,
            ev.DmaWrite: self._transfers.write,
            ev.WireOut: self._wire_out,
            ev.WireIn: self._receive.frame,
            ev.RxDecision: self._receive.decision,
            ev.Irq: self._irq,
            ev.Link: self._link,
            ev.Reset: self._reset,
        }

    # ------------------------------------------------------------------ the interface

    @property
    def mismatches(self) -> list[Mismatch]:
        """What was wrong, in the order in which it was found."""
        return self.tally.mismatches

    @property
    def comparisons(self) -> int:
        """Comparisons made."""
        return self.tally.comparisons

    def observe(self, event: ev.Event) -> None:
        """Take the next event."""
        time = event.time
        if time > self.now:
            self.now = time
        if self._interrupts.due or self._interrupts.unexplained is not None:
            self._interrupts.advance(time)
        if self._needs_reset_at is not None:
            self._check_needs_reset()
        if self._counter_check.waiting:
            self._counter_check.advance(time)
        if time >= self._deaf_until or not isinstance(event, _OUTPUTS):
            self._handlers[type(event)](event)

    def finish(self) -> None:
        """The run is over, with everything done: what is still expected is a mismatch."""
        self.now += OUTRUN
        end = self.now
        self._interrupts.finish(end)
        self._check_needs_reset(force=True)
        self._counter_check.finish()
        self._wire.finish(end)
        for life in self._lives:
            if life is not None:
                for missing in life.finish(end, faulty=self._fault is not None):
                    self.tally.mismatch(end, "used entry", missing)
        self._receive.finish(end)
        signalled = self._interrupts.line or self._registers.status & _NEEDS_RESET
        if self._fault is not None and not signalled:
            text = f"DEVICE_NEEDS_RESET was never signalled, in spite of: {self._fault}"
            self.tally.mismatch(end, "device status", text)

    def join(self, time: int, *, line: bool, config_generation: int) -> None:
        """The NIC is as the register writes so far say, but has a past: the interrupt `line`, what is pending
        with it, and the counters are not known."""
        self._interrupts.join(time, line=line)
        self._registers.config_generation = config_generation
        self._counter_check.blind = True

    def tables(self, queue: int) -> list[tuple[int, int]]:
        """Start and end of the indirect tables of `queue` of which the NIC has not read all."""
        life = self._lives[queue]
        return life.protocol.tables() if life is not None else []

    # ------------------------------------------------------------------ registers

    def _mmio_write(self, event: ev.MmioWrite) -> None:
        offset = event.offset
        registers = self._registers
        if offset == Reg.INTERRUPT_ACK:
            self._interrupts.acknowledge(event.time, event.value)
        elif offset == Reg.QUEUE_NOTIFY:
            self._counter_check.about_to_count(event.time)
        elif offset == Reg.STATUS and event.value and registers.resetting:
            # When the reset ends, the device alone knows; a driver that did not wait for Status 0 is
            # taken to be late enough.
            self._finish_reset()
        registers.write(offset, event.value, event.size)
        if offset & ~3 == Side.MTU:
            self._receive.mtu_written(event.time)

    def _mmio_read(self, event: ev.MmioRead) -> None:
        offset, value = event.offset, event.value
        if offset == Reg.INTERRUPT_STATUS:
            self._interrupts.read(event.time, value)
            if value & _CONFIG and self._fault is not None and self._interrupts.config_unexplained():
                self._registers.needs_reset()
        elif offset in COUNTER_AT or offset - 4 in COUNTER_AT:
            self._counter_check.read(event.time, offset, value)
        elif offset == Reg.STATUS:
            self._status_read(event.time, value)
        else:
            if offset == Reg.QUEUE_RESET and not value:
                self._queue_reset_ended()
            self._compare_register(event.time, offset, value, self._registers.read(offset))

    def _status_read(self, time: int, value: int) -> None:
        registers = self._registers
        if registers.resetting and value == 0:
            # When the last transfer has ended, the device alone knows.
            self._finish_reset()
            for life in self._lives:
                if life is not None:
                    life.protocol.ended(time)
        if registers.resetting and self._fault_at_reset:
            # Whether it noticed the error before the reset, too.
            value &= ~_NEEDS_RESET | registers.status
        if value & ~registers.status & _NEEDS_RESET:
            # When it found out, too. Of a failing burst the end is seen, so the reason may come later.
            registers.needs_reset()
            self._needs_reset_at = time
        self._compare_register(time, Reg.STATUS, value, registers.status)

    def _finish_reset(self) -> None:
        self._registers.finish_reset()
        for life in self._lives:
            if life is not None:
                life.over = True

    def _queue_reset_ended(self) -> None:
        """The selected queue's reset, if one is under way, has ended: when, the device alone knows."""
        for queue, registers in enumerate(self._registers.queues):
            if registers.resetting and queue == self._registers.queue_selected:
                self._registers.finish_queue_reset(queue)
                life = self._lives[queue]
                if life is not None:
                    life.over = True
                    life.protocol.ended(self.now)

    def _check_needs_reset(self, *, force: bool = False) -> None:
        """The device asked for a reset: there must be a reason by now."""
        asked = self._needs_reset_at
        if asked is None or (self._fault is None and not force and asked + REASON >= self.now):
            return
        if self._fault is None:
            self.tally.mismatch(asked, "device status", "DEVICE_NEEDS_RESET is set without a reason")
        self._needs_reset_at = None

    def _compare_register(self, time: int, offset: int, value: int, expected: int) -> None:
        self.tally.counts["registers"] += 1
        if value != expected:
            self.tally.mismatch(time, "register", f"{offset:#05x} reads {value:#x}, {expected:#x} expected")

    # ------------------------------------------------------------------ what the registers order

    def kick(self, queue: int) -> None:
        """The driver notified a queue that runs."""
        life = self._lives[queue]
        if life is not None:
            life.protocol.kicked(self.now)
        kicks = self._kicks
        while kicks and kicks[0][0] + OUTRUN < self.now:
            kicks.popleft()
        kicks.append((self.now, queue))
        if self._fault is not None:
            self._take_kicks_back()

    def _take_kicks_back(self) -> None:
        """Whether a notify came before the device stopped for its error, it alone knows."""
        for time, queue in self._kicks:
            if time + OUTRUN >= self.now:
                name = "rx_kicks" if queue == _RX else "tx_kicks"
                self._counter_check.take_back(name)
                self._uncounted[name] += 1
        self._kicks.clear()

    def queue_changed(self, queue: int) -> None:
        """A queue has started or stopped running."""
        life = self._lives[queue]
        running = life is not None and life.running
        runs = self._registers.runs(queue)
        if runs == running:
            return
        if runs:
            self._start(queue)
        else:
            self._stop(queue)

    def device_reset(self) -> None:
        """Status 0 was written."""
        self._check_needs_reset(force=True)
        self._fault_at_reset = self._fault is not None
        for queue in range(QUEUES):
            self._stop(queue)
        self._wire.release()
        self._interrupts.reset(self.now)
        self._clear_fault()

    def interrupt_changed(self, level: bool) -> None:
        """The line is compared by `InterruptChecker`, which knows about uncertain times."""

    def _start(self, queue: int) -> None:
        receives = queue == _RX
        if receives:
            self._receive.changed_at = self.now
        registers, features = self._registers.queues[queue], self._registers.features
        protocol = QueueProtocol(
            self.tally,
            "RX" if receives else "TX",
            base=registers.desc,
            size=registers.num,
            driver_event=registers.driver,
            device_event=registers.device,
            receives=receives,
            indirect=features.indirect,
            event_idx=features.event_idx,
        )
        side: TxSide | RxSide
        if receives:
            side = RxSide(self.tally, registers.desc, registers.num, features, counters=self._counters)
        else:
            self._wire.freeze()
            side = TxSide(
                self.tally,
                registers.desc,
                registers.num,
                features,
                mtu=self._registers.mtu,
                counters=self._counters,
                memory=self._transfers.memory,
                wire=self._wire,
            )
        former = self._lives[queue]
        if former is not None and not former.is_over(self.now):
            self._transfers.superseded(former)
            if receives:
                self._receive.starts_by = self.now + AFTERLIFE
        reads = EventReads(self.tally, self._interrupts, protocol, event_idx=features.event_idx)
        if place := self._places.pop(queue, 0):
            protocol.join(place)
            side.join(place)
            reads.join(place)
        self._lives[queue] = Life(protocol, side, reads)

    def _stop(self, queue: int) -> None:
        life = self._lives[queue]
        if life is None or not life.running:
            return
        life.protocol.stop(self.now)
        # Whether the chains and frames under way were already sent or counted, the device alone knows.
        if isinstance(life.side, TxSide):
            self._wire.excuse()
            self._maybe_counted(life.side.abandon() + life.side.undecided)
        else:
            self._receive.changed_at = self.now
            self._uncounted["rx_truncated"] += life.side.in_flight

    def _maybe_counted(self, chains: int) -> None:
        for name in _TX_COUNTERS:
            self._uncounted[name] += chains

    def _chains_found(self, life: Life) -> None:
        """More chains became known, perhaps of a ring that the NIC does not know yet to be stopped."""
        if isinstance(life.side, TxSide) and not life.running:
            self._maybe_counted(life.side.abandon())

    # ------------------------------------------------------------------ errors

    def _found_fault(self, reason: str) -> None:
        """The device must ask for a reset; what else it still does, the device alone knows.

        Not when it is stopped and did not complain: the error then concerns nobody.
        """
        self._fault_at_reset |= self._registers.resetting
        if self._fault is not None or not (self._registers.running or self._needs_reset_at is not None):
            return
        self._fault = reason
        self._wire.excuse()
        self._interrupts.fault()
        self._take_kicks_back()
        for life in self._lives:
            if life is not None:
                life.protocol.faulty = True

    def _clear_fault(self) -> None:
        self._fault = None
        self._interrupts.config_allowed = False

    def _counter_slack(self, name: str) -> int:
        """How many more may be counted already: they are counted before their effect is seen outside."""
        slack = self._uncounted[name]
        for life in self._lives:
            if life is None or not life.running:
                continue
            if isinstance(life.side, TxSide):
                slack += (life.side.pending + life.side.undecided) * (name in _TX_COUNTERS)
            else:
                slack += life.side.in_flight * (name == "rx_truncated")
        return slack

    # ------------------------------------------------------------------ wire

    def _wire_out(self, event: ev.WireOut) -> None:
        self._counter_check.about_to_count(event.time)
        if event.frame.error:
            self._counters.tx_underflow += 1
            self._wire.broke_off(event.time, event.frame)
            return
        life = self._lives[_TX]
        if life is not None and isinstance(life.side, TxSide):
            # A frame may end before its used entry is written: the chain is executed at the earlier one.
            while not self._wire.foresees(event.frame.data) and life.side.advance():
                pass
        self._counters.sent(event.frame.data)
        self._wire.sent(event.time, event.frame)

    def _store(self, frame: bytes) -> None:
        life = self._lives[_RX]
        if life is not None and isinstance(life.side, RxSide):
            life.side.store(frame)

    # ------------------------------------------------------------------ the rest

    def _irq(self, event: ev.Irq) -> None:
        self._interrupts.changed(event.time, event.level)

    def _link(self, event: ev.Link) -> None:
        before = self._registers.interrupt_status
        self._registers.interrupt_status = 0
        self._registers.set_link(event.up)
        if self._registers.interrupt_status:
            self._interrupts.config(event.time)
        self._registers.interrupt_status |= before

    def _reset(self, event: ev.Reset) -> None:
        self._deaf_until = event.time + PIN_DELAY
        self._registers.hard_reset()
        self._counters.clear()
        self._counter_check.reset()
        self._uncounted.clear()
        self._kicks.clear()
        self._interrupts.reset(event.time)
        self._wire.clear()
        self._lives[:] = [None] * QUEUES
        self._transfers.reset()
        self._receive.reset(event.time)
        self._needs_reset_at = None
        self._clear_fault()
