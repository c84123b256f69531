"""How the campaign stops and resets the NIC at random moments."""

from campaign_account import note_lost
from campaign_driver import Driver
from campaign_numbers import QUEUE_READY, QUEUE_RESET, QUEUE_SEL, RING_RESET, RX, STATUS, TX

from pymodel.simtime import MS, NS, US

NO_MORE = 20 * US
"""Longer than any transfer in flight."""


async def device_reset(driver: Driver) -> None:
    """Write Status 0, wait until it reads 0 (§2.4.2), start anew. Frames may arrive all the time."""
    bench = driver.bench
    bench.note("device reset")
    driver.nic.write(STATUS, 0)
    driver.forget()
    driver.tx.stopped(reset=True)
    frames = driver.rng.random() < 0.5
    deadline = bench.now + MS
    while await bench.read(STATUS):
        assert bench.now < deadline, "the device does not finish its reset"
        if frames:
            driver.arrive()
        await bench.run_for(driver.rng.randrange(1, 500) * NS)
    # Nothing is in flight any more: the memory is the driver's at once.
    await note_lost(driver)
    discard(driver, RX, TX)
    if driver.tx.lenient:
        await bench.run_for(NO_MORE)  # a frame that was on the wire may still end
        driver.tx.lenient = False
    await driver.bring_up()


async def pin_reset(driver: Driver) -> None:
    """Pulse the reset pin."""
    bench = driver.bench
    bench.note("reset pin")
    driver.keep_count()
    driver.nic.reset()
    driver.forget()
    driver.line = False
    driver.tx.pin_reset()
    driver.rx.pin_reset()
    driver.seen = dict.fromkeys(driver.seen, 0)
    driver.lost = dict.fromkeys(driver.lost, 0)
    driver.exact = True
    driver.mtu = 1500
    driver.nic.set_wire_handler(lambda _: None)  # a frame may end before the pin is seen
    await bench.run_for(100 * NS)
    driver.nic.set_wire_handler(driver.tx.appeared)
    bench.wire_free = bench.now
    discard(driver, RX, TX)
    driver.tx.lenient = False
    if driver.rng.random() < 0.5:
        driver.arrive()
        await bench.run_for(driver.rng.randrange(1, 2000) * NS)
    await driver.bring_up()


async def stop_queues(driver: Driver) -> None:
    """QueueReady = 0 for one queue or both; later, or at once, a new ring of another size."""
    bench, rng = driver.bench, driver.rng
    queues = rng.choice(((RX,), (TX,), (RX, TX)))
    at_once = rng.random() < 0.3
    bench.note(f"stop queues {queues}{', new ones at once' if at_once else ''}")
    if TX in queues:
        driver.collect()
        driver.tx.stopped(reset=False)
    for queue in queues:
        driver.nic.write(QUEUE_SEL, queue)
        driver.nic.write(QUEUE_READY, 0)
    driver.exact = False
    if at_once:
        old = [driver.rings[queue] for queue in queues]
        for queue in queues:
            driver.give(queue)
        await bench.run_for(NO_MORE)
        for ring in old:
            if ring is not None:
                ring.discard()
        return
    assert await bench.read(QUEUE_READY) == 0
    end = bench.now + rng.choice((NO_MORE, 2 * NO_MORE))
    while bench.now < end:
        await driver.step(tx=TX not in queues)
    driver.collect()
    discard(driver, *queues)
    driver.exact = False
    for queue in queues:
        driver.give(queue)


async def reset_queue(driver: Driver) -> None:
    """RING_RESET of one queue (§2.6.1): once QueueReset reads 0, the memory is the driver's at once."""
    bench, rng = driver.bench, driver.rng
    queue = rng.choice((RX, TX))
    if RING_RESET not in driver.features or driver.rings[queue] is None:
        return
    bench.note(f"reset queue {queue}")
    driver.collect()
    if queue == TX:
        driver.tx.stopped(reset=False)
    driver.nic.write(QUEUE_SEL, queue)
    driver.nic.write(QUEUE_RESET, 1)
    deadline = bench.now + MS
    while await bench.read(QUEUE_RESET):
        assert bench.now < deadline, "the queue does not finish its reset"
        await bench.run_for(rng.randrange(1, 500) * NS)
    assert await bench.read(QUEUE_READY) == 0
    driver.collect()
    discard(driver, queue)
    driver.exact = False
    if rng.random() < 0.5:
        end = bench.now + rng.randint(1, NO_MORE)
        poke, driver.habits.poke = driver.habits.poke, 0.0
        while bench.now < end:
            await driver.step(tx=queue != TX)
        driver.habits.poke = poke
    driver.give(queue)


def discard(driver: Driver, *queues: int) -> None:
    """The NIC is done with these rings: their memory is used again."""
    for queue in queues:
        ring = driver.rings[queue]
        if ring is not None:
            ring.discard()
        driver.rings[queue] = None
