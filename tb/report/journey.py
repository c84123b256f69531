"""The part of the page that a traced run has beside the others: journeys, counters, latencies."""

import itertools
from collections.abc import Sequence
from html import escape
from typing import Any

from pymodel.simtime import CYCLE, NS, US
from tb.report import charts
from tb.report.traced import COPIED

PLOTTED = 10_000
"""Bytes of data in flight or waiting from which on a connection's window is drawn."""
Section = tuple[str, str, str]
"""(title, inside, name)."""
_LIMITS = [k * 10**e for e in range(-1, 6) for k in (1, 2, 5)]
"""Latencies are counted up to each of these, in µs."""


def journeys(traced: dict[str, Any]) -> list[Section]:
    """A timeline for each journey in what `traced.document` gave."""
    found = []
    first = 0
    for number, one in enumerate(traced["journeys"]):
        found.append(_journey(number, first, one))
        first += len(one)
    return found


def counters(traced: dict[str, Any]) -> list[Section]:
    """Windows, send buffers, rings and latencies."""
    found = []
    groups: dict[tuple[str, ...], list[charts.Curve]] = {}
    for (*where, what), points in traced["counters"]:
        if what != COPIED:
            groups.setdefault(tuple(where), []).append((what, points))
    for number, (where, drawn) in enumerate(groups.items()):
        title = f"Rings of {where[0]}"
        if where[1] == "TCP":
            if max(value for what, points in drawn for _, value in points if "cwnd" not in what) < PLOTTED:
                continue
            title = f"Window and send buffer of {where[0]}: {where[2]}"
        found.append((title, _legend(drawn) + charts.curves(drawn), f"counters-{number}"))
    if any(traced["latencies"]):
        found.append(("How long segments took", _latencies(traced["latencies"]), "latencies"))
    return found


def copies(traced: dict[str, Any], ends: str, sent: int) -> float | None:
    """How often the processor moved each of `sent` bytes on the way named `ends` ("10.0.0.1:5 → …")."""
    for (*where, what), points in traced["counters"]:
        if what == COPIED and where[-1] == ends and sent:
            return float(points[-1][1] / sent)
    return None


def hops(traced: dict[str, Any]) -> list[list[Any]]:
    """For the script: [label, start ps, end ps, [[name, value], …]] of every hop of all journeys."""
    return [
        [
            f"{' · '.join(hop['track'])}: {hop['name']}",
            hop["at"],
            hop["at"] + (hop["lasted"] or 0),
            [[key, str(value)] for key, value in hop["details"].items()],
        ]
        for one in traced["journeys"]
        for hop in one
    ]


def _journey(number: int, first: int, one: list[dict[str, Any]]) -> Section:
    begin = min(hop["at"] for hop in one)
    span = max(max(hop["at"] + (hop["lasted"] or 0) for hop in one) - begin, 1)
    rows = []
    before = begin
    host = ""
    for place, hop in enumerate(one, first):
        at, lasted = hop["at"], hop["lasted"] or 0
        group = hop["track"][0]
        if group != host:
            rows.append(f'<li class="where">{escape(group)}</li>')
            host = group
        left, wide = 100 * (at - begin) / span, 100 * lasted / span
        since = (at - before) / CYCLE
        took = f" · lasts {lasted / NS:,.1f} ns, {lasted / CYCLE:,.1f} cycles" if lasted else ""
        rows.append(
            f'<li><button class="hop" data-hop="{place}"><time>{at / NS:,.1f}</time>'
            f"<i>+{since:,.1f}</i><span><b>{escape(_where(hop['track']))}</b> {escape(hop['name'])}{took}"
            "</span>"
            f'<u style="margin-left:min({left:.2f}%, 100% - 3px);width:{wide:.2f}%"></u></button></li>'
        )
        before = at
    ends = f"{one[0]['track'][0]} → {one[-1]['track'][0]}"
    inside = (
        "<p>One segment, from the call that brought its bytes to the last it had to do with: "
        f"{span / NS:,.1f} ns, {span / CYCLE:,.1f} cycles of the NIC's clock. Each line has the simulated "
        "ns, the cycles since the line before, and what happened; the bar is its place in the whole. Point "
        f'at a line: what it moved is decoded, descriptors too.</p><ol class="journey">{"".join(rows)}</ol>'
    )
    return f"Journey of one segment, {ends}", inside, f"journey-{number}"


def _where(track: list[str]) -> str:
    """The layer, and what of it: without the numbers that keep a trace's lines in order."""
    if track[1] in ("TCP", "programs"):
        return "TCP" if track[1] == "TCP" else f"program {track[2]}"
    return " · ".join(part.lstrip("0123456789 ") for part in track[1:])


def _legend(curves: Sequence[charts.Curve]) -> str:
    said = "".join(f'<span class="c{i}">{escape(name)}</span>' for i, (name, _) in enumerate(curves))
    return f'<p class="legend">{said}</p>'


def _between(times: list[int], low: float, high: float) -> int:
    return sum(low * US < time <= high * US for time in times)


def _latencies(ways: list[list[int]]) -> str:
    counts = [[_between(way, low, high) for low, high in itertools.pairwise([0, *_LIMITS])] for way in ways]
    used = [i for i in range(len(_LIMITS)) if any(count[i] for count in counts)]
    shown = range(used[0], used[-1] + 1)
    names = [f"≤ {_LIMITS[i]:g}" for i in shown]
    medians = "; ".join(
        f"{name}: {len(way):,} segments, median {sorted(way)[len(way) // 2] / US:,.3f} µs"
        for name, way in zip(("A → B", "B → A"), ways, strict=True)
        if way
    )
    drawn = charts.bars(names, [[count[i] for i in shown] for count in counts], "µs from TCP to TCP")
    return (
        "<p>From a segment's leaving one host's TCP to its reaching the other's, queues and the wire's delay "
        f"included. {medians}.</p>"
        '<p class="legend"><span class="ab">A → B</span><span class="ba">B → A</span></p>' + drawn
    )
