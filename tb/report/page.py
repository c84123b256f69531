"""The page itself, put together from what a run left in its directory."""

import json
import re
import shlex
from html import escape
from pathlib import Path
from typing import Any

from pymodel.simtime import US
from pymodel.wire import tcp
from tb import toolchain
from tb.report import charts, golden, journey
from tb.report.collect import FILE
from tb.report.connections import Connection, Fold, Step, find
from tb.report.frames import Seen, read
from tb.report.markup import Section, Waves, value
from tb.report.rows import css, data, direction, other
from tb.waves.wavefile import WaveFile

PAGE = "report.html"
_HERE = Path(__file__).parent
_JOURNEY = (
    "<noscript><p>The journeys need JavaScript; nothing is fetched for it.</p></noscript>"
    '<div class="choose"><button id="earlier" title="the previous frame (p)">◀</button>'
    '<label>Frame <select id="segment"></select></label>'
    '<button id="later" title="the next frame (n)">▶</button>'
    '<button id="place">in its connection ↓</button></div>'
    '<div id="about"></div><p class="legend">'
    '<span class="a">host A</span><span class="n">a NIC</span><span class="w">the wire</span>'
    '<span class="b">host B</span></p><ol class="journey" id="hops"></ol><div id="came"></div>'
)
_KINDS = {"data": "data segment", "ack": "acknowledgment"}
_PLOTTED = 10_000
"""Bytes of data in one direction from which on it gets a plot."""
_LISTED = 5
"""Connections to which the header has links."""


class NothingToReport(Exception):
    """The directory has no run in it, or one that left too little; the text says what to do."""


def write(directory: Path) -> Path:
    """Write report.html into a run's directory and give its path. Raises NothingToReport, PlaceUnusable."""
    try:
        summary = json.loads((directory / "summary.json").read_text())
        document = json.loads((directory / FILE).read_text())
    except (FileNotFoundError, NotADirectoryError) as missing:
        raise NothingToReport(
            f"{missing.filename} is not there: run `fdwire sim` (with --out, if any) first"
        ) from None
    except (OSError, ValueError) as error:
        raise NothingToReport(
            f"what the run left in {directory} cannot be read ({error}): run `fdwire sim` again"
        ) from None
    page = toolchain.writable(directory) / PAGE
    page.write_text(render(summary, document, _waves(directory, summary["waves"])))
    return page


def _waves(directory: Path, name: str) -> Waves | None:
    if not name or not (directory / name).is_file():
        return None
    first, last = WaveFile(directory / name).span()
    words = [".venv/bin/fdwire", "waves"]
    if directory != toolchain.BUILD / "sim":
        words += ["--out", str(toolchain.short(directory))]
    return Waves(first, last, f"{shlex.join(words)} --at")


def render(summary: dict[str, Any], document: dict[str, Any], waves: Waves | None = None) -> str:
    """The page. `summary` as in summary.json, `document` as `Collector.document` gives it."""
    frames = read(document)
    connections, others = find(frames)
    traced = document.get("traced")
    plots: list[list[charts.Point]] = []
    sections = [
        _figures(summary),
        _golden(summary, document["compared"], waves),
        _reading(summary, len(frames), document, waves),
        ("The journey of a segment", _JOURNEY, "journey"),
    ]
    sections += [
        _connection(number, one, traced, plots, cut=len(frames) < document["total"] and not _over(one))
        for number, one in enumerate(connections, 1)
    ]
    if traced:
        sections += journey.counters(traced)
    if others:
        rows = "".join(map(_other_row, others))
        sections.append(("Other frames", f'<ol class="seq">{rows}</ol>', "other"))
    sections.append(("Frame sizes", _legend(again=False) + charts.histogram(document["sizes"]), "sizes"))
    body = [_header(summary, document["asked"], _contents(sections)), *map(_section, sections)]
    digits = max((len(_time(frame)) for frame in frames), default=0)
    style = (_HERE / "page.css").read_text()
    script = (_HERE / "page.js").read_text()
    told = data(frames, connections, others, traced)
    told |= {"plots": plots, "waves": None if waves is None else [waves.first, waves.last, waves.command]}
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>fdwire: report of a run</title><style>{style}</style></head>'
        f'<body style="--digits:{digits}">'
        f"<main>{''.join(body)}</main>"
        '<aside id="decoded" aria-live="polite"><p>Point at a frame or a hop, or reach it by Tab, and its '
        "fields are here.</p></aside>"
        f'<script type="application/json" id="frames">{text}</script><script>{script}</script>'
        "</body></html>\n"
    )


def _section(section: Section) -> str:
    title, inside, name = section
    return f'<section id="{name}"><h2>{escape(title)}</h2>{inside}</section>'


def _contents(sections: list[Section]) -> str:
    """Links to the sections by what their titles begin with; of many alike to the first."""
    links: dict[str, str] = {}
    for title, _, name in sections:
        number = re.fullmatch(r"connection-(\d+)", name)
        if number is None or int(number[1]) <= _LISTED:
            links.setdefault(re.split("[:,]", title)[0], name)
    listed = "".join(f'<a href="#{name}">{escape(title)}</a>' for title, name in links.items())
    return f'<nav aria-label="On this page">{listed}</nav>'


def _header(summary: dict[str, Any], asked: dict[str, Any], contents: str) -> str:
    chances = [
        f"{name} {asked[name]:g}" for name in ("loss", "duplicate", "reorder", "corrupt") if asked.get(name)
    ]
    wire = f"did harm: {', '.join(chances)} of the frames" if chances else "was perfect"
    verdict, css = "passed", "good"
    said = "Every file arrived whole."
    if not summary["ok"]:
        verdict, css = "failed", "bad"
        said = summary["trouble"] or (
            "RTL and golden model differ." if summary["mismatches"] else "A file did not arrive whole."
        )
    elif asked.get("lockstep", True):
        said += " RTL and golden model agreed everywhere."
    files = "".join(
        f"<li>{'✓' if file['sent'] == file['received'] else '✗'} {escape(file['name'])}: "
        f"{value('file', file['bytes'], format(file['bytes'], ','))} bytes</li>"
        for file in summary["files"]
    )
    planted = f" A bug was planted: {escape(asked['plant'])}." if asked.get("plant") else ""
    return (
        f'<header><p class="brand">fdwire · from a file descriptor to the wire</p>'
        f'<h1>HTTP through the NIC: <span class="{css}">{verdict}</span></h1><p>{escape(said)}{planted}</p>'
        "<p>Host A, on the Verilog NIC in Verilator, fetched files from host B and posted one, as unmodified "
        f"programs through sockets, TCP/IP, driver and rings. The wire {escape(wire)}.</p>"
        f'<ul class="files">{files}</ul>{_again(asked)}'
        f"<details><summary>Seed {value('seed', summary['seed'], str(summary['seed']))}, "
        f"{len(summary['features'])} virtio features negotiated</summary>"
        f'<p class="features">{" ".join(f"<code>{escape(f)}</code>" for f in summary["features"])}</p>'
        f"</details>{contents}</header>"
    )


def _again(asked: dict[str, Any]) -> str:
    return (
        f"<p>The same run again: <code>.venv/bin/{escape(asked['again'])}</code></p>"
        if "again" in asked
        else ""
    )


def _figures(summary: dict[str, Any]) -> Section:
    shown = [
        ("simulated_ns", "simulated time", f"{summary['simulated_ns'] / 1e6:,.3f} ms"),
        ("goodput_bps", "goodput", f"{summary['goodput_bps'] / 1e9:.3f} Gb/s"),
        ("cycles", "clock cycles", f"{summary['cycles']:,}"),
        ("frames_a_to_b", "frames A → B", f"{summary['frames_a_to_b']:,}"),
        ("frames_b_to_a", "frames B → A", f"{summary['frames_b_to_a']:,}"),
        ("bytes_a_to_b", "bytes A → B", f"{summary['bytes_a_to_b']:,}"),
        ("bytes_b_to_a", "bytes B → A", f"{summary['bytes_b_to_a']:,}"),
        ("cycles_per_wall_second", "cycles a wall second", f"{summary['cycles_per_wall_second']:,}"),
    ]
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{value(key, summary[key], text)}</dd></div>" for key, name, text in shown
    )
    return "In figures", f'<dl class="tiles">{tiles}</dl>', "figures"


def _golden(summary: dict[str, Any], compared: dict[str, int], waves: Waves | None) -> Section:
    if not compared:
        return "Golden model", "<p>This run was not compared with the golden model.</p>", "golden"
    made, wrong = summary["comparisons"], summary["mismatches"]
    inside = golden.section(made, wrong, summary["mismatch_reports"], compared, waves)
    return "Golden model", inside, "golden"


def _reading(summary: dict[str, Any], kept: int, document: dict[str, Any], waves: Waves | None) -> Section:
    total = document["total"]
    if waves is not None:
        told = (
            f"The waves in <code>{escape(summary['waves'])}</code> are from {waves.first / US:,.3f} to "
            f"{waves.last / US:,.3f} µs; what is in them comes with the command that opens GTKWave there."
        )
    else:
        told = "This run left no waves (<code>--waves all</code> does)."
    lines = [
        "Host A is on the left, host B on the right, and an arrow is one frame. Time runs downwards: "
        "microseconds of simulated time at each frame's end, as in <code>wire.pcapng</code>.",
        "Point at an arrow, tap it or reach it by Tab: its fields and its place in the waves are shown.",
        "A click, Enter or a tap also chooses it for the journey below. <kbd>n</kbd> and <kbd>p</kbd> choose "
        "the next and the previous frame, <kbd>j</kbd> goes to the journey.",
        told,
    ]
    if kept < total:
        lines.append(f"Only the first {kept:,} of {total:,} frames are drawn; the figures count all.")
    items = "".join(f"<li>{line}</li>" for line in lines)
    return "How to read what follows", f'<ul class="lines">{items}</ul>{_legend()}', "reading"


def _legend(*, again: bool = True) -> str:
    items = [("ab", "A → B"), ("ba", "B → A")]
    items += [("again", "sent again"), ("lost", "lost or corrupted on its way")] if again else []
    return (
        '<p class="legend">' + "".join(f'<span class="{css}">{text}</span>' for css, text in items) + "</p>"
    )


def _connection(
    number: int,
    connection: Connection,
    traced: dict[str, Any] | None,
    drawn: list[list[charts.Point]],
    *,
    cut: bool,
) -> Section:
    """Adds the places of the segments in its plots to `drawn`. `cut`: it went on when no more was drawn."""
    a, b = connection.ends
    first, last = connection.steps[0].frame, connection.steps[-1].frame
    again = f", <b>{connection.again:,} sent again</b>" if connection.again else ""
    rows = "".join(_fold(row) if isinstance(row, Fold) else _row(row) for row in connection.rows())
    plots = ""
    for way in (True, False):
        if connection.payload(way) >= _PLOTTED:
            plot, points = charts.time_sequence(connection, way, len(drawn))
            drawn.append(points)
            plots += (
                f"<figure><figcaption>{'A → B' if way else 'B → A'}: each stroke is a segment's sequence "
                "numbers, the thin line what the other side has acknowledged. Click a stroke to choose it."
                f"</figcaption>{plot}</figure>"
            )
    inside = (
        f"<p>{'As far as drawn: ' if cut else ''}{len(connection.steps):,} segments in "
        f"{(last.end - first.start) / US:,.3f} µs{again}; data "
        f"A → B {connection.payload(True):,} bytes, B → A {connection.payload(False):,} bytes."
        f"{'' if cut else _copies(connection, traced)}</p>{plots}"
        f'<div class="heads"><b>A</b> {escape(a)}<span>{escape(b)} <b>B</b></span></div>'
        f'<ol class="seq">{rows}</ol>'
    )
    return f"Connection {number}: {a} and {b}", inside, f"connection-{number}"


def _over(connection: Connection) -> bool:
    """Both ends have said FIN, or one of them RST."""
    ended = {step.frame.a_to_b for step in connection.steps if step.flags & tcp.FIN}
    return len(ended) == 2 or any(step.flags & tcp.RST for step in connection.steps)


def _copies(connection: Connection, traced: dict[str, Any] | None) -> str:
    said = []
    for way in (True, False):
        here, there = connection.ends if way else reversed(connection.ends)
        # Of the sequence numbers sent, SYN and FIN are no bytes.
        sent = connection.sent[way] - sum(
            bool(step.flags & bit) and step.kind != "again"
            for step in connection.steps
            if step.frame.a_to_b is way
            for bit in (tcp.SYN, tcp.FIN)
        )
        whole = traced and (traced["ended"] is None or traced["ended"] >= connection.steps[-1].frame.end)
        times = journey.copies(traced, f"{here} → {there}", sent) if traced and whole else None
        if times is not None:
            said.append(f"{'A' if way else 'B'} {times:.2f}")
    return f" Copies by the processor for each byte sent: {', '.join(said)}." if said else ""


def _time(frame: Seen) -> str:
    return f"{frame.end / US:,.3f}"


def _row(step: Step) -> str:
    return f"<li>{_button(step.frame, css(step), step.label)}</li>"


def _other_row(frame: Seen) -> str:
    return f"<li>{_button(frame, direction(frame), other(frame))}</li>"


def _button(frame: Seen, classes: str, label: str) -> str:
    return (
        f'<button class="step {classes}" data-frame="{frame.index}"><time>{_time(frame)}</time>'
        f"<span>{escape(label)}</span></button>"
    )


def _fold(fold: Fold) -> str:
    said = []
    for way, arrow in ((True, "→"), (False, "←")):
        for kind, name in _KINDS.items():
            alike = [step for step in fold.steps if step.frame.a_to_b is way and step.kind == kind]
            if alike:
                size = sum(step.payload for step in alike)
                many = "s" if len(alike) > 1 else ""
                said.append(f"{arrow} {len(alike):,} {name}{many}" + (f" ({size:,} bytes)" if size else ""))
    spent = (fold.steps[-1].frame.end - fold.steps[0].frame.start) / US
    numbers = " ".join(str(step.frame.index) for step in fold.steps)
    return (
        f'<li><details class="fold" data-frames="{numbers}"><summary>⋮ {escape(", ".join(said))}, '
        f"{spent:,.1f} µs</summary><ol></ol></details></li>"
    )
