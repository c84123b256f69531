"""The cocotb tests behind the co-simulation's speed: bulk TCP, and raw frames in batches.

Each leaves what the middle of its run took: clock cycles, wall seconds, frames each way, bytes of payload.
Two marks in the script of a recorded run (tb/cpp/script.h) say where the middle begins and ends.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cocotb

from pymodel.link import Direction, Link
from pymodel.simtime import US
from pymodel.socket import AsyncSocket
from pymodel.task import Task
from tb.bench.raw import BATCH, Exchange, frames_of
from tb.cosim.library import load
from tb.lockstep.sampled import Sampling
from tb.rtlbench import RtlBench
from tb.testbench import Testbench

ENVIRONMENT: Final = "FDWIRE_SPEED"


@dataclass(frozen=True)
class Job:
    """What is run.

    `kind`: tcp or raw; `result`: the file for what came out. tcp: `size` bytes from host A, on the RTL,
    to B, in super-frames or not (`tso`); raw: `size` frames of `frame_bytes`, FCS included, each way at
    once. `lockstep`: with the golden model; `sampled`: now and then.
    """

    kind: str
    size: int
    result: str = ""
    tso: bool = True
    frame_bytes: int = 64
    lockstep: bool = False
    sampled: bool = False

    def environment(self) -> dict[str, str]:
        """For the simulator."""
        return {ENVIRONMENT: json.dumps(asdict(self))}


class _Middle:
    """Between two moments of a run: cycles, wall seconds, and what the counts handed in grew by."""

    def begin(self, *counts: int) -> None:
        load().fdw_mark(0)
        self._counts = counts
        self._cycles = load().fdw_cycles()
        self._began = time.perf_counter()

    def end(self, *counts: int) -> None:
        self.seconds = time.perf_counter() - self._began
        load().fdw_mark(0)
        self.cycles = load().fdw_cycles() - self._cycles
        self.grown = [after - before for after, before in zip(counts, self._counts, strict=True)]


def _write(job: Job, middle: _Middle) -> None:
    load().fdw_mark(1)
    sent, received, payload = middle.grown
    figures = {"sent": sent, "received": received, "payload": payload}
    Path(job.result).write_text(json.dumps({"cycles": middle.cycles, "seconds": middle.seconds} | figures))


@cocotb.test()
async def speed(dut: Any) -> None:
    """Run the job that the environment says."""
    job = Job(**json.loads(os.environ[ENVIRONMENT]))
    await (_tcp if job.kind == "tcp" else _raw)(dut, job)


async def _tcp(dut: Any, job: Job) -> None:
    bench = await Testbench.start(
        dut, seed=1, lockstep=job.lockstep, sampling=Sampling() if job.sampled else None
    )
    bench.a.device.set_features(tso=job.tso)
    bench.b.device.gro_flush_timeout, bench.b.device.napi_defer_hard_irqs = 20 * US, 1
    middle = _Middle()
    payload = bytes(job.size)

    def frames() -> tuple[int, int]:
        return _delivered(bench.link, Direction.A_TO_B), _delivered(bench.link, Direction.B_TO_A)

    async def server() -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        total, running = 0, False
        while data := await sock.recv(1 << 20):
            total += len(data)
            if not running and total >= job.size // 4:  # slow start is over
                running = True
                middle.begin(*frames(), total)
        middle.end(*frames(), total)
        assert total == job.size

    async def client() -> None:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(payload)

    program = bench.b.spawn(server)
    bench.a.spawn(client)
    await bench.run(program)
    await bench.finish()
    _write(job, middle)


def _delivered(link: Link, direction: Direction) -> int:
    return link.counters(direction).delivered


async def _raw(dut: Any, job: Job) -> None:
    bench = RtlBench(dut, lockstep=job.lockstep)
    exchange = Exchange(bench.rtl, bench.scheduler, frames_of(1, BATCH, job.frame_bytes), job.size)
    await bench.run(Task(bench.scheduler, exchange.start(), "start of the NIC"))
    middle = _Middle()

    def counts() -> tuple[int, int, int]:
        return len(exchange.out), len(exchange.arrived), 0

    program = exchange.pump(lambda: middle.begin(*counts()), lambda: middle.end(*counts()))
    await bench.run(Task(bench.scheduler, program, "raw frames"))
    exchange.digest()
    _write(job, middle)
