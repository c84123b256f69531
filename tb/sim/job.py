"""The cocotb test behind `make sim`: host A on the RTL NIC, host B on the golden one.

A fetches the licence of this project and a file of seeded random bytes from B over HTTP, and posts the
licence back. Everything the RTL does is compared with the golden model in lockstep. Runs inside the
simulator; the command (`fdwire sim`) starts it and prints what it wrote.
"""

import hashlib
import json
import os
import random
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cocotb

from pymodel.capture import Capture
from pymodel.featurebits import features_in
from pymodel.link import Direction, Impairments
from pymodel.ports import Frame
from pymodel.regs import Feature
from pymodel.simtime import NS, SEC, US
from pymodel.socket import ProgramFailed
from tb import toolchain
from tb.cosim.library import load
from tb.cosim.rtl_nic import ProtocolViolation
from tb.report import collect, traced
from tb.sim import programs
from tb.sim.options import ENVIRONMENT, Options
from tb.sim.progress import Sender
from tb.testbench import Disagreement, Testbench

if TYPE_CHECKING:
    from tb.trace.recorder import Recorder

PORT = 8000
TRACE = "trace.perfetto-trace"
SHOWN = 200 * US
"""Of a run that is compared anyhow but not traced, the report has the journeys up to here (ps)."""


class _Traffic:
    """Frames and bytes each way, and the capture of them."""

    def __init__(self, capture: Capture, collector: collect.Collector) -> None:
        self.frames = {Direction.A_TO_B: 0, Direction.B_TO_A: 0}
        self.bytes = {Direction.A_TO_B: 0, Direction.B_TO_A: 0}
        self.first_at = 0.0
        """Wall clock (s since 1970) at the first frame."""
        self._capture = capture
        self._interface = capture.interface("wire")
        self._collector = collector

    def frame(self, direction: Direction, frame: Frame) -> None:
        if not self.first_at:
            self.first_at = time.time()
        self.frames[direction] += 1
        self.bytes[direction] += len(frame.data)
        self._capture.frame(self._interface, frame, inbound=direction is Direction.B_TO_A)
        self._collector.frame(direction, frame)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _recorder(bench: Testbench, until: int | None) -> "Recorder":
    """Only where it is wanted: importing what it needs takes a moment."""
    from tb.trace.recorder import Recorder

    return Recorder(bench, until=until)


@cocotb.test()
async def main_job(dut: Any) -> None:
    """Transfer the files, then leave summary.json, report.json and wire.pcapng in the output directory."""
    options = Options.from_json(os.environ[ENVIRONMENT])
    with tempfile.TemporaryDirectory() as served, (options.directory / "wire.pcapng").open("wb") as file:
        summary = await _run(dut, options, Path(served), Capture(file))
    (options.directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    assert summary["ok"], "files differ, or RTL and golden model do: see summary.json"


async def _run(dut: Any, options: Options, served: Path, capture: Capture) -> dict[str, Any]:
    impairments = Impairments(
        loss=options.loss, duplicate=options.duplicate, reorder=options.reorder, corrupt=options.corrupt
    )
    bench = Testbench(
        dut,
        seed=options.seed,
        impairments=impairments,
        lockstep=options.lockstep,
        without=[Feature[name] for name in options.without],
    )
    if options.waves_last:
        bench.waves.keep(options.waves_last)
    collector = collect.Collector(bench.link)
    traffic = _Traffic(capture, collector)
    bench.link.on_frame = traffic.frame
    recorder = (
        _recorder(bench, None if options.trace else SHOWN) if options.trace or options.lockstep else None
    )
    licence = (toolchain.ROOT / "docs" / "LICENSE").read_bytes()
    blob = random.Random(options.seed).randbytes(options.blob)
    programs.write_files(served, licence, blob)
    progress = Sender(options.progress)
    total = 2 * len(licence) + len(blob)
    done = 0
    phase = "bringing both hosts up"

    def received(count: int) -> None:
        nonlocal done
        done += count

    bench.loop.on_wake = lambda: progress.send(phase, done, total, load().fdw_cycles())

    began = time.perf_counter()
    uploads: dict[str, bytes] = {}
    fetched: dict[str, bytes] = {}
    trouble = ""
    status = 0
    started = finished = bench.scheduler.now
    try:
        await bench.bring_up()
        if recorder is not None:
            recorder.hosts_up()
        if options.plant:
            bench.rtl.plant(options.plant)
        bench.b.spawn(programs.serve, str(served), PORT, uploads, name="http.server")
        base = f"http://b:{PORT}"
        started = bench.scheduler.now
        for name in ("LICENSE", "random.bin"):
            phase = f"GET {name}"
            fetched[name] = await bench.run(bench.a.spawn(programs.fetch, f"{base}/{name}", received))
        phase = "POST LICENSE"
        status = await bench.run(bench.a.spawn(programs.post, f"{base}/LICENSE", licence))
        done = total
        finished = bench.scheduler.now
        phase = "draining"
    except Exception as error:  # a program's or the bench's: the checker's verdict is wanted all the more
        trouble = f"{phase}: {error}"
    finally:
        if options.waves_last and bench.mismatch_waves is None:
            last_waves = bench.waves.show("last")
        bench.world.power_off()
    try:
        await bench.finish()
    except Disagreement:
        pass  # told below, mismatch by mismatch
    except ProgramFailed as failed:
        trouble = trouble or str(failed)
    except ProtocolViolation as broken:  # it tells more than what came of it
        trouble = f"{broken}; {trouble}" if trouble else str(broken)
    if options.waves_last:
        bench.mismatch_waves = (bench.mismatch_waves or last_waves).rename(options.directory / options.waves)
        bench.waves.keep(0)
    mismatches = [str(m) for m in bench.checker.mismatches] if bench.checker is not None else []
    wall = time.perf_counter() - began
    ended = None
    if recorder is not None:
        ended = recorder.ended
        recorder.finish(options.directory / TRACE if options.trace else None)
    compared = bench.checker.tally.counts if bench.checker is not None else {}
    report = collector.document(asdict(options) | {"again": options.command()}, compared)
    if recorder is not None:
        report["traced"] = traced.document(recorder.trace, ended, full=options.trace and ended is not None)
    (options.directory / collect.FILE).write_text(json.dumps(report))

    files = [
        {"name": name, "bytes": len(sent), "sent": _sha256(sent), "received": _sha256(got)}
        for name, sent, got in (
            ("GET LICENSE", licence, fetched.get("LICENSE", b"")),
            ("GET random.bin", blob, fetched.get("random.bin", b"")),
            ("POST LICENSE", licence, uploads.get("/LICENSE", b"")),
        )
    ]
    cycles = load().fdw_cycles()
    same = all(f["sent"] == f["received"] for f in files)
    progress.send(phase, total, total, cycles, now=True)
    return {
        "ok": same and status == 201 and not mismatches and not trouble,
        "trouble": trouble,
        "seed": options.seed,
        "features": [feature.name for feature in features_in(bench.a.device.negotiated)],
        "frames_a_to_b": traffic.frames[Direction.A_TO_B],
        "frames_b_to_a": traffic.frames[Direction.B_TO_A],
        "bytes_a_to_b": traffic.bytes[Direction.A_TO_B],
        "bytes_b_to_a": traffic.bytes[Direction.B_TO_A],
        "simulated_ns": bench.scheduler.now // 1000,
        "goodput_bps": round(total * 8 * SEC / max(finished - started, 1)) if same else 0,
        "cycles": cycles,
        "wall_seconds": round(wall, 3),
        "first_frame_at": traffic.first_at,
        "cycles_per_wall_second": round(cycles / wall),
        "comparisons": bench.checker.comparisons if bench.checker is not None else 0,
        "mismatches": len(mismatches),
        "mismatch_reports": mismatches[:20],
        "files": files,
        "waves": options.waves,
        "trace_until_ns": ended // NS if ended is not None and options.trace else None,
    }
