"""With everything at its end: nothing may be missing, the counters add up, and a probe passes both ways."""

from collections.abc import Callable
from typing import Final

from campaign_driver import COUNTED, PATIENCE, Driver
from campaign_numbers import RMON, RX, STATISTICS, TX
from campaign_rx import GOOD

from pymodel.simtime import NS, US

SILENCE: Final = 60
"""Looks, 1 to 3 µs apart, without a further frame: a jumbo frame takes 25 µs where 90 % of cycles stall."""

REST: Final = 20 * US
"""How long the slowest memory may keep the NIC busy with its last look at a ring."""


async def settle(driver: Driver) -> None:
    """Let everything come to its end; nothing may be missing; a probe passes both ways."""
    bench, habits = driver.bench, driver.habits
    bench.note("settle")
    habits.refill, habits.fill, habits.late, habits.poll = 1.0, 1.0, 0, 1.0
    await _until(driver, lambda: _tx_done(driver) and bench.now > bench.wire_free + 3 * US, "TX to end")
    await _rx_done(driver)
    await _probe(driver)
    await _rx_done(driver)
    await account(driver)


def _tx_done(driver: Driver) -> bool:
    ring = driver.rings[TX]
    return driver.tx.required == 0 and (ring is None or not ring.out)


async def _until(driver: Driver, done: Callable[[], bool], what: str) -> None:
    bench = driver.bench
    deadline = bench.now + PATIENCE
    while not done():
        assert bench.now < deadline, f"waited in vain for {what}"
        await bench.run_for(driver.rng.randint(100 * NS, 2 * US))
        await driver.service()


async def _rx_done(driver: Driver) -> None:
    """Every stored frame has been delivered."""
    bench, rx = driver.bench, driver.rx
    deadline = bench.now + PATIENCE
    quiet, seen = 0, -1
    while True:
        stored = await bench.read64(STATISTICS["rx_frames"])
        missing = stored - driver.lost["rx_frames"] - rx.delivered - rx.truncated
        if driver.exact:
            assert missing >= 0, f"{-missing} frames more delivered than stored"
            if not missing:
                return
        elif seen == rx.delivered + rx.truncated:
            quiet += 1
            if quiet > SILENCE:
                return
        else:
            quiet, seen = 0, rx.delivered + rx.truncated
        assert bench.now < deadline, f"{missing} stored frames were never delivered"
        await bench.run_for(driver.rng.randint(1 * US, 3 * US))
        await driver.service()


async def _probe(driver: Driver) -> None:
    """A frame out, and one in."""
    ring = driver.rings[TX]
    if ring is not None:
        sent = driver.tx.sent
        while driver.tx.sent == sent:  # what is drawn may be something that is not sent
            await driver.publish(TX, [driver.tx_chain(ring.free)])
            await _until(driver, lambda: _tx_done(driver), "the TX probe")
    ring = driver.rings[RX]
    if ring is None:
        return
    driver.habits.small = driver.habits.parts = 0.0
    delivered = driver.rx.delivered
    for _ in range(len(ring.out) + 2):  # the chains that are out may be too small
        driver.arrive(bad=0)
        await driver.bench.run_for(5 * US)
        before = driver.rx.truncated
        deadline = driver.bench.now + (100 * US if driver.merges else PATIENCE)
        while driver.rx.delivered == delivered and driver.rx.truncated == before:
            if driver.bench.now > deadline:
                assert driver.merges, "waited in vain for the RX probe"
                break  # given up, perhaps: nobody says so
            await driver.bench.run_for(driver.rng.randint(100 * NS, 2 * US))
            await driver.service()
        if driver.rx.delivered > delivered:
            return
    raise AssertionError("no RX probe was delivered whole")


async def account(driver: Driver) -> None:
    """With everything at rest: the counters add up with what was sent and seen."""
    bench, tx, rx = driver.bench, driver.tx, driver.rx
    await bench.run_for(REST)
    count = {name: await bench.read64(offset) for name, offset in driver.counters.items()}
    for name in ("rx_bad_preamble", "rx_code_error", "rx_undersize", "rx_oversize", "rx_fcs_error"):
        _compare(name, count[name], rx.kinds[name], more=rx.garbage)
    good = count["rx_frames"] + count["rx_overflow"] + count["rx_disabled"]
    _compare("good frames", good, rx.kinds[GOOD], more=False)
    assert (count["tx_frames"], count["tx_bytes"]) == (tx.sent, tx.sent_bytes)
    assert count["tx_underflow"] == tx.broken
    _add_up(count)
    lost = lost_now(driver, count)
    if driver.exact:
        assert lost == driver.lost, f"without an effect are counted {lost}, {driver.lost} expected"
    assert min(lost.values()) >= 0, f"too little is counted: {lost}"
    driver.lost, driver.exact = lost, True
    bench.check()


def _add_up(count: dict[str, int]) -> None:
    """Every good frame has one size."""
    sizes = {
        way: sum(value for name, value in count.items() if name in RMON and _is_size(name, way))
        for way in ("rx", "tx")
    }
    assert sizes["tx"] == count["tx_frames"]
    assert sizes["rx"] == count["rx_frames"] + count["rx_overflow"] + count["rx_disabled"]


def _is_size(name: str, way: str) -> bool:
    return name.startswith(way) and name[3].isdigit()


def _compare(name: str, counted: int, sent: int, *, more: bool) -> None:
    assert counted == sent or (more and counted > sent), f"{name} is {counted}, {sent} were sent"


def lost_now(driver: Driver, count: dict[str, int]) -> dict[str, int]:
    """What is counted and was not seen to have an effect."""
    lost = {
        "rx_frames": count["rx_frames"] - driver.rx.delivered - driver.rx.truncated,
        "rx_truncated": count["rx_truncated"] - driver.rx.truncated,
    }
    return lost | {name: count[name] - driver.seen[name] for name in COUNTED}


async def note_lost(driver: Driver) -> None:
    """With the device stopped: what it has counted and never delivered."""
    count = {name: await driver.bench.read64(STATISTICS[name]) for name in driver.lost}
    driver.lost, driver.exact = lost_now(driver, count), True
