"""The lockstep checker: what the RTL does against what the golden core predicts from the same inputs.

It is fed every event at the NIC's ports in the order of simulated time, and looks at nothing else: the
golden core works on a shadow of host memory that holds what the NIC itself has read. Predicted are each
frame on the wire, each byte written to memory, each used entry, each counter, and whether an interrupt is
due. Beside it runs the ring-protocol checker. `finish` reports what should have come and did not.

What a functional model cannot know is taken from the RTL's own events, each place with a comment.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

from pymodel.golden import mac as ethernet
from pymodel.golden.counters import COUNTER_AT, Counters
from pymodel.golden.queue import wants_interrupt
from pymodel.golden.registers import QUEUES, Registers
from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.regs import EVENT_BYTES, NET_HDR_BYTES, Interrupt, Queue, Reg, RxStatus, Status
from pymodel.simtime import CYCLE, US
from tb.lockstep import events as ev
from tb.lockstep.counter_check import CounterChecker
from tb.lockstep.interrupts import REASON, InterruptChecker
from tb.lockstep.ring_protocol import QueueProtocol
from tb.lockstep.sides import RxSide, TxSide
from tb.lockstep.tally import Mismatch, Tally
from tb.lockstep.wire_side import WireSide

START_WINDOW: Final = 256 * CYCLE
"""How long a queue may take to start or stop after the register write (ps)."""
AFTERLIFE: Final = 16 * US
"""How long after a queue was stopped its transfers in flight may last (ps)."""
PIN_DELAY: Final = 2 * CYCLE
"""How long after its event the reset pin is seen at a clock edge (ps)."""
HOLD: Final = 4 * US
"""How long a write may wait for the read burst that explains it (ps)."""

_RX: Final = int(Queue.RX)
_TX: Final = int(Queue.TX)
_LINE: Final = 15
_ERROR_RESPONSE: Final = 2
_OUTPUTS: Final = (ev.DmaRequest, ev.DmaRead, ev.DmaWrite, ev.WireOut, ev.RxDecision)
_NEEDS_RESET: Final = int(Status.DEVICE_NEEDS_RESET)
_CONFIG: Final = int(Interrupt.CONFIG_CHANGE)


class _Life:
    """One queue from the moment it runs; kept when it is stopped, because transfers in flight end."""

    __slots__ = ("events_asked", "over", "protocol", "served", "side", "used")

    def __init__(self, protocol: QueueProtocol, side: TxSide | RxSide) -> None:
        self.protocol = protocol
        self.side = side
        self.used = 0
        """Used entries visible in memory."""
        self.served = 0
        """Used entries after which the driver's event suppression was read."""
        self.events_asked: deque[int] = deque()
        """For each read of that structure under way: `used` when it was asked for."""
        self.over = False
        """Its last transfer in flight has ended."""


class Checker:
    """Feed `observe`; call `finish` at the end; then look at `mismatches` and `comparisons`.

    `memory` gives base and size of host memory; its content is never looked at. `mac`, `mtu` and
    `queue_num_max` are the parameters of the NIC under test.
    """

    def __init__(
        self, memory: HostMemory, *, mac: bytes = b"\x02\0\0\0\0\1", mtu: int = 1500, queue_num_max: int = 256
    ) -> None:
        self.tally = Tally()
        self.now = 0
        self._base = memory.base
        self._size = memory.size
        self._shadow = bytearray(memory.size)
        self._mtu = mtu
        self._counters = Counters()
        self._registers = Registers(self, self._counters, mac=mac, mtu=mtu, queue_num_max=queue_num_max)
        self._counter_check = CounterChecker(self.tally, self._counters, self._counter_slack)
        self._interrupts = InterruptChecker(self.tally)
        self._wire = WireSide(self.tally)
        self._lives: list[_Life | None] = [None] * QUEUES
        self._changed_at = [0] * QUEUES
        self._fault: str | None = None
        self._needs_reset_at: int | None = None
        """When DEVICE_NEEDS_RESET was read."""
        self._frames_in: deque[Frame] = deque()
        self._decisions: deque[tuple[int, int]] = deque()
        self._unseen = 0
        self._uncounted: Counter[str] = Counter()
        self._kicks: deque[tuple[int, int]] = deque()
        """(time, queue) of notifies that an error, of which the end is not seen yet, may have outrun."""
        self._deaf_until = 0
        """What the NIC still shows before this comes from before the reset pin was seen."""
        self._held: deque[ev.DmaWrite | ev.DmaRequest] = deque()
        self._handlers: dict[type, Callable[[Any], None]] = {
            ev.MmioWrite: self._mmio_write,
            ev.MmioRead: self._mmio_read,
            ev.DmaRequest: self._dma_request,
            ev.DmaRead: self._dma_read,
            ev.DmaWrite: self._dma_write,
            ev.WireOut: self._wire_out,
            ev.WireIn: self._wire_in,
            ev.RxDecision: self._rx_decision,
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
        """Comparisons made: frames, writes, used entries, interrupts, registers, counters, ring rules."""
        return sum(n for kind, n in self.tally.counts.items() if not kind.endswith("bytes"))

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

    def expect_unseen(self, count: int) -> None:
        """The next `count` receive decisions are on raw words that no WireIn shows.

        Their status is taken from the RTL's own event; only that nothing of them is stored is checked.
        """
        self._unseen += count

    def finish(self) -> None:
        """The run is over, with everything done: what is still expected is a mismatch."""
        self._release_held(force=True)
        self.now += HOLD
        end = self.now
        self._interrupts.finish(end)
        self._check_needs_reset(force=True)
        self._counter_check.finish()
        missing = self.tally.mismatch
        if self._wire.required:
            missing(end, "frame sent", f"{self._wire.required} frames were never sent")
        for life in self._lives:
            if life is None:
                continue
            life.protocol.finish(end)
            if life.protocol.stopped_at is None and self._fault is None:
                if life.side.pending:
                    missing(end, "used entry", f"{life.side.pending} chains were never used")
                if life.used > life.served:
                    missing(end, "lost interrupt", "event suppression was not read after the last used entry")
        if len(self._decisions) != self._unseen:
            missing(end, "receive status", f"{len(self._decisions)} decisions without a frame")
        if self._frames_in:
            missing(end, "receive status", f"{len(self._frames_in)} received frames were never decided on")
        if (
            self._fault is not None
            and not self._interrupts.line
            and not self._registers.status & _NEEDS_RESET
        ):
            missing(
                end, "device status", f"DEVICE_NEEDS_RESET was never signalled, in spite of: {self._fault}"
            )

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

    def _mmio_read(self, event: ev.MmioRead) -> None:
        offset, value = event.offset, event.value
        if offset == Reg.INTERRUPT_STATUS:
            self._interrupts.read(event.time, value)
            if value & _CONFIG and self._fault is not None:
                self._registers.needs_reset()
        elif offset in COUNTER_AT or offset - 4 in COUNTER_AT:
            self._counter_check.read(event.time, offset, value)
        elif offset == Reg.STATUS:
            self._status_read(event.time, value)
        else:
            self._compare_register(event.time, offset, value, self._registers.read(offset))

    def _status_read(self, time: int, value: int) -> None:
        registers = self._registers
        if registers.resetting and value == 0:
            # When the last transfer has ended, the device alone knows.
            self._finish_reset()
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

    def kick(self, queue: int) -> None:
        """The driver notified a queue that runs."""
        life = self._lives[queue]
        if life is not None:
            life.protocol.kicked(self.now)
        kicks = self._kicks
        while kicks and kicks[0][0] + HOLD < self.now:
            kicks.popleft()
        kicks.append((self.now, queue))
        if self._fault is not None:
            self._take_kicks_back()

    def _take_kicks_back(self) -> None:
        """Whether a notify came before the device stopped for its error, it alone knows."""
        for time, queue in self._kicks:
            if time + HOLD >= self.now:
                name = "rx_kicks" if queue == _RX else "tx_kicks"
                self._counter_check.take_back(name)
                self._uncounted[name] += 1
        self._kicks.clear()

    def queue_changed(self, queue: int) -> None:
        """A queue has started or stopped running."""
        life = self._lives[queue]
        running = life is not None and life.protocol.stopped_at is None
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
        for queue in range(QUEUES):
            self._stop(queue)
        self._wire.release()
        self._interrupts.reset(self.now)
        self._clear_fault()

    def interrupt_changed(self, level: bool) -> None:
        """The line is compared by `InterruptChecker`, which knows about uncertain times."""

    def _start(self, queue: int) -> None:
        self._changed_at[queue] = self.now
        if queue == _RX:
            self._release_held(force=True)
        registers = self._registers.queues[queue]
        protocol = QueueProtocol(
            self.tally,
            "RX" if queue == _RX else "TX",
            base=registers.desc,
            size=registers.num,
            driver_event=registers.driver,
            device_event=registers.device,
            max_read=None if queue == _RX else ethernet.max_frame(self._mtu) + NET_HDR_BYTES,
        )
        side: TxSide | RxSide
        if queue == _RX:
            side = RxSide(self.tally, registers.desc, registers.num, counters=self._counters)
        else:
            side = TxSide(
                self.tally,
                registers.desc,
                registers.num,
                mtu=self._mtu,
                counters=self._counters,
                read=self._shadow_read,
                send=self._wire.expect,
            )
        self._lives[queue] = _Life(protocol, side)

    def _stop(self, queue: int) -> None:
        life = self._lives[queue]
        if life is None or life.protocol.stopped_at is not None:
            return
        self._changed_at[queue] = self.now
        life.protocol.stop(self.now)
        # Whether the chains and frames under way were already sent or counted, the device alone knows.
        if isinstance(life.side, TxSide):
            oversize = life.side.abandon(lambda data: self._wire.expect(data, optional=True))
            self._uncounted["tx_oversize"] += oversize
        else:
            self._uncounted["rx_truncated"] += life.side.in_flight

    def _raise_fault(self, reason: str) -> None:
        """The device must ask for a reset; what else it still does, the device alone knows."""
        if self._fault is None:
            self._fault = reason
            self._interrupts.fault()
            self._take_kicks_back()
            for life in self._lives:
                if life is not None:
                    life.protocol.faulty = True

    def _may_fail(self) -> bool:
        """Does an error found now concern the device? Not when it is stopped and did not complain."""
        return self._registers.running or self._needs_reset_at is not None

    def _clear_fault(self) -> None:
        self._fault = None
        self._interrupts.config_allowed = False

    def _counter_slack(self, name: str) -> int:
        rx_life, tx_life = self._lives[_RX], self._lives[_TX]
        slack = self._uncounted[name]
        if name == "rx_truncated" and rx_life is not None and isinstance(rx_life.side, RxSide):
            slack += rx_life.side.in_flight
        elif name == "tx_oversize" and tx_life is not None:
            slack += len(tx_life.side.chains)
        return slack

    # ------------------------------------------------------------------ DMA

    def _shadow_read(self, address: int, length: int) -> bytes:
        at = address - self._base
        if at < 0 or at + length > self._size:
            return bytes(length)
        return bytes(self._shadow[at : at + length])

    def _owners(self) -> list[_Life | None]:
        """The lives to which an address may belong.

        When nothing of a stopped one is in flight any more, its memory may be that of a running one.
        """
        running = any(life is not None and life.protocol.stopped_at is None for life in self._lives)
        return [None if running and self._is_over(life) else life for life in self._lives]

    def _is_over(self, life: _Life | None) -> bool:
        if life is None or life.protocol.stopped_at is None:
            return False
        return life.over or life.protocol.stopped_at + AFTERLIFE < self.now

    def _dma_request(self, event: ev.DmaRequest) -> None:
        time, address, write, _ = event
        for queue, life in enumerate(self._owners()):
            if life is None:
                continue
            protocol = life.protocol
            if protocol.base <= address < protocol.end:
                if write and queue == _RX and self._held:
                    self._held.append(event)
                else:
                    protocol.request(time, address, write)
                return
            if not write and address & ~_LINE == protocol.driver_event & ~_LINE:
                life.events_asked.append(life.used)
                protocol.area_request(time, "driver event suppression")
                return
            if write and address & ~_LINE == protocol.device_event & ~_LINE:
                protocol.area_request(time, "device event suppression")
                return
        payload = self._lives[_RX if write else _TX]
        if payload is not None:
            payload.protocol.area_request(time, "a buffer")

    def _dma_read(self, event: ev.DmaRead) -> None:
        time, address, data, _, resp = event
        end = address + len(data)
        failed = bool(resp & _ERROR_RESPONSE)
        if failed and self._may_fail():
            self._raise_fault(f"error response to a read at {address:#x}")
        for queue, life in enumerate(self._owners()):
            if life is None:
                continue
            protocol = life.protocol
            if protocol.base <= address < protocol.end:
                if failed:
                    protocol.failed(write=False)
                    return
                protocol.ring_read(time, address, data)
                life.side.ring_read(address, data)
                if life.side.fault is not None and self._may_fail():
                    self._raise_fault(life.side.fault)
                if queue == _RX and self._held:
                    self._release_held()
                return
            if address <= protocol.driver_event < end:
                self._event_read(time, life, data[protocol.driver_event - address :], failed)
        if failed:
            return
        at = address - self._base
        self._shadow[at : at + len(data)] = data
        tx_life = self._lives[_TX]
        if tx_life is not None:
            tx_life.protocol.payload_read(address, end)

    def _event_read(self, time: int, life: _Life, structure: bytes, failed: bool) -> None:
        """The driver's event suppression decides on the interrupt of the entries used before the request."""
        asked = life.events_asked.popleft() if life.events_asked else life.used
        if failed or life.protocol.stopped_at is not None or self._fault is not None:
            # Whether it was in time for the stop, or the error, the device alone knows.
            if asked and not failed:
                self._interrupts.allow(time)
            return
        if wants_interrupt(structure[:EVENT_BYTES]):
            if asked > life.served:
                self._interrupts.used(time)
            elif asked:
                self._interrupts.allow(time)
        elif asked > life.served:
            self.tally.counts["interrupts"] += 1
        life.served = max(life.served, asked)

    def _dma_write(self, event: ev.DmaWrite) -> None:
        if event.resp & _ERROR_RESPONSE:
            if self._may_fail():
                self._raise_fault(f"error response to a write at {event.address:#x}")
            for life in self._owners():
                if life is not None and life.protocol.base <= event.address < life.protocol.end:
                    life.protocol.failed(write=True)
            return
        time, address, data, _, _ = event
        rx_life, tx_life = self._owners()
        if tx_life is not None and tx_life.protocol.base <= address < tx_life.protocol.end:
            self._used_write(tx_life, time, address, data)
            return
        for life in (tx_life, rx_life):
            if life is not None and 0 <= address - life.protocol.device_event < EVENT_BYTES:
                life.protocol.event_write(time, address, data)
                return
        if rx_life is None:
            self._outside(time, address, data)
        elif self._held:
            self._held.append(event)
            self._release_held()
        elif not self._rx_write(rx_life, event):
            self._held.append(event)

    def _used_write(self, life: _Life, time: int, address: int, data: bytes) -> None:
        self._counter_check.about_to_count(time)
        life.protocol.used_write(time, address, data)
        life.side.used_write(time, address, data)
        life.used += 1

    def _rx_write(self, life: _Life, event: ev.DmaWrite, *, force: bool = False) -> bool:
        """A write to the RX ring or into an RX buffer.

        False: it must wait, because the burst of descriptors that explains it has not ended yet; the NIC
        may act on the first beats of a burst, of which only the end is seen here.
        """
        time, address, data = event.time, event.address, event.data
        protocol = life.protocol
        side = life.side
        wait = protocol.reading and not force
        if protocol.base <= address < protocol.end:
            if wait and not protocol.knows(data):
                return False
            self._used_write(life, time, address, data)
        elif protocol.payload_write(time, address, address + len(data)):
            if isinstance(side, RxSide):
                side.payload_write(time, address, data)
        elif wait:
            return False
        else:
            self._outside(time, address, data)
        return True

    def _release_held(self, *, force: bool = False) -> None:
        life = self._lives[_RX]
        held = self._held
        while held and life is not None:
            event = held[0]
            if isinstance(event, ev.DmaRequest):
                life.protocol.request(event.time, event.address, event.write)
            elif not self._rx_write(life, event, force=force or event.time + HOLD < self.now):
                return
            held.popleft()

    def _outside(self, time: int, address: int, data: bytes) -> None:
        self.tally.mismatch(
            time,
            "write outside buffers",
            f"{len(data)} bytes at {address:#x}: no receive buffer, used entry or event structure",
        )

    # ------------------------------------------------------------------ wire

    def _wire_out(self, event: ev.WireOut) -> None:
        self._counter_check.about_to_count(event.time)
        life = self._lives[_TX]
        if life is not None and isinstance(life.side, TxSide):
            # A frame may end before its used entry is written: the chain is executed at the earlier one.
            while not self._wire.foresees(event.frame.data) and life.side.execute():
                pass
        self._counters.sent(len(event.frame.data))
        self._wire.sent(event.time, event.frame)

    def _wire_in(self, event: ev.WireIn) -> None:
        self._frames_in.append(event.frame)
        self._decide()

    def _rx_decision(self, event: ev.RxDecision) -> None:
        if event.status > RxStatus.STORED:
            self.tally.mismatch(event.time, "receive status", f"{event.status} means nothing")
        self._decisions.append((event.time, min(event.status, int(RxStatus.STORED))))
        self._decide()

    def _decide(self) -> None:
        while self._frames_in and self._decisions:
            self._compare_status(self._frames_in.popleft(), *self._decisions.popleft())
        while self._unseen and self._decisions:
            self._unseen -= 1
            time, status = self._decisions.popleft()
            self._counter_check.about_to_count(time)
            self._counters.received(RxStatus(status), 0)
            if status == RxStatus.STORED:
                self.tally.mismatch(time, "receive status", "raw words were stored as a good frame")

    def _compare_status(self, frame: Frame, time: int, status: int) -> None:
        self.tally.counts["receive status"] += 1
        expected = ethernet.inspect(frame, self._mtu)
        allowed = {int(expected)}
        if expected == RxStatus.STORED:
            # Whether the FIFO had room is taken from the RTL; so is the moment in which a queue starts
            # or stops, or an error stops it.
            changing = abs(time - self._changed_at[_RX]) <= START_WINDOW or self._fault is not None
            if self._registers.runs(_RX):
                allowed |= {int(RxStatus.OVERFLOW)}
                if changing:
                    allowed |= {int(RxStatus.DISABLED)}
            else:
                allowed = {int(RxStatus.DISABLED)}
                if changing:
                    allowed |= {int(RxStatus.STORED), int(RxStatus.OVERFLOW)}
        if status not in allowed:
            wanted = " or ".join(RxStatus(s).name for s in sorted(allowed))
            text = f"{RxStatus(status).name} for {len(frame.data)} bytes, {wanted} expected"
            self.tally.mismatch(time, "receive status", text)
            status = min(allowed)
        self._counter_check.about_to_count(time)
        self._counters.received(RxStatus(status), len(frame.data))
        life = self._lives[_RX]
        if status == RxStatus.STORED and life is not None and isinstance(life.side, RxSide):
            life.side.store(frame.data)

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
        for name in self._counters.__slots__:
            setattr(self._counters, name, 0)
        self._counter_check.reset()
        self._uncounted.clear()
        self._kicks.clear()
        self._interrupts.reset(event.time)
        self._wire.clear()
        self._lives = [None] * QUEUES
        self._changed_at = [event.time] * QUEUES
        self._frames_in.clear()
        self._decisions.clear()
        self._held.clear()
        self._needs_reset_at = None
        self._clear_fault()
