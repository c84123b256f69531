"""What the page shows of a traced run: two segments' journeys, the counters, how long segments took."""

from collections import defaultdict
from typing import Any

from tb.trace.moments import Moment, Trace

HOSTS = ("host A", "host B")
HOPS = 80
"""Moments that are kept of a journey."""
COPIED = "copied (bytes)"
"""The counter of bytes that the processor moved, into the send buffer and out of it (tb.trace.stack)."""
_NOT_LEFT = ("received", "copied")
_DOWN = ("programs", "TCP", "IP: route and neighbour", "device", "NIC")
"""The layers of a host. What is at one time is shown in this order going down, then the wire, then up."""
_SENDING = ("sendto", "sendmsg", "write", "connect")


def document(trace: Trace) -> dict[str, Any]:
    """For JSON; times in ps.

    `journeys`: for each host that sent data, the moments of one segment of its, in order of `at`: {at,
    lasted, track, name, details}. `counters`: [track, [[time, value], …]]. `latencies`: for each host, from a
    segment's leaving its TCP to its reaching the other's, each segment that did.
    """
    flows: dict[int, list[Moment]] = defaultdict(list)
    for moment in trace.moments:
        for flow in dict.fromkeys(moment.flows):
            flows[flow].append(moment)
    chosen: dict[str, list[Moment]] = {}
    latencies: dict[str, list[int]] = {host: [] for host in HOSTS}
    for moments in flows.values():
        left = next(
            (m for m in moments if _is_tcp(m) and not m.name.startswith(("received", "copied"))), None
        )
        if left is None:
            continue
        host = left.track[0]
        arrived = [m.time for m in moments if _is_tcp(m) and m.track[0] != host and m.time >= left.time]
        if arrived:
            latencies[host].append(min(arrived) - left.time)
        if "bytes" in left.name and _layers(moments) > _layers(chosen.get(host, [])):
            chosen[host] = moments
    counters: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for sample in trace.samples:
        counters[sample.track].append([sample.time, sample.value])
    return {
        "journeys": [_journey(chosen[host]) for host in HOSTS if host in chosen],
        "counters": [[list(track), points] for track, points in sorted(counters.items())],
        "latencies": [latencies[host] for host in HOSTS],
    }


def _is_tcp(moment: Moment) -> bool:
    return len(moment.track) > 1 and moment.track[1] == "TCP"


def _layers(moments: list[Moment]) -> int:
    return len({moment.track for moment in moments})


def _journey(moments: list[Moment]) -> list[dict[str, Any]]:
    """A call that waited for the segment is shown when it came back: that is when the segment was of use."""
    hops: list[dict[str, Any]] = []
    for moment in moments:
        at, lasted = moment.time, moment.duration
        if moment.track[1] == "programs" and moment.name not in _SENDING:
            at, lasted = at + (lasted or 0), None
        track, details = list(moment.track), moment.details
        hops.append({"at": at, "lasted": lasted, "track": track, "name": moment.name, "details": details})
    origin = min(hops, key=lambda hop: int(hop["at"]))["track"][0]

    def order(hop: dict[str, Any]) -> tuple[int, int]:
        host, layer = hop["track"][:2]
        if host == "wire":
            return hop["at"], len(_DOWN)
        depth = _DOWN.index(layer)
        return hop["at"], depth if host == origin else 2 * len(_DOWN) - depth

    return sorted(hops, key=order)[:HOPS]
