"""Conformance: the transmit path, from chains of any shape to frames on the wire."""

import itertools
import random

from bench import MAX_FRAME, QUEUE_NUM_MAX, SETTLE, Bench, on_wire, random_frame, until
from rawdriver import DISABLE, ENABLE, F_INDIRECT_DESC, HEADER, TX, Buffer, RawDriver

from pymodel.regs import Stat
from pymodel.simtime import CYCLE, NS


def _rng(bench: Bench) -> random.Random:
    return random.Random(bench.seed)


async def _burst(bench: Bench, raw: RawDriver, frames: list[bytes], *, cuts_of: int = 1) -> None:
    """Send `frames`, as many at a time as the ring takes; each in `cuts_of` + 1 buffers at most."""
    rng = _rng(bench)
    start = len(bench.sent)
    waiting = list(frames)
    while waiting or raw.tx.lengths:
        while waiting:
            data = bytes(HEADER) + waiting[0]
            count = min(rng.randint(0, cuts_of), raw.tx.size - 1)
            points = sorted(rng.sample(range(1, len(data)), count))
            cuts = [b - a for a, b in itertools.pairwise([0, *points])]
            if count + 1 > raw.tx.free:
                break
            raw.tx.post(*raw.pieces(data, cuts, rng.randrange(16)))
            waiting.pop(0)
            raw.notify(TX)
        entry = await raw.used(raw.tx)
        assert entry.length == 0
        assert entry.address == 0
    expected = [on_wire(frame) for frame in frames]
    await until(bench, lambda: len(bench.sent) - start >= len(frames), "all frames on the wire")
    assert [frame.data for frame in bench.sent[start:]] == expected


async def tx_any_alignment_of_header_and_frame_gives_the_same_bytes(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=16)
    rng = _rng(bench)
    for header in range(16):
        for alignment in range(16):
            frame = random_frame(rng, 61 + (header + alignment) % 16)
            chain = (
                Buffer(raw.place(bytes(HEADER), header), HEADER),
                Buffer(raw.place(frame, alignment), len(frame)),
            )
            assert await raw.send(*chain) == on_wire(frame), f"header at {header}, frame at {alignment}"


async def tx_header_and_frame_in_one_buffer_at_any_alignment(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    for alignment in range(16):
        frame = random_frame(rng, 100 + alignment)
        chain = Buffer(raw.place(bytes(HEADER) + frame, alignment), HEADER + len(frame))
        assert await raw.send(chain) == on_wire(frame)


async def tx_header_split_anywhere_is_dropped_whole(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=32)
    rng = _rng(bench)
    # Whatever a driver leaves in flags and gso_type is ignored at this stage, so the header is not zeros.
    header = b"\xff\xff" + rng.randbytes(10)
    splits = [[n] for n in range(1, 24)] + [[1] * 12, [1] * 13, [5, 5, 5], [11, 1], [11, 2], [3, 4, 6, 2]]
    for cuts in splits:
        frame = random_frame(rng, 75)
        chain = raw.pieces(header + frame, cuts, rng.randrange(16))
        assert await raw.send(*chain) == on_wire(frame), f"{cuts}"


async def tx_chain_of_many_descriptors_is_one_frame(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=QUEUE_NUM_MAX)
    rng = _rng(bench)
    for count in (17, 64, QUEUE_NUM_MAX - 1, QUEUE_NUM_MAX):
        frame = random_frame(rng, 1000)
        points = sorted(rng.sample(range(1, HEADER + 1000), count - 1))
        cuts = [b - a for a, b in itertools.pairwise([0, *points])]
        chain = raw.pieces(bytes(HEADER) + frame, cuts, rng.randrange(16))
        assert len(chain) == count
        assert await raw.send(*chain) == on_wire(frame), f"{count} descriptors"
    frame = random_frame(rng, 90)
    assert await raw.send(*raw.pieces(bytes(HEADER) + frame, [1] * 101)) == on_wire(frame)


async def tx_table_with_any_of_its_entries_marked_writable_is_one_frame(bench: Bench) -> None:
    """The device only reads them, whatever they say; DPDK 22.11 marks them all."""
    raw = RawDriver(bench)
    await raw.start(features=RawDriver.ALL | F_INDIRECT_DESC)
    rng = _rng(bench)
    for marks in itertools.product((False, True), repeat=3):
        frame = random_frame(rng, rng.randrange(60, 300))
        chain = raw.pieces(bytes(HEADER) + frame, [HEADER, rng.randrange(1, 60)], rng.randrange(16))
        for buffer, writable in zip(chain, marks, strict=True):
            buffer.writable = writable
        assert await raw.send(raw.table(*chain, alignment=rng.randrange(16))) == on_wire(frame), f"{marks}"


async def tx_every_short_length_is_padded_to_the_minimum(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=64)
    rng = _rng(bench)
    # Memory beyond a short frame is not zero here, and must not leak into the padding.
    await _burst(bench, raw, [random_frame(rng, n) for n in range(14, 130)])


async def tx_lengths_up_to_the_maximum_arrive_whole(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=64)
    rng = _rng(bench)
    lengths = [*range(250, 270), *range(1018, 1040), *range(1500, MAX_FRAME + 1)]
    lengths += [rng.randrange(130, MAX_FRAME) for _ in range(30)]
    await _burst(bench, raw, [random_frame(rng, n) for n in lengths], cuts_of=3)


async def tx_buffers_across_4_kib_boundaries_arrive_whole(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    page = bench.memory.alloc(3 * 4096, 4096)
    for before in (1, 2, 15, 16, 17, 100, 1000):
        frame = random_frame(rng, 1200)
        at = page + 4096 - HEADER - before
        bench.memory.write(at, bytes(HEADER) + frame)
        assert await raw.send(Buffer(at, HEADER + 1200)) == on_wire(frame), f"{before} bytes before"


async def tx_rings_of_all_sizes_wrap_many_times(bench: Bench) -> None:
    raw = RawDriver(bench)
    rng = _rng(bench)
    for size in (1, 2, 3, 7, 64, QUEUE_NUM_MAX):
        await raw.start(tx_size=size)
        frames = [random_frame(rng, rng.randrange(14, 200)) for _ in range(3 * min(size, 32) + 5)]
        await _burst(bench, raw, frames, cuts_of=2)


async def tx_small_ring_wraps_with_chains_of_all_lengths(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=5)
    rng = _rng(bench)
    await _burst(bench, raw, [random_frame(rng, rng.randrange(14, 160)) for _ in range(200)], cuts_of=4)


async def tx_oversize_frame_is_counted_not_sent_and_its_chain_used(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    for length in (MAX_FRAME + 1, 2000, 9000):
        before = await raw.read64(Stat.TX_OVERSIZE)
        raw.post_tx(random_frame(rng, length))
        good = random_frame(rng, 70)
        raw.post_tx(good)
        raw.notify(TX)
        assert (await raw.used(raw.tx)).length == 0
        await raw.used(raw.tx)
        await until(bench, lambda: bool(bench.sent), "the good frame")
        assert [frame.data for frame in bench.sent] == [on_wire(good)]
        bench.sent.clear()
        assert await raw.read64(Stat.TX_OVERSIZE) == before + 1


async def tx_counters_count_frames_and_bytes_with_padding_and_fcs(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=32)
    rng = _rng(bench)
    lengths = [14, 59, 60, 61, 64, 500, 1514, MAX_FRAME]
    await _burst(bench, raw, [random_frame(rng, n) for n in lengths])
    await bench.run_for(SETTLE)
    assert await raw.read64(Stat.TX_FRAMES) == len(lengths)
    assert await raw.read64(Stat.TX_BYTES) == sum(max(n, 60) + 4 for n in lengths)
    assert await raw.read64(Stat.TX_KICKS) > 0
    await raw.reset()
    assert await raw.read64(Stat.TX_FRAMES) == len(lengths), "statistics survive a device reset"


async def tx_frames_keep_the_minimum_gap_on_the_wire(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=64)
    rng = _rng(bench)
    await _burst(bench, raw, [random_frame(rng, rng.randrange(60, 90)) for _ in range(40)])
    frames = bench.sent
    gaps = [later.start - earlier.end for earlier, later in itertools.pairwise(frames)]
    # IEEE 802.3 §46.3.1.4: the deficit idle count lets single gaps shrink by up to 3 bytes (800 ps each).
    assert min(gaps) >= 9 * 800
    for start in range(len(gaps) - 8):
        window = gaps[start : start + 8]
        assert sum(window) >= 8 * 12 * 800 - 3 * 800, "on average 12 bytes"


async def tx_device_event_area_says_disable_at_work_and_enable_at_rest(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=64)
    await bench.run_for(SETTLE)  # a NIC may look at a new ring once before it rests
    rng = _rng(bench)
    for _ in range(60):
        raw.tx.interrupts(ENABLE)
        if raw.tx.free >= 2:
            raw.post_tx(random_frame(rng, 1000))
    raw.notify(TX)
    # The descriptors may all be prefetched soon, so the NIC may ask for notifications again soon.
    disabled = lambda: raw.tx.device_event()[1] == DISABLE  # noqa: E731
    await until(bench, disabled, "DISABLE while there is work", longest_step=20 * NS)
    while raw.tx.lengths:
        await raw.used(raw.tx)
    await until(bench, lambda: raw.tx.device_event() == (0, ENABLE), "ENABLE when there is none")


async def tx_driver_that_skips_notifies_under_disable_loses_no_frame(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=8)
    rng = _rng(bench)
    frames = [random_frame(rng, rng.randrange(60, 200)) for _ in range(150)]
    skipped = 0
    for frame in frames:
        while raw.tx.free < 2:
            await raw.used(raw.tx)
        raw.post_tx(frame)
        if raw.tx.device_event()[1] == DISABLE:
            skipped += 1
        else:
            raw.notify(TX)
        if rng.random() < 0.5:
            await bench.run_for(rng.randrange(1, 600_000))
    await until(bench, lambda: len(bench.sent) >= len(frames), "every frame, notified or not")
    assert [frame.data for frame in bench.sent] == [on_wire(frame) for frame in frames]
    assert skipped, "the device never said DISABLE: nothing was tested"


async def tx_frame_posted_as_the_device_goes_to_rest_is_not_forgotten(bench: Bench) -> None:
    """A sweep over the moment between the device's last look at the ring and its ENABLE (§2.8.10)."""
    raw = RawDriver(bench)
    await raw.start()
    frame = random_frame(_rng(bench), 60)
    delay, rested = 0, 0
    while rested < 10:
        bench.sent.clear()
        raw.post_tx(frame)
        raw.notify(TX)
        await bench.run_for(delay)
        raw.post_tx(frame)
        if raw.tx.device_event()[1] == DISABLE:
            rested = 0
        else:
            raw.notify(TX)
            rested += delay > 500 * NS
        await until(bench, lambda: len(bench.sent) == 2, f"both frames, {delay} ps after the notify")
        while raw.tx.lengths:
            await raw.used(raw.tx)
        await until(bench, lambda: raw.tx.device_event()[1] == ENABLE, "rest")
        delay += 3 * CYCLE


CASES = (
    tx_any_alignment_of_header_and_frame_gives_the_same_bytes,
    tx_header_and_frame_in_one_buffer_at_any_alignment,
    tx_header_split_anywhere_is_dropped_whole,
    tx_chain_of_many_descriptors_is_one_frame,
    tx_table_with_any_of_its_entries_marked_writable_is_one_frame,
    tx_every_short_length_is_padded_to_the_minimum,
    tx_lengths_up_to_the_maximum_arrive_whole,
    tx_buffers_across_4_kib_boundaries_arrive_whole,
    tx_rings_of_all_sizes_wrap_many_times,
    tx_small_ring_wraps_with_chains_of_all_lengths,
    tx_oversize_frame_is_counted_not_sent_and_its_chain_used,
    tx_counters_count_frames_and_bytes_with_padding_and_fcs,
    tx_frames_keep_the_minimum_gap_on_the_wire,
    tx_device_event_area_says_disable_at_work_and_enable_at_rest,
    tx_driver_that_skips_notifies_under_disable_loses_no_frame,
    tx_frame_posted_as_the_device_goes_to_rest_is_not_forgotten,
)
