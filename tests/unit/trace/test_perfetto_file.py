"""What is written is read back by Perfetto's own parser: nesting, lines, flows, counters."""

from typing import Any

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb

from tb.trace.moments import Trace
from tb.trace.perfetto_file import encode

BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4


def read(trace: Trace) -> list[tuple[int, int, str, Any]]:
    """(time in ns, type, path of the track, event) in the file's order."""
    parsed = pb.Trace.FromString(b"".join(encode(trace)))
    tracks = {
        p.track_descriptor.uuid: p.track_descriptor for p in parsed.packet if p.HasField("track_descriptor")
    }

    def path(uuid: int) -> str:
        descriptor = tracks[uuid]
        above = path(descriptor.parent_uuid) + "/" if descriptor.parent_uuid else ""
        return f"{above}{descriptor.name}"

    return [
        (p.timestamp, p.track_event.type, path(p.track_event.track_uuid), p.track_event)
        for p in parsed.packet
        if p.HasField("track_event")
    ]


def test_moments_come_in_order_of_time_with_flows_and_details() -> None:
    trace = Trace()
    trace.say(9000, ("wire", "A → B"), "out", [3], end=12_000)
    trace.say(
        2500, ("host A", "TCP"), "segment", [3, 3], details={"seq": 1, "slot": {"id": 7, "flags": "NEXT"}}
    )
    first, begin, end = read(trace)
    assert (first[:3], begin[:3], end[:3]) == (
        (2, INSTANT, "host A/TCP"),
        (9, BEGIN, "wire/A → B"),
        (12, END, "wire/A → B"),
    )
    assert list(first[3].flow_ids) == list(begin[3].flow_ids) == [3] and not end[3].flow_ids
    *plain, slot = first[3].debug_annotations
    assert {n.name: n.int_value for n in plain} == {"ps": 2500, "seq": 1}
    parts = {n.name: n.int_value or n.string_value for n in slot.dict_entries}
    assert (slot.name, parts) == ("slot", {"id": 7, "flags": "NEXT"})


def test_slices_of_one_track_nest_or_get_another_line_and_each_end_is_its_own() -> None:
    trace = Trace()
    for name, begin, end in (
        ("outer", 0, 9000),
        ("inner", 1000, 3000),
        ("touching", 3000, 9000),
        ("overlaps", 5000, 20_000),
        ("at once", 9000, 9000),
        ("later", 9000, 12_000),
    ):
        trace.say(begin, ("t",), name, end=end)
    lines: dict[int, list[tuple[str, int]]] = {}
    seen: dict[str, tuple[int, int]] = {}
    for time, kind, path, event in read(trace):
        assert path == "t"
        stack = lines.setdefault(event.track_uuid, [])
        if kind == BEGIN:
            stack.append((event.name, time))
        else:
            name, begin = stack.pop()
            seen[name] = (begin, time)
    assert seen == {
        "outer": (0, 9),
        "inner": (1, 3),
        "touching": (3, 9),
        "overlaps": (5, 20),
        "at once": (9, 9),
        "later": (9, 12),
    }
    assert len(lines) == 2 and not any(lines.values())


def test_counter_is_written_where_it_changed() -> None:
    trace = Trace()
    for time, value in ((1000, 5), (2000, 5), (3000, 6)):
        trace.sample(time, ("host A", "TCP", "cwnd"), value)
    events = read(trace)
    assert [(time, kind, path, event.counter_value) for time, kind, path, event in events] == [
        (1, COUNTER, "host A/TCP/cwnd", 5),
        (3, COUNTER, "host A/TCP/cwnd", 6),
    ]
