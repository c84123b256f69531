"""One running virtqueue of the golden NIC, with its timing: fetch, used entries, event suppression.

A `DeviceQueue` exists from the moment its ring may be touched until it may not (`stop`); it then begins
anew at index 0. It fetches ahead of its engine by up to `PREFETCH_CHAINS`, writes used entries in the
order of `give_back`, and reads the driver's event suppression after each (virtio 1.2 §2.8.10).
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from pymodel.golden.dma import Dma
from pymodel.golden.registers import QueueRegisters
from pymodel.golden.ring import Chain, PackedRing, RingFault
from pymodel.regs import DESC_BYTES, EVENT_BYTES, Event, EventFlag

PREFETCH_DESCRIPTORS: Final = 16
PREFETCH_CHAINS: Final = 16
_FLAG_MASK: Final = 3


def suppression(flags: EventFlag) -> bytes:
    """The event suppression structure (§2.8.14) with `flags` and no descriptor offset."""
    return bytes(Event.FLAGS) + int(flags).to_bytes(2, "little")


def wants_interrupt(structure: bytes) -> bool:
    """Does the driver's event suppression structure ask for a notification? Only DISABLE says no."""
    return structure[Event.FLAGS] & _FLAG_MASK != EventFlag.DISABLE


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
        dma: Dma,
        registers: QueueRegisters,
        *,
        writable: bool,
        on_chain: Callable[[], None],
        on_interrupt: Callable[[], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self.ring = PackedRing(registers.desc, registers.num, writable=writable)
        self.chains: deque[Chain] = deque()
        self._dma = dma
        self._driver_event = registers.driver
        self._device_event = registers.device
        self._on_chain = on_chain
        self._on_interrupt = on_interrupt
        self._on_fault = on_fault
        self._state = _Fetch.ASLEEP
        self._reading = False
        self._event_reading = False
        self._event_wanted = False
        self.stopped = False

    def stop(self) -> None:
        """Begin nothing any more; what is in flight ends without effect here."""
        self.stopped = True
        self.chains.clear()

    # ------------------------------------------------------------------ available buffers

    def kick(self) -> None:
        """The driver notified this queue.

        While it is awake nothing need be done: memory is read at the end of a read, so a descriptor that
        was published before this notification is seen by the last look before sleep.
        """
        if self._state is _Fetch.ASLEEP:
            self._begin()

    def take(self) -> Chain:
        """The oldest fetched chain; the fetcher goes on when it had been waiting for room."""
        chain = self.chains.popleft()
        if self._state is _Fetch.ACTIVE and not self._reading:
            self._fetch()
        return chain

    def _begin(self) -> None:
        """Work begins: the driver need not notify until the ring was found empty again."""
        self._state = _Fetch.ACTIVE
        self._dma.write(self._device_event, suppression(EventFlag.DISABLE))
        self._fetch()

    def _fetch(self) -> None:
        if len(self.chains) >= PREFETCH_CHAINS:
            return
        ring = self.ring
        count = min(PREFETCH_DESCRIPTORS, ring.size - ring.avail_index)
        self._reading = True
        self._dma.read(ring.slot_address(ring.avail_index), count * DESC_BYTES, self._fetched)

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
                self.chains.append(chain)
        self._proceed(found, exhausted)
        if self.chains:
            self._on_chain()

    def _proceed(self, found: bool, exhausted: bool) -> None:
        if self._state is _Fetch.RECHECK:
            if found:
                self._begin()
            else:
                self._state = _Fetch.ASLEEP
        elif exhausted:
            self._state = _Fetch.RECHECK
            self._dma.write(self._device_event, suppression(EventFlag.ENABLE), self._recheck)
        else:
            self._fetch()

    def _recheck(self) -> None:
        """The ENABLE is visible: a buffer made available before that came with no notification (§2.8.10)."""
        if self.stopped:
            return
        self._reading = True
        self._dma.read(self.ring.slot_address(self.ring.avail_index), DESC_BYTES, self._fetched)

    # ------------------------------------------------------------------ used buffers

    def give_back(self, chain: Chain, length: int) -> None:
        """Write the used entry of `chain`: its payload must be visible, or read, by now."""
        if self.stopped:
            return
        entry = self.ring.use(chain, length)
        self._dma.write(entry.address, entry.data, self._used_visible)

    def _used_visible(self) -> None:
        if self.stopped:
            return
        if self._event_reading:
            self._event_wanted = True
            return
        self._event_reading = True
        self._dma.read(self._driver_event, EVENT_BYTES, self._event_read)

    def _event_read(self, structure: bytes) -> None:
        if self.stopped:
            return
        self._event_reading = False
        if wants_interrupt(structure):
            self._on_interrupt()
        if self._event_wanted:
            # Entries that became visible after this read was issued: the driver may have changed its
            # mind between.
            self._event_wanted = False
            self._used_visible()
