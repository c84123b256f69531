"""The event queue: the one simulated clock that host, links and golden NIC share.

With the golden NIC alone it runs freely; with RTL the co-simulation loop calls `Scheduler.run_until`
with the simulator's time and sleeps until `Scheduler.next_deadline`.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from mypy_extensions import mypyc_attr


class Timer:
    """A callback due at a time. `cancel` is idempotent and cheap."""

    __slots__ = ("callback", "when")

    def __init__(self, when: int, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    @property
    def pending(self) -> bool:
        """True until the callback has run or was cancelled."""
        return self.callback is not None

    def cancel(self) -> None:
        """Forget the callback; nothing happens if it already ran."""
        self.callback = None


@mypyc_attr(allow_interpreted_subclasses=True)
class Scheduler:
    """A deterministic event queue: events of the same time run in the order they were added.

    Times are absolute integer picoseconds. `now` never goes back.
    """

    def __init__(self) -> None:
        self.now = 0
        self._heap: list[tuple[int, int, Timer]] = []
        self._seq = 0

    def at(self, when: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` at `when` (ps); a time in the past means as soon as possible."""
        if when < self.now:
            when = self.now
        timer = Timer(when, callback)
        heappush(self._heap, (when, self._seq, timer))
        self._seq += 1
        return timer

    def after(self, delay: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` in `delay` ps."""
        return self.at(self.now + delay, callback)

    def call_soon(self, callback: Callable[[], None]) -> Timer:
        """Call `callback` at the present time, after everything already due now."""
        return self.at(self.now, callback)

    @property
    def pending(self) -> int:
        """Events in the queue, those that were cancelled included until their time has come."""
        return len(self._heap)

    def next_deadline(self) -> int | None:
        """Time of the earliest pending event, or None when nothing is pending."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def run_until(self, when: int) -> None:
        """Run every event due at or before `when`, then set `now` to `when`.

        An exception of a callback propagates; the event counts as run.
        """
        heap = self._heap
        while heap and heap[0][0] <= when:
            due, _, timer = heappop(heap)
            callback = timer.callback
            if callback is None:
                continue
            timer.callback = None
            if due > self.now:
                self.now = due
            callback()
        if when > self.now:
            self.now = when

    def run(self, done: Callable[[], bool], limit: int) -> bool:
        """Run until `done()`, which is asked whenever everything due at one time has run.

        False when nothing is pending any more, or only after `limit` (ps).
        """
        heap = self._heap
        while not done():
            if not heap:
                return False
            when, _, timer = heap[0]
            if timer.callback is None:
                heappop(heap)
                continue
            if when > limit:
                return False
            self.now = due = when
            while due == when:
                heappop(heap)
                callback = timer.callback
                if callback is not None:
                    timer.callback = None
                    callback()
                if not heap:
                    break
                due, _, timer = heap[0]
        return True

    def step(self) -> bool:
        """Advance to the next event and run everything due then; False when nothing is pending."""
        deadline = self.next_deadline()
        if deadline is None:
            return False
        self.run_until(deadline)
        return True
