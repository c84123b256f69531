"""Writes the directory of one failure: REPORT.md, and beside it what the report points to."""

import shutil
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pymodel.capture import Capture
from pymodel.ports import Frame
from pymodel.regs import RxStatus
from pymodel.simtime import CYCLE, NS
from pymodel.wire.oneline import one_line
from tb.cosim.build import rtl_sources
from tb.cosim.event_log import LogReader
from tb.cosim.recorder import Recording
from tb.failure import compare
from tb.failure.kinds import MEANING
from tb.failure.rings import NAMES, HostFrame, RingTrace, Step
from tb.lockstep import events as ev
from tb.lockstep.tally import Mismatch
from tb.waves import gtkw, surfer

REPORT: Final = "REPORT.md"
TRACE: Final = "descriptors.txt"
WIRE: Final = "wire.pcapng"
HOST: Final = "host.pcapng"
SOCKETS: Final = "sockets.txt"
_LAST: Final = 30
"""Steps shown in the report."""
_AFTER: Final = 5
_MISMATCHES: Final = 20
_HEADER: Final = 12


@dataclass
class Failure:
    """What is known when a test has failed.

    `test`: its name; `command`: repeats it; `error`: what it raised; `now`: simulated time (ps). `observed`:
    DMA was logged, too. `sockets`: a table of the hosts' sockets; `waves`: a wave file to take over;
    `notes`: further sentences for the report.
    """

    test: str
    command: str
    seed: str
    error: BaseException | None
    now: int
    recording: Recording
    mismatches: list[Mismatch]
    observed: bool = True
    sockets: str = ""
    waves: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def when(self) -> int:
        """Of the first mismatch, or else of the end (ps)."""
        return self.mismatches[0].time if self.mismatches else self.now


@dataclass
class _Seen:
    """The recording, decoded."""

    rings: RingTrace
    steps: list[Step]
    wire: list[tuple[Frame, bool]]
    """Frames, and whether they came in."""


def write(failure: Failure, where: Path) -> Path:
    """Write the bundle to directory `where`, in the place of what is there; the report's path."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    files: dict[str, str] = {}
    if failure.waves is not None and failure.waves.is_file():
        waves = Path(shutil.copy(failure.waves, where / f"waves{failure.waves.suffix}"))
        gtkw.write(waves, where / "waves.gtkw", rtl_sources(), here=failure.when)
        surfer.write(waves, where / "waves.sucl", here=failure.when)
        files[waves.name] = "every signal of the NIC before the failure"
        files["waves.gtkw"] = "the most telling of them, for GTKWave; `waves.sucl` for Surfer (`surfer -c`)"
    seen = _decode(failure.recording)
    (where / TRACE).write_text(_trace(failure, seen))
    files[TRACE] = (
        f"{len(seen.steps)} steps: each descriptor made available, fetched and used, doorbells, interrupts"
    )
    with Capture((where / WIRE).open("wb")) as capture:
        wire = capture.interface("wire")
        for frame, inbound in seen.wire:
            capture.frame(wire, frame, inbound=inbound)
    files[WIRE] = f"{len(seen.wire)} frames on the wire, with FCS, as the NIC sent and got them"
    _host(where / HOST, seen.rings.frames)
    files[HOST] = (
        f"{len(seen.rings.frames)} frames as the driver gave and got them, virtio_net_hdr as comment"
    )
    if failure.sockets:
        (where / SOCKETS).write_text(failure.sockets + "\n")
        files[SOCKETS] = "both hosts' sockets at that moment"
    (where / REPORT).write_text(_report(failure, seen, files))
    return where / REPORT


def _decode(recording: Recording) -> _Seen:
    """Everything in the order of time."""
    rings = RingTrace(recording.places)
    for write_ in recording.writes:
        if write_.time <= recording.began:
            rings.catch_up(write_)
    rings.began()
    found: list[tuple[int, Callable[[], object]]] = []
    steps: list[Step] = []
    wire: list[tuple[Frame, bool]] = []

    def take(event: ev.Event) -> None:
        match event:
            case ev.MmioWrite(time, offset, value):
                found.append((time, lambda: rings.written(time, offset, value)))
            case ev.DmaRead(time, address, data):
                found.append((time, lambda: rings.read(time, address, data)))
            case ev.DmaWrite(time, address, data):
                found.append((time, lambda: rings.write(time, address, data)))
            case ev.WireOut(time, frame):
                broken = "broken off: " if frame.error else ""
                steps.append(Step(time, "", "wire out", broken + one_line(frame.data)))
                wire.append((frame, False))
            case ev.WireIn(time, frame):
                steps.append(Step(time, "", "wire in", one_line(frame.data)))
                wire.append((frame, True))
            case ev.RxDecision(time, status):
                steps.append(
                    Step(time, "", "receive", RxStatus(status).name if status in list(RxStatus) else "?")
                )
            case ev.Irq(time, level):
                steps.append(Step(time, "", "interrupt", "raised" if level else "lowered"))
            case ev.Reset(time):
                steps.append(Step(time, "", "reset pin", "pulsed"))
            case _:
                pass

    reader = LogReader()
    reader.observer = take
    reader.take(recording.log)
    found += [(posted.time, lambda p=posted: rings.made_available(p)) for posted in recording.posted]  # type: ignore[misc]
    for _, step in sorted(found, key=lambda each: each[0]):
        step()
    return _Seen(rings, sorted([*rings.steps, *steps], key=lambda step: step.time), wire)


def _trace(failure: Failure, seen: _Seen) -> str:
    lines = [
        "Descriptors, doorbells, interrupts and frames at the NIC's ports, in simulated time.",
        "available: the driver has filled the slots. fetched: the NIC has read the descriptor. used: it has",
        "given it back. Flags: virtio 1.2 §2.8.1; a driver or device event is an event suppression structure",
        "(§2.8.10).",
    ]
    if failure.recording.began:
        lines.append(f"The recording begins at {failure.recording.began / NS:.1f} ns.")
    if not failure.observed:
        lines.append("Without lockstep DMA is not logged: there are no descriptors, and no frames received.")
    lines += ["", *map(str, seen.steps)]
    if out := seen.rings.outstanding():
        lines += ["", "Read and not used when the test ended:", *out]
    return "\n".join(lines) + "\n"


def _host(path: Path, frames: list[HostFrame]) -> None:
    with Capture(path.open("wb")) as capture:
        interfaces = {queue: capture.interface(f"{name} ring", fcs=False) for queue, name in NAMES.items()}
        for frame in sorted(frames, key=lambda each: each.time):
            if len(frame.data) < _HEADER:
                continue
            header = " ".join(
                f"{name}={value}" for _, name, value in compare.fields("payload", frame.data)[:7]
            )
            capture.frame(
                interfaces[frame.queue],
                Frame(frame.data[_HEADER:], frame.time, frame.time),
                inbound=NAMES[frame.queue] == "RX",
                comment=f"{frame.note}; {header}",
            )


def _report(failure: Failure, seen: _Seen, files: dict[str, str]) -> str:
    first = failure.mismatches[0] if failure.mismatches else None
    when = failure.when
    lines = [f"# {failure.test} failed", ""]
    if first is not None:
        lines += [f"**What:** RTL and golden model differ: {first.kind}: {first.text}", ""]
        if first.kind in MEANING:
            lines += [*textwrap.wrap(MEANING[first.kind], 110), ""]
    else:
        lines += [f"**What:** {_said(failure.error)}", ""]
        if place := _place(failure.error):
            lines += [f"at {place}", ""]
    lines += [
        f"**When:** {when / NS:,.1f} ns of simulated time (cycle {when // CYCLE:,}); "
        f"the test ended at {failure.now / NS:,.1f} ns.",
        "",
        f"**Seed:** {failure.seed}",
        "",
        "**Again:**",
        "",
        f"    {failure.command}",
        "",
    ]
    for note in failure.notes:
        lines += [note, ""]
    if first is not None:
        lines += ["## Expected and come", ""]
        rows = compare.table(first.kind, first.expected, first.came)
        lines += [*rows, ""] if rows else [f"{first.text}.", ""]
        if dump := compare.differing_bytes(first.expected, first.came):
            lines += ["The bytes that differ:", "", "```", *dump, "```", ""]
    if len(failure.mismatches) > 1:
        lines += [f"## All {len(failure.mismatches)} mismatches", "", "```"]
        lines += [str(mismatch) for mismatch in failure.mismatches[:_MISMATCHES]]
        lines += ["```", ""]
    lines += ["## What happened last", "", "```"]
    before = [step for step in seen.steps if step.time <= when]
    lines += [str(step) for step in _in_short(before)[-_LAST:]]
    lines += [f"{when / NS:14.1f} ns      ◄── here"]
    lines += [str(step) for step in _in_short(seen.steps[len(before) :])[:_AFTER]]
    lines += ["```", ""]
    if out := seen.rings.outstanding()[:_LAST]:
        lines += ["Chains that the NIC has read and not used:", "", "```", *out, "```", ""]
    lines += ["## What is here", "", "| file | what |", "| --- | --- |"]
    lines += [f"| `{name}` | {what} |" for name, what in files.items()]
    if failure.error is not None:
        told = "".join(traceback.format_exception(failure.error)).rstrip()
        lines += ["", "## Traceback", "", "```", told, "```"]
    return "\n".join(lines) + "\n"


def _in_short(steps: list[Step]) -> list[Step]:
    """Of receive descriptors fetched one after the other only the first."""
    short: list[Step] = []
    more = 0
    for step in steps:
        if step.what == "fetched" and step.ring == "RX" and short and short[-1][1:3] == step[1:3]:
            more += 1
            continue
        if more:
            short[-1] = short[-1]._replace(text=f"{short[-1].text}  and {more} more")
            more = 0
        short.append(step)
    return short


def _said(error: BaseException | None) -> str:
    """The error in one line."""
    if error is None:
        return "the test was cut off: another task of it failed, or its time was up."
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _place(error: BaseException | None) -> str:
    """Where in the test's own file it was raised."""
    if error is None or error.__traceback__ is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    tests = [frame for frame in own if "/tb/" not in frame.filename and "/pymodel/" not in frame.filename]
    if not (chosen := tests or own):
        return ""
    frame = chosen[-1]
    return f"`{Path(frame.filename).name}` line {frame.lineno}: `{frame.line}`"
