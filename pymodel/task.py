"""Programs in simulated time: wait queues, and tasks that drive generators and coroutines.

A blocking operation is a generator (or coroutine) that yields `Wait` objects and is resumed with
True (woken) or False (the deadline passed). The same generator runs under three front ends: a
`Task` here, a blocking program in a thread (`pymodel.socket`), or another generator (`yield from`).
"""

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from pymodel.scheduler import Scheduler, Timer

T = TypeVar("T")


class WaitQueue:
    """Those who wait for one condition. Waking is by callback, in the order of arrival."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[Callable[[], None], None] = {}

    def add(self, waiter: Callable[[], None]) -> None:
        """Call `waiter` at the next wake; it stays until it is removed."""
        self._waiters[waiter] = None

    def remove(self, waiter: Callable[[], None]) -> None:
        """Forget `waiter`; nothing happens if it is not there."""
        self._waiters.pop(waiter, None)

    def wake(self) -> None:
        """Tell every waiter. A waiter checks its condition again: spurious wakes are legal."""
        for waiter in list(self._waiters):
            waiter()


class Wait:
    """What a blocked program yields: wake me when one of `queues` is woken, or at `deadline` (ps)."""

    __slots__ = ("deadline", "queues")

    def __init__(self, *queues: WaitQueue, deadline: int | None = None) -> None:
        self.queues = queues
        self.deadline = deadline

    def __await__(self) -> Generator["Wait", bool, bool]:
        return (yield self)


Blocking = Generator[Wait, bool, T]
"""A blocking operation: yields `Wait`, is sent True (woken) or False (deadline), returns T."""


@types.coroutine
def blocking(operation: Blocking[T]) -> Blocking[T]:
    """`operation`, such as a system call of a kernel, to be awaited."""
    return (yield from operation)


@types.coroutine
def wait(*queues: WaitQueue, deadline: int | None = None) -> Blocking[bool]:
    """Block on `queues` until woken (True) or until `deadline` ps (False). `yield from` or `await` it."""
    return (yield Wait(*queues, deadline=deadline))


@types.coroutine
def sleep_until(when: int) -> Blocking[None]:
    """Block until the simulated time `when` (ps)."""
    yield Wait(deadline=when)


class Sleeper:
    """Registers one `Wait` and calls `resume(woken)` exactly once, through the scheduler.

    Every front end that blocks a program uses this, so the order of wake-ups is the same in all.
    """

    __slots__ = ("_cancelled", "_done", "_resume", "_scheduler", "_timer", "_wait")

    def __init__(self, scheduler: Scheduler, wait: Wait, resume: Callable[[bool], None]) -> None:
        self._scheduler = scheduler
        self._wait = wait
        self._resume = resume
        self._done = self._cancelled = False
        self._timer: Timer | None = None
        for queue in wait.queues:
            queue.add(self._woken)
        if wait.deadline is not None:
            self._timer = scheduler.at(wait.deadline, self._expired)

    def _finish(self, woken: bool) -> None:
        if self._done:
            return
        self._done = True
        if self._timer is not None:
            self._timer.cancel()
        for queue in self._wait.queues:
            queue.remove(self._woken)
        self._scheduler.call_soon(lambda: self._report(woken))

    def _report(self, woken: bool) -> None:
        if not self._cancelled:
            self._resume(woken)

    def _woken(self) -> None:
        self._finish(True)

    def _expired(self) -> None:
        self._finish(False)

    def cancel(self) -> None:
        """Forget the wait: `resume` will not be called, even if the wake-up is on its way already."""
        self._cancelled = True
        if not self._done:
            self._done = True
            if self._timer is not None:
                self._timer.cancel()
            for queue in self._wait.queues:
                queue.remove(self._woken)


class Task(Generic[T]):
    """A coroutine or blocking generator run on the scheduler, from the next event on.

    `done`, then `result()` (which raises what the program raised). `finished` is woken at the end, so
    another program can wait for this one.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        program: Coroutine[Any, Any, T] | Generator[Any, Any, T],
        name: str = "task",
    ) -> None:
        self.name = name
        self.done = False
        self.finished = WaitQueue()
        self._scheduler = scheduler
        self._program = program
        self._sleeper: Sleeper | None = None
        self._value: T | None = None
        self._error: BaseException | None = None
        scheduler.call_soon(lambda: self._step(None))

    def _step(self, value: bool | None) -> None:
        if self.done:
            return
        self._sleeper = None
        try:
            wait = self._program.send(value)
        except StopIteration as stop:
            self._end(stop.value, None)
        except BaseException as error:
            self._end(None, error)
        else:
            if not isinstance(wait, Wait):
                self._close(TypeError(f"{self.name} awaited {wait!r}; only simulated waits can block it"))
                return
            self._sleeper = Sleeper(self._scheduler, wait, self._step)

    def _end(self, value: T | None, error: BaseException | None) -> None:
        self.done = True
        self._value = value
        self._error = error
        self.finished.wake()

    def _close(self, error: BaseException) -> None:
        try:
            self._program.close()
        except BaseException as raised:
            error = raised
        self._end(None, error)

    def cancel(self) -> None:
        """End the program where it is blocked; `result` raises RuntimeError from then on.

        Its `finally` clauses run, but cannot block; what they raise is the task's result instead.
        """
        if self.done:
            return
        if self._sleeper is not None:
            self._sleeper.cancel()
        self._close(RuntimeError(f"{self.name} was cancelled"))

    def result(self) -> T:
        """What the program returned; raises what it raised, or RuntimeError while it still runs."""
        if not self.done:
            raise RuntimeError(f"{self.name} has not finished")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    @types.coroutine
    def join(self) -> Blocking[T]:
        """Block until the task has finished; its result, or what it raised."""
        while not self.done:
            yield Wait(self.finished)
        return self.result()
