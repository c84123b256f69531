"""Which of a host's threads runs next."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymodel.scheduler import Scheduler


class RunQueue:
    """Threads run as soon as they are woken, unless one of them goes first: then the others wait for it.

    Linux hands a packet over the loopback interface up and wakes who waits for it before the sender's call
    returns, but the sender keeps its processor: whoever was woken runs later.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._first: Any = None
        self._waiting: deque[Callable[[], None]] = deque()

    @contextmanager
    def first(self, thread: Any) -> Iterator[None]:
        """Within: `thread` goes on before any other. One that is inside already keeps its right."""
        if self._first is not None:
            yield
            return
        self._first = thread
        try:
            yield
        finally:
            self._first = None
            # Soon, not now: the one that went first still runs. It may go first again, but not for ever
            # before those who have waited once.
            while self._waiting:
                self._scheduler.call_soon(self._waiting.popleft())

    def run(self, thread: Any, go_on: Callable[[], None]) -> None:
        """`thread` was woken: `go_on()` now, or behind the one that goes first."""
        if self._first is None or self._first is thread:
            go_on()
        else:
            self._waiting.append(go_on)
