"""Congestion control: how large the congestion window is. What is lost is decided in `recovery`.

All windows are in bytes. The caller compares `cwnd` with the pipe (what is thought to be in the network),
so during recovery no window inflation is needed: RFC 6582's inflated cwnd against FlightSize and a
fixed cwnd against the pipe allow the same segments.
"""

from typing import Protocol

INFINITE = 1 << 62


class CongestionControl(Protocol):
    """One algorithm for one connection."""

    name: str
    cwnd: int
    ssthresh: int
    mss: int

    def on_ack(self, acked: int, now: int, srtt: int, limited: bool) -> None:
        """`acked` new bytes arrived outside fast recovery; `limited`: the window was what held us back."""

    def on_loss(self, flight: int, now: int) -> None:
        """Fast recovery begins with `flight` bytes outstanding."""

    def on_recovered(self, now: int) -> None:
        """Fast recovery has ended: everything sent before it is acknowledged."""

    def on_timeout(self, flight: int, now: int, first: bool) -> None:
        """The retransmission timer expired; `first`: for the first time for this data."""

    def on_idle(self, idle: int, rto: int) -> None:
        """Sending starts again after `idle` ps without a transmission (> `rto`)."""


class NewReno:
    """Slow start and congestion avoidance by RFC 5681, with appropriate byte counting (RFC 3465).

    `slow_start_segments` is RFC 3465's L; None: no limit, as in Linux.
    """

    name = "reno"
    __slots__ = ("_acked", "_initial", "_limit", "cwnd", "mss", "ssthresh")

    def __init__(self, mss: int, initial_segments: int, slow_start_segments: int | None) -> None:
        self.mss = mss
        self.cwnd = initial_segments * mss
        self.ssthresh = INFINITE
        self._initial = initial_segments
        self._limit = slow_start_segments
        self._acked = 0

    def on_ack(self, acked: int, now: int, srtt: int, limited: bool) -> None:
        """RFC 5681 §3.1; a window that is not used is not grown (RFC 7661 §1)."""
        if not limited:
            return
        cwnd = self.cwnd
        if cwnd < self.ssthresh:
            grow = acked if self._limit is None else min(acked, self._limit * self.mss)
            room = self.ssthresh - cwnd
            if grow <= room:
                self.cwnd = cwnd + grow
                return
            self.cwnd = cwnd = self.ssthresh
            acked = grow - room
        self._acked += acked
        if self._acked >= cwnd:
            self._acked -= cwnd
            self.cwnd = cwnd + self.mss

    def _halve(self, flight: int) -> int:
        # Flight beyond cwnd was sent by limited transmit, which must not count (RFC 5681 §3.2 step 2).
        return max(min(flight, self.cwnd) // 2, 2 * self.mss)

    def on_loss(self, flight: int, now: int) -> None:
        """RFC 5681 §3.2 steps 2 and 3; RFC 6675 §5 (4.2)."""
        self.ssthresh = self.cwnd = self._halve(flight)
        self._acked = 0

    def on_recovered(self, now: int) -> None:
        """RFC 6582 §3.2 step 3, full acknowledgment, option (2)."""
        self.cwnd = self.ssthresh

    def on_timeout(self, flight: int, now: int, first: bool) -> None:
        """RFC 5681 §3.1: ssthresh is held when the same data times out again; LW is one segment."""
        if first:
            self.ssthresh = self._halve(flight)
        self.cwnd = self.mss
        self._acked = 0

    def on_idle(self, idle: int, rto: int) -> None:
        """RFC 5681 §4.1 restart window; on the way there cwnd is halved per RTO, as Linux and RFC 2861 do."""
        floor = min(self._initial * self.mss, self.cwnd)
        self.ssthresh = max(self.ssthresh, self.cwnd * 3 // 4)
        while idle > rto and self.cwnd > floor:
            self.cwnd //= 2
            idle -= rto
        self.cwnd = max(self.cwnd, floor)
