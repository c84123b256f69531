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


class Timeouts:
    """Retransmission time-outs (Linux: tcp_update_rto_stats): `total`, in `recoveries` rows of them."""

    __slots__ = ("_since", "_spent", "recoveries", "total")

    def __init__(self) -> None:
        self.total = 0
        self.recoveries = 0
        self._since: int | None = None
        self._spent = 0

    def expired(self, first: bool, now: int) -> None:
        """Once more; `first`: nothing had expired since the peer last acknowledged something new."""
        self.total += 1
        if first:
            self.recoveries += 1
            self._since = now

    def recovered(self, now: int) -> None:
        """Everything that was out at the time-out is acknowledged."""
        self._spent = self.spent(now)
        self._since = None

    def spent(self, now: int) -> int:
        """How long (ps) the recoveries took, the present one until `now`."""
        return self._spent + (0 if self._since is None else now - self._since)


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
