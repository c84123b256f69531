"""A timer that is moved far more often than it fires."""

from collections.abc import Callable

from pymodel.scheduler import Scheduler, Timer


class LazyTimer:
    """Calls `callback` at `deadline` (ps; None: stopped).

    Moving the deadline later, or stopping, only notes it: the event that is already queued looks at the
    note when it runs. An ACK per segment would otherwise fill the event queue with cancelled events.
    """

    __slots__ = ("_callback", "_scheduler", "_timer", "deadline")

    def __init__(self, scheduler: Scheduler, callback: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._callback = callback
        self._timer: Timer | None = None
        self.deadline: int | None = None

    def set(self, when: int) -> None:
        """Fire at `when`, instead of whatever was set before."""
        self.deadline = when
        timer = self._timer
        if timer is None:
            self._timer = self._scheduler.at(when, self._expired)
        elif timer.when > when:
            timer.cancel()
            self._timer = self._scheduler.at(when, self._expired)

    def stop(self) -> None:
        """Do not fire."""
        self.deadline = None

    def cancel(self) -> None:
        """Do not fire, and leave nothing in the event queue: the owner goes away."""
        self.deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        self._timer = None
        deadline = self.deadline
        if deadline is None:
            return
        if deadline > self._scheduler.now:
            self._timer = self._scheduler.at(deadline, self._expired)
            return
        self.deadline = None
        self._callback()
