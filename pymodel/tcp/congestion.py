"""Congestion control: how large the congestion window is. What is lost is decided in `recovery`.

All windows are in bytes, times in ps. The caller compares `cwnd` with the pipe (what is thought to be in
the network), so during recovery no window inflation is needed: RFC 6582's inflated cwnd against FlightSize
and a fixed cwnd against the pipe allow the same segments.

The algorithms are `reno` and `cubic`; `algorithms` makes one by its name.
"""

from typing import Final, Protocol

INFINITE: Final = 1 << 62


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

    def on_restart(self, idle: int, rto: int, now: int) -> None:
        """There is data to send and nothing in flight; the last transmission was `idle` ps ago.

        May be called again before anything is sent, if the peer's window holds it back.
        """


class SlowStart:
    """What the algorithms share: RFC 5681 §3.1 slow start with byte counting (RFC 3465), and the restart.

    `slow_start_segments` is RFC 3465's L; None: no limit, as in Linux.
    """

    __slots__ = ("_initial", "_limit", "cwnd", "mss", "ssthresh")

    def __init__(self, mss: int, initial_segments: int, slow_start_segments: int | None) -> None:
        self.mss = mss
        self.cwnd = initial_segments * mss
        self.ssthresh = INFINITE
        self._initial = initial_segments
        self._limit = slow_start_segments

    def _slow_start(self, acked: int) -> int:
        """Grow towards ssthresh; what is left of `acked` for congestion avoidance."""
        grow = acked if self._limit is None else min(acked, self._limit * self.mss)
        room = self.ssthresh - self.cwnd
        if grow <= room:
            self.cwnd += grow
            return 0
        self.cwnd = self.ssthresh
        return grow - room

    def on_recovered(self, now: int) -> None:
        """RFC 6582 §3.2 step 3, full acknowledgment, option (2)."""
        self.cwnd = self.ssthresh

    def on_restart(self, idle: int, rto: int, now: int) -> None:
        """RFC 5681 §4.1 restart window; on the way there cwnd is halved per RTO, as Linux and RFC 2861 do."""
        if idle <= rto:
            return
        floor = min(self._initial * self.mss, self.cwnd)
        self.ssthresh = max(self.ssthresh, self.cwnd * 3 // 4)
        while idle > rto and self.cwnd > floor:
            self.cwnd //= 2
            idle -= rto
        self.cwnd = max(self.cwnd, floor)
