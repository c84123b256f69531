"""A traced run's part of the page: which segments are chosen, the order of their hops, what is counted."""

import re
from typing import Any

import pytest

from tb.report import journey, traced
from tb.trace.moments import Trace

A, B = ("host A", "TCP", "a → b"), ("host B", "TCP", "b → a")
WIRE = ("wire", "A → B")
NS = 1000


def run(segments: int = 3) -> Trace:
    """A sends so many segments, a µs apart, each there after 500, 600 … ns; the second has most hops."""
    trace = Trace()
    for i in range(segments):
        at, flow = i * 1000 * NS, [i + 1]
        trace.say(at, ("host A", "programs", "p"), "sendto", flow, end=at, details={"fd": 3})
        trace.say(at, A, "copied into the send buffer", flow)
        trace.say(at, A, "ACK 100 bytes", flow)
        if i == 1:
            trace.say(
                at + 64 * NS, ("host A", "NIC", "1 doorbells"), "TX ring", flow, details={"slot": "<3>"}
            )
        trace.say(at + 100 * NS, WIRE, "frame", flow, end=at + 228 * NS)
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


def test_segment_with_most_hops_is_chosen_and_its_hops_stand_as_they_happened() -> None:
    (one,) = traced.document(run())["journeys"]
    assert [hop["name"] for hop in one] == [
        "sendto", "copied into the send buffer", "ACK 100 bytes", "TX ring", "used", "frame",
        "interrupt", "received ACK 100 bytes", "recvfrom",
    ]  # fmt: skip
    assert [hop["at"] for hop in one] == sorted(hop["at"] for hop in one)
    # The call that waited stands where it came back.
    assert one[-1]["at"] == 1600 * NS and one[-1]["lasted"] is None


def test_latency_is_from_one_tcp_to_the_other_for_each_segment_that_arrived() -> None:
    trace = run()
    trace.say(9_000 * NS, A, "ACK 7 bytes", [99])  # lost: never received
    assert traced.document(trace)["latencies"] == [[500 * NS, 600 * NS, 700 * NS], []]


def test_timeline_has_the_cycles_between_hops_and_its_details_are_no_markup() -> None:
    document = traced.document(run())
    ((title, page, _),) = journey.journeys(document)
    assert title == "Journey of one segment, host A → host B"
    assert re.findall(r"<i>\+([0-9.]+)</i>", page) == [
        "0.0", "0.0", "0.0", "10.0", "5.6", "0.0", "78.1", "0.0", "0.0",
    ]  # fmt: skip
    assert "600.0 ns, 93.8 cycles" in page and "lasts 128.0 ns, 20.0 cycles" in page
    assert journey.hops(document)[3][1:] == [1064 * NS, 1064 * NS, [["slot", "<3>"]]]


@pytest.mark.parametrize(("in_flight", "sections"), [(9_999, 1), (10_000, 2)])
def test_window_is_drawn_where_enough_data_is_in_flight(in_flight: int, sections: int) -> None:
    document: dict[str, Any] = traced.document(run(1))
    document["counters"] = [
        [[*A, "cwnd (bytes)"], [[0, 14_480]]],
        [[*A, "in flight (bytes)"], [[0, in_flight]]],
    ]
    assert len(journey.counters(document)) == sections


def test_copies_for_each_byte_are_of_that_connection_only() -> None:
    document = traced.document(run())
    assert journey.copies(document, "a → b", 300) == 1.5
    assert journey.copies(document, "b → a", 300) is None and journey.copies(document, "a → b", 0) is None


def test_latencies_are_counted_up_to_each_limit_once() -> None:
    ((_, page, name),) = journey.counters(traced.document(run()) | {"counters": []})
    assert name == "latencies" and "A → B: 3 segments, median 0.600 µs" in page
    assert [int(n) for n in re.findall(r">([0-9]+)</text>", page)] == [1, 0, 2, 0]
