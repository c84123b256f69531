"""`fdwire sim --trace`: every segment's journey through a whole run, read back by Perfetto's own parser."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from commands import fdwire
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb
from scapy.utils import RawPcapNgReader

WAYS = ("a_to_b", "b_to_a")
SENT = [
    "programs/fetch",
    "TCP",
    "IP: route and neighbour",
    "device/1 qdisc",
    "device/2 driver",
    "NIC/1 doorbells",
    "NIC/2 descriptor reads",
    "NIC/3 frame reads (DMA)",
    "NIC/4 checksum, TSO, FIFO",
    "wire/A → B",
    "host B/NIC (golden model)",
    "host B/TCP",
    "host B/programs/http.server",
]
RECEIVED = [
    "host B/programs/http.server",
    "host B/TCP",
    "host B/device/2 driver",
    "host B/NIC (golden model)",
    "wire/B → A",
    "NIC/6 frame writes (DMA)",
    "NIC/5 receive decisions",
    "NIC/7 used descriptors",
    "NIC/8 interrupt line",
    "host A/TCP",
    "programs/fetch",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], pb.Trace]:
    out = tmp_path_factory.mktemp("traced")
    result = fdwire("sim", "--waves", "off", "--bytes", "30000", "--trace", "--out", str(out))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "trace.perfetto-trace" in result.stdout
    parsed = pb.Trace.FromString((out / "trace.perfetto-trace").read_bytes())
    return out, json.loads((out / "summary.json").read_text()), parsed


def events(parsed: pb.Trace) -> list[tuple[str, Any, Any]]:
    """(path of the track, packet, event) in the file's order."""
    tracks = {
        p.track_descriptor.uuid: p.track_descriptor for p in parsed.packet if p.HasField("track_descriptor")
    }

    def path(uuid: int) -> str:
        above = tracks[uuid].parent_uuid
        return (path(above) + "/" if above else "") + str(tracks[uuid].name)

    return [
        (path(p.track_event.track_uuid), p, p.track_event) for p in parsed.packet if p.HasField("track_event")
    ]


def in_this_order(wanted: list[str], seen: list[str]) -> bool:
    rest = iter(seen)
    return all(any(step in path for path in rest) for step in wanted)


def test_some_segment_each_way_is_followed_through_every_layer_in_order(
    run: tuple[Path, dict[str, Any], pb.Trace],
) -> None:
    journeys = defaultdict(list)
    times = defaultdict(list)
    for path, packet, event in events(run[2]):
        for flow in event.flow_ids:
            journeys[flow].append(path)
            times[flow].append(packet.timestamp)
    assert all(stamps == sorted(stamps) for stamps in times.values())
    for wanted in (SENT, RECEIVED):
        assert any(in_this_order(wanted, seen) for seen in journeys.values()), wanted


def test_every_frame_of_the_capture_is_on_the_wires_tracks_and_every_slice_ends(
    run: tuple[Path, dict[str, Any], pb.Trace],
) -> None:
    out, summary, parsed = run
    frames = {"wire/A → B": 0, "wire/B → A": 0}
    depth: dict[int, int] = defaultdict(int)
    for path, _, event in events(parsed):
        if event.type == pb.TrackEvent.TYPE_SLICE_BEGIN:
            depth[event.track_uuid] += 1
            if path in frames:
                frames[path] += 1
        elif event.type == pb.TrackEvent.TYPE_SLICE_END:
            depth[event.track_uuid] -= 1
            assert depth[event.track_uuid] >= 0
    assert not any(depth.values())
    assert list(frames.values()) == [summary["frames_a_to_b"], summary["frames_b_to_a"]]
    with RawPcapNgReader(str(out / "wire.pcapng")) as reader:
        assert sum(frames.values()) == len(list(reader))


def test_counters_show_the_window_the_buffers_and_the_rings(
    run: tuple[Path, dict[str, Any], pb.Trace],
) -> None:
    values = defaultdict(list)
    for path, _, event in events(run[2]):
        if event.type == pb.TrackEvent.TYPE_COUNTER:
            values[path.rsplit("/", 1)[1]].append(event.counter_value)
    assert max(values["cwnd (bytes)"]) >= 10 * 1448
    assert max(values["send buffer (bytes)"]) >= max(values["in flight (bytes)"]) > 5000
    assert min(values["in flight (bytes)"]) == 0
    assert 1 <= max(values["TX ring (slots)"]) <= 256 and max(values["RX ring (slots)"]) == 256


def test_journeys_of_the_report_are_those_of_the_trace_and_it_has_windows_rings_and_latencies(
    run: tuple[Path, dict[str, Any], pb.Trace],
) -> None:
    out, _, parsed = run
    page = (out / "report.html").read_text()
    traced = json.loads((out / "report.json").read_text())["traced"]
    journeys = [[traced["hops"][place] for place in one] for one in traced["journeys"]]
    assert len(journeys) == sum(json.loads((out / "summary.json").read_text())[f"frames_{w}"] for w in WAYS)
    times = defaultdict(set)
    for path, _, event in events(parsed):
        for note in event.debug_annotations:
            if note.name == "ps":
                times[path].add(note.int_value)
    paths = [["/".join(track) for track, *_ in one] for one in journeys]
    for wanted in (SENT, RECEIVED):
        assert any(in_this_order(wanted, one) for one in paths), wanted
    for one in journeys:
        for track, _, at, *_ in one:
            assert at in times["/".join(track)] or "programs" in track
    for title in ("The journey of a segment", "Window and send buffer of host B", "Rings of host A"):
        assert f"<h2>{title}" in page
    assert "<h2>How long segments took" in page and "Copies by the processor for each byte sent: A " in page


@pytest.mark.slow
def test_run_that_is_traced_is_the_run_that_is_not(
    run: tuple[Path, dict[str, Any], pb.Trace], tmp_path: Path
) -> None:
    fdwire("sim", "--waves", "off", "--bytes", "30000", "--out", str(tmp_path))
    assert (tmp_path / "wire.pcapng").read_bytes() == (run[0] / "wire.pcapng").read_bytes()
    assert not (tmp_path / "trace.perfetto-trace").exists()
    # Its page has the journeys of the beginning, and there they are the same.
    whole, part = (json.loads((out / "report.json").read_text())["traced"] for out in (run[0], tmp_path))
    assert whole["ended"] is None and part["ended"] >= 200_000_000
    ways = [
        [[traced["hops"][place] for place in one] for one in traced["journeys"]] for traced in (whole, part)
    ]
    same = 0
    for one, other in zip(*ways, strict=False):
        if all(at + (lasts or 0) < part["ended"] for _, _, at, lasts, _ in one):
            assert one == other
            same += bool(one)
    assert same > 20
