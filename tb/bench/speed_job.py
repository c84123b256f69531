"""The cocotb tests behind the co-simulation's speed: bulk TCP, and raw frames in batches.

Each leaves what the middle of its run took: clock cycles, wall seconds, frames each way, bytes of payload,
and, if they are counted, Python's bytecodes.
Two marks in the script of a recorded run (tb/cpp/script.h) say where the middle begins and ends.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import cocotb

from pymodel.link import Direction, Link
from pymodel.simtime import US
from pymodel.socket import AsyncSocket
from pymodel.task import Task
from tb.bench import untraced
from tb.bench.raw import BATCH, Exchange, frames_of
from tb.cosim import errand
from tb.cosim.library import load
from tb.lockstep.sampled import Sampling
from tb.rtlbench import RtlBench
from tb.testbench import Testbench

if TYPE_CHECKING:
    from tb.trace.recorder import Recorder

TRACE: Final = "speed.perfetto-trace"


@dataclass(frozen=True)
class Job:
    """What is run.

    `kind`: tcp or raw. tcp: `size` bytes from host A, on the RTL, to B, in super-frames or not (`tso`); raw:
    `size` frames of `frame_bytes`, FCS included, each way at once. `lockstep`: with the golden model;
    `sampled`: now and then. tcp: `trace`: off; on, written to the run's directory; or absent
    (`tb.bench.untraced`). `counted`: Python's bytecodes are counted, which takes long.
    """

    kind: str
    size: int
    tso: bool = True
    frame_bytes: int = 64
    lockstep: bool = False
    sampled: bool = False
    trace: str = "off"
    counted: bool = False


class _Bytecodes:
    """Counts the bytecodes that Python executes, in functions that are entered from `begin` on."""

    def __init__(self) -> None:
        self.count = 0

    def begin(self) -> None:
        sys.settrace(self._entered)

    def end(self) -> None:
        sys.settrace(None)

    def _entered(self, frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._did

    def _did(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.count += event == "opcode"
        return self._did


class _Middle:
    """Between two moments of a run: cycles, wall seconds, and what the counts handed in grew by."""

    def __init__(self, *, counted: bool = False) -> None:
        self.bytecodes = _Bytecodes() if counted else None

    def begin(self, *counts: int) -> None:
        load().fdw_mark(0)
        self._counts = counts
        self._cycles = load().fdw_cycles()
        self._began = time.perf_counter()
        if self.bytecodes is not None:
            self.bytecodes.begin()

    def end(self, *counts: int) -> None:
        if self.bytecodes is not None:
            self.bytecodes.end()
        self.seconds = time.perf_counter() - self._began
        load().fdw_mark(0)
        self.cycles = load().fdw_cycles() - self._cycles
        self.grown = [after - before for after, before in zip(counts, self._counts, strict=True)]


def _figures(middle: _Middle) -> dict[str, float]:
    load().fdw_mark(1)
    sent, received, payload = middle.grown
    figures = {"sent": sent, "received": received, "payload": payload}
    if middle.bytecodes is not None:
        figures["bytecodes"] = middle.bytecodes.count
    return {"cycles": middle.cycles, "seconds": middle.seconds} | figures


@cocotb.test()
async def speed(dut: Any) -> None:
    """Run the job that is given."""
    with errand.received() as mine:
        job = Job(**mine.given)
        mine.outcome |= await (_tcp(dut, job, mine.where) if job.kind == "tcp" else _raw(dut, job))


async def _tcp(dut: Any, job: Job, where: Path) -> dict[str, float]:
    if job.trace == "absent":
        untraced.take_out()
    bench = Testbench(dut, seed=1, lockstep=job.lockstep, sampling=Sampling() if job.sampled else None)
    recorder = _recorder(bench) if job.trace == "on" else None
    await bench.bring_up()
    if recorder is not None:
        recorder.hosts_up()
    bench.a.device.set_features(tso=job.tso)
    bench.b.device.gro_flush_timeout, bench.b.device.napi_defer_hard_irqs = 20 * US, 1
    middle = _Middle(counted=job.counted)
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
    if recorder is not None:
        assert recorder.ended is None, "the trace was full before the end"
        recorder.finish(where / TRACE)
    return _figures(middle)


def _recorder(bench: Testbench) -> "Recorder":
    """Only where it is wanted: a run that is not traced has none of it in memory."""
    from tb.trace.recorder import Recorder

    return Recorder(bench)


def _delivered(link: Link, direction: Direction) -> int:
    return link.counters(direction).delivered


async def _raw(dut: Any, job: Job) -> dict[str, float]:
    bench = RtlBench(dut, lockstep=job.lockstep)
    exchange = Exchange(bench.rtl, bench.scheduler, frames_of(1, BATCH, job.frame_bytes), job.size)
    await bench.run(Task(bench.scheduler, exchange.start(), "start of the NIC"))
    middle = _Middle()

    def counts() -> tuple[int, int, int]:
        return len(exchange.out), len(exchange.arrived), 0

    program = exchange.pump(lambda: middle.begin(*counts()), lambda: middle.end(*counts()))
    await bench.run(Task(bench.scheduler, program, "raw frames"))
    exchange.digest()
    return _figures(middle)
