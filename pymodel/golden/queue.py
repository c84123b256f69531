"""One running virtqueue of the golden NIC, with its timing: fetch, used entries, event suppression.

A `DeviceQueue` exists from the moment its ring may be touched until it may not (`stop`); it then begins
anew at index 0. It fetches ahead of its engine by up to `PREFETCH_CHAINS`, writes used entries in the
order of `give_back`, and reads the driver's event suppression after each (virtio 1.2 §2.8.10).
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from pymodel.golden.dma import Channel
from pymodel.golden.features import Features
from pymodel.golden.registers import QueueRegisters
from pymodel.golden.ring import Chain, PackedRing, RingFault
from pymodel.golden.suppression import structure, wants_interrupt
from pymodel.regs import DESC_BYTES, EVENT_BYTES, EventFlag

PREFETCH_DESCRIPTORS: Final = 16
PREFETCH_CHAINS: Final = 16


class _Fetch(Enum):
    """What the fetcher does: `ASLEEP` until a kick, `ACTIVE`, or `RECHECK`: last look before it sleeps."""

    ASLEEP = auto()
    ACTIVE = auto()
    RECHECK = auto()


class DeviceQueue:
    """`on_chain()` says that `chains` has grown; `on_interrupt()` that a used entry wants one.

    `on_fault(reason)` reports a broken ring contract; the owner then stops the queue.
    """

    def __init__(
        self,
        dma: Channel,
        registers: QueueRegisters,
        features: Features,
        *,
        writable: bool,
        on_chain: Callable[[], None],
        on_interrupt: Callable[[], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self.dma = dma
        self.ring = PackedRing(registers.desc, registers.num, writable=writable, indirect=features.indirect)
        self.features = features
        self.chains: deque[Chain] = deque()
        self.stopped = False
        self.given_back = 0
        """Slots of the ring that were used so far."""
        self._driver_event = registers.driver
        self._device_event = registers.device
        self._on_chain = on_chain
        self._on_interrupt = on_interrupt
        self._on_fault = on_fault
        self._state = _Fetch.ASLEEP
        self._reading = False
        self._kicked = False
        self._fetched_chains: deque[Chain] = deque()
        self._used = _Notifier(self)

    def stop(self) -> None:
        """Begin nothing any more; what is in flight ends without effect here."""
        self.stopped = True
        self.chains.clear()
        self._fetched_chains.clear()

    def fault(self, reason: str) -> None:
        """The driver broke the contract."""
        self._on_fault(reason)

    # ------------------------------------------------------------------ available buffers

    def kick(self) -> None:
        """The driver notified this queue.

        While it is awake nothing need be done, because it will look once more before it sleeps; but if that
        look is under way already, it may have come too early.
        """
        if self._state is _Fetch.ASLEEP:
            self._begin()
        elif self._state is _Fetch.RECHECK:
            self._kicked = True

    def take(self) -> Chain:
        """The oldest fetched chain; the fetcher goes on when it had been waiting for room."""
        chain = self.chains.popleft()
        if self._state is _Fetch.ACTIVE and not self._reading:
            self._fetch()
        return chain

    def _begin(self) -> None:
        """Work begins: the driver need not notify until the ring was found empty again.

        With EVENT_IDX the slot that was named last stays; the driver passes it once only.
        """
        self._state = _Fetch.ACTIVE
        self._kicked = False
        if not self.features.event_idx:
            self.dma.write(self._device_event, structure(EventFlag.DISABLE))
        self._fetch()

    def _fetch(self) -> None:
        if len(self.chains) + len(self._fetched_chains) >= PREFETCH_CHAINS:
            return
        ring = self.ring
        count = min(PREFETCH_DESCRIPTORS, ring.size - ring.avail_index)
        self._reading = True
        self.dma.read(ring.slot_address(ring.avail_index), count * DESC_BYTES, self._fetched)

    def _fetched(self, raw: bytes) -> None:
        if self.stopped:
            return
        self._reading = False
        found = False
        exhausted = False
        for offset in range(0, len(raw), DESC_BYTES):
            try:
                available, chain = self.ring.push(raw, offset)
            except RingFault as fault:
                self._on_fault(fault.reason)
                return
            if not available:
                exhausted = True
                break
            found = True
            if chain is not None:
                self._fetched_chains.append(chain)
                if chain.table is not None:
                    self._read_table(chain, *chain.table)
        self._proceed(found, exhausted)
        self._publish()

    def _read_table(self, chain: Chain, address: int, length: int) -> None:
        def done(table: bytes) -> None:
            if self.stopped:
                return
            try:
                self.ring.resolve(chain, table)
            except RingFault as fault:
                self._on_fault(fault.reason)
                return
            self._publish()

        self.dma.read(address, length, done)

    def _publish(self) -> None:
        """Pass on chains whose descriptors are all known, in the order of the ring."""
        waiting = self._fetched_chains
        while waiting and waiting[0].descriptors:
            self.chains.append(waiting.popleft())
        if self.chains:
            self._on_chain()
        if self._state is _Fetch.ACTIVE and not self._reading and not self.stopped:
            self._fetch()

    def _proceed(self, found: bool, exhausted: bool) -> None:
        if self._state is _Fetch.RECHECK:
            if found or self._kicked:
                self._begin()
            else:
                self._state = _Fetch.ASLEEP
        elif exhausted:
            self._state = _Fetch.RECHECK
            self.dma.write(self._device_event, self._wake_me(), self._recheck)
        else:
            self._fetch()

    def _wake_me(self) -> bytes:
        """The structure with which the driver is asked to notify of the next available buffer."""
        if self.features.event_idx:
            return structure(EventFlag.DESC, self.ring.avail_index, self.ring.avail_wrap)
        return structure(EventFlag.ENABLE)

    def _recheck(self) -> None:
        """The ENABLE is visible: a buffer made available before that came with no notification (§2.8.10)."""
        if self.stopped:
            return
        self._reading = True
        self.dma.read(self.ring.slot_address(self.ring.avail_index), DESC_BYTES, self._fetched)

    # ------------------------------------------------------------------ used buffers

    def give_back(self, uses: list[tuple[Chain, int]]) -> None:
        """Write the used entries of `uses` (chain, length) in this order; they count as one.

        The payload must be visible, or read, by now.
        """
        if self.stopped:
            return
        slots = 0
        for chain, _ in uses:
            slots += chain.slots
        self.given_back += slots
        for chain, length in uses[:-1]:
            entry = self.ring.use(chain, length)
            self.dma.write(entry.address, entry.data)
        entry = self.ring.use(*uses[-1])
        self.dma.write(entry.address, entry.data, lambda: self._used.passed(slots))

    def read_driver_event(self, done: Callable[[bytes], None]) -> None:
        """Read the driver's event suppression structure."""
        self.dma.read(self._driver_event, EVENT_BYTES, done)

    def interrupt(self) -> None:
        """The driver wants to be told."""
        self._on_interrupt()


class _Notifier:
    """Reads the driver's event suppression after used entries and decides on the interrupt.

    One read serves all entries that were visible when it was asked for.
    """

    def __init__(self, queue: DeviceQueue) -> None:
        self._queue = queue
        self._unserved = 0
        self._index = 0
        self._wrap = True
        self._reading = False

    def passed(self, slots: int) -> None:
        """`slots` more are visible as used."""
        if self._queue.stopped:
            return
        self._unserved += slots
        if not self._reading:
            self._read()

    def _read(self) -> None:
        self._reading = True
        asked, self._unserved = self._unserved, 0
        self._queue.read_driver_event(lambda raw: self._decide(raw, asked))

    def _decide(self, raw: bytes, passed: int) -> None:
        queue = self._queue
        if queue.stopped:
            return
        size = queue.ring.size
        event_idx = queue.features.event_idx
        wanted = wants_interrupt(raw, self._index, self._wrap, passed, size, event_idx=event_idx)
        self._index += passed
        while self._index >= size:
            self._index -= size
            self._wrap = not self._wrap
        self._reading = False
        if wanted:
            queue.interrupt()
        if self._unserved and not queue.stopped:
            # Entries that became visible after this read was issued: the driver may have changed its
            # mind between.
            self._read()
