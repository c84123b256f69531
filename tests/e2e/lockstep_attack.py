"""The attacker: drives the NIC's registers and rings at random within virtio 1.2 and docs/architecture.md.

It knows neither the RTL nor the project's driver. `traffic` sends frames both ways under the present habits;
after `settle` everything is accounted for and a probe frame has passed each way. How the NIC is stopped,
reset and broken meanwhile is in lockstep_stops.
"""

import random
from collections.abc import Callable
from typing import Final

from lockstep_bench import Bench
from lockstep_habits import (
    LONGEST,
    OFFSETS_READ_ONLY,
    STATISTICS,
    Habits,
    random_frame,
    rough_surroundings,
    rx_capacity,
    split,
    tx_length,
    wire_frame,
)
from lockstep_ledger import RxLedger, TxLedger
from lockstep_ring import DESC, DISABLE, ENABLE, WRITE, Chain, Ring

from pymodel.simtime import MS, NS, US

RX, TX = 0, 1
# §4.2.2
DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x014, 0x020, 0x024
QUEUE_SEL, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY = 0x030, 0x038, 0x044, 0x050
INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x060, 0x064, 0x070
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x080, 0x090, 0x0A0
# §2.1
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 64
RUNNING: Final = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
# §5.1.3, §6: what the contract says is offered
REQUIRED: Final = 1 << 32 | 1 << 34
OPTIONAL: Final = (1 << 3, 1 << 5, 1 << 16, 1 << 33, 1 << 36)

PATIENCE: Final = 20 * MS
"""Simulated time after which a stretch of traffic is stuck."""

OVERSIZE: Final = "oversize"
BAD: Final = "bad"
"""Notes on TX chains without a frame that must appear."""


class Attacker:
    """One NIC under attack; `rng` decides everything."""

    def __init__(self, bench: Bench, rng: random.Random) -> None:
        self.bench, self.rng, self.nic = bench, rng, bench.nic
        self.tx, self.rx = TxLedger(), RxLedger()
        self.rings: list[Ring | None] = [None, None]
        self.habits = Habits.draw(rng)
        self.line = False
        self.link_up = True
        self.life = 0
        """Numbers the lives of the TX ring."""
        self.broken = False
        """A bad chain is in the TX ring: nothing behind it may be sent or used."""
        self.oversize_used = 0
        self.lost = dict.fromkeys(("rx_frames", "rx_truncated", "tx_oversize"), 0)
        """Counted by the NIC, but its effect was lost in a stop."""
        self.exact = True
        """`lost` is known."""
        self._epoch = 0
        self._handling = False
        self._owed: list[int | None] = [None, None]
        self._serial = 0
        bench.nic.set_wire_handler(self.tx.appeared)
        bench.nic.set_interrupt_handler(self._level)

    @property
    def frames(self) -> int:
        """Frames put on the wire or given to the NIC so far."""
        return self._serial

    def _level(self, level: bool) -> None:
        self.line = level

    # ------------------------------------------------------------------ bringing up

    async def bring_up(self) -> None:
        """From reset to DRIVER_OK (§3.1.1), with ring sizes and features at random."""
        rng, nic = self.rng, self.nic
        self.bench.note("bring up")
        nic.write(STATUS, ACKNOWLEDGE)
        nic.write(STATUS, ACKNOWLEDGE | DRIVER)
        features = REQUIRED | sum(bit for bit in OPTIONAL if rng.random() < 0.7)
        for word in rng.sample((0, 1), 2):
            nic.write(DRIVER_FEATURES_SEL, word)
            nic.write(DRIVER_FEATURES, features >> 32 * word & 0xFFFFFFFF)
        nic.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert await self.bench.read(STATUS) == ACKNOWLEDGE | DRIVER | FEATURES_OK
        late = rng.random() < 0.3
        if late:
            nic.write(STATUS, RUNNING)
        for queue in rng.sample((RX, TX), 2):
            self.give(queue)
        if rng.random() < 0.3:
            nic.write(QUEUE_NOTIFY, rng.choice((RX, TX)))
        if rng.random() < 0.5:
            await self.refill()
        if not late:
            nic.write(STATUS, RUNNING)
        assert await self.bench.read(STATUS) == RUNNING
        self._owed = [self.bench.now, self.bench.now]

    def give(self, queue: int, size: int | None = None) -> None:
        """Tell the NIC about a new ring and make it ready."""
        rng, nic = self.rng, self.nic
        if size is None:
            size = rng.choice((1, 2, 3, rng.randint(1, 16), rng.randint(1, 256), 256, 255))
        ring = self.rings[queue] = Ring(self.bench.memory, rng, size, receives=queue == RX)
        self.bench.note(f"queue {queue}: {size} descriptors at {ring.desc:#x}")
        if queue == TX:
            self.life += 1
            self.broken = False
        nic.write(QUEUE_SEL, queue)
        writes = [(QUEUE_NUM, size)]
        for register, address in (
            (QUEUE_DESC, ring.desc),
            (QUEUE_DRIVER, ring.driver),
            (QUEUE_DEVICE, ring.device),
        ):
            writes += [(register, address & 0xFFFFFFFF), (register + 4, address >> 32)]
        rng.shuffle(writes)
        for register, value in writes:
            nic.write(register, value)
        nic.write(QUEUE_READY, 1)
        self._owed[queue] = self.bench.now  # §2.8.10: it begins with notifications enabled

    def forget(self) -> None:
        """The device was reset: what was owed to it, or asked of it, is void."""
        self._epoch += 1
        self._handling = False
        self._owed = [None, None]

    # ------------------------------------------------------------------ giving buffers

    async def publish(self, queue: int, chains: list[Chain]) -> None:
        """Make chains available, and remember the notification that the NIC may want (§2.8.10)."""
        ring = self.rings[queue]
        assert ring is not None
        rng = self.rng
        torn = rng.random() < self.habits.torn
        for address, data in ring.prepare(chains).writes:
            self.bench.memory.write(address, data)
            if torn and rng.random() < 0.3:
                await self.bench.run_for(rng.randrange(1, 300) * NS)
        if ring.wants_notification and self._owed[queue] is None:
            self._owed[queue] = self.bench.now + rng.randint(0, self.habits.late)

    def tx_chain(self, length: int, room: int) -> Chain:
        """A chain of at most `room` descriptors with a frame of `length` bytes."""
        ring = self.rings[TX]
        assert ring is not None
        rng = self.rng
        self._serial += 1
        frame = random_frame(rng, self._serial, length)
        data = rng.randbytes(12) + frame  # flags and gso_type are ignored
        pieces, at = [], 0
        for size in split(rng, len(data), min(room, self.habits.most_pieces)):
            pieces.append(ring.piece(size, data[at : at + size]))
            at += size
        chain = Chain(pieces)
        if self.broken:
            chain.what = BAD
        elif length > LONGEST:
            chain.what = OVERSIZE
        else:
            chain.what = self.tx.post(frame, self.life)
        return chain

    def rx_chain(self, capacity: int, room: int) -> Chain:
        """A chain of at most `room` descriptors and `capacity` bytes."""
        ring = self.rings[RX]
        assert ring is not None
        sizes = split(self.rng, capacity, min(room, self.habits.most_pieces))
        return Chain([ring.piece(size) for size in sizes], capacity)

    async def send_some(self) -> None:
        """Post a batch of TX chains, as far as there is room."""
        ring = self.rings[TX]
        if ring is None:
            return
        chains, room = [], ring.free
        for _ in range(self.rng.randint(1, self.habits.batch)):
            if not room:
                break
            chains.append(self.tx_chain(tx_length(self.rng), room))
            room -= len(chains[-1].pieces)
        if chains:
            await self.publish(TX, chains)

    async def refill(self, *, small: float | None = None) -> None:
        """Post RX chains up to what the habits say."""
        ring = self.rings[RX]
        if ring is None:
            return
        small = self.habits.small if small is None else small
        chains, room = [], ring.free - int(ring.size * (1 - self.habits.fill))
        while room > 0:
            chains.append(self.rx_chain(rx_capacity(self.rng, small), room))
            room -= len(chains[-1].pieces)
        if chains:
            await self.publish(RX, chains)

    def arrive(self, *, bad: float | None = None) -> None:
        """Put a frame on the wire towards the NIC."""
        rng = self.rng
        self._serial += 1
        kind, frame, error = wire_frame(rng, self._serial, self.habits.bad if bad is None else bad)
        self.rx.arrives(kind, frame[:-4])
        self.bench.wire_send(frame, gap=rng.randint(12, self.habits.gap), error=error)

    # ------------------------------------------------------------------ getting them back

    def collect(self) -> None:
        """Take all used entries; each must be right."""
        for queue, ring in enumerate(self.rings):
            while ring is not None and (entry := ring.used()) is not None:
                chain = entry.chain
                assert entry.address == 0
                if queue == TX:
                    assert (entry.length, entry.flags) == (0, 0)
                    assert chain.what is not BAD, "a bad chain, or one behind it, was used"
                    if chain.what is OVERSIZE:
                        self.oversize_used += 1
                    else:
                        chain.what.used = True  # type: ignore[attr-defined]
                else:
                    assert entry.flags == WRITE
                    capacity = sum(piece.length for piece in chain.pieces)
                    content = ring.content(chain, entry.length or min(capacity, 12 + LONGEST))
                    self.rx.used(entry.length, capacity, content)
                    assert ring.guards_intact(chain), "written outside a buffer"
                ring.release(chain)

    def handle_interrupt(self) -> None:
        """What a driver does that looks at its rings on interrupts only: ACK, look, enable, look again."""
        if not self.line or self._handling:
            return
        self._handling = True
        epoch = self._epoch
        disable = self.rng.random() < 0.5

        def asked(value: int) -> None:
            if epoch == self._epoch:
                self.nic.write(INTERRUPT_ACK, value)
                if disable:
                    self.suppress(DISABLE)
                self.nic.read(STATUS, 4, acknowledged)  # the ACK has arrived when this is answered

        def acknowledged(_: int) -> None:
            if epoch == self._epoch:
                self.collect()
                if self.habits.interrupts:
                    self.suppress(self.rng.choice((ENABLE, DESC)))
                self.collect()
                self._handling = False

        self.nic.read(INTERRUPT_STATUS, 4, asked)

    def suppress(self, flags: int) -> None:
        """Tell the NIC whether interrupts are wanted."""
        for ring in self.rings:
            if ring is not None:
                ring.suppress(flags)

    # ------------------------------------------------------------------ steps

    async def step(self, tx: bool = True, rx: bool = True) -> None:
        """One random thing or several, and a random time."""
        rng, habits, bench = self.rng, self.habits, self.bench
        if tx and rng.random() < 0.5:
            await self.send_some()
        if rx and rng.random() < 0.5 and bench.wire_free < bench.now + 10 * US:
            for _ in range(rng.randint(1, habits.burst)):
                self.arrive()
        if rng.random() < habits.flip and not habits.interrupts:
            ring = rng.choice(self.rings)
            if ring is not None:
                ring.suppress(rng.choice((ENABLE, DISABLE, DESC)))
        if rng.random() < habits.redundant:
            self.nic.write(QUEUE_NOTIFY, rng.choice((RX, TX)))
        if rng.random() < habits.poke:
            self.poke()
        if rng.random() < habits.link:
            self.link_up = not self.link_up
            self.nic.set_link(self.link_up)
        await bench.run_for(rng.randint(1, habits.step))
        await self.service()

    async def service(self) -> None:
        """What a driver does all the time: notify, look for used buffers, give new ones."""
        rng, habits = self.rng, self.habits
        for queue, due in enumerate(self._owed):
            if due is not None and due <= self.bench.now:
                self._owed[queue] = None
                self.nic.write(QUEUE_NOTIFY, queue)
        if habits.interrupts:
            self.handle_interrupt()
        elif rng.random() < habits.poll:
            self.collect()
            if self.line and rng.random() < 0.3:
                self.nic.write(INTERRUPT_ACK, rng.choice((1, 2, 3, 0xFFFFFFFF)))
        if rng.random() < habits.refill:
            await self.refill()

    def poke(self) -> None:
        """A register access that must not disturb anything."""
        rng, nic = self.rng, self.nic
        what = rng.randrange(7)
        size = rng.choice((1, 2, 4))
        value = rng.randrange(1 << 8 * size)
        lane = rng.randrange(0, 4, size)
        if what == 0:
            nic.read(rng.randrange(0, 0x2000, 4), 4, lambda _: None)
        elif what == 1:
            for offset in rng.sample(sorted(STATISTICS.values()), 3):
                nic.read(offset, 4, lambda _: None)
                nic.read(offset + rng.choice((0, 4)), 4, lambda _: None)
        elif what == 2:
            nic.write(rng.choice((*OFFSETS_READ_ONLY, rng.randrange(0x100, 0x2000, 4))) + lane, value, size)
        elif what == 3:
            nic.write(QUEUE_NOTIFY, rng.choice((2, 3, 0x10000, 0x10001, 0x80000000, 0xFFFFFFFF)))
        elif what == 4:
            # Ready queues and absent ones do not take this.
            queue = rng.choice((RX, TX, 2, 7, 0x10000, 0xFFFFFFFF))
            if queue > TX or self.rings[queue] is not None:
                nic.write(QUEUE_SEL, queue)
                register = rng.choice((QUEUE_NUM, QUEUE_DESC, QUEUE_DRIVER + 4, QUEUE_DEVICE, 0x0C0))
                nic.write(register + lane, value, size)
        elif what == 5:
            nic.write(rng.choice((STATUS + 1, QUEUE_NOTIFY + 2, QUEUE_READY + 3)), rng.randrange(256), 1)
            nic.write(STATUS, rng.randrange(1, 16))
        else:
            nic.write(rng.choice((DEVICE_FEATURES_SEL, DRIVER_FEATURES_SEL)) + lane, value, size)
            nic.write(DRIVER_FEATURES + lane, value, size)

    async def traffic(self, frames: int) -> None:
        """`frames` frames, both ways mixed; they need not have arrived at the end."""
        self.bench.note(f"traffic: {frames} frames, {self.habits}")
        goal = self.frames + frames
        deadline = self.bench.now + PATIENCE
        while self.frames < goal:
            assert self.bench.now < deadline, "traffic is stuck"
            await self.step()

    def change_habits(self) -> None:
        """New habits, new surroundings."""
        self.habits = Habits.draw(self.rng)
        self.bench.note(rough_surroundings(self.nic, self.rng))
        if self.habits.interrupts:
            self.suppress(self.rng.choice((ENABLE, DESC)))
            self.collect()

    # ------------------------------------------------------------------ accounting

    async def settle(self) -> None:
        """Let everything come to its end; nothing may be missing; a probe passes both ways."""
        bench, habits = self.bench, self.habits
        bench.note("settle")
        habits.refill, habits.fill, habits.late = 1.0, 1.0, 0
        await self._until(lambda: self._tx_done() and bench.now > bench.wire_free + 3 * US, "TX to end")
        await self._rx_done()
        await self._probe()
        await self.account()

    def _tx_done(self) -> bool:
        ring = self.rings[TX]
        return self.tx.required == 0 and (ring is None or not ring.out)

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = self.bench.now + PATIENCE
        while not done():
            assert self.bench.now < deadline, f"waited in vain for {what}"
            await self.bench.run_for(self.rng.randint(100 * NS, 2 * US))
            await self.service()

    async def _rx_done(self) -> None:
        """Every stored frame has been delivered."""
        deadline = self.bench.now + PATIENCE
        quiet = 0
        while True:
            seen = self.rx.delivered + self.rx.truncated
            stored = await self.bench.read64(STATISTICS["rx_frames"])
            missing = stored - self.lost["rx_frames"] - self.rx.delivered - self.rx.truncated
            if self.exact:
                assert missing >= 0, f"{-missing} frames more delivered than stored"
                if not missing:
                    return
            elif seen == self.rx.delivered + self.rx.truncated:
                quiet += 1
                if quiet > 20:
                    return
            else:
                quiet = 0
            assert self.bench.now < deadline, f"{missing} stored frames were never delivered"
            await self.bench.run_for(self.rng.randint(1 * US, 3 * US))
            await self.service()

    async def _probe(self) -> None:
        """One frame out, one in."""
        sent = self.tx.sent
        ring = self.rings[TX]
        if ring is not None:
            await self.publish(TX, [self.tx_chain(self.rng.randint(14, LONGEST), ring.free)])
            await self._until(lambda: self.tx.sent > sent and self._tx_done(), "the TX probe")
        ring = self.rings[RX]
        if ring is None:
            return
        self.habits.small = 0.0
        delivered = self.rx.delivered
        for _ in range(len(ring.out) + 2):  # the chains that are out may be too small
            before = delivered + self.rx.truncated
            self.arrive(bad=0)
            await self._until(lambda b=before: self.rx.delivered + self.rx.truncated > b, "the RX probe")
            if self.rx.delivered > delivered:
                return
        raise AssertionError("no RX probe was delivered whole")

    async def counters(self) -> dict[str, int]:
        """All statistics."""
        return {name: await self.bench.read64(offset) for name, offset in STATISTICS.items()}

    async def account(self) -> None:
        """With everything at rest: the counters add up with what was sent and seen."""
        await self.bench.run_for(2 * US)
        count, kinds = await self.counters(), self.rx.kinds
        for name in ("rx_bad_preamble", "rx_code_error", "rx_undersize", "rx_oversize", "rx_fcs_error"):
            assert count[name] == kinds[name], f"{name} is {count[name]}, {kinds[name]} were sent"
        good = count["rx_frames"] + count["rx_overflow"] + count["rx_disabled"]
        assert good == kinds["good"], f"{good} good frames are counted, {kinds['good']} were sent"
        assert (count["tx_frames"], count["tx_bytes"]) == (self.tx.sent, self.tx.sent_bytes)
        assert count["tx_underflow"] == 0
        lost = self.lost_now(count)
        if self.exact:
            assert lost == self.lost, f"without an effect are counted {lost}, {self.lost} expected"
        assert min(lost.values()) >= 0, f"too little is counted: {lost}"
        self.lost, self.exact = lost, True
        self.bench.check()

    def lost_now(self, count: dict[str, int]) -> dict[str, int]:
        """What is counted and was not seen to have an effect."""
        return {
            "rx_frames": count["rx_frames"] - self.rx.delivered - self.rx.truncated,
            "rx_truncated": count["rx_truncated"] - self.rx.truncated,
            "tx_oversize": count["tx_oversize"] - self.oversize_used,
        }
