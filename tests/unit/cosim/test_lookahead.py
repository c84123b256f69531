"""The queue with a far end: the same events at the same times, fewer interruptions."""

import os
import random

from pymodel.scheduler import Scheduler
from tb.cosim.lookahead import Lookahead

Log = list[tuple[int, int]]


def _drive(scheduler: Scheduler, far: Scheduler, seed: int) -> Log:
    """Random events that add others and cancel some, near and far; (time, number) of each as it ran. No two
    are due at one time: of those near ones come first, which one queue does not know."""
    rng = random.Random(seed)
    log: Log = []
    timers = []
    taken: set[int] = set()

    def event(number: int) -> None:
        assert scheduler.now == far.now
        log.append((scheduler.now, number))
        if len(log) < 400:
            for _ in range(rng.choice((0, 1, 2))):
                add(scheduler.now + rng.randrange(1, 1000))
            if rng.random() < 0.2:
                timers[rng.randrange(len(timers))].cancel()

    def add(when: int) -> None:
        while when in taken:
            when += 1
        taken.add(when)
        number = len(timers)
        timers.append((far if rng.random() < 0.7 else scheduler).at(when, lambda: event(number)))

    for _ in range(20):
        add(rng.randrange(1000))
    while (due := scheduler.next_deadline()) is not None:
        scheduler.run_until(due)
    return log


def test_events_of_both_ends_run_in_order_as_in_one_queue() -> None:
    seed = int(os.environ.get("FDWIRE_SEED", "1"))
    print(f"FDWIRE_SEED={seed}")
    for number in range(20):
        plain = Scheduler()
        both = Lookahead()
        both.lookahead = lambda: 300
        assert _drive(both, both.far, seed + number) == _drive(plain, plain, seed + number)


def test_a_far_event_wakes_no_earlier_than_it_must_and_a_near_one_at_its_time() -> None:
    scheduler = Lookahead()
    scheduler.lookahead = lambda: 100
    ran: list[int] = []
    for when in (10, 40, 90):
        scheduler.far.at(when, lambda when=when: ran.append(when))  # type: ignore[misc]
    assert scheduler.next_deadline() == 110 and scheduler.pending == 3
    near = scheduler.at(60, lambda: ran.append(60))
    assert scheduler.next_deadline() == 60
    near.cancel()
    assert scheduler.next_deadline() == 110
    scheduler.run_until(110)
    assert ran == [10, 40, 90] and scheduler.now == scheduler.far.now == 110
    assert scheduler.next_deadline() is None


def test_of_two_due_at_one_time_the_near_one_is_first_whenever_added() -> None:
    scheduler = Lookahead()
    ran: list[str] = []
    scheduler.far.at(5, lambda: ran.append("far"))
    scheduler.at(5, lambda: ran.append("near"))
    scheduler.run_until(5)
    assert ran == ["near", "far"]


def test_run_stops_at_the_limit_when_done_or_when_nothing_is_left() -> None:
    scheduler = Lookahead()
    ran: list[int] = []
    scheduler.far.at(10, lambda: ran.append(10))
    scheduler.at(20, lambda: ran.append(20))
    scheduler.at(30, lambda: ran.append(30))
    assert scheduler.run(lambda: len(ran) == 1, 100) and ran == [10]
    assert not scheduler.run(lambda: False, 25) and ran == [10, 20] and scheduler.now == 20
    assert not scheduler.run(lambda: False, 100) and ran == [10, 20, 30]
