"""Lookahead changes how often Python wakes, and no frame: the same run with and without."""

import json
from pathlib import Path
from typing import Any

import cocotb
import pytest

from pymodel.link import Direction, Impairments
from pymodel.ports import Frame
from pymodel.socket import AsyncSocket
from tb import toolchain
from tb.block import run_nic
from tb.testbench import Testbench

DATA = bytes(120_000)
FRAMES = Path("frames.json")
WAKES = Path("wakes.json")


async def both_ways(dut: Any, ahead: int | None) -> None:
    """Streams under loss; each frame that arrived goes to `FRAMES`, how often Python woke to `WAKES`.

    `ahead`: lookahead in ps, the bench's own if None.
    """
    bench = await Testbench.start(dut, seed=3, impairments=Impairments(loss=0.02, reorder=0.02))
    if ahead is not None:
        bench.scheduler.lookahead = lambda: ahead
    frames: list[tuple[str, int, str]] = []
    wakes = 0

    def woke() -> None:
        nonlocal wakes
        wakes += 1

    def arrived(direction: Direction, frame: Frame) -> None:
        frames.append((direction.value, frame.start, frame.data.hex()))

    bench.loop.on_wake = woke
    bench.link.on_deliver = arrived

    async def server() -> None:
        async with AsyncSocket() as listener:
            listener.bind(("0.0.0.0", 80))
            listener.listen()
            sock, _ = await listener.accept()
            async with sock:
                count = 0
                while count < len(DATA):
                    count += len(await sock.recv(65536))
                await sock.sendall(DATA)

    async def client() -> None:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 80))
            await sock.sendall(DATA)
            count = 0
            while count < len(DATA):
                count += len(await sock.recv(65536))

    running = bench.b.spawn(server)
    await bench.run(bench.a.spawn(client))
    await bench.run(running)
    await bench.finish()
    FRAMES.write_text(json.dumps(frames))
    WAKES.write_text(json.dumps(wakes))


@cocotb.test()
async def without(dut: Any) -> None:
    await both_ways(dut, 0)


@cocotb.test()
async def ahead(dut: Any) -> None:
    await both_ways(dut, None)


def test_every_frame_is_the_same_and_at_the_same_time_with_lookahead_and_python_wakes_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FDWIRE_SEED", "3")
    frames, wakes = [], []
    for testcase in ("without", "ahead"):
        where = f"{__name__}-{testcase}"
        run_nic(__name__, testcase, where=where)
        frames.append(json.loads((toolchain.RUNS / where / FRAMES).read_text()))
        wakes.append(json.loads((toolchain.RUNS / where / WAKES).read_text()))
    # What is under way when both programs have ended is not waited for to the same moment.
    shared = min(map(len, frames))
    assert shared > 300 and frames[0][:shared] == frames[1][:shared]
    assert wakes[1] < 0.8 * wakes[0], wakes
