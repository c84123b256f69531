"""How the attacker stops, resets and breaks the NIC at random moments; and one round of everything."""

from lockstep_attack import (
    BAD,
    NEEDS_RESET,
    PATIENCE,
    QUEUE_NOTIFY,
    QUEUE_READY,
    QUEUE_SEL,
    RUNNING,
    RX,
    STATUS,
    TX,
    Attacker,
)
from lockstep_habits import STATISTICS, split
from lockstep_ring import INDIRECT, NEXT, WRITE, Chain, Piece

from pymodel.simtime import MS, NS, US

NO_MORE = 20 * US
"""Longer than any transfer in flight."""


async def device_reset(attacker: Attacker) -> None:
    """Write Status 0, wait until it reads 0 (§2.4.2), start anew. Frames may arrive all the time."""
    bench = attacker.bench
    bench.note("device reset")
    attacker.nic.write(STATUS, 0)
    attacker.forget()
    attacker.tx.stopped(reset=True)
    frames = attacker.rng.random() < 0.5
    deadline = bench.now + MS
    while await bench.read(STATUS):
        assert bench.now < deadline, "the device does not finish its reset"
        if frames:
            attacker.arrive()
        await bench.run_for(attacker.rng.randrange(1, 500) * NS)
    # Nothing is in flight any more: the memory is the driver's at once.
    await note_lost(attacker)
    discard(attacker, RX, TX)
    await attacker.bring_up()


async def pin_reset(attacker: Attacker) -> None:
    """Pulse the reset pin."""
    bench = attacker.bench
    bench.note("reset pin")
    attacker.nic.reset()
    attacker.forget()
    attacker.line = False
    attacker.tx.pin_reset()
    attacker.rx.pin_reset()
    attacker.oversize_used = 0
    attacker.lost = dict.fromkeys(attacker.lost, 0)
    attacker.exact = True
    attacker.nic.set_wire_handler(lambda _: None)  # a frame may end before the pin is seen
    await bench.run_for(100 * NS)
    attacker.nic.set_wire_handler(attacker.tx.appeared)
    bench.wire_free = bench.now
    discard(attacker, RX, TX)
    if attacker.rng.random() < 0.5:
        attacker.arrive()
        await bench.run_for(attacker.rng.randrange(1, 2000) * NS)
    await attacker.bring_up()


async def stop_queues(attacker: Attacker) -> None:
    """QueueReady = 0 for one queue or both; later, or at once, a new ring of another size."""
    bench, rng = attacker.bench, attacker.rng
    queues = rng.choice(((RX,), (TX,), (RX, TX)))
    at_once = rng.random() < 0.3
    bench.note(f"stop queues {queues}{', new ones at once' if at_once else ''}")
    if TX in queues:
        attacker.collect()
        attacker.tx.stopped(reset=False)
    for queue in queues:
        attacker.nic.write(QUEUE_SEL, queue)
        attacker.nic.write(QUEUE_READY, 0)
    if at_once:
        attacker.exact = False
        old = [attacker.rings[queue] for queue in queues]
        for queue in queues:
            attacker.give(queue)
        await bench.run_for(NO_MORE)
        for ring in old:
            if ring is not None:
                ring.discard()
        return
    assert await bench.read(QUEUE_READY) == 0
    end = bench.now + rng.choice((NO_MORE, 2 * NO_MORE))
    while bench.now < end:
        await attacker.step(tx=TX not in queues)
    attacker.collect()
    discard(attacker, *queues)
    attacker.exact = False
    for queue in queues:
        attacker.give(queue)


async def fault(attacker: Attacker) -> None:
    """A bad chain or a failing transfer in the middle of traffic: DEVICE_NEEDS_RESET, silence, reset."""
    bench, rng = attacker.bench, attacker.rng
    queue = rng.choice((RX, TX))
    if rng.random() < 0.6:
        bad = bad_chain(attacker, queue)
        if bad is None:
            return
        kind, chain = bad
        bench.note(f"bad chain on queue {queue}: {kind}")
        await attacker.publish(queue, [chain])
        attacker.broken |= queue == TX
        attacker.nic.write(QUEUE_NOTIFY, queue)
        armed = False
    else:
        address = await victim(attacker, queue)
        bench.note(f"SLVERR for {address:#x}, queue {queue}")
        attacker.nic.fail_once(address)
        armed = True
    attacker.habits.refill = 1.0
    deadline = bench.now + PATIENCE
    while not await bench.read(STATUS) & NEEDS_RESET:
        if bench.now > deadline:
            assert armed, "the device does not complain about a bad chain"
            return
        await attacker.step()
    bench.note("the device needs reset")
    if not attacker.habits.interrupts:
        assert attacker.line or rng is not None
    attacker.tx.stopped(reset=False)
    assert await bench.read(STATUS) == RUNNING | NEEDS_RESET
    await bench.run_for(NO_MORE)
    attacker.collect()
    for _ in range(rng.randrange(20)):
        await attacker.step()
    await rng.choice((device_reset, pin_reset))(attacker)


async def victim(attacker: Attacker, queue: int) -> int:
    """An address that the NIC is going to touch."""
    ring, rng = attacker.rings[queue], attacker.rng
    assert ring is not None
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice((ring.driver, ring.device))
    if kind == 1 or not ring.free:
        return ring.desc + 16 * rng.randrange(ring.size)
    if queue == TX:
        chain = attacker.tx_chain(rng.randint(14, 1518), ring.free)
    else:
        chain = attacker.rx_chain(1530, ring.free)
    await attacker.publish(queue, [chain])
    piece = rng.choice(chain.pieces) if queue == TX else chain.pieces[0]
    return piece.address + rng.randrange(piece.length if queue == TX else min(piece.length, 72))


async def note_lost(attacker: Attacker) -> None:
    """With the device stopped: what it has counted and never delivered."""
    count = {name: await attacker.bench.read64(STATISTICS[name]) for name in attacker.lost}
    attacker.lost, attacker.exact = attacker.lost_now(count), True


def discard(attacker: Attacker, *queues: int) -> None:
    """The NIC is done with these rings: their memory is used again, and filled with noise before."""
    for queue in queues:
        ring = attacker.rings[queue]
        if ring is not None:
            ring.discard()
        attacker.rings[queue] = None


def bad_chain(attacker: Attacker, queue: int) -> tuple[str, Chain] | None:
    """A chain for which the contract demands DEVICE_NEEDS_RESET; None when there is no room."""
    rng, ring = attacker.rng, attacker.rings[queue]
    if ring is None or not ring.free:
        return None
    kinds = ["length 0", "INDIRECT", "direction", "outside memory"]
    if ring.free == ring.size:
        kinds.append("endless")
    if queue == TX:
        kinds.append("short")
    kind = rng.choice(kinds)
    if queue == RX:
        pieces = [ring.piece(n) for n in split(rng, 1600, min(8, ring.free))]
    else:
        total = rng.randint(1, 25) if kind == "short" else rng.randint(26, 1000)
        pieces = [ring.piece(n, rng.randbytes(n)) for n in split(rng, total, min(8, ring.free))]
    # A frame need not reach the last buffers of a receive chain.
    victim = pieces[rng.randrange(len(pieces)) if kind != "outside memory" else 0]
    if kind == "length 0":
        victim.length = 0
    elif kind == "INDIRECT":
        victim.extra |= INDIRECT
    elif kind == "direction":
        victim.extra |= WRITE
    elif kind == "outside memory":
        victim.address = rng.choice((0, 0x1000, 0xDEAD_0000_0000, 0xFFFF_FFFF_FFFF_F000))
    elif kind == "endless":
        sample = pieces[0]
        while len(pieces) < ring.size:
            pieces.append(Piece(sample.address, sample.length))
        pieces[-1].extra |= NEXT
    return kind, Chain(pieces, BAD)


STOPS = (device_reset, device_reset, pin_reset, stop_queues, stop_queues, fault, fault)


async def round_of(attacker: Attacker, frames: int) -> None:
    """Traffic of `frames` frames in all, under changing habits and with stops of all kinds."""
    rng = attacker.rng
    await attacker.bring_up()
    while attacker.frames < frames:
        attacker.change_habits()
        await attacker.traffic(rng.choice((3, 20, rng.randint(5, 80))))
        if rng.random() < 0.5:
            await attacker.settle()
        if rng.random() < 0.6:
            await rng.choice(STOPS)(attacker)
    await attacker.settle()
