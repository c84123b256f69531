"""Drawings of no size of their own: they fill the page's width.

Lines are SVG that is stretched to the room there is. What is to be read stands beside it as HTML, so that it
is as large on a phone as anywhere.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pymodel.simtime import US
from tb.report.connections import Connection

WIDTH, HEIGHT = 600, 240
"""Of the field that lines are drawn in, in its own units."""
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
    parts = []
    for place, name in enumerate(names):
        pair = "".join(
            f'<i class="{css}" style="height:{100 * way[place] / top:.1f}%"><b>{way[place]:,}</b></i>'
            for css, way in zip(("ab", "ba"), ways, strict=True)
        )
        # A name may be broken behind its dash, where there is no room for it in one line.
        parts.append(
            f'<div class="bin"><div>{pair}</div><span>{escape(name).replace("–", "–<wbr>")}</span></div>'
        )
    return (
        f'<div class="plot"><div class="bars" role="img" aria-label="Counts by {escape(below)}">'
        f"{''.join(parts)}</div>{_below(below)}</div>"
    )


def curves(series: Sequence[Curve]) -> str:
    """Counters over time, each with the value it had until the next.

    However many values there are, half a unit of width has its least, its greatest and its last one.
    """
    times = [time for _, points in series for time, _ in points]
    begin, end = min(times), max(times)
    span = max(end - begin, 1)
    high = _round(max(value for _, points in series for _, value in points))
    units = {name.rpartition("(")[2].rstrip(")") for name, _ in series}

    def column(point: Sequence[int]) -> float:
        return round(2 * WIDTH * (point[0] - begin) / span) / 2

    def y(value: int) -> float:
        return HEIGHT - HEIGHT * value / high

    paths = []
    for number, (_, points) in enumerate(series):
        d: list[str] = []
        for x, group in itertools.groupby(points, column):
            values = [value for _, value in group]
            drawn = dict.fromkeys((values[0], min(values), max(values), values[-1]))
            d.append(f"H{x:.1f}" if d else f"M{x:.1f} {y(values[0]):.1f}")
            d += [f"V{y(value):.1f}" for value in [*drawn, values[-1]]]
        paths.append(f'<path class="curve c{number}" d="{"".join(d)}H{WIDTH}"/>')
    names = ", ".join(name for name, _ in series)
    axes = _Axes(begin, span, high, units.pop() if len(units) == 1 else "the counters")
    return axes.around("".join(paths), f"{names} over time")


Point = tuple[int, int, int]
"""A frame's index and where it is in a drawing."""


def time_sequence(connection: Connection, a_to_b: bool, number: int) -> tuple[str, list[Point]]:
    """Each segment's sequence numbers over time, the other side's acknowledgments as a line below them.

    The drawing, which is the page's plot `number`, and where each segment is in it.
    """
    steps = connection.steps
    begin = steps[0].frame.start
    span = max(steps[-1].frame.end - begin, 1)
    high = _round(connection.sent[a_to_b])

    def x(time: int) -> float:
        return WIDTH * (time - begin) / span

    def y(seq: int) -> float:
        return HEIGHT - HEIGHT * seq / high

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
    axes = _Axes(begin, span, high, "sequence number")
    return axes.around(drawn, title, f' data-plot="{number}" tabindex="0"'), points


def _round(high: int) -> int:
    """`high` or somewhat more: four steps of two digits and zeros."""
    unit = int("1".ljust(len(str(high // 4)) - 1, "0"))
    return 4 * unit * max(-(-high // (4 * unit)), 1)


@dataclass(frozen=True)
class _Axes:
    """From `begin` on `span` ps, and up to `high` of `what`; five marks on each."""

    begin: int
    span: int
    high: int
    what: str

    def around(self, inside: str, title: str, more: str = "") -> str:
        """The drawing of what is `inside` the field. `more`: attributes of the field."""
        ups = "".join(f"<span>{self.high * part // 4:,}</span>" for part in range(4, -1, -1))
        times = "".join(f"<span>{(self.begin + self.span * part / 4) / US:,.1f}</span>" for part in range(5))
        grid = "".join(
            f"M0 {HEIGHT * part / 4:g}H{WIDTH}M{WIDTH * part / 4:g} 0V{HEIGHT}" for part in range(5)
        )
        return (
            f'<div class="plot"><div class="ups">{ups}</div><div class="field">'
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{escape(title)}"{more}><path class="grid" d="{grid}"/>{inside}</svg></div>'
            f'<div class="times">{times}</div>{_below(f"simulated time in µs · up: {self.what}")}</div>'
        )


def _below(text: str) -> str:
    return f'<p class="below">{escape(text)}</p>'
