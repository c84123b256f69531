"""Conformance: DEVICE_NEEDS_RESET for each of its causes, and reset at any moment."""

import random
from collections.abc import Callable

from bench import SETTLE, Bench, on_wire, random_frame
from rawdriver import (
    ACKNOWLEDGE,
    CONFIG_CHANGE,
    DRIVER,
    DRIVER_OK,
    F_INDIRECT_DESC,
    FEATURES_OK,
    HEADER,
    INDIRECT,
    INTERRUPT_STATUS,
    NEEDS_RESET,
    NEXT,
    RX,
    STATUS,
    TX,
    Buffer,
    RawDriver,
    RawQueue,
)

from pymodel.simtime import NS, US

OUTSIDE = 0xDEAD_0000_0000
"""A bus address where no host memory is: the interconnect answers with an error."""

Chain = Callable[[RawDriver], list[Buffer]]


async def _works(raw: RawDriver, rng: random.Random) -> None:
    """After a restart, a frame goes out and one comes in."""
    await raw.start()
    frame = random_frame(rng, 100)
    assert await raw.send(*raw.pieces(bytes(HEADER) + frame, [HEADER])) == on_wire(frame)
    space = raw.space(HEADER + 100)
    entry = await raw.receive(frame, space)
    assert raw.stored((space,), entry.length)[HEADER:] == frame


async def _breaks(
    bench: Bench, queue: int, chain: Chain, *, ring_size: int = 8, features: int = RawDriver.ALL
) -> None:
    """A bad chain on `queue`: NEEDS_RESET, a config interrupt, silence on both rings, works after reset."""
    raw = RawDriver(bench)
    rng = random.Random(bench.seed)
    await raw.start(rx_size=ring_size, tx_size=ring_size, features=features)
    if queue == TX:
        # A good frame before it, which must not suffer.
        good = random_frame(rng, 80)
        assert await raw.send(*raw.pieces(bytes(HEADER) + good, [HEADER])) == on_wire(good)
    broken = raw.rx if queue == RX else raw.tx
    broken.post(*chain(raw))
    raw.notify(queue)
    if queue == RX:
        await bench.wire_send(random_frame(rng, 200))
    sent = len(bench.sent)
    running = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
    for _ in range(100):
        await bench.run_for(1 * US)
        if await raw.read(STATUS) & NEEDS_RESET:
            break
    assert await raw.read(STATUS) == running | NEEDS_RESET
    assert raw.irq
    assert await raw.read(INTERRUPT_STATUS) & CONFIG_CHANGE
    assert broken.used() is None, "a broken chain is not used"
    # No ring activity on either queue until reset.
    await bench.run_for(SETTLE)
    space = raw.space(HEADER + 60)
    if raw.rx.free:
        raw.rx.post(space)
    if raw.tx.free >= 2:
        raw.post_tx(bytes(60))
    areas = [(raw.rx.desc, 16 * ring_size), (raw.tx.desc, 16 * ring_size), (space.address, space.length)]
    before = [bench.memory.read(*area) for area in areas]
    raw.notify(RX)
    raw.notify(TX)
    await bench.wire_send(random_frame(rng, 60))
    await bench.run_for(SETTLE)
    assert [bench.memory.read(*area) for area in areas] == before
    assert len(bench.sent) == sent
    await _works(raw, rng)


async def tx_descriptor_of_length_0_needs_reset(bench: Bench) -> None:
    await _breaks(bench, TX, lambda raw: [Buffer(raw.place(bytes(100)), 100), Buffer(raw.place(b"x"), 0)])


async def rx_descriptor_of_length_0_needs_reset(bench: Bench) -> None:
    await _breaks(bench, RX, lambda raw: [raw.space(40), Buffer(raw.place(b"x"), 0, True), raw.space(400)])


async def tx_indirect_flag_needs_reset(bench: Bench) -> None:
    await _breaks(bench, TX, lambda raw: [Buffer(raw.place(bytes(96)), 96, extra=INDIRECT)])


async def rx_indirect_flag_needs_reset(bench: Bench) -> None:
    await _breaks(bench, RX, lambda raw: [Buffer(raw.place(bytes(96)), 96, True, extra=INDIRECT)])


async def tx_device_writable_descriptor_needs_reset(bench: Bench) -> None:
    await _breaks(bench, TX, lambda raw: [Buffer(raw.place(bytes(100)), 100), raw.space(10)])


async def rx_device_readable_descriptor_needs_reset(bench: Bench) -> None:
    await _breaks(bench, RX, lambda raw: [Buffer(raw.place(bytes(300)), 300)])


async def rx_table_with_a_device_readable_entry_needs_reset(bench: Bench) -> None:
    def chain(raw: RawDriver) -> list[Buffer]:
        return [raw.table(raw.space(40), Buffer(raw.place(bytes(300)), 300), raw.space(400))]

    await _breaks(bench, RX, chain, features=RawDriver.ALL | F_INDIRECT_DESC)


async def tx_chain_longer_than_the_ring_needs_reset(bench: Bench) -> None:
    """All descriptors say NEXT: the chain has no end."""
    await _breaks(
        bench,
        TX,
        lambda raw: [Buffer(raw.place(bytes(20)), 20, extra=NEXT) for _ in range(raw.tx.free)],
        ring_size=4,
    )


async def rx_chain_longer_than_the_ring_needs_reset(bench: Bench) -> None:
    await _breaks(
        bench,
        RX,
        lambda raw: [Buffer(raw.place(bytes(20)), 20, True, extra=NEXT) for _ in range(raw.rx.free)],
        ring_size=4,
    )


async def tx_chain_without_a_whole_ethernet_header_needs_reset(bench: Bench) -> None:
    await _breaks(bench, TX, lambda raw: [Buffer(raw.place(bytes(25)), 25)])


async def tx_chain_shorter_than_the_virtio_header_needs_reset(bench: Bench) -> None:
    await _breaks(bench, TX, lambda raw: raw.pieces(bytes(11), [5, 3]))


async def tx_buffer_outside_memory_needs_reset(bench: Bench) -> None:
    await _breaks(bench, TX, lambda raw: [Buffer(raw.place(bytes(12)), 12), Buffer(OUTSIDE, 100)])


async def rx_buffer_outside_memory_needs_reset(bench: Bench) -> None:
    await _breaks(bench, RX, lambda raw: [Buffer(OUTSIDE, 1600, True)])


async def ring_outside_memory_needs_reset(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.reset()
    assert await raw.accept(RawDriver.ALL)
    queue = RawQueue(bench.memory, TX, 8)
    queue.desc = OUTSIDE
    raw.give_queue(queue)
    raw.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
    raw.notify(TX)
    for _ in range(100):
        await bench.run_for(1 * US)
        if await raw.read(STATUS) & NEEDS_RESET:
            break
    assert await raw.read(STATUS) & NEEDS_RESET
    assert await raw.read(INTERRUPT_STATUS) & CONFIG_CHANGE
    await _works(raw, random.Random(bench.seed))


async def tx_shortest_legal_chain_is_sent(bench: Bench) -> None:
    """26 bytes: the bound that the case above must not overshoot."""
    raw = RawDriver(bench)
    await raw.start()
    frame = random_frame(random.Random(bench.seed), 14)
    assert await raw.send(*raw.pieces(bytes(HEADER) + frame, [7, 13])) == on_wire(frame)


async def _silent_after_reset(bench: Bench, raw: RawDriver) -> None:
    """Status reads 0: from here on the device touches no memory, even as frames come in."""
    allocated = [(q.desc, 16 * q.size) for q in (raw.rx, raw.tx)]
    allocated += [(q.device, 4) for q in (raw.rx, raw.tx)]
    before = [bench.memory.read(*area) for area in allocated]
    sent = len(bench.sent)
    await bench.wire_send(bytes(60))
    await bench.run_for(SETTLE)
    assert [bench.memory.read(*area) for area in allocated] == before
    # A frame that was on the wire already may end; nothing may follow it.
    assert len(bench.sent) <= sent + 1
    assert await raw.read(INTERRUPT_STATUS) == 0
    assert not raw.irq


async def reset_in_the_middle_of_a_tx_burst_stops_and_works_again(bench: Bench) -> None:
    raw = RawDriver(bench)
    rng = random.Random(bench.seed)
    for _ in range(12):
        await raw.start(tx_size=64)
        bench.sent.clear()
        frames = [random_frame(rng, rng.choice((60, 300, 1514))) for _ in range(30)]
        for frame in frames:
            raw.post_tx(frame, alignment=rng.randrange(16))
        raw.notify(TX)
        await bench.run_for(rng.randrange(100, 8_000) * NS)
        await raw.reset()
        await _silent_after_reset(bench, raw)
        # What left before is the start of the burst, whole frames only.
        wire = [frame.data for frame in bench.sent if not frame.error]
        assert wire == [on_wire(frame) for frame in frames[: len(wire)]]
        bench.sent.clear()
        await _works(raw, rng)


async def reset_in_the_middle_of_rx_traffic_stops_and_works_again(bench: Bench) -> None:
    raw = RawDriver(bench)
    rng = random.Random(bench.seed)
    for _ in range(12):
        await raw.start(rx_size=16)
        spaces = [raw.space(HEADER + 1514, rng.randrange(16)) for _ in range(16)]
        for space in spaces:
            raw.rx.post(space)
        raw.notify(RX)
        for _ in range(10):
            await bench.wire_send(random_frame(rng, rng.choice((60, 300, 1514))))
        await bench.run_for(rng.randrange(100, 8_000) * NS)
        await raw.reset()
        filled = [raw.stored((space,), 2000) for space in spaces]
        await _silent_after_reset(bench, raw)
        assert [raw.stored((space,), 2000) for space in spaces] == filled
        assert raw.guards_intact(tuple(spaces))
        await bench.run_for(20 * US)
        await _works(raw, rng)


async def reset_at_each_step_of_initialisation_starts_over(bench: Bench) -> None:
    raw = RawDriver(bench)
    rng = random.Random(bench.seed)
    for step in range(4):
        await raw.reset()
        if step > 0:
            assert await raw.accept(RawDriver.ALL)
        if step > 1:
            raw.give_queue(RawQueue(bench.memory, TX, 8))
        if step > 2:
            raw.give_queue(RawQueue(bench.memory, RX, 8))
        await raw.reset()
        assert await raw.features_offered() == RawDriver.OFFERED
    await _works(raw, rng)


async def reset_of_an_idle_device_twice_is_harmless(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.reset()
    await raw.reset()
    raw.write(STATUS, 0)
    raw.write(STATUS, 0)
    await _works(raw, random.Random(bench.seed))


CASES = (
    tx_descriptor_of_length_0_needs_reset,
    rx_descriptor_of_length_0_needs_reset,
    tx_indirect_flag_needs_reset,
    rx_indirect_flag_needs_reset,
    tx_device_writable_descriptor_needs_reset,
    rx_device_readable_descriptor_needs_reset,
    rx_table_with_a_device_readable_entry_needs_reset,
    tx_chain_longer_than_the_ring_needs_reset,
    rx_chain_longer_than_the_ring_needs_reset,
    tx_chain_without_a_whole_ethernet_header_needs_reset,
    tx_chain_shorter_than_the_virtio_header_needs_reset,
    tx_buffer_outside_memory_needs_reset,
    rx_buffer_outside_memory_needs_reset,
    ring_outside_memory_needs_reset,
    tx_shortest_legal_chain_is_sent,
    reset_in_the_middle_of_a_tx_burst_stops_and_works_again,
    reset_in_the_middle_of_rx_traffic_stops_and_works_again,
    reset_at_each_step_of_initialisation_starts_over,
    reset_of_an_idle_device_twice_is_harmless,
)
