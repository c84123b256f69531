"""What a faultless NIC did in random runs and a checker once called wrong."""

import struct

import pytest
from recorder import replay

from pymodel.simtime import NS, US
from tb.lockstep import events as ev
from tb.lockstep.ring_protocol import QueueProtocol
from tb.lockstep.tally import Tally


def clean(run) -> None:
    assert [str(m) for m in replay(run.events, run.bench.memory).mismatches] == []


def test_regression_both_words_of_a_counter_read_between_decision_and_end_of_its_frame(make_run, seeded):
    """A code error is decided on, and counted, long before the frame's end is seen."""
    run = make_run(seeded)
    run.drain()
    run.bench.receive(bytes(1000), error=True)
    run.bench.run(5 * US)
    events = run.events
    decision, frame = events.pop(), events.pop()
    assert (decision.status, frame.frame.error) == (1, True)
    time = frame.time - 400 * NS
    events += [
        decision._replace(time=time),
        ev.MmioRead(time + 100 * NS, 0x1118, 1),
        ev.MmioRead(time + 200 * NS, 0x111C, 0),
        frame,
    ]
    clean(run)


@pytest.mark.parametrize("queue", [0, 1])
@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize("before", [-1 * US, 100 * NS])
def test_regression_notify_near_an_error_may_be_counted_or_not(make_run, seeded, queue, counted, before):
    run = make_run(seeded)
    run.drain()
    kicks = run.bench.driver.counter(0x11A0 if queue else 0x1150)
    time = run.bench.scheduler.now + 10 * US
    error = ev.DmaRead(time, 0x10, bytes(16), 0, 3)
    kick = ev.MmioWrite(time - before, 0x50, queue, 4)
    offset = 0x11A0 if queue else 0x1150
    run.events.extend(
        [
            *sorted([error, kick], key=lambda e: e.time),
            ev.MmioRead(time + 2 * US, offset, kicks + counted),
            ev.MmioRead(time + 2 * US, offset + 4, 0),
            ev.Irq(time + 2 * US, True),
            ev.MmioRead(time + 2 * US, 0x70, 79),
            ev.MmioRead(time + 9 * US, offset, kicks + counted),
        ]
    )
    clean(run)


def test_regression_config_change_of_the_link_while_an_error_is_held_back(make_run, seeded):
    """A bad descriptor is reported when the chains before it are used; the link may change before that."""
    run = make_run(seeded)
    run.drain()
    time = run.bench.scheduler.now + 10 * US
    run.events.extend(
        [
            ev.DmaRead(time, 0x10, bytes(16), 0, 3),
            ev.Link(time + US, False),
            ev.Irq(time + US, True),
            ev.MmioRead(time + 2 * US, 0x60, 2),
            ev.MmioRead(time + 2 * US, 0x70, 0x0F),
            ev.MmioWrite(time + 3 * US, 0x64, 2, 4),
            ev.Irq(time + 3 * US, False),
            ev.Irq(time + 4 * US, True),
            ev.MmioRead(time + 5 * US, 0x70, 0x4F),
        ]
    )
    clean(run)


@pytest.mark.parametrize(("held", "found"), [(56, ["notification ignored"]), (57, [])])
def test_regression_notification_while_the_store_of_descriptors_is_full_need_not_be_followed(held, found):
    """The NIC looks at the ring again when some of what it holds has been used."""
    tally = Tally()
    ring = QueueProtocol(
        tally, "rx", base=0, size=128, driver_event=0x1000, device_event=0x1004, receives=True
    )
    descriptors = b"".join(struct.pack("<QIHH", 0x10000 + 64 * i, 64, i, 1 << 7 | 2) for i in range(held))
    ring.ring_read(10, 0, descriptors + bytes(16))
    ring.kicked(20)
    ring.finish(30)
    assert [m.kind for m in tally.mismatches] == found
