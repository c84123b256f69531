"""Bugs planted in the events of a faultless run: each must be found, in time and for the right reason."""

from collections.abc import Callable

import pytest
from recorder import replay

from pymodel.ports import Frame
from pymodel.simtime import CYCLE, US
from tb.lockstep import events as ev
from tb.lockstep.ring_protocol import LONGEST
from tb.lockstep.tally import Mismatch


class Plant:
    """A copy of the recorded events, with the means to find and change some of them."""

    def __init__(self, run) -> None:
        self.events = list(run.events)
        self.memory = run.bench.memory
        self.rx = run.bench.driver.rx
        self.tx = run.bench.driver.tx

    def index(self, wanted: Callable[[ev.Event], bool], nth: int = 0) -> int:
        found = [i for i, event in enumerate(self.events) if wanted(event)]
        return found[nth]

    def in_ring(self, queue, event: ev.Event, kind: type | tuple[type, ...]) -> bool:
        return isinstance(event, kind) and queue.ring <= event.address < queue.ring + 16 * queue.size

    def used(self, queue, nth: int = 5) -> int:
        return self.index(lambda e: self.in_ring(queue, e, ev.DmaWrite), nth)

    def payload(self, nth: int = 5) -> int:
        areas = [self.rx, self.tx]
        return self.index(
            lambda e: (
                isinstance(e, ev.DmaWrite)
                and len(e.data) > 20
                and not any(self.in_ring(q, e, ev.DmaWrite) for q in areas)
            ),
            nth,
        )

    def flip(self, index: int, byte: int, bit: int = 0) -> None:
        event = self.events[index]
        data = bytearray(event.data)
        data[byte] ^= 1 << bit
        self.events[index] = event._replace(data=bytes(data))

    def replay(self) -> list[Mismatch]:
        return replay(self.events, self.memory).mismatches


@pytest.fixture
def plant(recorded) -> Plant:
    return Plant(recorded)


def kinds(mismatches: list[Mismatch]) -> list[str]:
    return [m.kind for m in mismatches]


def test_nothing_planted_nothing_found(plant):
    assert [str(m) for m in plant.replay()] == []


# ---------------------------------------------------------------------- what the golden core must find


@pytest.mark.parametrize("queue", ["rx", "tx"])
def test_one_flipped_bit_in_a_used_length_is_found(plant, queue):
    at = plant.used(getattr(plant, queue))
    plant.flip(at, 8)
    found = plant.replay()
    assert found[0].kind == "used entry" or found[1].kind == "used entry"
    entry = next(m for m in found if m.kind == "used entry")
    assert entry.time == plant.events[at].time
    assert "len" in entry.text
    assert len(found) <= 2


def test_one_swapped_byte_in_a_sent_frame_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.WireOut), 7)
    event = plant.events[at]
    data = bytearray(event.frame.data)
    swap = next(i for i in range(20, len(data)) if data[i] != data[i + 1])
    data[swap], data[swap + 1] = data[swap + 1], data[swap]
    plant.events[at] = event._replace(frame=Frame(bytes(data), event.frame.start, event.frame.end))
    found = plant.replay()
    assert kinds(found) == ["frame sent"]
    assert found[0].time == event.time
    assert f"byte {swap} " in found[0].text


def test_one_swapped_byte_in_a_received_frame_is_found(plant):
    at = plant.payload()
    plant.flip(at, 17)
    found = plant.replay()
    assert kinds(found) == ["payload"]
    # Looked at when the buffer is used: before, it might have been written again.
    used = next(e for e in plant.events[at:] if plant.in_ring(plant.rx, e, ev.DmaWrite))
    assert found[0].time == used.time
    assert "byte 17 of" in found[0].text


@pytest.mark.parametrize("queue", ["rx", "tx"])
def test_one_used_descriptor_written_twice_is_found(plant, queue):
    at = plant.used(getattr(plant, queue))
    plant.events.insert(at + 1, plant.events[at])
    found = plant.replay()
    assert "descriptor used twice" in kinds(found)
    assert found[0].time == plant.events[at].time


def test_one_dropped_interrupt_is_found(plant):
    rise = plant.index(lambda e: isinstance(e, ev.Irq) and e.level, 1)
    fall = plant.index(lambda e: isinstance(e, ev.Irq) and not e.level and e.time > plant.events[rise].time)
    time = plant.events[rise].time
    # Without the rise the driver would see nothing, acknowledge nothing: all of that goes.
    plant.events = [
        e
        for i, e in enumerate(plant.events)
        if not (rise <= i <= fall and (isinstance(e, ev.Irq) or getattr(e, "offset", 0) in (0x60, 0x64)))
    ]
    found = plant.replay()
    assert set(kinds(found)) == {"lost interrupt"}
    assert abs(found[0].time - time) <= CYCLE


def test_one_interrupt_too_many_is_found(plant):
    quiet = plant.index(lambda e: isinstance(e, ev.Irq) and not e.level, 2)
    time = plant.events[quiet].time + 100
    plant.events.insert(quiet + 1, ev.Irq(time, True))
    # It comes before any used entry that could explain it.
    assert "spurious interrupt" in kinds(plant.replay())


def test_interrupt_without_a_cause_at_the_very_end_is_found(plant):
    plant.events.append(ev.Irq(plant.events[-1].time + US, True))
    assert kinds(plant.replay()) == ["spurious interrupt"]


def test_interrupt_falls_by_itself_is_found(plant):
    rise = plant.index(lambda e: isinstance(e, ev.Irq) and e.level, 1)
    # Far from any acknowledgement.
    write = next(i for i in range(rise, len(plant.events)) if getattr(plant.events[i], "offset", 0) == 0x64)
    time = (plant.events[rise].time + plant.events[write].time) // 2
    assert time - plant.events[rise].time > 40 * CYCLE or write - rise > 1
    at = next(i for i in range(rise, len(plant.events)) if plant.events[i].time >= time)
    plant.events.insert(at, ev.Irq(time, False))
    assert "interrupt fell" in kinds(plant.replay())


def test_frame_lost_in_the_nic_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.WireOut), 7)
    del plant.events[at]
    assert any(m.kind == "frame sent" and "missing" in m.text for m in plant.replay())


def test_last_frame_never_sent_is_found_at_the_end(plant):
    at = plant.index(lambda e: isinstance(e, ev.WireOut), -1)
    del plant.events[at]
    assert any(m.kind == "frame sent" and "never sent" in m.text for m in plant.replay())


def test_frame_sent_twice_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.WireOut), 7)
    event = plant.events[at]
    plant.events.insert(at + 1, event)
    found = plant.replay()
    assert found[0].kind == "frame sent" and "twice" in found[0].text


def test_frame_with_bad_padding_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.WireOut) and len(e.frame.data) == 64)
    event = plant.events[at]
    data = event.frame.data[:59] + b"\x01" + event.frame.data[60:]
    plant.events[at] = event._replace(frame=Frame(data, event.frame.start, event.frame.end))
    assert kinds(plant.replay()) == ["frame sent"]


@pytest.mark.parametrize("queue", ["rx", "tx"])
def test_last_used_entry_never_written_is_found_at_the_end(plant, queue):
    at = plant.used(getattr(plant, queue), -1)
    del plant.events[at]
    assert "used entry" in kinds(plant.replay())


@pytest.mark.parametrize("field", [0, 12, 14, 15])
def test_one_flipped_bit_anywhere_in_a_used_entry_is_found(plant, field):
    at = plant.used(plant.rx)
    plant.flip(at, field, 1)
    assert any(m.kind == "used entry" and m.time == plant.events[at].time for m in plant.replay())


@pytest.mark.parametrize("status", range(7))
def test_good_frame_not_stored_is_found(plant, status):
    at = plant.index(lambda e: isinstance(e, ev.RxDecision) and e.status == 7, 3)
    plant.events[at] = plant.events[at]._replace(status=status)
    found = plant.replay()
    if status == 6:
        # Overflow is the RTL's own to say; that the frame then is written all the same is not.
        assert "payload" in kinds(found)
    else:
        assert found[0].kind == "receive status" and "STORED" in found[0].text
        assert found[0].time == plant.events[at].time


def test_bad_frame_stored_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.RxDecision) and e.status == 4)
    plant.events[at] = plant.events[at]._replace(status=7)
    found = plant.replay()
    assert found[0].kind == "receive status" and "FCS_ERROR expected" in found[0].text


def test_decision_without_a_frame_is_found_at_the_end(plant):
    plant.events.append(ev.RxDecision(plant.events[-1].time + US, 0))
    assert any(m.kind == "receive status" and "without a frame" in m.text for m in plant.replay())


def test_frame_never_decided_on_is_found_at_the_end(plant):
    at = plant.index(lambda e: isinstance(e, ev.RxDecision), -1)
    del plant.events[at]
    assert any(m.kind == "receive status" for m in plant.replay())


@pytest.mark.parametrize(
    "offset", [0x1100, 0x1108, 0x1120, 0x1130, 0x1118, 0x1150, 0x1180, 0x1184, 0x1188, 0x1190, 0x1198, 0x11A0]
)
@pytest.mark.parametrize("error", [1, -1])
def test_counter_off_by_one_is_found(plant, offset, error):
    at = plant.index(lambda e: isinstance(e, ev.MmioRead) and e.offset == offset, -1)
    event = plant.events[at]
    plant.events[at] = event._replace(value=event.value + error & 0xFFFFFFFF)
    found = plant.replay()
    assert kinds(found) == ["counter"]
    assert found[0].time == event.time


def test_wrong_register_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.MmioRead) and e.offset == 0x70, -1)
    plant.events[at] = plant.events[at]._replace(value=plant.events[at].value | 0x80)
    found = plant.replay()
    assert kinds(found) == ["register"] and "0x070" in found[0].text


# ---------------------------------------------------------------------- what the ring protocol must find


def test_wrong_wrap_counter_in_a_used_entry_is_found(plant):
    at = plant.used(plant.tx)
    plant.flip(at, 14, 7)
    plant.flip(at, 15, 7)
    found = plant.replay()
    assert found[0].kind == "wrap error" and found[0].time == plant.events[at].time


def test_used_entry_in_the_wrong_slot_is_found(plant):
    at = plant.used(plant.tx)
    event = plant.events[at]
    last = plant.tx.ring + 16 * (plant.tx.size - 1)
    plant.events[at] = event._replace(address=event.address + 16 if event.address < last else plant.tx.ring)
    assert kinds(plant.replay())[0] == "used entry slot"


def test_used_entry_in_two_writes_is_found(plant):
    at = plant.used(plant.tx)
    event = plant.events[at]
    plant.events[at : at + 1] = [
        event._replace(data=event.data[:8]),
        event._replace(address=event.address + 8, data=event.data[8:]),
    ]
    found = plant.replay()
    assert found[0].kind == "used entry torn" and found[0].time == event.time


def test_write_beyond_the_end_of_a_buffer_is_found(plant):
    at = plant.payload()
    event = plant.events[at]
    plant.events[at] = event._replace(address=event.address + 1600)
    found = plant.replay()
    assert found[0].kind == "write outside buffers" and found[0].time == event.time


def test_write_before_the_start_of_a_buffer_is_found(plant):
    at = plant.index(lambda e: isinstance(e, ev.DmaWrite) and e.data[:12] == bytes(10) + b"\x01\0", 4)
    event = plant.events[at]
    plant.events[at] = event._replace(address=event.address - 2)
    found = plant.replay()
    assert found[0].kind == "write outside buffers" and found[0].time == event.time


def test_used_before_its_payload_is_found(plant):
    """The used entry and the last write of its frame change places."""
    used = plant.used(plant.rx)
    write = max(
        i for i in range(used) if isinstance(plant.events[i], ev.DmaWrite) and len(plant.events[i].data) > 20
    )
    time = plant.events[write].time
    event = plant.events.pop(used)
    plant.events.insert(write, event._replace(time=time))
    found = plant.replay()
    assert "used before payload" in kinds(found)
    assert found[0].time == time


def test_used_entry_asked_for_before_its_payload_is_in_memory_is_found(plant):
    """The entry becomes visible in time, but only by luck: nobody waited for the response."""
    write = plant.payload()
    used = next(
        i for i in range(write, len(plant.events)) if plant.in_ring(plant.rx, plant.events[i], ev.DmaWrite)
    )
    request = max(i for i in range(used) if plant.in_ring(plant.rx, plant.events[i], ev.DmaRequest)
                  and plant.events[i].write)  # fmt: skip
    assert request > write
    event = plant.events.pop(request)
    plant.events.insert(write, event._replace(time=plant.events[write].time))
    assert kinds(plant.replay()) == ["used before payload"]


def test_tx_chain_used_before_it_was_read_is_found(plant):
    at = plant.used(plant.tx)
    event = plant.events[at]
    reads = [
        i
        for i in range(at)
        if isinstance(plant.events[i], ev.DmaRead)
        and not plant.in_ring(plant.tx, plant.events[i], ev.DmaRead)
        and not plant.in_ring(plant.rx, plant.events[i], ev.DmaRead)
        and len(plant.events[i].data) > 4
    ]
    plant.events.insert(reads[-1], plant.events.pop(at)._replace(time=plant.events[reads[-1]].time))
    found = plant.replay()
    assert "used before payload" in kinds(found)
    assert event.time


@pytest.mark.parametrize("what", ["ring", "driver_event", "device_event"])
@pytest.mark.parametrize("how", ["QueueReady", "reset"])
def test_access_to_a_stopped_ring_is_found(plant, what, how):
    time = plant.events[-1].time + US
    if how == "reset":
        plant.events.append(ev.MmioWrite(time, 0x70, 0, 4))
    else:
        plant.events += [ev.MmioWrite(time, 0x30, 1, 4), ev.MmioWrite(time, 0x44, 0, 4)]
    address = getattr(plant.tx, what)
    plant.events.append(ev.DmaRequest(time + 2 * CYCLE, address, what == "device_event", 0))
    if what == "device_event":
        plant.events.append(ev.DmaWrite(time + 9 * CYCLE, address, bytes(4), 0, 0))
    assert plant.replay() == [], "in flight when the ring was stopped"
    plant.events.append(ev.DmaRequest(time + LONGEST, address, what == "device_event", 0))
    assert plant.replay() == [], "in flight in slow memory"
    plant.events[-1] = plant.events[-1]._replace(time=time + LONGEST + US)
    found = plant.replay()
    assert kinds(found) == ["access to stopped ring"] and found[0].time == time + LONGEST + US


def test_access_after_the_device_has_said_that_all_has_ended_is_found_at_once(plant):
    time = plant.events[-1].time + US
    plant.events.append(ev.MmioWrite(time, 0x70, 0, 4))
    plant.events.append(ev.DmaRequest(time + US, plant.tx.ring, False, 0))
    plant.events.append(ev.MmioRead(time + 2 * US, 0x70, 0))
    assert plant.replay() == [], "under way until the device says so"
    plant.events.append(ev.DmaRequest(time + 2 * US + CYCLE, plant.tx.ring, False, 0))
    assert kinds(plant.replay()) == ["access to stopped ring"]


@pytest.mark.parametrize("queue", [0, 1])
def test_access_to_a_buffer_of_a_stopped_queue_is_found(plant, queue):
    time = plant.events[-1].time + US
    plant.events += [ev.MmioWrite(time, 0x30, queue, 4), ev.MmioWrite(time, 0x44, 0, 4)]
    plant.events.append(ev.DmaRequest(time + 2 * CYCLE, plant.memory.base + 0x100000, queue == 0, 0))
    assert plant.replay() == []
    late = time + LONGEST + US
    plant.events.append(ev.DmaRequest(late, plant.memory.base + 0x100000, queue == 0, 0))
    found = plant.replay()
    assert kinds(found) == ["access to stopped ring"] and "a buffer" in found[0].text


def test_write_before_any_queue_runs_is_found(plant):
    plant.events.insert(0, ev.DmaWrite(0, plant.memory.base, b"x", 0, 0))
    found = plant.replay()
    assert kinds(found) == ["write outside buffers"]


def event_writes(plant, queue, flags: int) -> list[int]:
    return [
        i
        for i, e in enumerate(plant.events)
        if isinstance(e, ev.DmaWrite) and e.address == queue.device_event and e.data[2] == flags
    ]


@pytest.mark.parametrize("queue", ["rx", "tx"])
def test_asleep_with_notifications_disabled_is_found(plant, queue):
    at = event_writes(plant, getattr(plant, queue), 0)[-1]
    del plant.events[at]
    assert kinds(plant.replay()) == ["asleep with notifications disabled"]


def test_no_last_look_after_enable_is_found(plant):
    at = event_writes(plant, plant.tx, 0)[-1]
    plant.events = [
        e
        for i, e in enumerate(plant.events)
        if not (
            i > at and (plant.in_ring(plant.tx, e, ev.DmaRead) or plant.in_ring(plant.tx, e, ev.DmaRequest))
        )
    ]
    assert "no last look" in kinds(plant.replay())


def test_notification_ignored_is_found(plant):
    time = plant.events[-1].time + US
    plant.events.append(ev.MmioWrite(time, 0x50, 1, 4))
    assert kinds(plant.replay()) == ["notification ignored"]


def test_malformed_event_suppression_is_found(plant):
    at = event_writes(plant, plant.tx, 1)[2]
    plant.flip(at, 0)
    assert kinds(plant.replay()) == ["event suppression"]


def test_event_suppression_never_read_is_found(plant):
    used = plant.used(plant.tx, -1)
    plant.events = [
        e
        for i, e in enumerate(plant.events)
        if not (i > used and getattr(e, "address", 0) == plant.tx.driver_event)
    ]
    assert "lost interrupt" in kinds(plant.replay())


def test_needs_reset_without_reason_is_found(plant):
    time = plant.events[-1].time + US
    plant.events.append(ev.MmioRead(time, 0x70, 0x4F))
    found = plant.replay()
    assert kinds(found) == ["device status"] and "without a reason" in found[0].text


def test_bus_error_not_signalled_is_found_at_the_end(plant):
    time = plant.events[-1].time + US
    plant.events.append(ev.DmaRead(time, plant.tx.ring, bytes(16), 0, 2))
    found = plant.replay()
    assert kinds(found) == ["device status"] and "error response" in found[0].text
    plant.events.append(ev.Irq(time + CYCLE, True))
    assert plant.replay() == []
