"""Drawings in SVG, of no size of their own: they fill the page's width."""

import itertools
from collections.abc import Sequence
from html import escape

from pymodel.simtime import US
from tb.report.connections import Connection

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 96, 10, 12, 44
BINS = ((0, 63), (64, 64), (65, 127), (128, 255), (256, 511), (512, 1023), (1024, 1518), (1519, 1 << 20))
"""Frame sizes as RFC 2819 (etherStatsPkts64Octets …) counts them, too short and too long ones beside."""
NAMES = ("< 64", "64", "65–127", "128–255", "256–511", "512–1023", "1024–1518", "> 1518")

Curve = tuple[str, Sequence[Sequence[int]]]
"""A counter's name and its (time in ps, value), in order."""


def bins(sizes: Sequence[Sequence[int]]) -> list[int]:
    """How many frames are in each of `BINS`; `sizes`: (bytes with FCS, frames)."""
    return [sum(count for size, count in sizes if low <= size <= high) for low, high in BINS]


def histogram(ways: Sequence[Sequence[Sequence[int]]]) -> str:
    """Frames by size; `ways`: for each direction what `bins` takes."""
    counts = [bins(way) for way in ways]
    shown = [i for i in range(len(BINS)) if any(count[i] for count in counts) or 0 < i < len(BINS) - 1]
    names = [NAMES[i] for i in shown]
    return bars(names, [[count[i] for i in shown] for count in counts], "bytes of the frame, FCS included")


def bars(names: Sequence[str], ways: Sequence[Sequence[int]], below: str) -> str:
    """For each name a bar for each of the two directions, the count above it."""
    top = max((value for way in ways for value in way), default=0) or 1
    room = (WIDTH - LEFT - RIGHT) / len(names)
    parts = []
    for place, name in enumerate(names):
        x = LEFT + place * room
        parts.append(f'<text class="tick" x="{x + room / 2:.1f}" y="{HEIGHT - 25}">{escape(name)}</text>')
        for way, css in enumerate(("ab", "ba")):
            value = ways[way][place]
            tall = (HEIGHT - TOP - BOTTOM - 16) * value / top
            left = x + room * (0.12 + 0.38 * way)
            y = HEIGHT - BOTTOM - tall
            parts.append(
                f'<rect class="{css}" x="{left:.1f}" y="{y:.1f}" width="{room * 0.36:.1f}" '
                f'height="{tall:.1f}"/>'
                f'<text class="tick" x="{left + room * 0.18:.1f}" y="{y - 3:.1f}">{value:,}</text>'
            )
    parts.append(_below(below))
    return _svg("".join(parts), f"Counts by {below}")


def curves(series: Sequence[Curve]) -> str:
    """Counters over time, each with the value it had until the next.

    However many values there are, half a unit of width has its least, its greatest and its last one.
    """
    times = [time for _, points in series for time, _ in points]
    begin, end = min(times), max(times)
    span = max(end - begin, 1)
    high = max(value for _, points in series for _, value in points) or 1

    def column(point: Sequence[int]) -> float:
        return LEFT + round(2 * (WIDTH - LEFT - RIGHT) * (point[0] - begin) / span) / 2

    def y(value: int) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / high

    paths = []
    for number, (_, points) in enumerate(series):
        d: list[str] = []
        for x, group in itertools.groupby(points, column):
            values = [value for _, value in group]
            drawn = dict.fromkeys((values[0], min(values), max(values), values[-1]))
            d.append(f"H{x:.1f}" if d else f"M{x:.1f} {y(values[0]):.1f}")
            d += [f"V{y(value):.1f}" for value in [*drawn, values[-1]]]
        paths.append(f'<path class="curve c{number}" d="{"".join(d)}H{WIDTH - RIGHT}"/>')
    names = ", ".join(name for name, _ in series)
    return _svg(_axes(begin, span, high, "the counters") + "".join(paths), f"{names} over time")


Point = tuple[int, int, int]
"""A frame's index and where it is in a drawing."""


def time_sequence(connection: Connection, a_to_b: bool, number: int) -> tuple[str, list[Point]]:
    """Each segment's sequence numbers over time, the other side's acknowledgments as a line below them.

    The drawing, which is the page's plot `number`, and where each segment is in it.
    """
    steps = connection.steps
    begin = steps[0].frame.start
    span = max(steps[-1].frame.end - begin, 1)
    high = max(connection.sent[a_to_b], 1)

    def x(time: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (time - begin) / span

    def y(seq: int) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * seq / high

    points: list[Point] = []
    paths: dict[str, list[str]] = {"ack-line": [], "data-line": [], "again-line": [], "lost-line": []}
    for step in steps:
        if step.frame.a_to_b is a_to_b and step.payload:
            css = "lost-line" if step.frame.fate else "again-line" if step.kind == "again" else "data-line"
            bottom, top = y(step.seq), y(step.seq + step.payload)
            tall = max(bottom - top, 3.0 if css == "data-line" else 12.0)
            paths[css].append(f"M{x(step.frame.end):.1f} {bottom:.1f}v-{tall:.1f}")
            points.append((step.frame.index, round(x(step.frame.end)), round(bottom - tall / 2)))
        elif step.frame.a_to_b is not a_to_b and step.ack is not None and not step.frame.fate:
            draw = "H{0:.1f}V{1:.1f}" if paths["ack-line"] else "M{0:.1f} {1:.1f}"
            paths["ack-line"].append(draw.format(x(step.frame.end), y(min(step.ack, high))))
    way = "ab" if a_to_b else "ba"
    drawn = "".join(f'<path class="{css} {way}" d="{"".join(d)}"/>' for css, d in paths.items() if d)
    title = "Sequence numbers over time. The arrow keys go from segment to segment"
    inside = _axes(begin, span, high, "sequence number") + drawn
    return _svg(inside, title, f' data-plot="{number}" tabindex="0"'), points


def _axes(begin: int, span: int, high: int, what: str) -> str:
    parts = []
    for part in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * part / 4
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part / 4
        anchor = "end" if part == 4 else "middle"
        parts.append(
            f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
            f'<text class="tick" style="text-anchor:{anchor}" x="{x:.1f}" y="{HEIGHT - 25}">'
            f"{(begin + span * part / 4) / US:,.1f}</text>"
            f'<text class="tick" style="text-anchor:end" x="{LEFT - 6}" y="{y + 4:.1f}">'
            f"{high * part // 4:,}</text>"
        )
    parts.append(
        f'<text class="tick" x="{WIDTH / 2}" y="{HEIGHT - 4}">simulated time in µs · up: {what}</text>'
    )
    return "".join(parts)


def _below(text: str) -> str:
    return f'<text class="tick" x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}">{text}</text>'


def _svg(inside: str, title: str, more: str = "") -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"{more}>{inside}</svg>'
