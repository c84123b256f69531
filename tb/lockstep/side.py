"""What the golden core makes of a ring, from what the NIC itself has read of it.

When the NIC picked a descriptor up is taken from its own reads: a chain exists here from the read on that
showed its last piece.
"""

from collections import deque

from pymodel.golden.features import Features
from pymodel.golden.ring import Chain, PackedRing, RingFault, UsedEntry
from pymodel.regs import DESC_BYTES
from tb.lockstep.buffers import Buffer
from tb.lockstep.tally import Tally


class Side:
    """What both rings have in common: parsing what was read, and the fault that ends a life."""

    def __init__(
        self, tally: Tally, name: str, base: int, size: int, features: Features, *, writable: bool
    ) -> None:
        self.ring = PackedRing(base, size, writable=writable, indirect=features.indirect)
        self.features = features
        self.chains: deque[Chain] = deque()
        self.fault: str | None = None
        self._refused = False
        """A table was found wrong: what lies behind it is not looked at."""
        self.known = 0
        """Chains that have become known so far."""
        self._tally = tally
        self._name = name
        self._fetched: deque[tuple[Chain, Buffer | None]] = deque()
        """Chains not yet in `chains`, in the order of the ring, with the table that is still being read."""

    def join(self, position: int) -> None:
        """The ring is at `position`, counted from its start without end."""
        lap, self.ring.avail_index = divmod(position, self.ring.size)
        self.ring.avail_wrap = not lap & 1

    @property
    def fetching(self) -> int:
        """Chains of which a table is still being read, and those behind them."""
        return len(self._fetched)

    def ring_read(self, address: int, data: bytes) -> None:
        """A burst of descriptors has been read. Only what is next in the ring counts (§2.8.6)."""
        ring = self.ring
        offset = ring.slot_address(ring.avail_index) - address
        if offset < 0 or self.fault is not None:
            return
        end = min(len(data), ring.slot_address(ring.size) - address)
        while offset < end:
            try:
                available, chain = ring.push(data, offset)
            except RingFault as fault:
                self.fault = fault.reason
                return
            if chain is not None:
                table = Buffer(*chain.table) if chain.table is not None else None
                self._fetched.append((chain, table))
                self._admit()
            if not available or ring.avail_index == 0:
                return
            offset += DESC_BYTES

    def table_read(self, address: int, data: bytes) -> None:
        """Something else than the ring has been read: it may be of an indirect table."""
        # After a fault that was found in the ring, the chains before it are still executed.
        if not self._fetched or self._refused:
            return
        end = address + len(data)
        for _, table in self._fetched:
            if table is not None and address < table.end and table.start < end:
                table.store(address, data)
        self._admit()

    def _admit(self) -> None:
        """Pass on chains whose descriptors are all known."""
        fetched = self._fetched
        try:
            while fetched and not self._refused:
                chain, table = fetched[0]
                if table is not None:
                    if not table.whole:
                        return
                    self.ring.resolve(chain, table.content(len(table)))
                self.check(chain)
                self.chains.append(chain)
                self.known += 1
                fetched.popleft()
        except RingFault as fault:
            self.fault = self.fault or fault.reason
            self._refused = True

    def check(self, chain: Chain) -> None:
        """Raise RingFault for a chain that the device must refuse."""

    def compare_used(self, time: int, expected: UsedEntry | None, address: int, data: bytes) -> None:
        """Compare a used entry with the predicted one (None: none is due)."""
        self._tally.counts["used entries"] += 1
        if expected is None:
            self._tally.mismatch(time, "used entry", f"{self._name}: one was written, but no chain is due")
        elif address != expected.address:
            slot = (address - self.ring.base) // DESC_BYTES
            due = (expected.address - self.ring.base) // DESC_BYTES
            text = f"{self._name}: written to slot {slot}, {due} expected"
            self._tally.mismatch(time, "used entry", text, expected=expected.data, came=data)
        elif data != expected.data:
            self._tally.mismatch(
                time,
                "used entry",
                f"{self._name}: {_used_words(data)}; expected {_used_words(expected.data)}",
                expected=expected.data,
                came=data,
            )


def _used_words(data: bytes) -> str:
    if len(data) != DESC_BYTES:
        return f"{len(data)} bytes"
    number = int.from_bytes
    return (
        f"addr {number(data[:8], 'little'):#x} len {number(data[8:12], 'little')} "
        f"id {number(data[12:14], 'little')} flags {number(data[14:], 'little'):#06x}"
    )
