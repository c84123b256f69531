"""The cocotb test behind `make sim`: host A on the RTL NIC, host B on the golden one.

A fetches a page of this repository and a file of seeded random bytes from B over HTTP, and posts the
page back. Everything the RTL does is compared with the golden model in lockstep. Runs inside the
simulator; the command (`fdwire sim`) starts it and prints what it wrote.
"""

import hashlib
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import cocotb

from pymodel.capture import Capture
from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Direction, Impairments
from pymodel.ports import Frame, mmio_read
from pymodel.regs import Stat
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC, US
from pymodel.task import Task
from tb import toolchain
from tb.cosim.library import load
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep.checker import Checker
from tb.sim import programs
from tb.sim.options import ENVIRONMENT, Options
from tb.sim.progress import Sender

PORT = 8000


class _Traffic:
    """Frames and bytes each way, and the capture of them."""

    def __init__(self, capture: Capture) -> None:
        self.frames = {Direction.A_TO_B: 0, Direction.B_TO_A: 0}
        self.bytes = {Direction.A_TO_B: 0, Direction.B_TO_A: 0}
        self._capture = capture
        self._interface = capture.interface("wire")

    def frame(self, direction: Direction, frame: Frame) -> None:
        self.frames[direction] += 1
        self.bytes[direction] += len(frame.data)
        self._capture.frame(self._interface, frame, inbound=direction is Direction.B_TO_A)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cocotb.test()
async def main_job(dut: Any) -> None:
    """Transfer the files, then leave summary.json and wire.pcapng in the output directory."""
    options = Options.from_json(os.environ[ENVIRONMENT])
    with tempfile.TemporaryDirectory() as served, (options.directory / "wire.pcapng").open("wb") as file:
        summary = await _run(dut, options, Path(served), Capture(file))
    (options.directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    assert summary["ok"], "files differ, or RTL and golden model do: see summary.json"


async def _run(dut: Any, options: Options, served: Path, capture: Capture) -> dict[str, Any]:
    scheduler = Scheduler()
    rtl = RtlNic(scheduler, HostMemory())
    golden = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2")
    impairments = Impairments(
        loss=options.loss, duplicate=options.duplicate, reorder=options.reorder, corrupt=options.corrupt
    )
    world = World(scheduler, rtl, golden, seed=options.seed, impairments=impairments)
    traffic = _Traffic(capture)
    world.link.on_frame = traffic.frame
    checker = Checker(rtl.memory) if options.lockstep else None
    if checker is not None:
        rtl.observe(checker.observe)
    loop = Loop(dut, scheduler, rtl)

    page = (toolchain.ROOT / "README.md").read_bytes()
    blob = random.Random(options.seed).randbytes(options.blob)
    programs.write_files(served, page, blob)
    progress = Sender(options.progress)
    total = 2 * len(page) + len(blob)
    done = 0
    phase = "bringing both hosts up"

    def received(count: int) -> None:
        nonlocal done
        done += count

    loop.on_wake = lambda: progress.send(phase, done, total, load().fdw_cycles())

    began = time.perf_counter()
    try:
        up = world.bring_up()
        await loop.run(lambda: up.done, timeout=SEC, what=phase)
        up.result()
        uploads: dict[str, bytes] = {}
        world.b.spawn(programs.serve, str(served), PORT, uploads, name="http.server")
        base = f"http://b:{PORT}"
        fetched = {}
        started = scheduler.now
        for name in ("page.md", "random.bin"):
            phase = f"GET {name}"
            client = world.a.spawn(programs.fetch, f"{base}/{name}", received, name="urllib")
            await loop.run(lambda client=client: client.done, timeout=100 * SEC, what=phase)  # type: ignore[misc]
            fetched[name] = client.result()
        phase = "POST page.md"
        client = world.a.spawn(programs.post, f"{base}/page.md", page, name="urllib")
        await loop.run(lambda: client.done, timeout=100 * SEC, what=phase)
        status = client.result()
        done = total
        finished = scheduler.now
        phase = "draining"
        await loop.run_for(50 * US)
    finally:
        world.power_off()
    wall = time.perf_counter() - began
    rtl.check_protocols()
    if checker is not None:
        # Every counter, so that the checker compares them.
        for stat in Stat:
            for word in (stat, stat + 4):
                read = Task(scheduler, mmio_read(rtl, word), "read statistics")
                await loop.run(lambda read=read: read.done, timeout=SEC // 1000, what="reading statistics")  # type: ignore[misc]
        checker.finish()

    files = [
        {"name": name, "bytes": len(sent), "sent": _sha256(sent), "received": _sha256(got)}
        for name, sent, got in (
            ("GET page.md", page, fetched["page.md"]),
            ("GET random.bin", blob, fetched["random.bin"]),
            ("POST page.md", page, uploads.get("/page.md", b"")),
        )
    ]
    cycles = load().fdw_cycles()
    mismatches = [str(m) for m in checker.mismatches] if checker is not None else []
    same = all(f["sent"] == f["received"] for f in files)
    progress.send(phase, total, total, cycles, now=True)
    return {
        "ok": same and status == 201 and not mismatches,
        "seed": options.seed,
        "frames_a_to_b": traffic.frames[Direction.A_TO_B],
        "frames_b_to_a": traffic.frames[Direction.B_TO_A],
        "bytes_a_to_b": traffic.bytes[Direction.A_TO_B],
        "bytes_b_to_a": traffic.bytes[Direction.B_TO_A],
        "simulated_ns": scheduler.now // 1000,
        "goodput_bps": round(total * 8 * SEC / (finished - started)),
        "cycles": cycles,
        "wall_seconds": round(wall, 3),
        "cycles_per_wall_second": round(cycles / wall),
        "comparisons": checker.comparisons if checker is not None else 0,
        "mismatches": len(mismatches),
        "mismatch_reports": mismatches[:20],
        "files": files,
        "waves": options.waves,
    }
