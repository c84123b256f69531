"""Transmit frames that begin on the wire before they are whole, and memory that stops at any beat of them.

What a frame needs to begin, how it breaks off (IEEE 802.3 §46.3.3.1) and comes again, how the need grows and
shrinks: docs/device.md, "Transmit".
"""

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles
from mac_bench import until
from simulators import SIMULATORS, fast
from tx_bench import PARAMETERS, SOURCES, Header, TxBench

from tb.block import run_block

BEAT = 16
HEADER_BEATS = 1
WHOLE = 256
"""Beats from which on the need means all of a frame."""


def all_beats(length: int) -> int:
    return (length + BEAT - 1) // BEAT


async def stall(bench: TxBench, beats: int, length: int = 300) -> tuple[bytes, bool]:
    """Post a frame of which memory gives only so many beats for a while: the frame, and did it begin then?

    Whatever began must break off behind just those beats, and it must come whole, once, in the end.
    """
    frame = bench.random.randbytes(length)
    wire, memory, caught = bench.wire, bench.memory, bench.collect()
    starts, good, cut = wire.starts, len(caught.good), len(caught.cut)
    memory.allowed = memory.given + HEADER_BEATS + beats
    bench.post(Header(), frame, [12, length], align=0)
    await until(bench.dut, lambda: memory.given == memory.allowed)
    await ClockCycles(bench.dut.clk, 2 * beats + 60)
    began = wire.starts > starts
    assert len(bench.collect().cut) == cut + (began and beats < all_beats(length))
    assert bench.count("underflow") == len(caught.cut)
    memory.allowed = float("inf")
    await bench.settle()
    bench.collect()
    assert caught.good[good:] == [frame.ljust(60, b"\0")], "it must come whole, once"
    assert bench.count("frame") == len(caught.good)
    assert caught.cut[cut:] == [frame[: beats * BEAT]] * (began and beats < all_beats(length))
    assert wire.starts == starts + 1 + (len(caught.cut) - cut)
    return frame, began


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def memory_that_stops_behind_any_beat_breaks_the_frame_off_there_if_it_began_and_it_comes_again_once(
    dut: Any,
) -> None:
    bench = await TxBench.create(dut)
    need = int(dut.CUT_THROUGH.value)
    for length in (60, 64, 65, 300, 1518) if fast() else (65, 120):
        beats = all_beats(length)
        some = range(beats + 1) if length < 1000 else (0, 1, need, need + 1, 15, 16, 17, 50, beats - 1, beats)
        for given in some:
            _, began = await stall(bench, given, length)
            assert began == (given >= min(need, beats)), f"{given} beats of {beats} that are there"
            await bench.stop(device=True)  # the need is back at its least
    assert bench.count("underflow") == bench.caught.broken > 5


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def each_frame_that_runs_dry_doubles_what_the_next_ones_need_until_they_must_be_whole(dut: Any) -> None:
    bench = await TxBench.create(dut, max_frame=9018)
    need = int(dut.CUT_THROUGH.value)
    while need < WHOLE:
        for given, begins in ((need - 1, False), (need, True)):
            _, began = await stall(bench, given, BEAT * (need + 4))
            assert began == begins, f"{given} beats where {need} are needed"
        need *= 2
        if not fast() and need > 20:
            return
    for given in (WHOLE - 1, all_beats(9018) - 1):
        _, began = await stall(bench, given, 9018)
        assert not began
    await bench.stop(device=True)
    _, began = await stall(bench, int(dut.CUT_THROUGH.value), 9018)
    assert began, "a device reset makes it as it was"


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def need_halves_after_so_many_frames_that_did_not_run_dry_and_goes_no_lower_than_it_began(
    dut: Any,
) -> None:
    bench = await TxBench.create(dut)
    least, forgive = int(dut.CUT_THROUGH.value), int(dut.FORGIVE.value)
    long = BEAT * 5 * least  # more than is ever needed here
    await stall(bench, least, long)
    await stall(bench, 2 * least, long)  # the need is four times the least now
    for need in (4 * least, 2 * least):
        # The frame that came again counts, too; this stalled one does, although it was slow.
        for _ in range(forgive - 2 if need == 4 * least else forgive - 1):
            bench.post(Header(), bench.random.randbytes(100))
        await bench.settle()
        _, began = await stall(bench, need - 1, long)
        assert not began, "forgiven too early"
    _, began = await stall(bench, least, long)
    assert began, "never forgiven"
    await bench.stop(device=True)
    for _ in range(3 * forgive):
        bench.post(Header(), bench.random.randbytes(100))
    await bench.settle()
    _, began = await stall(bench, least - 1, long)
    assert not began, "lower than it began"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def frame_broken_off_by_a_stopped_queue_does_not_come_again_and_the_need_stays(dut: Any) -> None:
    bench = await TxBench.create(dut)
    least = int(dut.CUT_THROUGH.value)
    # A single beat is gone, and memory to blame, before the queue's end is felt.
    for given in range(max(least, 2), max(least, 2) + 6):
        bench.memory.allowed = bench.memory.given + HEADER_BEATS + given
        frame = bench.random.randbytes(400)
        bench.post(Header(), frame, [12, 400], align=0)
        starts, cut = bench.wire.starts, len(bench.collect().cut)
        # The moment: some of the frame is on the wire, the rest of what came is in the FIFO.
        await until(dut, lambda starts=starts: bench.wire.starts == starts + 1)
        dut.enable.value = 0
        bench.memory.allowed = float("inf")
        await bench.stop()
        await ClockCycles(dut.clk, 200)
        caught = bench.collect()
        assert len(caught.cut) == cut + 1 and frame.startswith(caught.cut[-1]), "once broken off, not whole"
        assert frame not in caught.good
        before = len(caught.good)
        sent, began = await stall(bench, least - 1)
        assert not began and caught.good[before:] == [sent]
    _, began = await stall(bench, least)
    assert began, "memory was not to blame"


@SIMULATORS
def test_tx_cut_through(simulator: str) -> None:
    run_block("fdw_tx_path", SOURCES, __name__, PARAMETERS | {"FORGIVE": 8}, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize("cut_through", [1, 4, 15])
def test_tx_cut_through_of_other_depths(cut_through: int) -> None:
    parameters = PARAMETERS | {"CUT_THROUGH": cut_through, "FORGIVE": 8}
    run_block("fdw_tx_path", SOURCES, __name__, parameters)
