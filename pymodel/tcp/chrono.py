"""What a connection with something to send has waited for (busy_time, rwnd_limited, … of TCP_INFO).

Linux's tcp_chrono: one clock, which counts for the strongest reason that holds at present.
"""

from enum import IntEnum


class Chrono(IntEnum):
    """Why time passes; the greater wins."""

    IDLE = 0
    BUSY = 1
    """There is data unsent or unacknowledged."""
    RWND_LIMITED = 2
    """The peer's window holds it back."""
    SNDBUF_LIMITED = 3
    """The program would write more, the window would take it, but the send buffer is full."""


class Clock:
    """Times by reason, in ps."""

    __slots__ = ("_since", "_spent", "reason")

    def __init__(self) -> None:
        self.reason = Chrono.IDLE
        self._since = 0
        self._spent = [0, 0, 0, 0]

    def _turn(self, reason: Chrono, now: int) -> None:
        self._spent[self.reason] += now - self._since
        self._since = now
        self.reason = reason

    def start(self, reason: Chrono, now: int) -> None:
        """`reason` holds from now on."""
        if reason > self.reason:
            self._turn(reason, now)

    def stop(self, reason: Chrono, now: int, busy: bool) -> None:
        """`reason` holds no more; `busy`: something is still queued."""
        if not busy:
            if self.reason is not Chrono.IDLE:
                self._turn(Chrono.IDLE, now)
        elif reason is self.reason and reason is not Chrono.BUSY:
            self._turn(Chrono.BUSY, now)

    def spent(self, reason: Chrono, now: int) -> int:
        """Time that counted for `reason` so far; BUSY counts the others, too."""
        running = now - self._since
        if reason is Chrono.BUSY:
            return sum(self._spent[1:]) + (running if self.reason else 0)
        return self._spent[reason] + (running if self.reason is reason else 0)
