"""The part of the page that a traced run has beside the others: hops for the script, counters, latencies."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from pymodel.simtime import US
from tb.report import charts
from tb.report.markup import Section
from tb.report.traced import COPIED

PLOTTED = 10_000
"""Bytes of data in flight or waiting from which on a connection's window is drawn."""
_RINGS = (
    "Slots that the driver has given to the NIC and not got back. A receive ring empties while frames "
    "arrive, and is filled up many slots at a time."
)
_WINDOW = (
    "cwnd is what congestion control allows to be on its way, in flight what was sent and is not yet "
    "acknowledged; the send buffer has what the program has written and the other side has not acknowledged."
)
_LIMITS = [k * 10**e for e in range(-1, 6) for k in (1, 2, 5)]
"""Latencies are counted up to each of these, in µs."""


def counters(traced: dict[str, Any]) -> list[Section]:
    """Windows, send buffers, rings and latencies."""
    found = []
    until = "" if traced["ended"] is None else f", up to {traced['ended'] / US:,.0f} µs"
    groups: dict[tuple[str, ...], list[charts.Curve]] = {}
    for (*where, what), points in traced["counters"]:
        if what != COPIED:
            groups.setdefault(tuple(where), []).append((what, points))
    for number, (where, drawn) in enumerate(groups.items()):
        title, said = f"Rings of {where[0]}", _RINGS
        if where[1] == "TCP":
            if max(value for what, points in drawn for _, value in points if "cwnd" not in what) < PLOTTED:
                continue
            title, said = f"Window and send buffer of {where[0]}: {where[2]}", _WINDOW
        inside = f"<p>{said}</p>{_legend(drawn)}{charts.curves(drawn)}"
        found.append((title + until, inside, f"counters-{number}"))
    if any(traced["latencies"]):
        found.append((f"How long segments took{until}", _latencies(traced["latencies"]), "latencies"))
    return found


def copies(traced: dict[str, Any], ends: str, sent: int) -> float | None:
    """How often the processor moved each of `sent` bytes on the way named `ends` ("10.0.0.1:5 → …")."""
    for (*where, what), points in traced["counters"]:
        if what == COPIED and where[-1] == ends and sent:
            return float(points[-1][1] / sent)
    return None


def hops(traced: dict[str, Any]) -> dict[str, Any]:
    """For the script: `tracks`, [place, layer] each; `hops`, [track, name, start ps, lasts ps or null, its
    number of names, values …]; `names`, lists of [of what, name]; and each frame's `journeys`.
    """
    tracks: dict[tuple[str, str], int] = {}
    shapes: dict[tuple[tuple[str, str], ...], int] = {}
    rows = []
    for track, name, at, lasted, details in traced["hops"]:
        flat = list(_flat(details))
        shape = shapes.setdefault(tuple(key for key, _ in flat), len(shapes))
        where = tracks.setdefault((track[0], _where(track)), len(tracks))
        rows.append([where, name, at, lasted, shape, *(value for _, value in flat)])
    return {
        "tracks": list(tracks),
        "names": list(shapes),
        "hops": rows,
        "journeys": traced["journeys"],
        "ended": traced["ended"],
        "full": traced["full"],
    }


def telling(traced: dict[str, Any], frames: Iterable[int]) -> int | None:
    """Which of `frames` (indices) has been to most places, the first of several; None: none has a journey."""
    journeys, hops = traced["journeys"], traced["hops"]
    been = {
        index: len({tuple(hops[place][0]) for place in journeys[index]})
        for index in frames
        if index < len(journeys) and journeys[index]
    }
    return max(been, key=lambda index: been[index], default=None)


def _flat(details: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for key, value in details.items():
        if isinstance(value, dict):
            yield from (((key, name), str(inner)) for name, inner in value.items())
        else:
            yield ("", key), str(value)


def _where(track: list[str]) -> str:
    """The layer, and what of it: without the numbers that keep a trace's lines in order."""
    if track[0] == "wire":
        return track[1]
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
