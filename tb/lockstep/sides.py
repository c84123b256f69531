"""The golden core driven by the RTL's events: one life of the TX ring, one life of the RX ring.

What the core predicts depends on the order of chains and frames alone, and that is the ring's and the
wire's. When the NIC picked a descriptor up is taken from its own reads: a chain exists here from the read
on that showed it available.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pymodel.golden import rx, tx
from pymodel.golden.counters import Counters
from pymodel.golden.ring import Chain, PackedRing, RingFault, UsedEntry
from pymodel.regs import DESC_BYTES
from tb.lockstep.tally import Tally, difference


class Side:
    """What both rings have in common: parsing what was read, and the fault that ends a life."""

    def __init__(self, tally: Tally, name: str, base: int, size: int, *, writable: bool) -> None:
        self.ring = PackedRing(base, size, writable=writable)
        self.chains: deque[Chain] = deque()
        self.fault: str | None = None
        self._tally = tally
        self._name = name

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
                if chain is not None:
                    self.check(chain)
                    self.chains.append(chain)
            except RingFault as fault:
                self.fault = fault.reason
                return
            if not available or ring.avail_index == 0:
                return
            offset += DESC_BYTES

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
            self._tally.mismatch(time, "used entry", f"{self._name}: written to slot {slot}, {due} expected")
        elif data != expected.data:
            self._tally.mismatch(
                time,
                "used entry",
                f"{self._name}: {_used_words(data)}; expected {_used_words(expected.data)}",
            )


def _used_words(data: bytes) -> str:
    if len(data) != DESC_BYTES:
        return f"{len(data)} bytes"
    number = int.from_bytes
    return (
        f"addr {number(data[:8], 'little'):#x} len {number(data[8:12], 'little')} "
        f"id {number(data[12:14], 'little')} flags {number(data[14:], 'little'):#06x}"
    )


class TxSide(Side):
    """One life of the transmit ring. `read(address, length)` gives what the NIC read there;
    `send(frame)` takes each frame that must appear on the wire (DA…FCS)."""

    def __init__(
        self,
        tally: Tally,
        base: int,
        size: int,
        *,
        mtu: int,
        counters: Counters,
        read: Callable[[int, int], bytes],
        send: Callable[[bytes], None],
    ) -> None:
        super().__init__(tally, "TX", base, size, writable=False)
        self.used_due: deque[UsedEntry] = deque()
        self._mtu = mtu
        self._counters = counters
        self._read = read
        self._send = send

    def check(self, chain: Chain) -> None:
        """A chain too short for the headers is refused."""
        tx.check(chain)

    def execute(self) -> bool:
        """Run the oldest chain through the golden core; False when there is none."""
        if not self.chains:
            return False
        chain = self.chains.popleft()
        if tx.oversize(chain, self._mtu):
            self._counters.tx_oversize += 1
        else:
            data = b"".join([self._read(address, length) for address, length in chain.descriptors])
            self._send(tx.wire_frame(data))
        self.used_due.append(self.ring.use(chain, 0))
        return True

    def abandon(self, send: Callable[[bytes], None]) -> int:
        """The ring was stopped: give the frames of the chains not yet run to `send`.

        Returns how many were too long; they are not counted.
        """
        self._send = send
        before = self._counters.tx_oversize
        while self.execute():
            pass
        oversize = self._counters.tx_oversize - before
        self._counters.tx_oversize = before
        return oversize

    def used_write(self, time: int, address: int, data: bytes) -> None:
        """The NIC wrote a used entry: every byte of it must be as predicted."""
        if not self.used_due:
            self.execute()
        self.compare_used(time, self.used_due.popleft() if self.used_due else None, address, data)

    @property
    def pending(self) -> int:
        """Used entries that are still due."""
        return len(self.chains) + len(self.used_due)


@dataclass(slots=True)
class _Plan:
    """One frame on its way into one chain. `pieces`: the writes that must still come, in order."""

    frame: bytes
    chain: Chain
    laid: int = 0
    pieces: deque[tuple[int, bytes]] = field(default_factory=deque)

    def lay(self) -> None:
        """Add the writes for descriptors that have become known since."""
        writes = rx.place(self.chain, self.frame).writes
        self.pieces.extend(writes[self.laid :])
        self.laid = len(writes)

    def find(self, address: int, end: int) -> int:
        """Index of the piece that holds address…end, or -1."""
        for i, (start, data) in enumerate(self.pieces):
            if start <= address and end <= start + len(data):
                return i
        return -1

    def take(self, index: int, address: int, length: int) -> bytes:
        """The expected bytes of a write that `find` found; they are then no longer due."""
        start, data = self.pieces[index]
        skip = address - start
        del self.pieces[index]
        if skip + length < len(data):
            self.pieces.insert(index, (address + length, data[skip + length :]))
        if skip:
            self.pieces.insert(index, (start, data[:skip]))
        return data[skip : skip + length]


class RxSide(Side):
    """One life of the receive ring."""

    def __init__(self, tally: Tally, base: int, size: int, *, counters: Counters) -> None:
        super().__init__(tally, "RX", base, size, writable=True)
        self._counters = counters
        self._frames: deque[bytes] = deque()
        self._plans: deque[_Plan] = deque()
        self._planned = 0  # chains of `chains` that have a plan; a partial chain is the one behind them
        self._partial: _Plan | None = None

    def store(self, frame: bytes) -> None:
        """A good frame (DA…FCS) is in the FIFO: it must come out into the next chain."""
        self._frames.append(frame)

    def _open(self) -> bool:
        """Plan the oldest frame without a chain, if there are both."""
        if not self._frames:
            return False
        if self._planned < len(self.chains):
            chain: Chain | None = self.chains[self._planned]
        elif self._partial is None:
            chain = self.ring.partial
        else:
            return False
        if chain is None:
            return False
        plan = _Plan(self._frames.popleft(), chain)
        plan.lay()
        self._plans.append(plan)
        if self._planned < len(self.chains):
            self._planned += 1
        else:
            self._partial = plan
        return True

    def ring_read(self, address: int, data: bytes) -> None:
        """As above; a frame that is being written into a partial chain goes on with its new buffers."""
        super().ring_read(address, data)
        plan = self._partial
        if plan is not None:
            plan.lay()
            if self._planned < len(self.chains):
                self._planned += 1
                self._partial = None

    def payload_write(self, time: int, address: int, data: bytes) -> None:
        """The NIC wrote into a receive buffer: every byte must be as predicted."""
        counts = self._tally.counts
        counts["payload bytes"] += len(data)
        counts["payload writes"] += 1
        end = address + len(data)
        for plan in self._plans:
            index = plan.find(address, end)
            if index >= 0:
                break
        else:
            while self._open():
                plan = self._plans[-1]
                index = plan.find(address, end)
                if index >= 0:
                    break
            else:
                self._tally.mismatch(
                    time, "payload", f"{len(data)} bytes written at {address:#x}, where none are due"
                )
                return
        expected = plan.take(index, address, len(data))
        if expected != data:
            self._tally.mismatch(time, "payload", f"at {address:#x}: {difference(expected, data)}")

    def used_write(self, time: int, address: int, data: bytes) -> None:
        """The NIC wrote a used entry: its payload must be complete, and every byte as predicted."""
        if not self._plans:
            self._open()
        if not self._plans or self._plans[0] is self._partial:
            self.compare_used(time, None, address, data)
            return
        plan = self._plans.popleft()
        self._planned -= 1
        chain = self.chains.popleft()
        if plan.pieces:
            missing = sum(len(piece) for _, piece in plan.pieces)
            self._tally.mismatch(time, "payload", f"{missing} bytes of the frame were not written before use")
        placement = rx.place(chain, plan.frame)
        if placement.truncated:
            self._counters.rx_truncated += 1
        self.compare_used(time, self.ring.use(chain, placement.used_length), address, data)

    @property
    def in_flight(self) -> int:
        """Frames stored and not yet given to the driver."""
        return len(self._frames) + len(self._plans)

    @property
    def pending(self) -> int:
        """Frames that could be delivered: there are chains for them."""
        return min(self.in_flight, len(self.chains))
