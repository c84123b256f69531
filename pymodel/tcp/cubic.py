"""CUBIC (RFC 9438): the window follows a cubic function of the time since the last loss.

Integers only: windows in bytes, times in ps, so a run is the same on every machine. Slow start is left at
ssthresh or at a loss; HyStart++ (RFC 9406, a SHOULD of §4.10) is left out. So is §4.9: nothing here
finds out that a retransmission was spurious.
"""

from typing import Final

from pymodel.simtime import SEC
from pymodel.tcp.congestion import SlowStart

_C_NUM: Final = 2
_C_DEN: Final = 5 * SEC**3
"""C = 0.4 segments per second cubed (§5.1), over ps cubed."""

_BETA_NUM: Final = 7
_BETA_DEN: Final = 10
"""beta_cubic = 0.7 (§4.6)."""

_FRACTION_BITS: Final = 20
"""Growth below a byte per ACK is kept: on a large window it is all there is."""

_ALPHA_ONE: Final = 1 << _FRACTION_BITS
_ALPHA_CUBIC: Final = 9 * _ALPHA_ONE // 17
"""alpha_cubic = 3 (1 - beta) / (1 + beta) (§4.3): as fast on average as Reno with its beta of 0.5."""


def cube_root(n: int) -> int:
    """The largest integer whose cube is at most `n` (>= 0), by Newton's method from above."""
    if not n:
        return 0
    root = 1 << -(-n.bit_length() // 3)
    while True:
        better = (2 * root + n // (root * root)) // 3
        if better >= root:
            return root
        root = better


class Cubic(SlowStart):
    """Names are those of RFC 9438 §4.1.2: W_max, K, W_est, cwnd_prior; t is `_elapsed`.

    A congestion avoidance stage begins at the end of fast recovery, or when slow start reaches ssthresh.
    t counts only time in which cwnd was the limit: it MUST NOT include application-limited periods (§4.2).
    """

    name = "cubic"
    __slots__ = (
        "_cwnd_prior",
        "_elapsed",
        "_fraction",
        "_in_stage",
        "_k",
        "_last",
        "_origin",
        "_w_est",
        "_w_max",
    )

    def __init__(self, mss: int, initial_segments: int, slow_start_segments: int | None) -> None:
        super().__init__(mss, initial_segments, slow_start_segments)
        self._w_max = 0
        self._cwnd_prior = 0
        self._in_stage = False
        self._origin = 0
        """Plateau of the present stage: W_max, or where the stage began if that is higher (§4.8, §4.10)."""
        self._k = 0
        self._elapsed = 0
        self._last = 0
        """Up to when `_elapsed` has been counted."""
        self._w_est = 0
        """With `_FRACTION_BITS` bits below the byte."""
        self._fraction = 0
        """What cwnd has earned beyond whole bytes, with as many bits."""

    def on_ack(self, acked: int, now: int, srtt: int, limited: bool) -> None:
        """Slow start, or §4.2 to §4.5; a window that is not used is not grown (§5.8, RFC 7661 §1)."""
        if limited:
            if self.cwnd < self.ssthresh:
                self._in_stage = False
                acked = self._slow_start(acked)
            if acked:
                if not self._in_stage:
                    self._begin_stage(now)
                self._elapsed += now - self._last
                self._avoid_congestion(acked, srtt)
        self._last = now

    def _begin_stage(self, now: int) -> None:
        """§4.2; K = 0 where there is no W_max to return to: after a time-out (§4.8), or no loss (§4.10)."""
        cwnd = self.cwnd
        self._in_stage = True
        self._elapsed = 0
        self._last = now
        self._origin = max(self._w_max, cwnd)
        # K = cbrt((W_max - cwnd_epoch) / C) seconds, windows in segments.
        self._k = cube_root((self._origin - cwnd) * _C_DEN // (_C_NUM * self.mss))
        self._w_est = cwnd << _FRACTION_BITS
        self._fraction = 0

    def _w_cubic(self, t: int) -> int:
        """W_cubic(t) = C (t - K)³ + W_max (§4.2 figure 1)."""
        return self._origin + _C_NUM * self.mss * (t - self._k) ** 3 // _C_DEN

    def _avoid_congestion(self, acked: int, srtt: int) -> None:
        cwnd = self.cwnd
        reached = self._w_est >= self._cwnd_prior << _FRACTION_BITS
        self._w_est += (_ALPHA_ONE if reached else _ALPHA_CUBIC) * acked * self.mss // cwnd
        w_est = self._w_est >> _FRACTION_BITS
        if self._w_cubic(self._elapsed) < w_est:
            # Reno-friendly region (§4.3).
            self.cwnd = max(cwnd, w_est)
            return
        # Concave or convex (§4.4, §4.5): reach in one RTT what the curve says for then. Counting bytes
        # instead of ACKs makes that true of a receiver that delays its ACKs, too.
        target = min(max(self._w_cubic(self._elapsed + srtt), cwnd), cwnd * 3 // 2)
        self._fraction += (acked * (target - cwnd) << _FRACTION_BITS) // cwnd
        self.cwnd = cwnd + (self._fraction >> _FRACTION_BITS)
        self._fraction &= _ALPHA_ONE - 1

    def _decreased(self, flight: int) -> int:
        """§4.6; flight beyond cwnd was sent by limited transmit, which must not count (RFC 5681 §3.2)."""
        return max(min(flight, self.cwnd) * _BETA_NUM // _BETA_DEN, 2 * self.mss)

    def on_loss(self, flight: int, now: int) -> None:
        """Multiplicative decrease (§4.6) with fast convergence (§4.7)."""
        cwnd = self.cwnd
        if cwnd < self._w_max:
            # The share of this flow has shrunk: leave room for those who need it.
            self._w_max = cwnd * (_BETA_DEN + _BETA_NUM) // (2 * _BETA_DEN)
        else:
            self._w_max = cwnd
        self._cwnd_prior = cwnd
        self.ssthresh = self.cwnd = self._decreased(flight)
        self._in_stage = False

    def on_recovered(self, now: int) -> None:
        """Congestion avoidance begins."""
        super().on_recovered(now)
        self._begin_stage(now)

    def on_timeout(self, flight: int, now: int, first: bool) -> None:
        """§4.8: ssthresh by beta_cubic, the window as in RFC 5681 §3.1; the curve starts from nothing."""
        if first:
            self._cwnd_prior = self.cwnd
            self.ssthresh = self._decreased(flight)
        self.cwnd = self.mss
        self._w_max = 0
        self._in_stage = False

    def on_restart(self, idle: int, rto: int, now: int) -> None:
        """The restart window of RFC 5681 §4.1; t does not count the idle time (§4.2), as short as it was."""
        super().on_restart(idle, rto, now)
        self._last = now
