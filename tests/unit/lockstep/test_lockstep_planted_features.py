"""Bugs planted in faultless runs with a feature on: merged buffers, indirect tables, interrupts by index."""

import struct

import pytest
from mini_driver import FEATURES, INDIRECT
from recorder import Recorder, replay

from pymodel.ports import Frame
from pymodel.simtime import CYCLE, US
from tb.lockstep import events as ev
from tb.lockstep.tally import Mismatch

MRG_RXBUF, INDIRECT_DESC, EVENT_IDX, RING_RESET = 1 << 15, 1 << 28, 1 << 29, 1 << 40


class FeatureRun:
    """A golden NIC with `features`, rings of 16, and what it did as events."""

    def __init__(self, make_bench, features: int) -> None:
        self.bench = make_bench()
        self.driver = self.bench.driver
        self.recorder = Recorder(self.bench.scheduler, self.bench.nic)
        self.driver.start(16, 16, FEATURES | features)

    @property
    def events(self) -> list[ev.Event]:
        return self.recorder.events

    def used_of(self, queue) -> list[int]:
        """Where in the events the used entries of `queue` were written."""
        ring = range(queue.ring, queue.ring + 16 * queue.size)
        return [i for i, e in enumerate(self.events) if isinstance(e, ev.DmaWrite) and e.address in ring]

    def replay(self, events: list[ev.Event]) -> list[Mismatch]:
        return replay(events, self.bench.memory).mismatches


@pytest.fixture
def feature_run(make_bench):
    return lambda features: FeatureRun(make_bench, features)


@pytest.fixture
def make_bench():
    from golden_bench import make_bench as make

    return make


@pytest.fixture
def merged(feature_run) -> FeatureRun:
    """Two frames over three buffers each."""
    run = feature_run(MRG_RXBUF)
    for buffer_id in range(8):
        run.driver.post_rx((600,), buffer_id)
    for fill in (1, 2):
        run.bench.receive(bytes([fill]) * 1514)
    run.bench.run(30 * US)
    assert run.driver.rx.poll() == [(i, n) for i, n in zip(range(6), (600, 600, 326) * 2, strict=True)]
    return run


def test_access_after_the_reset_of_a_queue_has_ended_is_found_at_once(feature_run):
    run = feature_run(RING_RESET)
    run.bench.run(10 * US)
    ring = run.driver.tx.ring
    time = run.events[-1].time + US
    events = [*run.events, ev.MmioWrite(time, 0x30, 1, 4), ev.MmioWrite(time, 0xC0, 1, 4)]
    events += [ev.DmaRequest(time + US, ring, False, 0), ev.MmioRead(time + 2 * US, 0xC0, 0)]
    assert run.replay(events) == [], "under way until the device says so"
    events.append(ev.DmaRequest(time + 2 * US + CYCLE, ring, False, 0))
    assert [m.kind for m in run.replay(events)] == ["access to stopped ring"]


def test_merged_buffers_nothing_planted_nothing_found(merged):
    assert [str(m) for m in merged.replay(merged.events)] == []


def test_first_of_merged_buffers_used_before_the_others_is_found(merged):
    others, _, first = merged.used_of(merged.driver.rx)[:3]
    events = list(merged.events)
    assert events[first].address == merged.driver.rx.ring
    events.insert(others, events.pop(first)._replace(time=events[others].time))
    assert "used entry" in {m.kind for m in merged.replay(events)}


def test_merged_buffers_in_another_order_are_found(merged):
    second, third = merged.used_of(merged.driver.rx)[:2]
    events = list(merged.events)
    events[second], events[third] = (
        events[second]._replace(data=events[third].data),
        events[third]._replace(data=events[second].data),
    )
    assert "used entry" in {m.kind for m in merged.replay(events)}


def test_wrong_num_buffers_is_found(merged):
    events = list(merged.events)
    at = next(i for i, e in enumerate(events) if isinstance(e, ev.DmaWrite) and e.data[10:12] == b"\x03\x00")
    data = bytearray(events[at].data)
    data[10] = 2
    events[at] = events[at]._replace(data=bytes(data))
    assert "payload" in {m.kind for m in merged.replay(events)}


PARTS = (bytes(12), b"a" * 30, b"b" * 50)


@pytest.fixture
def indirect(feature_run) -> FeatureRun:
    """A frame behind a table of three."""
    run = feature_run(INDIRECT_DESC)
    driver = run.driver
    entries = [struct.pack("<QIHH", driver.buffer(part), len(part), 0, 0) for part in PARTS]
    driver.tx.post([(driver.buffer(b"".join(entries)), 16 * len(entries))], 5, extra_flags=[INDIRECT])
    run.bench.run(30 * US)
    assert driver.tx.poll() == [(5, 0)] and len(run.bench.sent) == 1
    return run


def test_indirect_table_nothing_planted_nothing_found(indirect):
    assert [str(m) for m in indirect.replay(indirect.events)] == []


def test_indirect_table_with_two_entries_exchanged_is_found(indirect):
    events = list(indirect.events)
    at = next(i for i, e in enumerate(events) if isinstance(e, ev.WireOut))
    frame = events[at].frame
    data = PARTS[2] + PARTS[1] + frame.data[80:]
    events[at] = events[at]._replace(frame=Frame(data, frame.start, frame.end))
    assert "frame sent" in {m.kind for m in indirect.replay(events)}


def test_indirect_table_read_one_entry_short_is_found(indirect):
    events = list(indirect.events)
    at = next(i for i, e in enumerate(events) if isinstance(e, ev.DmaRead) and len(e.data) == 48)
    events[at] = events[at]._replace(data=events[at].data[:32])
    assert "frame sent" in {m.kind for m in indirect.replay(events)}


@pytest.fixture
def by_index(feature_run) -> FeatureRun:
    """Four frames sent, an interrupt wanted when slot 2 is passed."""
    run = feature_run(EVENT_IDX)
    queue = run.driver.tx
    run.bench.memory.write(queue.driver_event, struct.pack("<HH", 2 | 1 << 15, 2))
    for buffer_id in range(4):
        run.driver.send(bytes([buffer_id]) * 60, buffer_id)
        run.bench.run(5 * US)
    assert len(queue.poll()) == 4
    run.bench.nic.write(0x64, run.driver.read(0x60))
    run.bench.run(5 * US)
    return run


def test_event_idx_nothing_planted_nothing_found(by_index):
    assert [level for _, level in by_index.driver.levels] == [True, False]
    assert [str(m) for m in by_index.replay(by_index.events)] == []


def test_event_idx_lost_interrupt_is_found(by_index):
    rise = next(i for i, e in enumerate(by_index.events) if isinstance(e, ev.Irq) and e.level)
    time = by_index.events[rise].time
    events = [
        e
        for e in by_index.events
        if not isinstance(e, ev.Irq) and not (e.time > time and getattr(e, "offset", 0) in (0x60, 0x64))
    ]
    found = by_index.replay(events)
    assert {m.kind for m in found} == {"lost interrupt"} and abs(found[0].time - time) <= CYCLE


def test_event_idx_interrupt_for_another_slot_is_found(by_index):
    rise = next(i for i, e in enumerate(by_index.events) if isinstance(e, ev.Irq) and e.level)
    earlier = by_index.used_of(by_index.driver.tx)[0]
    events = list(by_index.events)
    moved = events.pop(rise)._replace(time=events[earlier].time + CYCLE)
    events.insert(earlier + 1, moved)
    assert {"spurious interrupt", "lost interrupt"} & {m.kind for m in by_index.replay(events)}
