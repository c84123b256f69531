"""The event queue: order, time, cancellation, and what a failing callback leaves behind."""

import os
import random

import pytest

from pymodel.scheduler import Scheduler


def test_events_added_out_of_order_run_by_time_and_ties_by_order_of_addition() -> None:
    seed = int(os.environ.get("FDWIRE_SEED", "1"))
    print(f"FDWIRE_SEED={seed}")
    rng = random.Random(seed)
    scheduler = Scheduler()
    ran: list[tuple[int, int]] = []
    added = [(rng.randrange(50), number) for number in range(500)]
    for when, number in added:
        scheduler.at(when, lambda when=when, number=number: ran.append((scheduler.now, number)))  # type: ignore[misc]
    scheduler.run_until(49)
    assert ran == sorted(added)


def test_run_until_runs_what_is_due_then_and_nothing_later() -> None:
    scheduler = Scheduler()
    ran: list[int] = []
    for when in (9, 10, 11):
        scheduler.at(when, lambda when=when: ran.append(when))  # type: ignore[misc]
    scheduler.run_until(10)
    assert ran == [9, 10] and scheduler.now == 10 and scheduler.next_deadline() == 11


def test_run_until_a_time_gone_by_keeps_now() -> None:
    scheduler = Scheduler()
    scheduler.run_until(100)
    scheduler.run_until(50)
    assert scheduler.now == 100


def test_event_asked_for_in_the_past_is_due_at_once_and_time_does_not_go_back() -> None:
    scheduler = Scheduler()
    scheduler.run_until(100)
    seen: list[int] = []
    timer = scheduler.at(40, lambda: seen.append(scheduler.now))
    assert timer.when == 100 == scheduler.next_deadline()
    scheduler.run_until(100)
    assert seen == [100]


def test_after_counts_from_the_time_of_the_callback_that_asks() -> None:
    scheduler = Scheduler()
    seen: list[int] = []
    scheduler.at(30, lambda: scheduler.after(5, lambda: seen.append(scheduler.now)))
    scheduler.run_until(1000)
    assert seen == [35] and scheduler.now == 1000


def test_call_soon_from_a_callback_runs_after_everything_already_due_now() -> None:
    scheduler = Scheduler()
    ran: list[str] = []
    scheduler.at(7, lambda: (ran.append("first"), scheduler.call_soon(lambda: ran.append("soon"))))
    scheduler.at(7, lambda: ran.append("second"))
    scheduler.at(8, lambda: ran.append("later"))
    scheduler.run_until(7)
    assert ran == ["first", "second", "soon"]


def test_cancelled_timer_does_not_run_and_is_no_deadline() -> None:
    scheduler = Scheduler()
    ran: list[str] = []
    timer = scheduler.at(5, lambda: ran.append("cancelled"))
    scheduler.at(9, lambda: ran.append("kept"))
    assert timer.pending
    timer.cancel()
    timer.cancel()
    assert not timer.pending and scheduler.next_deadline() == 9
    scheduler.run_until(20)
    assert ran == ["kept"] and scheduler.next_deadline() is None


def test_timer_cancelled_by_an_earlier_event_of_the_same_time_does_not_run() -> None:
    scheduler = Scheduler()
    ran: list[str] = []
    scheduler.at(5, lambda: victim.cancel())
    victim = scheduler.at(5, lambda: ran.append("victim"))
    scheduler.run_until(5)
    assert ran == []


def test_timer_is_no_longer_pending_inside_its_own_callback() -> None:
    scheduler = Scheduler()
    pending: list[bool] = []
    timer = scheduler.at(5, lambda: pending.append(timer.pending))
    scheduler.run_until(5)
    assert pending == [False]


def test_failing_callback_propagates_counts_as_run_and_spares_the_others() -> None:
    scheduler = Scheduler()
    ran: list[int] = []
    scheduler.at(5, lambda: [][0])
    scheduler.at(5, lambda: ran.append(scheduler.now))
    with pytest.raises(IndexError):
        scheduler.run_until(10)
    assert ran == [] and scheduler.now == 5
    scheduler.run_until(10)
    assert ran == [5] and scheduler.now == 10


def test_step_goes_to_the_next_event_only_and_says_when_there_is_none() -> None:
    scheduler = Scheduler()
    ran: list[int] = []
    for when in (3, 3, 8):
        scheduler.at(when, lambda when=when: ran.append(when))  # type: ignore[misc]
    assert scheduler.step() and ran == [3, 3] and scheduler.now == 3
    assert scheduler.step() and ran == [3, 3, 8] and scheduler.now == 8
    assert not scheduler.step() and scheduler.now == 8


def test_run_stops_when_asked_for_runs_out_or_lies_beyond_the_limit() -> None:
    scheduler = Scheduler()
    ran: list[int] = []
    for when in (3, 3, 8, 20):
        scheduler.at(when, lambda when=when: ran.append(when))  # type: ignore[misc]
    scheduler.at(1, lambda: ran.append(1)).cancel()
    assert scheduler.run(lambda: 3 in ran, 100) and ran == [3, 3] and scheduler.now == 3
    assert not scheduler.run(lambda: False, 10) and ran == [3, 3, 8] and scheduler.now == 8
    assert not scheduler.run(lambda: False, 20) and ran == [3, 3, 8, 20]
    assert scheduler.run(lambda: True, 20) and not scheduler.run(lambda: False, 1000)
