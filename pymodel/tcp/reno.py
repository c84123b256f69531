"""NewReno: RFC 5681 with the recovery of RFC 6582 (which is `recovery`'s) and byte counting (RFC 3465)."""

from pymodel.tcp.congestion import SlowStart


class NewReno(SlowStart):
    """Half the window at a loss, one segment more per round trip."""

    name = "reno"
    __slots__ = ("_acked",)

    def __init__(self, mss: int, initial_segments: int, slow_start_segments: int | None) -> None:
        super().__init__(mss, initial_segments, slow_start_segments)
        self._acked = 0

    def on_ack(self, acked: int, now: int, srtt: int, limited: bool) -> None:
        """RFC 5681 §3.1; a window that is not used is not grown (RFC 7661 §1)."""
        if not limited:
            return
        if self.cwnd < self.ssthresh:
            acked = self._slow_start(acked)
        self._acked += acked
        if self._acked >= self.cwnd:
            self._acked -= self.cwnd
            self.cwnd += self.mss

    def _halve(self, flight: int) -> int:
        # Flight beyond cwnd was sent by limited transmit, which must not count (RFC 5681 §3.2 step 2).
        return max(min(flight, self.cwnd) // 2, 2 * self.mss)

    def on_loss(self, flight: int, now: int) -> None:
        """RFC 5681 §3.2 steps 2 and 3; RFC 6675 §5 (4.2)."""
        self.ssthresh = self.cwnd = self._halve(flight)
        self._acked = 0

    def on_timeout(self, flight: int, now: int, first: bool) -> None:
        """RFC 5681 §3.1: ssthresh is held when the same data times out again; LW is one segment."""
        if first:
            self.ssthresh = self._halve(flight)
        self.cwnd = self.mss
        self._acked = 0
