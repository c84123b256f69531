"""The campaign's driver: works the NIC's registers and rings at random within virtio 1.2 and docs/device.md.

It knows neither the RTL nor the project's driver. `traffic` sends frames both ways under the present habits.
How everything is accounted for is in campaign_account; how the NIC is stopped, reset and broken in
campaign_stops and campaign_faults.
"""

import random
from collections.abc import Iterator
from typing import Final

import campaign_rx
import campaign_tx
from campaign_bench import Bench
from campaign_habits import Habits, rx_capacity, split, surroundings
from campaign_ledger import RxLedger, Sent, TxLedger
from campaign_numbers import (
    ACKNOWLEDGE,
    CSUM,
    DEVICE_FEATURES,
    DEVICE_FEATURES_SEL,
    DRIVER,
    DRIVER_FEATURES,
    DRIVER_FEATURES_SEL,
    EVENT_IDX,
    FEATURES_OK,
    GUEST_CSUM,
    HOST_TSO4,
    HOST_TSO6,
    INDIRECT_DESC,
    INTERRUPT_ACK,
    INTERRUPT_STATUS,
    MRG_RXBUF,
    QUEUE_DESC,
    QUEUE_DEVICE,
    QUEUE_DRIVER,
    QUEUE_NOTIFY,
    QUEUE_NUM,
    QUEUE_READY,
    QUEUE_RESET,
    QUEUE_SEL,
    READ_ONLY,
    REQUIRED,
    RMON,
    RUNNING,
    RX,
    SIDE_MTU,
    STATISTICS,
    STATUS,
    TX,
)
from campaign_tx import BAD_OFFLOAD, OVERSIZE, TSO, Offers
from vring import DESC, DISABLE, ENABLE, WRITE, Chain, Ring, Used

from pymodel.simtime import MS, NS, US

PATIENCE: Final = 20 * MS
"""Simulated time after which a stretch of traffic is stuck."""
BAD: Final = "bad"
"""Note on a chain that the device must not use, and on those behind it."""
COUNTED: Final = (OVERSIZE, BAD_OFFLOAD, TSO)


class Driver:
    """One NIC; `rng` decides everything. `subsets`: the features of one life after the other."""

    def __init__(self, bench: Bench, rng: random.Random, subsets: Iterator[frozenset[int]]) -> None:
        self.bench, self.rng, self.nic = bench, rng, bench.nic
        self.tx, self.rx = TxLedger(), RxLedger()
        self.rings: list[Ring | None] = [None, None]
        self.habits = Habits.draw(rng)
        self.features: frozenset[int] = frozenset()
        self.lives: list[frozenset[int]] = []
        """The features of each device life so far."""
        self.mtu = 1500
        self.line = False
        self.link_up = True
        self.life = 0
        """Numbers the lives of the TX ring."""
        self.broken = False
        """A bad chain is in the TX ring: nothing behind it may be sent or used."""
        self.seen = dict.fromkeys(COUNTED, 0)
        """Chains that came back and are counted under these names."""
        self.lost = dict.fromkeys(("rx_frames", "rx_truncated", *COUNTED), 0)
        """Counted by the NIC, but its effect was lost in a stop."""
        self.exact = True
        """`lost` is known."""
        self._subsets = subsets
        self._epoch = 0
        self._handling = False
        self._owed: list[int | None] = [None, None]
        self._merging: list[bytes] = []
        self._serial = 0
        bench.nic.set_wire_handler(self.tx.appeared)
        bench.nic.set_interrupt_handler(self._level)

    @property
    def frames(self) -> int:
        """Frames seen on the wire so far, both ways, good and bad."""
        return self._before + self.tx.sent + self.tx.broken + self.rx.frames

    _before = 0

    def keep_count(self) -> None:
        """The ledgers are about to forget."""
        self._before = self.frames

    @property
    def counters(self) -> dict[str, int]:
        """Name and offset of what the NIC counts."""
        blind = self.bench.surroundings.blind
        return {name: at for name, at in {**STATISTICS, **RMON}.items() if name not in blind}

    @property
    def longest(self) -> int:
        """Longest frame without FCS."""
        return self.mtu + 18

    @property
    def offers(self) -> Offers:
        """What TX chains may ask for."""
        versions = tuple(n for bit, n in ((HOST_TSO4, 4), (HOST_TSO6, 6)) if bit in self.features)
        return Offers(CSUM in self.features, versions, self.longest)

    @property
    def merges(self) -> bool:
        """May a received frame take several chains?"""
        return MRG_RXBUF in self.features

    def _level(self, level: bool) -> None:
        self.line = level

    # ------------------------------------------------------------------ bringing up

    async def bring_up(self) -> None:
        """From reset to DRIVER_OK (§3.1.1), with ring sizes, features and MTU at random."""
        rng, nic = self.rng, self.nic
        if self.bench.surroundings.any_mtu and rng.random() < 0.5:
            await self.wire_idle()
            nic.write(SIDE_MTU, rng.choice((1500, 1500, 9000, 68, rng.randint(68, 9000))))
        self.mtu = await self.bench.read(SIDE_MTU)
        nic.write(STATUS, ACKNOWLEDGE)
        nic.write(STATUS, ACKNOWLEDGE | DRIVER)
        nic.write(SIDE_MTU, rng.randint(68, 9000))  # too late: ignored
        self.features = next(self._subsets) & await self._offered()
        self.lives.append(self.features)
        self.bench.note(f"bring up with features {sorted(self.features)}, MTU {self.mtu}")
        bits = REQUIRED | sum(1 << bit for bit in self.features)
        for word in rng.sample((0, 1), 2):
            nic.write(DRIVER_FEATURES_SEL, word)
            nic.write(DRIVER_FEATURES, bits >> 32 * word & 0xFFFFFFFF)
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

    async def wire_idle(self) -> None:
        """Let what is on its way to the NIC arrive: frames are made for the MTU of their time."""
        await self.bench.run_for(max(self.bench.wire_free - self.bench.now, 0) + 1 * US)

    async def _offered(self) -> frozenset[int]:
        bits = 0
        for word in (0, 1):
            self.nic.write(DEVICE_FEATURES_SEL, word)
            bits |= await self.bench.read(DEVICE_FEATURES) << 32 * word
        return frozenset(bit for bit in range(64) if bits >> bit & 1)

    def give(self, queue: int, size: int | None = None) -> None:
        """Tell the NIC about a new ring and make it ready."""
        rng, nic = self.rng, self.nic
        if size is None:
            size = rng.choice((1, 2, 3, rng.randint(1, 16), rng.randint(1, 256), 256, 255))
        ring = self.rings[queue] = Ring(
            self.bench.memory, rng, size, receives=queue == RX, event_idx=EVENT_IDX in self.features
        )
        self.bench.note(f"queue {queue}: {size} descriptors at {ring.desc:#x}")
        if queue == TX:
            self.life += 1
            self.broken = False
        else:
            self._merging.clear()
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
        self._merging.clear()

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
        if ring.wants_notification() and self._owed[queue] is None:
            self._owed[queue] = self.bench.now + rng.randint(0, self.habits.late)

    def _shape(self, ring: Ring, room: int) -> tuple[bool, int]:
        """Indirect or not, and how many pieces a chain may have with `room` slots left."""
        indirect = INDIRECT_DESC in self.features and self.rng.random() < self.habits.indirect
        return indirect, min(ring.size if indirect else room, self.habits.most_pieces)

    def tx_chain(self, room: int) -> Chain:
        """A chain of at most `room` slots with any frame in it."""
        ring = self.rings[TX]
        assert ring is not None
        self._serial += 1
        job = campaign_tx.draw(self.rng, self._serial, self.offers)
        indirect, most = self._shape(ring, room)
        pieces, at = [], 0
        for size in split(self.rng, len(job.data), most):
            pieces.append(ring.piece(size, job.data[at : at + size]))
            at += size
        chain = Chain(pieces, indirect=indirect)
        sent = None
        if self.broken:
            chain.what = BAD
        else:
            if job.expect is not None and not self.tx.lenient:
                sent = self.tx.post(job.expect, self.life)
            chain.what = sent, job.counter
        return chain

    def rx_chain(self, capacity: int, room: int) -> Chain:
        """A chain of at most `room` slots and `capacity` bytes."""
        ring = self.rings[RX]
        assert ring is not None
        indirect, most = self._shape(ring, room)
        sizes = split(self.rng, capacity, most)
        return Chain([ring.piece(size) for size in sizes], capacity, indirect=indirect)

    async def send_some(self) -> None:
        """Post a batch of TX chains, as far as there is room."""
        ring = self.rings[TX]
        if ring is None:
            return
        chains, room = [], ring.free
        for _ in range(self.rng.randint(1, self.habits.batch)):
            if not room:
                break
            chains.append(self.tx_chain(room))
            room -= chains[-1].slots
        if chains:
            await self.publish(TX, chains)

    async def refill(self, *, small: float | None = None) -> None:
        """Post RX chains up to what the habits say."""
        ring = self.rings[RX]
        if ring is None:
            return
        small = self.habits.small if small is None else small
        chains, room = [], ring.free - int(ring.size * (1 - self.habits.fill))
        while room > 0 and len(chains) < 64:
            parts = self.habits.parts if self.merges else 0.0
            capacity = rx_capacity(self.rng, small, self.longest, parts=parts)
            chains.append(self.rx_chain(capacity, room))
            room -= chains[-1].slots
        if chains:
            await self.publish(RX, chains)

    def arrive(self, *, bad: float | None = None) -> None:
        """Put a frame on the wire towards the NIC."""
        rng = self.rng
        self._serial += 1
        wrong = rng.random() < (self.habits.bad if bad is None else bad)
        make = campaign_rx.bad if wrong else campaign_rx.good
        arrival = make(rng, self._serial, self.longest)
        self.rx.arrives(arrival)
        self.bench.wire_send(arrival.data, gap=rng.randint(12, self.habits.gap), error=arrival.error)

    def make_noise(self) -> None:
        """Words on the wire that are no frames, when it is free."""
        bench = self.bench
        if self.longest > 400 and bench.wire_free + 100 * NS < bench.now:
            words = campaign_rx.garbage(self.rng)
            if bench.surroundings.play_words(words):
                self.rx.garbage = True
                bench.wire_free = bench.now + (len(words) + 8) * 6400

    # ------------------------------------------------------------------ getting them back

    def collect(self) -> int:
        """Take all used entries; each must be right. How many there were."""
        found = 0
        if self.tx.lenient:
            return found
        for queue, ring in enumerate(self.rings):
            while ring is not None and (entry := ring.used()) is not None:
                assert entry.address == 0
                if queue == TX:
                    self._collect_tx(entry)
                else:
                    self._collect_rx(ring, entry)
                ring.release(entry.chain)
                found += 1
        return found

    def _collect_tx(self, entry: Used) -> None:
        assert (entry.length, entry.flags) == (0, 0)
        assert entry.chain.what is not BAD, "a bad chain, or one behind it, was used"
        sent, counter = entry.chain.what  # type: ignore[misc]
        if isinstance(sent, Sent):
            sent.used = True
        if counter is not None:
            self.seen[counter] += 1

    def _collect_rx(self, ring: Ring, entry: Used) -> None:
        chain = entry.chain
        assert entry.flags == WRITE
        assert ring.guards_intact(chain), "written outside a buffer"
        assert entry.length <= chain.capacity
        checked = GUEST_CSUM in self.features
        if not self.merges:
            if entry.length:
                self.rx.came(ring.content(chain, entry.length), 1, checked=checked)
            else:
                content = ring.content(chain, min(chain.capacity, 12 + self.longest))
                self.rx.came_short(content, checked=checked)
            return
        if not entry.length:
            # A frame that was given up. How many of these chains belong to one, only the NIC knows.
            assert not self._merging, "a frame ends with an empty chain"
            self.exact = False
            return
        parts = self._merging
        parts.append(ring.content(chain, entry.length))
        content = b"".join(parts)
        wanted = int.from_bytes(content[10:12], "little") if len(content) >= 12 else len(parts) + 1
        if len(parts) < wanted:
            assert entry.length == chain.capacity, "a chain is not filled, and more follow"
            return
        parts.clear()
        self.rx.came(content, wanted, checked=checked)

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
                    self.want_interrupts()
                self._handling = False

        self.nic.read(INTERRUPT_STATUS, 4, asked)

    def suppress(self, flags: int) -> None:
        """Tell the NIC whether interrupts are wanted."""
        for ring in self.rings:
            if ring is not None:
                ring.suppress(flags)

    def want_interrupts(self) -> None:
        """For the next used entry, whichever way; what came before that was said is taken at once."""
        while True:
            self._arm()
            if not self.collect():
                return

    def _arm(self) -> None:
        flags = self.rng.choice((ENABLE, DESC))
        for ring in self.rings:
            if ring is None:
                continue
            if flags == ENABLE or EVENT_IDX not in self.features:
                ring.suppress(flags)
            else:
                ring.suppress(DESC, ring.used_next)

    # ------------------------------------------------------------------ steps

    async def step(self, tx: bool = True, rx: bool = True) -> None:
        """One random thing or several, and a random time."""
        rng, habits, bench = self.rng, self.habits, self.bench
        if tx and rng.random() < 0.5:
            await self.send_some()
        if rx and rng.random() < 0.5 and bench.wire_free < bench.now + 10 * US:
            for _ in range(rng.randint(1, habits.burst)):
                self.arrive()
        if rx and rng.random() < habits.garbage:
            self.make_noise()
        if rng.random() < habits.flip and not habits.interrupts:
            ring = rng.choice(self.rings)
            if ring is not None:
                self._flip(ring)
        if rng.random() < habits.redundant:
            self.nic.write(QUEUE_NOTIFY, rng.choice((RX, TX)))
        if rng.random() < habits.poke:
            self.poke()
        if rng.random() < habits.link:
            self.link_up = not self.link_up
            self.nic.set_link(self.link_up)
        await bench.run_for(rng.randint(1, habits.step))
        await self.service()

    def _flip(self, ring: Ring) -> None:
        """Any event suppression: of a slot that is near, or anywhere."""
        near = ring.used_next + self.rng.randint(0, ring.size)
        ring.suppress(self.rng.choice((ENABLE, DISABLE, DESC)), self.rng.choice((None, near)))

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
            nic.read(
                rng.choice((rng.randrange(0, 0x1200, 4), rng.randrange(0x1300, 0x2000, 4))), 4, lambda _: None
            )
        elif what == 1:
            for offset in rng.sample(sorted(self.counters.values()), 3):
                nic.read(offset, 4, lambda _: None)
                nic.read(offset + rng.choice((0, 4)), 4, lambda _: None)
        elif what == 2:
            nic.write(rng.choice((*READ_ONLY, rng.randrange(0x100, 0x2000, 4))) + lane, value, size)
        elif what == 3:
            nic.write(QUEUE_NOTIFY, rng.choice((2, 3, 0x10000, 0x10001, 0x80000000, 0xFFFFFFFF)))
        elif what == 4:
            # Ready queues and absent ones do not take this.
            queue = rng.choice((RX, TX, 2, 7, 0x10000, 0xFFFFFFFF))
            if queue > TX or self.rings[queue] is not None:
                nic.write(QUEUE_SEL, queue)
                register = rng.choice((QUEUE_NUM, QUEUE_DESC, QUEUE_DRIVER + 4, QUEUE_DEVICE))
                nic.write(register + lane, value, size)
                nic.write(QUEUE_RESET, rng.choice((0, 2, 0xFFFFFFFE)))
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
        chosen, gap = surroundings(self.rng), self.rng.choice((12, 12, 8, 5))
        # 802.3 §46.2.1: a receiver may see a gap shrunk to 5 bytes.
        self.bench.surroundings.rough(chosen, gap)
        self.bench.note(f"{chosen}, wire gap {gap}")
        if self.habits.interrupts:
            self.want_interrupts()
