"""A `Trace` as a Perfetto trace: ui.perfetto.dev opens it.

Perfetto counts nanoseconds; the exact picoseconds are in each event's arguments `ps` and `lasted ps`.
"""

from collections.abc import Iterator

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb
from perfetto.trace_builder.proto_builder import TraceProtoBuilder

from tb.trace.moments import Moment, Trace, Track, Value

SEQUENCE = 1
"""All events are of one writer."""
PART = 10_000
"""Packets that are encoded together: as objects they take much more memory than as bytes."""


def encode(trace: Trace) -> Iterator[bytes]:
    """The trace's bytes, part by part: one after the other they are a trace.

    Moments of a track that overlap without one holding the other get further lines.
    """
    builder = _Builder()
    tracks = _Tracks(builder)
    moments = sorted(trace.moments, key=lambda m: (m.time, -(m.duration or 0)))
    counters = sorted({sample.track for sample in trace.samples})
    for track in sorted({moment.track for moment in moments}):
        tracks.uuid(track)
    for track in counters:
        tracks.counter(track)
    open_until: dict[tuple[Track, int], list[int]] = {}
    ends: list[tuple[int, int, int]] = []
    events: list[tuple[int, int, int, Moment | None, int]] = []
    for order, moment in enumerate(moments):
        end = moment.time + (moment.duration or 0)
        lane = _lane(open_until, moment.track, moment.time, end)
        uuid = tracks.uuid(moment.track, lane)
        events.append((moment.time, 1, order, moment, uuid))
        if moment.duration is not None:
            ends.append((end, -order, uuid))
    # At one time: what ends comes first, the innermost first of all; what lasted no time ends after it began.
    began = {order: moment.time for order, moment in enumerate(moments)}
    for end, minus, uuid in ends:
        events.append((end, 2 if began[-minus] == end else 0, minus, None, uuid))
    events.sort(key=lambda e: e[:3])
    for time, _, _, found, uuid in events:
        if builder.packets >= PART:
            yield builder.take()
        event = _packet(builder, time).track_event
        event.track_uuid = uuid
        if found is None:
            event.type = pb.TrackEvent.TYPE_SLICE_END
            continue
        event.type = pb.TrackEvent.TYPE_INSTANT if found.duration is None else pb.TrackEvent.TYPE_SLICE_BEGIN
        event.name = found.name
        event.flow_ids.extend(dict.fromkeys(found.flows))
        for key, value in _notes(found):
            _annotate(event.debug_annotations.add(), key, value)
    for sample in sorted(trace.samples, key=lambda s: s.time):
        if builder.packets >= PART:
            yield builder.take()
        event = _packet(builder, sample.time).track_event
        event.type = pb.TrackEvent.TYPE_COUNTER
        event.track_uuid = tracks.counter(sample.track)
        event.counter_value = sample.value
    yield builder.take()


class _Builder:
    """Makes packets, and gives those made so far as bytes."""

    def __init__(self) -> None:
        self.packets = 0
        self._made = TraceProtoBuilder()

    def add_packet(self) -> pb.TracePacket:
        self.packets += 1
        return self._made.add_packet()

    def take(self) -> bytes:
        """What was made since the last time."""
        made, self._made = self._made, TraceProtoBuilder()
        self.packets = 0
        return bytes(made.serialize())


def _annotate(note: pb.DebugAnnotation, key: str, value: Value) -> None:
    note.name = key
    if isinstance(value, int):
        note.int_value = value
    elif isinstance(value, str):
        note.string_value = value
    else:
        for part, inner in value.items():
            _annotate(note.dict_entries.add(), part, inner)


def _notes(moment: Moment) -> Iterator[tuple[str, Value]]:
    yield "ps", moment.time
    if moment.duration is not None:
        yield "lasted ps", moment.duration
    yield from moment.details.items()


def _lane(open_until: dict[tuple[Track, int], list[int]], track: Track, begin: int, end: int) -> int:
    """The first line of `track` on which this slice is alone or lies within what is still open."""
    lane = 0
    while True:
        stack = open_until.setdefault((track, lane), [])
        while stack and stack[-1] <= begin:
            stack.pop()
        if not stack or end <= stack[-1]:
            stack.append(end)
            return lane
        lane += 1


class _Tracks:
    """Descriptors of tracks, written when they are first asked for, under their groups."""

    def __init__(self, builder: _Builder) -> None:
        self._builder = builder
        self._uuids: dict[tuple[Track, int], int] = {}

    def uuid(self, track: Track, lane: int = 0) -> int:
        """Of a line; further lanes have its name, and Perfetto draws them as one."""
        return self._make(track, lane, counter=False)

    def counter(self, track: Track) -> int:
        """Of a counter."""
        return self._make(track, 0, counter=True)

    def _make(self, track: Track, lane: int, *, counter: bool) -> int:
        key = (track, lane)
        if key not in self._uuids:
            parent = self._make(track[:-1], 0, counter=False) if len(track) > 1 else 0
            self._uuids[key] = uuid = len(self._uuids) + 1
            descriptor = self._builder.add_packet().track_descriptor
            descriptor.uuid = uuid
            descriptor.name = track[-1]
            descriptor.child_ordering = pb.TrackDescriptor.LEXICOGRAPHIC
            if parent:
                descriptor.parent_uuid = parent
            if counter:
                descriptor.counter.SetInParent()
        return self._uuids[key]


def _packet(builder: _Builder, time: int) -> pb.TracePacket:
    packet = builder.add_packet()
    packet.timestamp = time // 1000
    packet.trusted_packet_sequence_id = SEQUENCE
    return packet
