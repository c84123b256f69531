"""Wait queues, sleepers and tasks: who is woken, when, in which order, and with what."""

from collections.abc import Generator

import pytest

from pymodel.scheduler import Scheduler
from pymodel.task import Blocking, Sleeper, Task, Wait, WaitQueue, sleep_until, wait


def run(scheduler: Scheduler) -> None:
    while scheduler.step():
        pass


def test_queue_wakes_each_waiter_once_in_order_of_arrival() -> None:
    queue = WaitQueue()
    woken: list[str] = []
    waiters = {name: (lambda name=name: woken.append(name)) for name in ("first", "second", "third")}
    for waiter in waiters.values():
        queue.add(waiter)
    queue.add(waiters["first"])
    queue.remove(waiters["second"])
    queue.remove(waiters["second"])
    queue.wake()
    assert woken == ["first", "third"]
    queue.wake()
    assert woken == ["first", "third"] * 2  # a waiter stays until it is removed


def test_waiter_that_leaves_and_one_that_joins_during_a_wake_do_not_upset_it() -> None:
    queue = WaitQueue()
    woken: list[str] = []

    def leaving() -> None:
        woken.append("leaving")
        queue.remove(leaving)
        queue.add(joining)

    def joining() -> None:
        woken.append("joining")

    queue.add(leaving)
    queue.wake()
    assert woken == ["leaving"]
    queue.wake()
    assert woken == ["leaving", "joining"]


@pytest.mark.parametrize(
    ("wake_at", "woken", "ended"), [(40, True, 40), (None, False, 100), (100, True, 100)]
)
def test_wait_ends_by_the_wake_or_by_the_deadline_whichever_is_first(
    wake_at: int | None, woken: bool, ended: int
) -> None:
    scheduler = Scheduler()
    queue = WaitQueue()

    def program() -> Blocking[tuple[bool, int]]:
        result = yield from wait(queue, deadline=100)
        return result, scheduler.now

    if wake_at is not None:
        scheduler.at(wake_at, queue.wake)
    task = Task(scheduler, program())
    run(scheduler)
    assert task.result() == (woken, ended)


def test_wait_on_two_queues_ends_with_either_and_leaves_both() -> None:
    scheduler = Scheduler()
    one, two = WaitQueue(), WaitQueue()
    resumed: list[bool] = []
    Sleeper(scheduler, Wait(one, two, deadline=9), resumed.append)
    two.wake()
    one.wake()
    assert resumed == []  # through the scheduler, never from within the wake
    run(scheduler)
    assert resumed == [True] and scheduler.now == 0  # once, and the deadline is forgotten
    one.wake()
    run(scheduler)
    assert resumed == [True]


def test_sleeper_woken_twice_within_one_wake_resumes_once() -> None:
    scheduler = Scheduler()
    one, two = WaitQueue(), WaitQueue()
    resumed: list[bool] = []
    one.add(two.wake)
    Sleeper(scheduler, Wait(one, two), resumed.append)
    one.wake()
    run(scheduler)
    assert resumed == [True]


def test_cancelled_sleeper_never_resumes() -> None:
    scheduler = Scheduler()
    queue = WaitQueue()
    resumed: list[bool] = []
    sleeper = Sleeper(scheduler, Wait(queue, deadline=5), resumed.append)
    sleeper.cancel()
    queue.wake()
    run(scheduler)
    assert resumed == [] and scheduler.now == 0


def test_regression_sleeper_cancelled_between_its_wake_and_its_resumption_never_resumes() -> None:
    scheduler = Scheduler()
    queue = WaitQueue()
    resumed: list[bool] = []
    sleeper = Sleeper(scheduler, Wait(queue), resumed.append)
    queue.wake()
    sleeper.cancel()
    run(scheduler)
    assert resumed == []


def test_tasks_woken_together_go_on_in_the_order_in_which_they_blocked() -> None:
    scheduler = Scheduler()
    queue = WaitQueue()
    order: list[int] = []

    def program(number: int) -> Blocking[None]:
        yield from wait(queue)
        order.append(number)

    for number in (2, 0, 1):
        Task(scheduler, program(number))
    run(scheduler)
    queue.wake()
    assert order == []
    run(scheduler)
    assert order == [2, 0, 1]


def test_coroutine_and_generator_sleep_until_their_times() -> None:
    scheduler = Scheduler()

    async def coroutine() -> int:
        await sleep_until(70)
        return scheduler.now

    def generator() -> Blocking[int]:
        yield from sleep_until(30)
        return scheduler.now

    first, second = Task(scheduler, coroutine()), Task(scheduler, generator())
    run(scheduler)
    assert (first.result(), second.result()) == (70, 30)


def test_task_begins_with_the_next_event_not_within_its_constructor() -> None:
    scheduler = Scheduler()
    begun: list[bool] = []

    async def program() -> None:
        begun.append(True)

    task = Task(scheduler, program(), "lazy")
    assert not begun and not task.done
    with pytest.raises(RuntimeError, match="lazy has not finished"):
        task.result()
    run(scheduler)
    assert begun and task.done and task.result() is None


def test_what_a_program_raises_is_raised_by_result_and_by_join() -> None:
    scheduler = Scheduler()

    async def failing() -> None:
        await sleep_until(5)
        raise KeyError("lost")

    failed = Task(scheduler, failing())

    def joining() -> Blocking[str]:
        with pytest.raises(KeyError, match="lost"):
            yield from failed.join()
        return "caught"

    joined = Task(scheduler, joining())
    run(scheduler)
    assert joined.result() == "caught"
    with pytest.raises(KeyError, match="lost"):
        failed.result()


def test_join_of_a_finished_task_returns_at_once() -> None:
    scheduler = Scheduler()

    async def program() -> int:
        return 7

    task = Task(scheduler, program())
    run(scheduler)
    joined = Task(scheduler, task.join())
    run(scheduler)
    assert joined.result() == 7


def test_cancelled_task_runs_its_finally_clauses_wakes_its_joiner_and_never_goes_on() -> None:
    scheduler = Scheduler()
    queue = WaitQueue()
    steps: list[str] = []

    async def program() -> None:
        try:
            await wait(queue)
            steps.append("went on")
        finally:
            steps.append("cleaned up")

    task = Task(scheduler, program(), "victim")
    joiner = Task(scheduler, task.join())
    run(scheduler)
    task.cancel()
    task.cancel()
    queue.wake()
    run(scheduler)
    assert steps == ["cleaned up"]
    with pytest.raises(RuntimeError, match="victim was cancelled"):
        joiner.result()


def test_task_woken_and_then_cancelled_before_it_ran_does_not_go_on() -> None:
    scheduler = Scheduler()
    queue = WaitQueue()
    steps: list[str] = []

    async def program() -> None:
        await wait(queue)
        steps.append("went on")

    task = Task(scheduler, program())
    run(scheduler)
    queue.wake()
    task.cancel()
    run(scheduler)
    assert steps == []
    with pytest.raises(RuntimeError, match="was cancelled"):
        task.result()


@pytest.mark.parametrize("end", ["raises", "blocks again"])
def test_regression_task_whose_cleanup_fails_when_cancelled_ends_all_the_same(end: str) -> None:
    scheduler = Scheduler()
    queue = WaitQueue()

    async def program() -> None:
        try:
            await wait(queue)
        finally:
            if end == "raises":
                raise OSError("cleanup failed")
            await wait(queue)

    task = Task(scheduler, program())
    joiner = Task(scheduler, task.join())
    run(scheduler)
    task.cancel()
    run(scheduler)
    assert joiner.done
    with pytest.raises(OSError if end == "raises" else RuntimeError):
        joiner.result()


def test_program_that_awaits_something_else_is_a_type_error_naming_it() -> None:
    scheduler = Scheduler()
    closed: list[bool] = []

    def program() -> Generator[object, bool, None]:
        try:
            yield "not a wait"
        finally:
            closed.append(True)

    task = Task(scheduler, program(), "stray")
    run(scheduler)
    with pytest.raises(TypeError, match="stray awaited 'not a wait'"):
        task.result()
    assert closed == [True]
