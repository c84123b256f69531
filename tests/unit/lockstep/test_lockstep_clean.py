"""A faultless NIC, whatever it goes through: the checkers must have nothing to say."""

import pytest
from recorder import replay

from pymodel.simtime import US
from tb.lockstep import events as ev


def assert_clean(run, **parameters):
    checker = replay(run.events, run.bench.memory, **parameters)
    assert [str(m) for m in checker.mismatches] == []
    return checker


@pytest.mark.parametrize(("rx_size", "tx_size"), [(16, 16), (5, 7), (4, 1), (64, 100)])
def test_random_traffic_no_mismatch_and_everything_compared(make_run, seeded, rx_size, tx_size):
    run = make_run(seeded, rx_size, tx_size)
    run.traffic(120)
    run.drain()
    counts = assert_clean(run).tally.counts
    counters = run.bench.nic.counters
    assert counts["frames"] == counters.tx_frames > 10
    assert counts["frame bytes"] == counters.tx_bytes
    assert counts["receive status"] == 120
    assert counts["used entries"] == counters.tx_frames + counters.tx_oversize + counters.rx_frames
    # Header instead of FCS, less what truncated frames lost.
    assert counts["payload bytes"] <= counters.rx_bytes + 8 * counters.rx_frames
    assert counts["payload bytes"] > 0.9 * counters.rx_bytes
    assert counts["counters"] >= 32
    assert counts["interrupts"] > 10
    assert counts["ring rules"] > counts["used entries"]


def test_truncated_and_oversize_frames_no_mismatch(make_run, seeded):
    run = make_run(seeded, 8, 8)
    run.fill = lambda: [
        run.bench.driver.post_rx((50, 60), i)
        for i in range(8)
        if i not in run.bench.driver.rx.counts and sum(run.bench.driver.rx.counts.values()) <= 6
    ]
    run.traffic(60)
    for _ in range(20):
        run.send(1600)
        run.bench.run(3 * US)
        run.bench.driver.tx.poll()
    run.drain()
    assert_clean(run)
    assert run.bench.nic.counters.rx_truncated > 10
    assert run.bench.nic.counters.tx_oversize > 10


def test_overflowing_fifo_no_mismatch(make_run, seeded):
    run = make_run(seeded, 4, 4, rx_fifo_bytes=4096)
    fill, run.fill = run.fill, lambda: None
    for _ in range(30):
        run.bench.receive(bytes(1000))
    run.bench.run(40 * US)
    run.fill = fill
    run.drain()
    assert_clean(run)
    assert run.bench.nic.counters.rx_overflow > 5


def test_device_reset_in_the_middle_of_traffic_no_mismatch(make_run, seeded):
    run = make_run(seeded, 16, 16)
    for _ in range(8):
        run.traffic(seeded.randrange(10))
        run.bench.driver.bring_up()
        run.fill()
    run.traffic(10)
    run.drain()
    assert_clean(run)


@pytest.mark.parametrize("status", [5, 7])
def test_regression_frame_decided_on_in_the_cycle_of_a_reset_no_mismatch(make_run, seeded, status):
    """Stored or disabled: the NIC alone knows which came first."""
    run = make_run(seeded)
    run.drain()
    run.bench.receive(bytes(100))
    run.bench.run(US)
    events = run.events
    decision = next(i for i, e in enumerate(events) if isinstance(e, ev.RxDecision))
    time = events[decision].time
    events[decision:] = [ev.MmioWrite(time, 0x70, 0, 4), ev.RxDecision(time, status), ev.Irq(time, False)]
    assert_clean(run)


def test_hardware_reset_in_the_middle_of_traffic_no_mismatch(make_run, seeded):
    run = make_run(seeded, 16, 16)
    for _ in range(4):
        run.traffic(seeded.randrange(10))
        run.bench.run(20 * US)
        run.bench.nic.reset()
        run.bench.driver.bring_up()
        run.fill()
    run.traffic(10)
    run.drain()
    assert_clean(run)


@pytest.mark.parametrize("queue", [0, 1])
def test_queue_stopped_and_started_in_the_middle_of_traffic_no_mismatch(make_run, seeded, queue):
    run = make_run(seeded, 16, 16)
    driver, nic = run.bench.driver, run.bench.nic
    for _ in range(6):
        run.traffic(seeded.randrange(10))
        nic.write(0x30, queue)
        nic.write(0x44, 0)
        run.bench.run(seeded.randrange(10 * US))
        while driver.read(0x44):
            pass
        run.bench.run(5 * US)
        stopped = driver.tx if queue else driver.rx
        stopped.restart()
        driver.set_up_queue(stopped)
        run.fill()
    run.traffic(10)
    run.drain()
    assert_clean(run)


@pytest.mark.parametrize("fault", ["length", "indirect", "short", "address"])
def test_driver_error_device_needs_reset_no_mismatch(make_run, seeded, fault):
    run = make_run(seeded, 16, 16)
    run.traffic(10)
    run.bench.run(20 * US)
    driver = run.bench.driver
    driver.tx.poll()
    match fault:
        case "length":
            driver.tx.post([(driver.buffer(bytes(60)), 0)], 0)
        case "indirect":
            driver.tx.post([(driver.buffer(bytes(60)), 60)], 0, extra_flags=(4,))
        case "short":
            driver.tx.post([(driver.buffer(bytes(25)), 25)], 0)
        case "address":
            driver.tx.post([(0x10, 100)], 0)
    run.bench.run(20 * US)
    assert driver.read(0x70) & 0x40
    assert driver.read(0x60) & 2
    run.bench.receive(bytes(60))
    run.bench.run(10 * US)
    driver.bring_up()
    run.fill()
    run.traffic(10)
    run.drain()
    assert_clean(run)


def test_register_reads_of_every_word_no_mismatch(make_run, seeded):
    run = make_run(seeded)
    for offset in [*range(0, 0x110, 4), *range(0x1000, 0x1010, 4)]:
        run.bench.driver.read(offset)
    assert_clean(run)


def test_link_pulled_and_plugged_no_mismatch(make_run, seeded):
    run = make_run(seeded)
    run.drain()
    bench = run.bench
    for up in (False, True):
        run.events.append(ev.Link(bench.scheduler.now, up))
        bench.nic.set_link(up)
        bench.run(US)
        assert bench.driver.read(0x60) & 2
        bench.driver.read(0x104)
        bench.driver.read(0xFC)
        bench.nic.write(0x64, 3)
        bench.run(US)
    assert_clean(run)


def test_decision_before_its_frame_is_reported_no_mismatch(make_run, seeded):
    run = make_run(seeded)
    run.traffic(10)
    run.drain()
    events = run.events
    for i, event in enumerate(events):
        if isinstance(event, ev.WireIn):
            assert isinstance(events[i + 1], ev.RxDecision)
            events[i], events[i + 1] = events[i + 1], events[i]
            break
    assert_clean(run)


@pytest.mark.parametrize("error_first", [True, False])
def test_regression_error_while_event_suppression_is_read_used_interrupt_may_be_missing(
    make_run, seeded, error_first
):
    run = make_run(seeded)
    run.drain()
    run.send(60)
    run.bench.run(10 * US)
    events, driver = run.events, run.bench.driver
    read = max(
        i for i, e in enumerate(events) if isinstance(e, ev.DmaRead) and e.address == driver.tx.driver_event
    )
    time = events[read].time
    error = ev.DmaRead(time, 0x10, bytes(16), 0, 3)
    pair = [error, events[read]] if error_first else [events[read], error]
    events[read:] = [
        *pair,
        ev.Irq(time, True),
        ev.MmioRead(time + US, 0x60, 2),
        ev.MmioRead(time + US, 0x70, 79),
    ]
    assert_clean(run)


@pytest.mark.parametrize("counted", [0, 1])
def test_reset_after_an_oversize_chain_was_read_it_may_be_counted_or_not(make_run, seeded, counted):
    run = make_run(seeded)
    run.drain()
    run.send(1519)
    run.bench.run(10 * US)
    events, ring = run.events, run.bench.driver.tx.ring
    used = max(i for i, e in enumerate(events) if isinstance(e, ev.DmaWrite) and e.address == ring)
    time = events[used].time
    events[used:] = [
        ev.MmioWrite(time, 0x70, 0, 4),
        ev.MmioRead(time + 10 * US, 0x70, 0),
        ev.MmioRead(time + 20 * US, 0x1190, counted),
    ]
    assert_clean(run)


def test_queue_stopped_while_its_event_suppression_is_read_interrupt_may_come(make_run, seeded):
    run = make_run(seeded)
    run.drain()
    run.send(60)
    run.bench.run(10 * US)
    events, driver = run.events, run.bench.driver
    read = max(
        i for i, e in enumerate(events) if isinstance(e, ev.DmaRead) and e.address == driver.tx.driver_event
    )
    time = events[read].time
    stop = [ev.MmioWrite(time, 0x30, 1, 4), ev.MmioWrite(time, 0x44, 0, 4)]
    events[read:] = [*stop, events[read], ev.Irq(time, True)]
    assert_clean(run)
