"""What the page shows of a traced run: each frame's journey, the counters, how long segments took."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tb.trace.moments import Moment, Trace, Value

HOSTS = ("host A", "host B")
HOPS = 20_000
"""Hops that are kept of all journeys together; frames whose are beyond have none."""
COPIED = "copied (bytes)"
"""The counter of bytes that the processor moved, into the send buffer and out of it (tb.trace.stack)."""
_DOWN = ("programs", "TCP", "IP: route and neighbour", "device", "NIC", "NIC (golden model)")
"""The layers of a host. What is at one time is shown in this order going down, then the wire, then up."""
_SENDING = ("sendto", "sendmsg", "write", "connect")

Hop = list[Any]
"""[track, name, begins (ps), lasts (ps) or None, {name: value}]."""


def document(trace: Trace, ended: int | None = None, *, full: bool = False) -> dict[str, Any]:
    """For JSON; times in ps.

    `hops`: see `Hop`. `journeys`: for each frame, in the capture's order, which hops it has, in order of
    time; frames beyond the list have none, nor have those that are no TCP. `counters`: [track, [[time,
    value], …]]. `latencies`: for each host, from a segment's leaving its TCP to its reaching the other's, of
    each that did. `ended`: when tracing did, if that was before the run; `full`: because it was full.
    """
    counters: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for sample in trace.samples:
        counters[sample.track].append([sample.time, sample.value])
    hops, journeys = _journeys(trace)
    return {
        "hops": hops,
        "journeys": journeys,
        "counters": [[list(track), points] for track, points in sorted(counters.items())],
        "latencies": _latencies(trace),
        "ended": ended,
        "full": full,
    }


def _journeys(trace: Trace) -> tuple[list[Hop], list[list[int]]]:
    of_frame: dict[int, list[Moment]] = defaultdict(list)
    of_flow: dict[int, list[Moment]] = defaultdict(list)
    for moment in trace.moments:
        narrowed = {flow for number in moment.frames for flow in trace.frames[number - 1]}
        for number in dict.fromkeys(moment.frames):
            of_frame[number].append(moment)
        for flow in dict.fromkeys(moment.flows):
            if flow not in narrowed:
                of_flow[flow].append(moment)
    hops: list[Hop] = []
    places: dict[tuple[int, ...], int] = {}
    journeys: list[list[int]] = []
    for number, flows in enumerate(trace.frames, 1):
        if len(hops) > HOPS:
            break
        moments = {id(m): m for flow in flows for m in of_flow[flow]} if flows else {}
        moments |= {id(m): m for m in of_frame[number]} if flows else {}
        journey = []
        for one in _in_order(list(moments.values())):
            place = places.setdefault(tuple(map(id, one)), len(hops))
            if place == len(hops):
                hops.append(_hop(one))
            journey.append(place)
        journeys.append(journey)
    return hops, journeys


def _in_order(moments: list[Moment]) -> list[list[Moment]]:
    """As they happened; the bursts of one DMA are one."""
    if not moments:
        return []
    together: dict[Any, list[Moment]] = {}
    for moment in sorted(moments, key=lambda m: m.time):
        whole = (moment.track, moment.name) if "(DMA)" in moment.track[-1] else id(moment)
        together.setdefault(whole, []).append(moment)
    origin = min(moments, key=lambda m: _at(m)[0]).track[0]

    def order(several: list[Moment]) -> tuple[int, int]:
        moment = several[0]
        at, _ = _at(moment)
        if moment.track[0] == "wire":
            return at, len(_DOWN)
        depth = _DOWN.index(moment.track[1])
        return at, depth if moment.track[0] == origin else 2 * len(_DOWN) - depth

    return sorted(together.values(), key=order)


def _at(moment: Moment) -> tuple[int, int | None]:
    """When it began, and how long it lasted.

    A call that waited for the segment is shown when it came back: that is when the segment was of use.
    """
    if moment.track[1] == "programs" and moment.name not in _SENDING:
        return moment.time + (moment.duration or 0), None
    return moment.time, moment.duration


def _hop(moments: Sequence[Moment]) -> Hop:
    first = moments[0]
    at, lasted = _at(first)
    name = first.name
    details: dict[str, Value] = {}
    for moment in moments:
        details = moment.details | details
    if first.track[0] == "wire":
        details.pop("frame", None)  # the page has its fields
    if len(moments) > 1:
        lasted = max(m.time + (m.duration or 0) for m in moments) - at
        sizes = [size for m in moments if isinstance(size := m.details.get("bytes"), int)]
        name = f"{name}, {len(moments)} bursts"
        details |= {"bytes": sum(sizes), "bursts": len(moments)}
    return [list(first.track), name, at, lasted, details]


def _latencies(trace: Trace) -> list[list[int]]:
    left: dict[int, Moment] = {}
    arrived: dict[int, int] = {}
    for moment in trace.moments:
        if len(moment.track) < 2 or moment.track[1] != "TCP" or moment.name.startswith("copied"):
            continue
        for flow in moment.flows:
            if not moment.name.startswith("received"):
                left.setdefault(flow, moment)
            elif flow in left and left[flow].track[0] != moment.track[0]:
                arrived.setdefault(flow, moment.time - left[flow].time)
    return [[took for flow, took in arrived.items() if left[flow].track[0] == host] for host in HOSTS]
