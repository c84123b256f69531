"""The whole NIC between independent models: frames of all lengths, chains, wraps, suppression, line rate."""

from functools import partial
from typing import Any

import cocotb
from clocked import rng
from cocotb.triggers import ClockCycles
from nic_bench import (
    HEADER,
    INTERRUPT_ACK,
    INTERRUPT_STATUS,
    QUEUE_NOTIFY,
    RX,
    SOURCES,
    TX,
    Nic,
    ethernet,
    padded,
    pieces,
)
from ring_bench import DISABLE, ENABLE
from simulators import SIMULATORS

from tb.block import run_block

RX_TRUNCATED, RX_FRAMES, RX_OVERFLOW, TX_OVERSIZE, TX_FRAMES = 0x1148, 0x1100, 0x1140, 0x1190, 0x1180


async def bring_up(dut: Any, rx: int = 16, tx: int = 16, offset: int = 0) -> Nic:
    nic = Nic(dut, rng())
    await nic.start()
    await nic.init(rx, tx, offset)
    return nic


async def transmit_all(nic: Nic, frames: list[bytes], most_pieces: int) -> None:
    """Send `frames` through the TX ring as room allows, kick as the device asks; compare the wire."""
    ring = nic.rings[TX]
    waiting = list(reversed(frames))
    count = len(frames)
    nic.reclaimed.clear()
    idle = 0
    while len(nic.reclaimed) < count:
        posted = False
        while waiting and ring.free:
            nic.transmit(waiting.pop(), nic.random.randint(1, min(most_pieces, ring.free)))
            posted = True
        if posted:
            await nic.kick(TX)
        before = len(nic.reclaimed)
        await ClockCycles(nic.dut.clk, 16)
        nic.poll()
        idle = 0 if posted or len(nic.reclaimed) > before else idle + 1
        assert idle < 500, f"stuck after {len(nic.reclaimed)} of {count} chains"


async def sent(nic: Nic, frames: list[bytes]) -> None:
    """The wire brings exactly `frames`, in order."""
    got: list[bytes] = []
    for _ in range(300):
        got += nic.frames()
        if len(got) >= len(frames):
            break
        await ClockCycles(nic.dut.clk, 50)
    assert [len(f) for f in got] == [len(padded(f)) for f in frames]
    assert got == [padded(f) for f in frames]
    broken = [next((f for f in got if f.startswith(beginning)), None) for beginning in nic.broken]
    assert None not in broken, "what broke off did not come again"
    nic.broken.clear()


async def receive_all(nic: Nic, frames: list[bytes], most_pieces: int, gap: int) -> None:
    """Send `frames` to the NIC about every `gap` cycles, keeping buffers posted; compare memory."""
    ring = nic.rings[RX]
    nic.received.clear()
    waiting = list(reversed(frames))
    idle = 0
    while len(nic.received) < len(frames):
        posted = False
        while ring.free:
            capacity = 12 + 1518 + nic.random.choice((0, 0, 1, 100, 2000))
            nic.receive(pieces(nic.random, capacity, nic.random.randint(1, min(most_pieces, ring.free))))
            posted = True
        if posted:
            await nic.kick(RX)
        if waiting:
            nic.inject(waiting.pop())
        before = len(nic.received)
        await ClockCycles(nic.dut.clk, gap)
        nic.poll()
        idle = 0 if posted or waiting or len(nic.received) > before else idle + 1
        assert idle < 500, f"stuck after {len(nic.received)} of {len(frames)} frames"
    for frame, (used, data) in zip(frames, nic.received, strict=True):
        assert used.length == 12 + len(frame)
        assert data[: used.length] == HEADER + frame
        assert set(data[used.length :]) <= {0xEE}, "bytes behind the frame were written"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def tx_lengths_14_to_1518_in_any_chain_come_out_padded_and_in_order(dut: Any) -> None:
    nic = await bring_up(dut, tx=32)
    lengths = [*range(14, 100), 127, 128, 129, 1499, 1500, 1514, 1517, 1518]
    lengths += [nic.random.randint(14, 1518) for _ in range(30)]
    frames = [ethernet(nic.random, n) for n in lengths]
    await transmit_all(nic, frames, most_pieces=20)
    await sent(nic, frames)
    assert await nic.statistic(TX_FRAMES) == len(frames)
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def tx_header_split_at_every_byte_is_skipped_whole(dut: Any) -> None:
    nic = await bring_up(dut, tx=32)
    frames = []
    for cut in range(1, 14):
        for second in (1, 3, 12):
            frame = ethernet(nic.random, 40)
            data = b"\xff" * 12 + frame
            chain = nic.chain(data, [cut, second, len(data) - cut - second])
            nic.tx_order.append(nic.rings[TX].post(chain))
            frames.append(frame)
            await nic.kick(TX)
            await nic.until(lambda: nic.rings[TX].free > 8, "room in the ring")
    await sent(nic, frames)
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def tx_oversize_is_counted_and_used_but_not_sent(dut: Any) -> None:
    nic = await bring_up(dut)
    frames = [ethernet(nic.random, n) for n in (60, 1519, 100, 2000, 9000, 61)]
    for frame in frames:
        nic.transmit(frame, 3)
        await nic.kick(TX)
        await nic.until(lambda: nic.rings[TX].free > 8, "room in the ring")
    # 4 GiB - 1: nothing that long is there to be read, and nothing that long is read.
    nic.tx_order.append(nic.rings[TX].post([(nic.place(2048), 0xFFFF_FFFF, 0)]))
    tail = ethernet(nic.random, 77)
    nic.transmit(tail)
    await nic.kick(TX)
    await sent(nic, [frames[0], frames[2], frames[5], tail])
    await nic.until(lambda: not nic.tx_order, "used entries")
    assert await nic.statistic(TX_OVERSIZE) == 4
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def rx_lengths_60_to_1518_into_any_chain_arrive_behind_their_header(dut: Any) -> None:
    nic = await bring_up(dut, rx=32)
    lengths = [*range(60, 110), 127, 128, 129, 1499, 1514, 1517, 1518]
    lengths += [nic.random.randint(60, 1518) for _ in range(30)]
    frames = [ethernet(nic.random, n) for n in lengths]
    await receive_all(nic, frames, most_pieces=12, gap=20)
    assert await nic.statistic(RX_FRAMES) == len(frames)
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def rx_chain_too_small_is_filled_and_used_with_length_0(dut: Any) -> None:
    nic = await bring_up(dut, rx=32)
    plan = [(100, [50, 30]), (60, [71]), (60, [72]), (60, [1]), (1518, [12, 500, 1]), (64, [12, 64])]
    frames = []
    for length, lengths in plan:
        nic.receive(lengths)
        frames.append(ethernet(nic.random, length))
    await nic.kick(RX)
    for frame in frames:
        nic.inject(frame)
    await nic.until(lambda: len(nic.received) == len(plan), "used entries")
    for (length, lengths), frame, (used, data) in zip(plan, frames, nic.received, strict=True):
        fits = 12 + length <= sum(lengths)
        assert used.length == (12 + length if fits else 0)
        assert data[: 12 + length] == (HEADER + frame)[: sum(lengths)]
    assert await nic.statistic(RX_TRUNCATED) == 4
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def rx_without_buffers_waits_and_loses_only_what_overflows(dut: Any) -> None:
    nic = await bring_up(dut, rx=64)
    frames = [ethernet(nic.random, 1000) for _ in range(40)]
    for frame in frames:
        nic.inject(frame)
    await ClockCycles(dut.clk, 40 * 140)
    overflow = await nic.statistic(RX_OVERFLOW)
    kept = await nic.statistic(RX_FRAMES)
    assert kept + overflow == len(frames) and 30 <= kept <= 34, f"{kept} kept, {overflow} lost"
    assert not nic.received
    for _ in range(40):
        nic.receive([2048])
    await nic.kick(RX)
    await nic.until(lambda: len(nic.received) == kept, "the frames that had room")
    assert [data[12:1012] for _, data in nic.received] == frames[:kept]
    frames = [ethernet(nic.random, 60) for _ in range(3)]
    for frame in frames:
        nic.inject(frame)
    await nic.until(lambda: len(nic.received) == kept + 3, "frames after the overflow")
    assert [data[12:72] for _, data in nic.received[kept:]] == frames
    nic.finish()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def both_ways_on_odd_ring_sizes_with_random_latency_and_backpressure(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    for size, latency, pause in (
        (1, 0, 0.0),
        (2, 20, 0.3),
        (3, 100, 0.0),
        (5, 3, 0.5),
        (7, 30, 0.2),
        (255, 156, 0.1),
    ):
        await nic.init(size, size, offset=16 * nic.random.randrange(256))
        nic.bus.latency = latency
        nic.bus.pause(nic.random, pause)
        down = [ethernet(nic.random, nic.random.randint(60, 300)) for _ in range(3 * min(size, 16) + 4)]
        up = [ethernet(nic.random, nic.random.randint(14, 300)) for _ in range(3 * min(size, 16) + 4)]
        receiving = cocotb.start_soon(receive_all(nic, down, 5, gap=60))
        await transmit_all(nic, up, 5)
        await sent(nic, up)
        await receiving
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def used_entries_wait_for_the_last_byte_read_and_for_the_last_response(dut: Any) -> None:
    nic = await bring_up(dut)
    nic.bus.latency = 100
    for length in (60, 300, 1514):
        nic.ram.log.clear()
        data = nic.random.randbytes(12 + length)
        chain = nic.chain(data, [12, 30, length - 30])
        nic.tx_order.append(nic.rings[TX].post(chain))
        buffer = nic.buffers[nic.receive([2048])][0][0]
        await nic.kick(TX)
        await nic.kick(RX)
        nic.inject(data[12:])
        await nic.until(lambda: bool(nic.received) and not nic.tx_order, "both used entries")
        nic.received.clear()
        (used,) = nic.ram.accesses(True, nic.rings[TX].ring, 16 * 16)
        assert used.cycle > max(nic.ram.accesses(False, a, n)[-1].cycle for a, n, _ in chain)
        (used,) = nic.ram.accesses(True, nic.rings[RX].ring, 16 * 16)
        last = nic.ram.accesses(True, buffer, 2048)[-1]
        assert used.cycle >= last.cycle + nic.bus.latency, "used before the response to its payload"
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def interrupt_comes_only_while_the_driver_enables_it(dut: Any) -> None:
    nic = await bring_up(dut)
    ring = nic.rings[TX]
    for flags, due in ((ENABLE, 1), (DISABLE, 0), (2, 1), (DISABLE, 0), (ENABLE, 1)):
        ring.suppress(flags, off_wrap=0x8005)
        nic.transmit(ethernet(nic.random, 60))
        await nic.kick(TX)
        await nic.until(lambda: not nic.tx_order, "used entry")
        await ClockCycles(dut.clk, 100)
        assert await nic.read(INTERRUPT_STATUS) == due, f"flags {flags}"
        assert dut.irq.value == due
        await nic.write(INTERRUPT_ACK, due)
        assert dut.irq.value == 0
    nic.rings[RX].suppress(DISABLE)
    nic.receive([2048])
    nic.receive([2048])
    await nic.kick(RX)
    nic.inject(ethernet(nic.random, 60))
    await nic.until(lambda: len(nic.received) == 1, "frame")
    await ClockCycles(dut.clk, 100)
    assert dut.irq.value == 0
    nic.rings[RX].suppress(ENABLE)
    nic.inject(ethernet(nic.random, 60))
    await nic.until(lambda: dut.irq.value == 1, "interrupt")
    assert len(nic.received) == 2, "interrupt before the used entry"
    nic.finish()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def redundant_and_absurd_kicks_change_nothing(dut: Any) -> None:
    nic = await bring_up(dut, tx=8)
    up = [ethernet(nic.random, nic.random.randint(14, 200)) for _ in range(30)]
    stop = False

    async def pester() -> None:
        while not stop:
            await nic.write(QUEUE_NOTIFY, nic.random.choice((0, 1, 1, 1, 2, 0xFFFF, 0x0001_0001)))
            await ClockCycles(dut.clk, nic.random.randrange(40))

    pestering = cocotb.start_soon(pester())
    await transmit_all(nic, up, 3)
    stop = True
    await pestering
    await sent(nic, up)
    await nic.until(lambda: nic.rings[TX].wants_kick and nic.rings[RX].wants_kick, "both rings asleep")
    nic.finish()


async def tx_rate(nic: Nic, split: list[int], frame_bytes: int, count: int) -> tuple[float, float]:
    """Cycles per frame from start to start, all posted before the kick: (all frames, the later half)."""
    frames = [ethernet(nic.random, frame_bytes) for _ in range(count)]
    for frame in frames:
        data = bytes(12) + frame
        nic.tx_order.append(nic.rings[TX].post(nic.chain(data, split)))
    await nic.kick(TX)
    await nic.until(lambda: nic.sink.count() == count, "all frames", cycles=60_000)
    starts = []
    for frame in frames:
        got = nic.sink.recv_nowait()
        assert bytes(got.get_payload()) == padded(frame)
        starts.append(got.sim_time_start)
    await nic.until(lambda: not nic.tx_order, "used entries")
    half = count // 2
    return (starts[-1] - starts[0]) / 6400 / (count - 1), (starts[-1] - starts[half]) / 6400 / (
        count - 1 - half
    )


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def tx_64_byte_frames_at_1us_memory_latency_reach_line_rate(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    nic.bus.latency = 156
    for split in ([72], [12, 60]):
        await nic.init(tx=256)
        nic.rings[TX].suppress(DISABLE)
        whole, steady = await tx_rate(nic, split, 60, 256 // len(split))
        said = f"{whole:.2f} cycles a frame from the first on, {steady:.2f} once it runs"
        dut._log.info(f"TX 64-byte frames, {len(split)} descriptors each: {said}")
        assert steady < 10.55, "line rate is 10.5 cycles a frame"
        # From one burst to the memory's full speed it takes some latencies, once.
        assert whole < 12
    nic.finish()


def received(nic: Nic, count: int) -> bool:
    return len(nic.received) == count


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def rx_64_byte_frames_at_line_rate_and_1us_memory_latency_lose_nothing(dut: Any) -> None:
    nic = Nic(dut, rng())
    await nic.start()
    nic.bus.latency = 156
    for split in ([2048], [12, 64]):
        await nic.init(rx=256)
        nic.rings[RX].suppress(DISABLE)
        count = 256 // len(split)
        for _ in range(count):
            nic.receive(split)
        await nic.kick(RX)
        await ClockCycles(dut.clk, 400)
        frames = [ethernet(nic.random, 60) for _ in range(count)]
        for frame in frames:
            nic.inject(frame)
        await nic.until(partial(received, nic, count), "all frames")
        assert [data[12:72] for _, data in nic.received] == frames
        used = [a.cycle for a in nic.ram.accesses(True, nic.rings[RX].ring, 16 * 256)]
        cycles = (used[-1] - used[0]) / (count - 1)
        dut._log.info(f"RX 64-byte frames, {len(split)} descriptors each: {cycles:.2f} cycles a frame")
        assert cycles < 10.6, "line rate is 10.5 cycles a frame"
    nic.finish()


@SIMULATORS
def test_nic_traffic(simulator: str) -> None:
    run_block("fdw_nic", SOURCES, __name__, simulator=simulator)
