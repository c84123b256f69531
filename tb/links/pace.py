"""Joins simulated time to the wall's, so that the timers of two TCPs, one in each, agree.

The kernel's timers run by the wall clock: retransmission after 200 ms or more, a delayed ACK after 40 ms.
Ours run in simulated time, which while frames move is hundreds of times slower. The rules:

* Simulated time never passes faster than the wall's: what the kernel is to answer within 200 ms of ours it
  has 200 real ones for.
* Where nothing moves it passes as fast: the stretch is not simulated but skipped.
* What was lost while frames moved stays lost, but for `LAG`: made up for, it would let our timers run through
  while the kernel had no time to answer.
"""

import select
from collections.abc import Callable
from typing import Final, Protocol

from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE, MS, NS, SEC

LAG: Final = 1 * MS
"""How much simulated time may catch up with: the delays of NIC and wire are below it, TCP's timers above."""

STEP: Final = 1024 * CYCLE
"""While the NIC works the TAP is looked at this often at least."""

GLANCE: Final = 0.02
"""Wall seconds between two looks at the other descriptors while the NIC works, at most."""

PATIENCE: Final = 0.25
"""Longest wait in one piece (s): the display is to live."""


class Pace:
    """How far simulated time (ps) may go at wall time `wall` (ns)."""

    def __init__(self, now: int, wall: int) -> None:
        self._now, self._wall = now, wall

    def limit(self, wall: int) -> int:
        """The latest simulated time allowed."""
        return self._now + (wall - self._wall) * NS

    def settle(self, now: int, wall: int) -> None:
        """Simulated time has come to `now` only, by work: what lags more than `LAG` is given up."""
        if self.limit(wall) - now > LAG:
            self._now, self._wall = now + LAG, wall


class Port(Protocol):
    """`tb.links.ends.Ends`."""

    @property
    def sending(self) -> bool:
        """There is nothing to wait for at the TAP."""

    def poll(self) -> None:
        """Take a frame if there is one."""


class Coupling:
    """Says how far simulated time may go next, and waits where it may not go on.

    `tap`: the descriptor, if any, that is readable when `port` has something to take. `watched`: further
    ones, and what to call when one is readable; it may change. `clock`: wall time in ns. `on_tick` is called
    every `PATIENCE` or so.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        port: Port,
        tap: int | None,
        watched: dict[int, Callable[[], None]],
        clock: Callable[[], int],
    ) -> None:
        self.watched = watched
        self.on_tick: Callable[[], None] = lambda: None
        self._scheduler = scheduler
        self._port = port
        self._tap = tap
        self._clock = clock
        self._pace = Pace(scheduler.now, clock())
        self._glanced = self._ticked = clock()
        self._woken = False
        """There was something to read at the end of a wait."""

    def next(self, quiet: Callable[[], bool]) -> int:
        """The time (ps) to run to. `quiet()`: only the scheduler's events or the TAP's frames move anything,
        after all that was ordered by now, too.
        """
        scheduler = self._scheduler
        now = scheduler.now
        wall = self._clock()
        self._pace.settle(now, wall)
        self._port.poll()
        if wall - self._glanced > GLANCE * 1e9 or self._woken:
            self._glance()
        due = scheduler.next_deadline()
        if not quiet():
            return min(now + STEP, due if due is not None else now + STEP)
        limit = self._pace.limit(wall)
        if due is not None and due <= limit:
            return due
        self._wait(PATIENCE if due is None else min(PATIENCE, (due - limit) / SEC))
        limit = self._pace.limit(self._clock())
        return max(now, limit if due is None else min(limit, due))

    def _wait(self, patience: float) -> None:
        """Wait for something to read, `patience` seconds at most. Who has it is told only when simulated time
        has passed as the wall's did: what is ordered then is not due in the past.
        """
        fds = [*self.watched]
        if self._tap is not None and not self._port.sending:
            fds.append(self._tap)
        ready, _, _ = select.select(fds, [], [], patience)
        self._woken = bool(ready)
        self._tick()

    def _glance(self) -> None:
        """Call those whose descriptors are readable now."""
        ready, _, _ = select.select([*self.watched], [], [], 0)
        for fd in ready:
            if fd in self.watched:  # not what one of the others has just taken out
                self.watched[fd]()
        self._woken = False
        self._glanced = self._clock()
        self._tick()

    def _tick(self) -> None:
        wall = self._clock()
        if wall - self._ticked > PATIENCE * 1e9:
            self._ticked = wall
            self.on_tick()
