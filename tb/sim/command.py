"""`fdwire sim`: build, run the main job in the simulator, show what came out."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tb import toolchain
from tb.cosim.build import is_built, rtl_sources, run_cocotb, spec, waves_format
from tb.failure.guard import KEEP, Guard
from tb.report import collect, page
from tb.sim import table
from tb.sim.options import ENVIRONMENT, Options
from tb.sim.progress import Receiver
from tb.waves import command as viewer
from tb.waves import gtkw, surfer

PS_PER_US = 1_000_000


def run(options: Options, *, waves: str, console: Console) -> int:
    """Run the job; 0 when every file arrived and RTL and golden model agreed.

    `waves`: "off", "all", the number of microseconds from the start, or "last:" and the number of those
    before the first mismatch, or else before the end.
    """
    out = toolchain.writable(options.directory)
    for stale in (
        "summary.json",
        collect.FILE,
        page.PAGE,
        "wire.pcapng",
        "waves.fst",
        "waves.vcd",
        "waves.gtkw",
        "waves.sucl",
        f"{viewer.AT}.gtkw",
        f"{viewer.AT}.sucl",
        "trace.perfetto-trace",
    ):
        (out / stale).unlink(missing_ok=True)
    kind = "off" if waves == "off" else waves_format()
    if kind == "vcd":
        console.print("waves are VCD: for the smaller FST install liblz4-dev and zlib1g-dev", highlight=False)
    first, _, last = waves.partition("last:")
    until = None if waves in ("off", "all") or last else round(float(first) * PS_PER_US)
    waves_last = round(float(last) * PS_PER_US) if last else 0
    wave_file = None if kind == "off" else out / f"waves.{kind}"
    pipe = out / "progress"
    job = replace(
        options, progress=str(pipe), waves=wave_file.name if wave_file else "", waves_last=waves_last
    )
    guard = Guard(str(toolchain.FAILURES), "sim", f".venv/bin/{options.command()}", str(options.seed))
    with Receiver(pipe, console) as progress:
        results = run_cocotb(
            "tb.sim.job",
            where=out,
            waves=kind,
            wave_file=None if last else wave_file,
            wave_until=until,
            environment={ENVIRONMENT: job.to_json(), **guard.environment()},
            seed=options.seed,
            announce=progress.say,
        )
    summary_file = out / "summary.json"
    if not summary_file.is_file():
        toolchain.writable(out)  # or else that is why
        console.print(
            f"the run failed; the end of {toolchain.short(out / 'simulation.log')}:", highlight=False
        )
        tail = (out / "simulation.log").read_text(errors="replace").splitlines()[-25:]
        console.print("\n".join(tail), highlight=False, markup=False)
        return 1
    summary = json.loads(summary_file.read_text())
    console.print("\n".join(table.lines(summary)), highlight=False, markup=False)
    if wave_file is not None:
        missing = gtkw.write(wave_file, out / "waves.gtkw", rtl_sources())
        if missing:
            some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            console.print(
                f"waves.gtkw leaves out {len(missing)} things that this design does not have: {some}",
                highlight=False,
            )
        surfer.write(wave_file, out / "waves.sucl")
    page.write(out)
    if summary["trace_until_ns"] is not None:
        until = summary["trace_until_ns"] / 1000
        console.print(f"the trace was full at {until:,.1f} µs: what came later is not in it", highlight=False)
    names = [page.PAGE, collect.FILE, "summary.json", "wire.pcapng"]
    names += [wave_file.name, "waves.gtkw", "waves.sucl"] if wave_file else []
    names += ["trace.perfetto-trace"] if options.trace else []
    console.print(f"written to {toolchain.short(out)}/: {', '.join(names)}", highlight=False)
    results.unlink(missing_ok=True)
    if summary["ok"]:
        return 0
    if guard.environment() and not last and is_built(spec(waves=waves_format())):
        _again_with_waves(options, guard)
    if (report := guard.report("main_job")) is not None:
        console.print(f"explained in {toolchain.short(report)}", highlight=False)
    elif guard.environment():
        log = toolchain.short(out / "simulation.log")
        console.print(f"nothing that explains it could be left; why is in {log}", highlight=False)
    return 1


def _again_with_waves(options: Options, guard: Guard) -> None:
    """The same run, for the waves before its failure; nothing else of it is kept."""
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        job = replace(options, out=scratch, waves=f"waves.{waves_format()}", waves_last=KEEP)
        run_cocotb(
            "tb.sim.job",
            where=Path(scratch),
            waves=waves_format(),
            environment={ENVIRONMENT: job.to_json(), **guard.environment()},
            seed=options.seed,
        )
