"""Whose is a DMA transfer? Sends each burst that is seen to the queue, and the purpose, that it belongs to.

Its shadow of host memory holds what the NIC itself has read; nothing else is ever looked at.
"""

from collections.abc import Callable
from typing import Final, cast

from pymodel.regs import EVENT_BYTES, Queue
from tb.lockstep import events as ev
from tb.lockstep.life import Life
from tb.lockstep.shadow import Shadow
from tb.lockstep.tally import Tally

_RX: Final = int(Queue.RX)
_TX: Final = int(Queue.TX)
_LINE: Final = 15
_ERROR_RESPONSE: Final = 2


class Transfers:
    """`lives`: the last life of each queue, kept up to date by the owner.

    `fault(reason)`: the device must ask for a reset; `chains_found(life)`: more chains became known;
    `counts(time)`: counters change at `time`; `uncertain()`: an error makes it unclear what is still done.
    """

    def __init__(
        self,
        tally: Tally,
        shadow: Shadow,
        lives: list[Life | None],
        *,
        fault: Callable[[str], None],
        chains_found: Callable[[Life], None],
        counts: Callable[[int], None],
        uncertain: Callable[[], bool],
    ) -> None:
        self._tally = tally
        self._shadow = shadow
        self._lives = lives
        self._former: list[Life] = []
        """Lives that another one has followed, of which transfers may still be in flight."""
        self._fault = fault
        self._chains_found = chains_found
        self._counts = counts
        self._uncertain = uncertain

    def memory(self, address: int, length: int) -> bytes:
        """What the NIC read there last; zeros outside the memory."""
        return self._shadow.load(address, length)

    def superseded(self, life: Life) -> None:
        """Another life of the same queue begins."""
        self._former.append(life)

    def reset(self) -> None:
        """Hardware reset: nothing is in flight."""
        self._former.clear()

    def _owners(self, now: int) -> list[Life]:
        """The lives to which an address may belong, those of now first.

        When nothing of a stopped one is in flight any more, its memory may be that of a running one.
        """
        if not self._former:
            for life in self._lives:
                if life is None or life.protocol.stopped_at is not None:
                    break
            else:
                return cast(list[Life], self._lives)  # the usual case, for each of thousands of bursts
        if self._former:
            self._former = [life for life in self._former if not life.is_over(now)]
        lives = [life for life in self._lives if life is not None]
        if any(life.running for life in lives):
            lives = [life for life in lives if not life.is_over(now)]
        return lives + self._former

    def request(self, event: ev.DmaRequest) -> None:
        """The memory accepted an address."""
        time, address, write, _ = event
        owners = self._owners(time)
        for life in owners:
            protocol = life.protocol
            if protocol.base <= address < protocol.end:
                protocol.request(time, address, write)
                return
            if not write and address & ~_LINE == protocol.driver_event & ~_LINE:
                life.reads.asked(time)
                protocol.area_request(time, "driver event suppression")
                return
            if write and address & ~_LINE == protocol.device_event & ~_LINE:
                protocol.area_request(time, "device event suppression")
                return
            if not write and protocol.reads_table(address):
                protocol.area_request(time, "an indirect table")
                return
        payload = self._lives[_RX if write else _TX]
        if payload is not None and not self._former:
            payload.protocol.area_request(time, "a buffer")

    def read(self, event: ev.DmaRead) -> None:
        """A read has ended."""
        time, address, data, _, resp = event
        end = address + len(data)
        failed = bool(resp & _ERROR_RESPONSE)
        if failed:
            self._fault(f"error response to a read at {address:#x}")
        owners = self._owners(time)
        for life in owners:
            protocol = life.protocol
            if protocol.base <= address < protocol.end:
                if failed:
                    protocol.failed(write=False)
                    return
                protocol.ring_read(time, address, data)
                self._look(life, lambda side=life.side: side.ring_read(address, data))  # type: ignore[misc]
                return
            if address <= protocol.driver_event < end:
                uncertain = not life.running or self._uncertain()
                raw = data[protocol.driver_event - address :]
                life.reads.read(time, raw, failed=failed, uncertain=uncertain)
        if failed:
            return
        self._shadow.store(address, data)
        for life in owners:
            life.protocol.payload_read(address, data)
            if life.side.fetching:
                self._look(life, lambda side=life.side: side.table_read(address, data))  # type: ignore[misc]

    def _look(self, life: Life, action: Callable[[], None]) -> None:
        """Let the golden core see more of a ring, and tell the owner what it found."""
        known, had_fault = life.side.known, life.side.fault
        action()
        if life.side.known > known:
            self._chains_found(life)
        if life.side.fault is not None and had_fault is None:
            self._fault(life.side.fault)

    def write(self, event: ev.DmaWrite) -> None:
        """A write is in memory, or has failed."""
        time, address, data, _, resp = event
        owners = self._owners(time)
        if resp & _ERROR_RESPONSE:
            self._fault(f"error response to a write at {address:#x}")
            for life in owners:
                if life.protocol.base <= address < life.protocol.end:
                    life.protocol.failed(write=True)
                    self._counts(time)
                    life.side.use_failed(address)
            return
        for life in owners:
            if life.protocol.base <= address < life.protocol.end:
                self._counts(time)
                life.used_write(time, address, data)
                return
        for life in owners:
            if 0 <= address - life.protocol.device_event < EVENT_BYTES:
                life.protocol.event_write(time, address, data)
                return
        self._tally.counts["payload writes"] += 1
        for life in owners:
            if life.protocol.payload_write(address, data):
                return
        text = f"{len(data)} bytes at {address:#x}: no receive buffer, used entry or event structure"
        self._tally.mismatch(time, "write outside buffers", text)
