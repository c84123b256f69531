"""How simulated time follows the wall's: `tb.links.pace`."""

import os
import time
from collections.abc import Callable

from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, SEC
from tb.links.pace import LAG, PATIENCE, STEP, Coupling, Pace


def test_idle_time_passes_as_the_walls() -> None:
    pace = Pace(0, 1_000)
    assert pace.limit(1_000 + 40_000_000) == 40 * MS


def test_time_lost_by_work_is_made_up_only_as_far_as_the_lag() -> None:
    pace = Pace(0, 0)
    pace.settle(3 * MS, 10**9)  # a second of work was three simulated milliseconds
    assert pace.limit(10**9) == 3 * MS + LAG
    assert pace.limit(10**9 + 5_000_000) == 3 * MS + LAG + 5 * MS


def test_small_lag_is_kept() -> None:
    pace = Pace(0, 0)
    pace.settle(3 * MS, 3_500_000)
    assert pace.limit(3_500_000) == 3_500_000_000


class Port:
    """A TAP of which the test says when something waits; `clock` stands for the wall's."""

    def __init__(self, take: Callable[[], None] = lambda: None) -> None:
        self.sending = False
        self.polls = 0
        self._take = take

    def poll(self) -> None:
        self.polls += 1
        self._take()


class Wall:
    """A clock that the test moves, and that moves by itself by `step` ns at each look."""

    def __init__(self) -> None:
        self.now = 0
        self.step = 0

    def __call__(self) -> int:
        self.now += self.step
        return self.now


def quiet() -> bool:
    return True


def busy() -> bool:
    return False


def coupling(scheduler: Scheduler, port: Port, wall: Wall) -> tuple[Coupling, int, int]:
    read, write = os.pipe()
    return Coupling(scheduler, port, read, {}, wall), read, write


def test_deadline_that_is_due_by_the_wall_is_next() -> None:
    scheduler, port, wall = Scheduler(), Port(), Wall()
    link, *_ = coupling(scheduler, port, wall)
    wall.now = 500_000
    scheduler.at(MS // 4, lambda: None)
    assert link.next(quiet) == MS // 4
    assert port.polls == 1


def test_far_deadline_is_not_reached_before_the_wall_is_there() -> None:
    scheduler, port, wall = Scheduler(), Port(), Wall()
    link, *_ = coupling(scheduler, port, wall)
    scheduler.at(SEC, lambda: None)
    wall.step = 1_000_000
    assert 0 < link.next(quiet) < 20 * MS, "time may pass as the wall's did, and no faster"


def test_frame_that_waits_ends_the_wait() -> None:
    scheduler, port = Scheduler(), Port()
    wall = Wall()
    link, _, write = coupling(scheduler, port, wall)
    os.write(write, b"frame")
    wall.step = 1_000
    reached = link.next(quiet)  # would take PATIENCE without
    assert reached < PATIENCE * SEC
    assert reached >= 0


def test_busy_nic_is_left_alone_for_a_step_only() -> None:
    scheduler, port, wall = Scheduler(), Port(), Wall()
    link, *_ = coupling(scheduler, port, wall)
    assert link.next(busy) == STEP
    scheduler.at(STEP // 2, lambda: None)
    assert link.next(busy) == STEP // 2


def test_watched_descriptor_is_seen_while_the_nic_is_busy() -> None:
    scheduler, port, wall = Scheduler(), Port(), Wall()
    link, *_ = coupling(scheduler, port, wall)
    read, write = os.pipe()
    heard: list[bytes] = []
    link.watched[read] = lambda: heard.append(os.read(read, 1))
    os.write(write, b"!")
    wall.now = 10**9
    link.next(busy)
    assert heard == [b"!"]


def test_regression_who_ends_a_wait_is_heard_when_the_time_waited_has_passed() -> None:
    """It was heard at the time when the wait began, and what it ordered was done when that was long over."""
    scheduler, port, wall = Scheduler(), Port(), Wall()
    link, *_ = coupling(scheduler, port, wall)
    read, write = os.pipe()
    heard: list[int] = []
    link.watched[read] = lambda: heard.append(scheduler.now + len(os.read(read, 1)) - 1)
    os.write(write, b"!")
    wall.step = 6_000_000
    reached = link.next(quiet)
    assert reached >= 6 * MS and not heard
    scheduler.run_until(reached)
    link.next(quiet)
    assert heard == [reached]


def test_regression_what_is_ordered_before_a_wait_is_not_waited_for() -> None:
    """The NIC was asked whether it moves before it was told to."""
    moving = []
    scheduler, port, wall = Scheduler(), Port(lambda: moving.append(True)), Wall()
    link, *_ = coupling(scheduler, port, wall)
    before = time.monotonic()
    assert link.next(lambda: not moving) == STEP
    assert time.monotonic() - before < PATIENCE
