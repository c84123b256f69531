"""Batches of raw frames, without a stack, both ways through the RTL in lockstep."""

import random
import zlib
from typing import Any

import cocotb
import pytest

from pymodel.ports import Frame
from pymodel.simtime import CYCLE, US
from pymodel.task import Blocking, Task, sleep_until
from tb.block import run_nic
from tb.cosim.library import load
from tb.rawframes import RawFrames
from tb.rtlbench import RtlBench


def frames(rng: random.Random, count: int) -> list[bytes]:
    head = bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5))
    return [head + rng.randbytes(rng.choice((46, 46, 47, 300, 1500))) for _ in range(count)]


def wired(frame: bytes) -> bytes:
    return frame + zlib.crc32(frame).to_bytes(4, "little")


async def started(dut: Any, slack: int) -> tuple[RtlBench, RawFrames, list[tuple[int, Frame]]]:
    bench = RtlBench(dut)
    driver = RawFrames(bench.rtl, bench.scheduler, size=48, slack=slack)
    await bench.run(Task(bench.scheduler, driver.start(), "start of the NIC"))
    out: list[tuple[int, Frame]] = []
    bench.rtl.set_wire_handler(lambda frame: out.append((load().fdw_now(), frame)))
    return bench, driver, out


@cocotb.test()
async def mixed_frames_in_batches_over_several_laps_arrive_in_order(dut: Any) -> None:
    bench, driver, out = await started(dut, 1 * US)
    rng = random.Random(5)
    outward, inward = frames(rng, 200), frames(rng, 200)
    arrived: list[bytes] = []

    def pump() -> Blocking[None]:
        sent = offered = 0
        while len(out) < 200 or len(arrived) < 200:
            room = driver.room
            driver.send(outward[sent : sent + room])
            sent += room
            arrived.extend(driver.received())
            batch = inward[offered : offered + 20]
            if offered - len(arrived) < 20:
                bench.rtl.deliver_many([wired(frame) for frame in batch], bench.scheduler.now)
                offered += len(batch)
            yield from sleep_until(bench.scheduler.now + 5 * US)

    await bench.run(Task(bench.scheduler, pump(), "frames"))
    assert [frame.data for _, frame in out] == [wired(frame) for frame in outward]
    assert arrived == inward
    bench.rtl.check_protocols()
    assert bench.checker is not None
    bench.checker.finish()
    assert not bench.checker.mismatches


@cocotb.test()
@cocotb.parametrize(slack=[0, 2 * US])
async def wire_handler_hears_of_a_frame_at_its_end_or_up_to_the_slack_later(dut: Any, slack: int) -> None:
    bench, driver, out = await started(dut, slack)
    driver.send(frames(random.Random(6), 16))
    await bench.loop.run_for(40 * US)
    assert len(out) == 16
    late = [now - frame.end for now, frame in out]
    # The NIC is seen at clock edges: the last byte is somewhere in the cycle that begins there.
    assert all(-CYCLE <= lateness <= slack for lateness in late)
    assert len({now for now, _ in out}) == 16 if not slack else len({now for now, _ in out}) < 16


@cocotb.test()
async def batch_beyond_the_rings_room_is_refused(dut: Any) -> None:
    _, driver, _ = await started(dut, 0)
    with pytest.raises(ValueError, match="49 frames; the ring has room for 48"):
        driver.send(frames(random.Random(7), 49))
    with pytest.raises(ValueError, match="a frame of 2037 bytes; 2036 is the limit"):
        driver.send([bytes(2037)])


def test_raw_frames() -> None:
    run_nic(__name__)
