"""A traced run's part of the page: each frame's journey, the order of its hops, what is counted."""

import re
from typing import Any

import pytest

from tb.report import journey, traced
from tb.trace.moments import Trace

A, B = ("host A", "TCP", "a → b"), ("host B", "TCP", "b → a")
WIRE = ("wire", "A → B")
READS = ("host A", "NIC", "3 frame reads (DMA)")
NS = 1000


def run(segments: int = 3) -> Trace:
    """A sends so many segments, a µs apart, each there after 500, 600 … ns; the second has most hops."""
    trace = Trace()
    trace.frames = [[i + 1] for i in range(segments)]
    for i in range(segments):
        at, flow = i * 1000 * NS, [i + 1]
        trace.say(at, ("host A", "programs", "p"), "sendto", flow, end=at, details={"fd": 3})
        trace.say(at, A, "copied into the send buffer", flow)
        trace.say(at, A, "ACK 100 bytes", flow)
        if i == 1:
            trace.say(
                at + 64 * NS, ("host A", "NIC", "1 doorbells"), "TX ring", flow, details={"slot": "<3>"}
            )
        trace.say(at + 100 * NS, WIRE, "frame", flow, end=at + 228 * NS, frames=flow)
        if i == 1:
            trace.say(at + 100 * NS, ("host A", "NIC", "7 used descriptors"), "used", flow)
        there = at + (500 + 100 * i) * NS
        trace.say(at - 50 * NS, ("host B", "programs", "q"), "recvfrom", flow, end=there)
        trace.say(there, B, "received ACK 100 bytes", flow)
        trace.say(there, ("host B", "NIC", "8 interrupt line"), "interrupt", flow)
        trace.sample(at, (*A, "cwnd (bytes)"), 14_480)
        trace.sample(at, (*A, "in flight (bytes)"), 10_000 + i)
        trace.sample(at, (*A, traced.COPIED), 150 * (i + 1))
    return trace


def names(document: dict[str, Any], frame: int) -> list[str]:
    return [document["hops"][place][1] for place in document["journeys"][frame]]


def test_hops_of_a_journey_stand_as_they_happened() -> None:
    document = traced.document(run())
    assert names(document, 1) == [
        "sendto", "copied into the send buffer", "ACK 100 bytes", "TX ring", "used", "frame",
        "interrupt", "received ACK 100 bytes", "recvfrom",
    ]  # fmt: skip
    one = [document["hops"][place] for place in document["journeys"][1]]
    assert [hop[2] for hop in one] == sorted(hop[2] for hop in one)
    # The call that waited stands where it came back.
    assert one[-1][2:4] == [1600 * NS, None]
    assert journey.telling(document, range(3)) == 1 and journey.telling(document, [3, 0]) == 0


def test_frames_cut_from_one_segment_share_what_it_did_and_keep_apart_what_they_did() -> None:
    trace = Trace()
    trace.frames = [[1], [1], []]
    trace.say(0, A, "ACK 2000 bytes", [1])
    for number, at in ((1, 10), (2, 20)):
        trace.say(at * NS, WIRE, "frame", [1], end=(at + 5) * NS, frames=[number], details={"n": number})
    trace.say(40 * NS, B, "received ACK 1000 bytes", [1], frames=[2])
    trace.say(50 * NS, B, "received ACK 2000 bytes", [1], frames=[1, 2])
    document = traced.document(trace)
    assert names(document, 0) == ["ACK 2000 bytes", "frame", "received ACK 2000 bytes"]
    assert names(document, 1) == [
        "ACK 2000 bytes", "frame", "received ACK 1000 bytes", "received ACK 2000 bytes",
    ]  # fmt: skip
    assert document["journeys"][2] == [] and len(document["hops"]) == 5
    assert [document["hops"][places[1]][4] for places in document["journeys"][:2]] == [{"n": 1}, {"n": 2}]


def test_bursts_of_one_dma_are_one_hop_from_the_first_to_the_last() -> None:
    trace = Trace()
    trace.frames = [[1]]
    for at, size in ((100, 64), (150, 36)):
        details: dict[str, Any] = {"address": f"{at:#x}", "bytes": size}
        trace.say(at * NS, READS, "frame", [1], end=(at + 20) * NS, details=details)
    (hop,) = traced.document(trace)["hops"]
    assert hop[1:] == [
        "frame, 2 bursts", 100 * NS, 70 * NS, {"address": "0x64", "bytes": 100, "bursts": 2},
    ]  # fmt: skip


def test_journeys_beyond_what_is_kept_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traced, "HOPS", 10)
    assert len(traced.document(run(9))["journeys"]) == 2


def test_latency_is_from_one_tcp_to_the_other_for_each_segment_that_arrived() -> None:
    trace = run()
    trace.say(9_000 * NS, A, "ACK 7 bytes", [99])  # lost: never received
    assert traced.document(trace)["latencies"] == [[500 * NS, 600 * NS, 700 * NS], []]


def test_script_gets_each_hop_once_with_the_fields_of_its_descriptors() -> None:
    trace = run(1)
    slot: dict[str, Any] = {"descriptor at 0x10": {"length": 3, "flags": "NEXT"}, "bytes": 16}
    trace.say(50 * NS, ("host A", "NIC", "2 descriptor reads"), "TX ring", [1], end=60 * NS, details=slot)
    document = traced.document(trace)
    told = journey.hops(document)
    place = names(document, 0).index("TX ring")
    track, name, at, lasted, shape, *values = told["hops"][place]
    assert (told["tracks"][track], name, at, lasted) == (
        ("host A", "NIC · descriptor reads"), "TX ring", 50 * NS, 10 * NS,
    )  # fmt: skip
    of = "descriptor at 0x10"
    assert told["names"][shape] == ((of, "length"), (of, "flags"), ("", "bytes"))
    assert values == ["3", "NEXT", "16"]


@pytest.mark.parametrize(("in_flight", "sections"), [(9_999, 1), (10_000, 2)])
def test_window_is_drawn_where_enough_data_is_in_flight(in_flight: int, sections: int) -> None:
    document: dict[str, Any] = traced.document(run(1))
    document["counters"] = [
        [[*A, "cwnd (bytes)"], [[0, 14_480]]],
        [[*A, "in flight (bytes)"], [[0, in_flight]]],
    ]
    assert len(journey.counters(document)) == sections


def test_counters_are_explained_each_by_what_it_counts() -> None:
    document: dict[str, Any] = traced.document(run(1))
    document["counters"] = [
        [[*A, "cwnd (bytes)"], [[0, 14_480]]],
        [[*A, "in flight (bytes)"], [[0, 10_000]]],
        [["host A", "device", "RX ring (slots)"], [[0, 256]]],
    ]
    window, rings, _ = journey.counters(document)
    assert window[0].startswith("Window") and "congestion control" in window[1]
    assert rings[0].startswith("Rings") and "congestion control" not in rings[1] and "Slots" in rings[1]


def test_copies_for_each_byte_are_of_that_connection_only() -> None:
    document = traced.document(run())
    assert journey.copies(document, "a → b", 300) == 1.5
    assert journey.copies(document, "b → a", 300) is None and journey.copies(document, "a → b", 0) is None


def test_latencies_are_counted_up_to_each_limit_once() -> None:
    ((_, page, name),) = journey.counters(traced.document(run()) | {"counters": []})
    assert name == "latencies" and "A → B: 3 segments, median 0.600 µs" in page
    assert [int(n) for n in re.findall(r"<b>([0-9]+)</b>", page)] == [1, 0, 2, 0]
