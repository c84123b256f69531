"""Conformance: the receive path, from frames on the wire to chains of any shape."""

import itertools
import random

from bench import MAX_FRAME, QUEUE_NUM_MAX, SETTLE, Bench, random_frame, until
from rawdriver import DISABLE, ENABLE, HEADER, QUEUE_READY, QUEUE_SEL, RX, WRITE, Buffer, RawDriver

from pymodel.regs import Stat

RX_HEADER = bytes(10) + b"\x01\x00"
"""§5.1.6.4.1: nothing negotiated, so zeros, and num_buffers 1."""


def _rng(bench: Bench) -> random.Random:
    return random.Random(bench.seed)


async def _check(raw: RawDriver, frame: bytes, *chain: Buffer) -> None:
    """`frame` lands in `chain`: header, frame without FCS, nothing beyond, the used entry right."""
    entry = await raw.receive(frame, *chain)
    length = HEADER + len(frame)
    assert entry.length == length
    assert entry.flags & WRITE
    assert entry.address == 0
    assert raw.stored(chain, length) == RX_HEADER + frame
    rest = raw.stored(chain, 1 << 20)[length:]
    assert rest == b"\xa5" * len(rest), "bytes behind the frame are the driver's"
    assert raw.guards_intact(chain)


def _split(rng: random.Random, total: int, count: int) -> list[int]:
    """`total` cut into `count` positive lengths."""
    points = [0, *sorted(rng.sample(range(1, total), count - 1)), total]
    return [b - a for a, b in itertools.pairwise(points)]


async def rx_any_buffer_alignment_gives_the_same_bytes(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    for alignment in range(16):
        for length in (60, 61 + alignment, 1000 + alignment):
            await _check(raw, random_frame(rng, length), raw.space(HEADER + length + 5, alignment))


async def rx_header_split_anywhere_is_written_right(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(rx_size=32)
    rng = _rng(bench)
    splits = [[n, 80 - n] for n in range(1, 24)] + [
        [1] * 12 + [68],
        [1] * 13 + [67],
        [5, 5, 5, 65],
        [11, 1, 68],
    ]
    for cuts in splits:
        await _check(raw, random_frame(rng, 68), *(raw.space(n, rng.randrange(16)) for n in cuts))


async def rx_chain_of_many_small_buffers_takes_one_frame(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(rx_size=QUEUE_NUM_MAX)
    rng = _rng(bench)
    for count in (2, 17, 64, QUEUE_NUM_MAX):
        cuts = _split(rng, HEADER + 700, count)
        await _check(raw, random_frame(rng, 700), *(raw.space(n, rng.randrange(16)) for n in cuts))
    await _check(raw, random_frame(rng, 60), *(raw.space(1) for _ in range(72)))


async def rx_buffers_behind_the_frame_stay_untouched(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    for _ in range(10):
        sizes = [rng.randrange(1, 300) for _ in range(6)] + [600]
        await _check(raw, random_frame(rng, rng.randrange(60, 500)), *(raw.space(n) for n in sizes))


async def rx_lengths_up_to_the_maximum_arrive_whole(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    lengths = [*range(60, 100), *range(250, 262), *range(1510, MAX_FRAME + 1)]
    lengths += [rng.randrange(100, MAX_FRAME) for _ in range(20)]
    for length in lengths:
        await _check(raw, random_frame(rng, length), raw.space(HEADER + length, rng.randrange(16)))


async def rx_buffers_across_4_kib_boundaries_are_filled_whole(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    page = bench.memory.alloc(3 * 4096, 4096)
    for before in (1, 11, 12, 13, 16, 27, 28, 1000):
        bench.memory.write(page, b"\xa5" * (3 * 4096))
        await _check(raw, random_frame(rng, 1400), Buffer(page + 4096 - before, 1412, writable=True))


async def rx_chain_too_small_is_filled_used_with_length_0_and_counted(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    for number, sizes in enumerate(([71], [12], [5], [12, 59], [30, 1, 40], [1])):
        frame = random_frame(rng, 60)
        chain = tuple(raw.space(n) for n in sizes)
        entry = await raw.receive(frame, *chain)
        assert entry.length == 0
        assert entry.flags & WRITE
        assert raw.stored(chain, 1000) == (RX_HEADER + frame)[: sum(sizes)]
        assert raw.guards_intact(chain)
        assert await raw.read64(Stat.RX_TRUNCATED) == number + 1
        await _check(raw, random_frame(rng, 60), raw.space(72))


async def rx_rings_of_all_sizes_wrap_many_times(bench: Bench) -> None:
    raw = RawDriver(bench)
    rng = _rng(bench)
    for size in (1, 2, 3, 7, QUEUE_NUM_MAX):
        await raw.start(rx_size=size)
        for _ in range(3 * min(size, 16) + 5):
            frame = random_frame(rng, rng.randrange(60, 120))
            cuts = _split(rng, HEADER + len(frame), rng.randint(1, min(size, 4)))
            await _check(raw, frame, *(raw.space(n) for n in cuts))


async def rx_full_large_ring_takes_a_burst_in_order_twice_round(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(rx_size=QUEUE_NUM_MAX)
    rng = _rng(bench)
    frames = [random_frame(rng, rng.randrange(60, 90)) for _ in range(2 * QUEUE_NUM_MAX)]
    posted = {}
    waiting = iter(frames)
    for _ in range(QUEUE_NUM_MAX):
        buffer = raw.space(HEADER + 100)
        posted[raw.rx.post(buffer)] = buffer
    raw.notify(RX)
    await bench.run_for(SETTLE)
    got: list[bytes] = []
    while len(got) < len(frames):
        for frame in itertools.islice(waiting, 16):
            # A gap as of a busy but not a saturated wire: this case is about the ring, not the FIFO.
            await bench.wire_send(frame, gap=150)
        for _ in range(16):
            entry = await raw.used(raw.rx)
            buffer = posted.pop(entry.ident)
            data = raw.stored((buffer,), entry.length)
            assert data[:HEADER] == RX_HEADER
            got.append(data[HEADER:])
            buffer = raw.space(HEADER + 100)
            posted[raw.rx.post(buffer)] = buffer
        raw.notify(RX)
    assert got == frames


async def rx_without_buffers_keeps_what_fits_counts_the_rest_and_goes_on_after_refill(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(rx_size=64)
    rng = _rng(bench)
    frames = [random_frame(rng, 1000) for _ in range(40)]
    for frame in frames:
        await bench.wire_send(frame)
    await bench.run_for(40 * 900_000 + SETTLE)
    stored = await raw.read64(Stat.RX_FRAMES)
    lost = await raw.read64(Stat.RX_OVERFLOW)
    assert stored + lost == len(frames)
    assert 0 < stored < len(frames), "some fit in the FIFO, some do not"
    posted = {}
    for _ in range(64):
        buffer = raw.space(HEADER + 1000)
        posted[raw.rx.post(buffer)] = buffer
    raw.notify(RX)
    # Frames that did not fit are lost whole, those that did come whole and in order.
    expected = iter(frames)
    for _ in range(stored):
        entry = await raw.used(raw.rx)
        frame = raw.stored((posted[entry.ident],), entry.length)[HEADER:]
        assert frame in expected
    frame = random_frame(rng, 77)
    await bench.wire_send(frame)
    entry = await raw.used(raw.rx)
    assert raw.stored((posted[entry.ident],), entry.length) == RX_HEADER + frame
    assert await raw.read64(Stat.RX_OVERFLOW) == lost
    assert await raw.read64(Stat.RX_FRAMES) == stored + 1


async def rx_empty_ring_is_refilled_one_buffer_at_a_time_without_a_stall(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(rx_size=3)
    rng = _rng(bench)
    for _ in range(30):
        frame = random_frame(rng, rng.randrange(60, 100))
        await bench.wire_send(frame)
        await bench.run_for(rng.randrange(1, 3_000_000))
        chain = raw.space(HEADER + 100)
        raw.rx.post(chain)
        if raw.rx.device_event()[1] != DISABLE:
            raw.notify(RX)
        entry = await raw.used(raw.rx)
        assert raw.stored((chain,), entry.length) == RX_HEADER + frame
    await until(bench, lambda: raw.rx.device_event() == (0, ENABLE), "ENABLE at rest")


async def rx_damaged_frames_are_counted_by_reason_and_dropped(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(rx_size=32)
    rng = _rng(bench)
    posted = {}
    for _ in range(32):
        buffer = raw.space(HEADER + MAX_FRAME)
        posted[raw.rx.post(buffer)] = buffer
    raw.notify(RX)
    good = [random_frame(rng, n) for n in (60, 61, MAX_FRAME, 300, 64, 65)]
    bad = [(300, True), (59, False), (20, False), (MAX_FRAME + 1, False), (1600, False)]
    for frame, (length, bad_fcs) in zip(good, [*bad, (59, True)], strict=True):
        await bench.wire_send(random_frame(rng, length), bad_fcs=bad_fcs)
        await bench.wire_send(frame)
    for frame in good:
        entry = await raw.used(raw.rx)
        assert raw.stored((posted[entry.ident],), entry.length) == RX_HEADER + frame
    await bench.run_for(SETTLE)
    assert raw.rx.used() is None
    assert await raw.read64(Stat.RX_FCS_ERROR) == 1
    assert await raw.read64(Stat.RX_UNDERSIZE) == 3, "a runt with a bad FCS is a runt"
    assert await raw.read64(Stat.RX_OVERSIZE) == 2
    assert await raw.read64(Stat.RX_FRAMES) == len(good)
    assert await raw.read64(Stat.RX_BYTES) == sum(len(frame) + 4 for frame in good)


async def rx_frames_before_driver_ok_or_without_a_queue_are_counted_as_disabled(bench: Bench) -> None:
    raw = RawDriver(bench)
    rng = _rng(bench)
    await bench.wire_send(random_frame(rng, 60))
    await bench.run_for(SETTLE)
    assert await raw.read64(Stat.RX_DISABLED) == 1
    await raw.start()
    await _check(raw, random_frame(rng, 60), raw.space(HEADER + 60))
    raw.write(QUEUE_SEL, RX)
    raw.write(QUEUE_READY, 0)
    assert await raw.read(QUEUE_READY) == 0
    await bench.wire_send(random_frame(rng, 60))
    await bench.wire_send(random_frame(rng, 60), bad_fcs=True)
    await bench.run_for(SETTLE)
    assert await raw.read64(Stat.RX_DISABLED) == 2
    assert await raw.read64(Stat.RX_FCS_ERROR) == 1, "a bad FCS goes before disabled"
    await raw.reset()
    await bench.wire_send(random_frame(rng, 60))
    await bench.run_for(SETTLE)
    assert await raw.read64(Stat.RX_DISABLED) == 3
    assert await raw.read64(Stat.RX_FRAMES) == 1


async def rx_hardware_reset_clears_the_statistics(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    rng = _rng(bench)
    await _check(raw, random_frame(rng, 60), raw.space(HEADER + 60))
    assert await raw.read64(Stat.RX_FRAMES) == 1
    bench.port.reset()
    assert await raw.read64(Stat.RX_FRAMES) == 0
    assert await raw.read64(Stat.RX_KICKS) == 0
    await raw.start()
    await _check(raw, random_frame(rng, 60), raw.space(HEADER + 60))


CASES = (
    rx_any_buffer_alignment_gives_the_same_bytes,
    rx_header_split_anywhere_is_written_right,
    rx_chain_of_many_small_buffers_takes_one_frame,
    rx_buffers_behind_the_frame_stay_untouched,
    rx_lengths_up_to_the_maximum_arrive_whole,
    rx_buffers_across_4_kib_boundaries_are_filled_whole,
    rx_chain_too_small_is_filled_used_with_length_0_and_counted,
    rx_rings_of_all_sizes_wrap_many_times,
    rx_full_large_ring_takes_a_burst_in_order_twice_round,
    rx_without_buffers_keeps_what_fits_counts_the_rest_and_goes_on_after_refill,
    rx_empty_ring_is_refilled_one_buffer_at_a_time_without_a_stall,
    rx_damaged_frames_are_counted_by_reason_and_dropped,
    rx_frames_before_driver_ok_or_without_a_queue_are_counted_as_disabled,
    rx_hardware_reset_clears_the_statistics,
)
