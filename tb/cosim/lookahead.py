"""The event queue of a bench whose far end lies behind a cable: conservative lookahead (Chandy and Misra).

What happens at the far end at time t reaches the RTL at t plus the cable's delay, not before; what does not
send a frame at once, later by the time that it takes the far NIC to read one from memory. Its events
therefore need not wake Python each at its own time: the simulator runs on, and they are caught up with, in
order and each at its time, before the first of them could matter.
"""

from collections.abc import Callable
from heapq import heappop

from pymodel.scheduler import Scheduler


class Lookahead(Scheduler):
    """The near end's queue; `far` is that of the far end: its NIC, and the frames on their way to it.

    All events run in order of their times, near ones first, and `now` is the same in both. `lookahead`: ps
    by which the far end's may be late for the simulator, 0 unless somebody knows better. A program of the
    far host that reaches over to the RTL itself, as only a test can, is late by so much, and so is who waits
    for the far host from outside (`RtlBench.run`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.far = Scheduler()
        self.lookahead: Callable[[], int] = lambda: 0

    @property
    def pending(self) -> int:
        """Events in both queues, those that were cancelled included until their time has come."""
        return len(self._heap) + self.far.pending

    def next_deadline(self) -> int | None:
        """The latest time up to which the simulator may run alone, or None when nothing is pending."""
        near, far = super().next_deadline(), self.far.next_deadline()
        if far is None:
            return near
        far += self.lookahead()
        return far if near is None or far < near else near

    def run_until(self, when: int) -> None:
        """As `Scheduler.run_until`, both queues together."""
        far = self.far
        near_heap, far_heap = self._heap, far._heap
        while True:
            heap = near_heap
            if far_heap and (not near_heap or far_heap[0][0] < near_heap[0][0]):
                heap = far_heap
            if not heap or heap[0][0] > when:
                break
            due, _, timer = heappop(heap)
            callback = timer.callback
            if callback is None:
                continue
            timer.callback = None
            if due > self.now:
                self.now = far.now = due
            callback()
        if when > self.now:
            self.now = far.now = when

    def run(self, done: Callable[[], bool], limit: int) -> bool:
        """As `Scheduler.run`, asked after every stretch up to `next_deadline`."""
        while not done():
            due = self.next_deadline()
            if due is None or due > limit:
                return False
            self.run_until(due)
        return True
