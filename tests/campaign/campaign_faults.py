"""How the campaign breaks the NIC's world: bad descriptors, failing transfers, memory that changes under
it, and registers written in any order. Always: DEVICE_NEEDS_RESET or a counter, silence, and it works after
reset.
"""

import random
from collections.abc import Callable

from campaign_driver import BAD, PATIENCE, Driver
from campaign_habits import split
from campaign_numbers import (
    DRIVER_FEATURES,
    DRIVER_FEATURES_SEL,
    INDIRECT_DESC,
    INTERRUPT_ACK,
    NEEDS_RESET,
    QUEUE_DESC,
    QUEUE_DEVICE,
    QUEUE_DRIVER,
    QUEUE_NOTIFY,
    QUEUE_NUM,
    QUEUE_READY,
    QUEUE_SEL,
    RUNNING,
    RX,
    SIDE_MTU,
    STATUS,
    TX,
)
from campaign_stops import NO_MORE, device_reset, pin_reset
from vring import INDIRECT, NEXT, WRITE, Chain, Piece, Ring

from pymodel.simtime import NS

SLVERR, DECERR = 2, 3
AREA = 16 * 256 + 64
"""An empty ring, and room for event suppression."""
OUTSIDE = (0, 0x1000, 0xDEAD_0000_0000, 0xFFFF_FFFF_FFFF_F000)
FAR = (0x0_F000_0000, 0xDEAD_F000_1000, 0xDEAD_F000_2000)
"""Rings outside of memory for each queue, even with the upper half of an address in memory (of 256 MiB)."""


async def bad_descriptor(driver: Driver) -> None:
    """A chain that the contract forbids, in the middle of traffic."""
    queue = driver.rng.choice((RX, TX))
    bad = bad_chain(driver, queue)
    if bad is None:
        return
    kind, chain = bad
    driver.bench.note(f"bad chain on queue {queue}: {kind}")
    await driver.publish(queue, [chain])
    driver.broken |= queue == TX
    driver.nic.write(QUEUE_NOTIFY, queue)
    await _until_broken(driver, certain=True)


async def failing_transfer(driver: Driver) -> None:
    """A transfer soon is answered with an error."""
    rng = driver.rng
    write = rng.random() < 0.5
    nth = rng.choice((0, rng.randrange(4), rng.randrange(100)))
    if not driver.bench.surroundings.fail_nth(nth, write=write, response=rng.choice((SLVERR, DECERR))):
        return
    driver.bench.note(f"{'write' if write else 'read'} number {nth} from now on fails")
    await _until_broken(driver, certain=False)


async def _until_broken(driver: Driver, *, certain: bool) -> None:
    """Go on until the device needs a reset; then it must be silent, and work after the reset."""
    bench, rng = driver.bench, driver.rng
    driver.habits.refill = 1.0
    deadline = bench.now + (PATIENCE if certain else PATIENCE // 20)
    while not await bench.read(STATUS) & NEEDS_RESET:
        if bench.now > deadline:
            assert not certain, "the device does not complain about a bad chain"
            break
        await driver.step()
    else:
        bench.note("the device needs reset")
        driver.tx.stopped(reset=False)
        assert await bench.read(STATUS) == RUNNING | NEEDS_RESET
        await bench.run_for(NO_MORE)
        driver.collect()
        for _ in range(rng.randrange(20)):
            await driver.step()
    await rng.choice((device_reset, device_reset, pin_reset))(driver)


def bad_chain(driver: Driver, queue: int) -> tuple[str, Chain] | None:
    """A chain for which the contract demands DEVICE_NEEDS_RESET; None when there is no room."""
    rng, ring = driver.rng, driver.rings[queue]
    if ring is None or not ring.free:
        return None
    kinds = ["length 0", "direction", "outside memory", "INDIRECT in a chain"]
    if ring.free == ring.size:
        kinds.append("endless")
    if queue == TX:
        kinds.append("short")
    if INDIRECT_DESC in driver.features:
        kinds += ["INDIRECT with NEXT", "odd table", "long table", "empty table", "table outside memory"]
    kind = rng.choice(kinds)
    indirect = INDIRECT_DESC in driver.features and "table" not in kind and rng.random() < 0.5
    indirect &= kind in ("length 0", "outside memory", "short") or (kind == "direction" and queue == RX)
    most = ring.size if indirect else ring.free
    if queue == RX:
        pieces = [ring.piece(n) for n in split(rng, 12 + driver.longest, min(8, most))]
    else:
        total = rng.randint(1, 25) if kind == "short" else rng.randint(26, 1000)
        pieces = [ring.piece(n, bytes(n)) for n in split(rng, total, min(8, most))]
    chain = Chain(pieces, BAD, indirect=indirect)
    # A frame need not reach the last buffers of a receive chain.
    victim = pieces[rng.randrange(len(pieces)) if kind != "outside memory" else 0]
    _spoil(rng, ring, kind, chain, victim)
    return kind, chain


def _spoil(rng: random.Random, ring: Ring, kind: str, chain: Chain, victim: Piece) -> None:
    if kind == "length 0":
        victim.length = 0
    elif kind == "direction":
        victim.extra ^= WRITE
    elif kind == "outside memory":
        victim.address = rng.choice(OUTSIDE)
    elif kind == "INDIRECT in a chain":
        # Without the feature; or with it, but not alone. The table would be no good one either.
        chain.pieces[-1].extra ^= INDIRECT
        if len(chain.pieces) == 1:
            chain.pieces[0].length = 7
    elif kind == "endless":
        sample = chain.pieces[0]
        while len(chain.pieces) < ring.size:
            chain.pieces.append(Piece(sample.address, sample.length))
        chain.pieces[-1].extra ^= NEXT
    elif kind != "short":
        chain.indirect = True
        if kind == "INDIRECT with NEXT":
            chain.extra = NEXT
        elif kind == "odd table":
            chain.table_length = 16 * len(chain.pieces) + rng.randrange(1, 16)
        elif kind == "long table":
            chain.table_length = 16 * (ring.size + 1)
        elif kind == "empty table":
            chain.table_length = 0
        else:
            chain.table_at = rng.choice(OUTSIDE[1:])


async def memory_changes(driver: Driver) -> None:
    """Descriptors and tables change while the NIC reads them. Whatever comes of it, only memory that a
    descriptor names is written; and after a reset it works. Nothing is asked of the frames meanwhile."""
    bench, rng = driver.bench, driver.rng
    bench.note("memory changes")
    driver.tx.lenient = True
    driver.tx.stopped(reset=True)
    for _ in range(rng.randint(1, 30)):
        for queue, ring in enumerate(driver.rings):
            if ring is None:
                continue
            if ring.free and rng.random() < 0.7:
                chain = driver.tx_chain(ring.free) if queue == TX else driver.rx_chain(2000, ring.free)
                await driver.publish(queue, [chain])
            for _ in range(rng.randrange(3)):
                _change(driver, ring, writable=queue == RX)
            driver.nic.write(QUEUE_NOTIFY, queue)
        driver.arrive()
        await bench.run_for(rng.randrange(1, 2000) * NS)
    await rng.choice((device_reset, pin_reset))(driver)


def _change(driver: Driver, ring: Ring, *, writable: bool) -> None:
    """One byte of a slot, or of a table that is out. Receive buffers keep their place, and do not grow."""
    rng, memory = driver.rng, driver.bench.memory
    tables = [chain for chain in ring.out.values() if chain.table]
    if tables and rng.random() < 0.5:
        chain = rng.choice(tables)
        at = chain.table_at + 16 * rng.randrange(len(chain.pieces))
    else:
        at = ring.desc + 16 * rng.randrange(ring.size)
    byte = rng.randrange(10, 16) if writable else rng.randrange(16)
    old = memory.read(at + byte, 1)[0]
    if byte < 12 and writable:
        new = old & rng.randrange(256)
    else:
        new = rng.choice((old ^ 1 << rng.randrange(8), rng.randrange(256)))
    if byte in (14, 15) and writable and memory.read(at + 14, 1)[0] & INDIRECT:
        return  # a table must not become a buffer
    if byte == 14:
        new = new & ~INDIRECT | old & INDIRECT  # nor a buffer a table
    memory.write(at + byte, bytes([new]))


async def register_storm(driver: Driver) -> None:
    """Registers written in any order, with any values; then a reset, and it works."""
    bench, rng, nic = driver.bench, driver.rng, driver.nic
    await device_reset(driver)
    bench.note("register storm")
    nic.write(STATUS, 0)
    driver.forget()
    driver.tx.stopped(reset=True)
    await _status_0(driver)
    await driver.wire_idle()
    areas = [bench.memory.alloc(AREA, 64) for _ in range(3)]
    for area in areas:
        bench.memory.write(area, bytes(AREA))
    for queue in (RX, TX):
        # Half-written addresses of two areas could be the same.
        nic.write(QUEUE_SEL, queue)
        kept = areas[queue] + 16 * 256
        for offset, address in ((QUEUE_DRIVER, kept), (QUEUE_DEVICE, kept + 16)):
            nic.write(offset, address & 0xFFFFFFFF)
            nic.write(offset + 4, address >> 32)
    queue = TX
    for _ in range(rng.randint(20, 200)):
        queue = _write_anything(driver, areas, queue)
        if rng.random() < 0.1:
            await bench.read(rng.choice((STATUS, QUEUE_READY, 0x010, 0x034, 0x060, 0x0C0)))
    nic.write(STATUS, 0)
    await _status_0(driver)
    for area in areas:
        bench.memory.free(area)
    driver.mtu = await bench.read(SIDE_MTU)  # for frames that arrive during the reset
    await rng.choice((device_reset, pin_reset))(driver)


async def _status_0(driver: Driver) -> None:
    deadline = driver.bench.now + PATIENCE
    while await driver.bench.read(STATUS):
        assert driver.bench.now < deadline, "the device does not finish its reset"


def _write_anything(driver: Driver, areas: list[int], queue: int) -> int:
    """One register, with `queue` selected; the selected queue from then on.

    A ring, if one is ever started, is empty, or outside of memory; each queue has its own.
    """
    rng, nic = driver.rng, driver.nic
    ring = rng.choice((areas[queue], areas[queue], areas[queue], FAR[queue]))
    kept = areas[queue] + 16 * 256
    choices: tuple[Callable[[], tuple[int, int]], ...] = (
        lambda: (STATUS, rng.randrange(1, 256)),
        lambda: (STATUS, RUNNING),
        lambda: (DRIVER_FEATURES_SEL, rng.choice((0, 1, 1, 2))),
        lambda: (DRIVER_FEATURES, rng.choice((5, 5, 0, rng.randrange(1 << 32)))),
        lambda: (QUEUE_SEL, rng.choice((0, 1, 2))),
        lambda: (QUEUE_NUM, rng.choice((0, 1, 4, 256, 257, 1 << 31))),
        lambda: (QUEUE_DESC, ring & 0xFFFFFFFF),
        lambda: (QUEUE_DESC + 4, ring >> 32),
        lambda: (QUEUE_DRIVER, kept & 0xFFFFFFFF),
        lambda: (QUEUE_DRIVER + 4, kept >> 32),
        lambda: (QUEUE_DEVICE, kept + 16 & 0xFFFFFFFF),
        lambda: (QUEUE_DEVICE + 4, kept >> 32),
        lambda: (QUEUE_READY, rng.choice((0, 1, 1))),
        lambda: (QUEUE_NOTIFY, rng.randrange(4)),
        lambda: (INTERRUPT_ACK, rng.randrange(4)),
        lambda: (SIDE_MTU, rng.choice((67, 68, 9000, 9001, rng.randrange(1 << 32)))),
        lambda: (rng.randrange(0x100, 0x2000, 4), rng.randrange(1 << 32)),
    )
    offset, value = rng.choice(choices)()
    if offset != SIDE_MTU or driver.bench.surroundings.any_mtu:
        nic.write(offset, value)
    return value if offset == QUEUE_SEL else queue
