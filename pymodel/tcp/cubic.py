"""CUBIC (RFC 9438) in Linux's arithmetic: the window is a cubic function of the time since the last loss.

Integers only: windows in segments, time in 1/1024 s on the curve. Each ACK says how many segments must be
acknowledged for one more in the window (`_per`), from where the curve will be one minimal RTT from now.
Slow start ends early when HyStart sees the path fill (`pymodel.tcp.hystart`; RFC 9438 §4.10 asks for such).
"""

from typing import ClassVar, Final

from pymodel.simtime import MS, SEC
from pymodel.tcp.congestion import SlowStart
from pymodel.tcp.hystart import HyStart

_TICKS: Final = 1024
"""The curve's unit of time: 1/1024 s."""

_C: Final = 410
"""C = 0.4 (§5.1) times 1024."""

_BETA_NUM: Final = 717
_BETA_DEN: Final = 1024
"""beta_cubic = 0.7 (§4.6)."""

_RENO_ACKS: Final = 8 * (_BETA_DEN + _BETA_NUM) // 3 // (_BETA_DEN - _BETA_NUM)
"""8 / alpha_cubic (§4.3): eighths of a window to be acknowledged for one segment of Reno's growth."""

_HOLD: Final = SEC // 32
"""The curve is looked at again after so long, or when the window has changed."""


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
    """Names are those of RFC 9438 §4.1.2: W_max, K, W_est; an epoch is one congestion avoidance stage."""

    name: ClassVar[str] = "cubic"
    __slots__ = (
        "_acks",
        "_delay_min",
        "_epoch",
        "_k",
        "_last",
        "_last_cwnd",
        "_origin",
        "_per",
        "_seen",
        "_w_est",
        "_w_max",
        "hystart",
    )

    def __init__(self, initial_segments: int, slow_start_segments: int | None) -> None:
        super().__init__(initial_segments, slow_start_segments)
        self.hystart = HyStart()
        self._forget()

    def _forget(self) -> None:
        self._w_max = 0
        self._epoch = -1
        self._k = 0
        self._origin = 0
        """Plateau of the present stage: W_max, or where the stage began if that is higher (§4.8, §4.10)."""
        self._last = -(1 << 62)
        self._last_cwnd = 0
        self._delay_min = 0
        self._acks = 0
        self._w_est = 0
        self._per = 0
        self._seen = 0

    def on_ack(self, acked: int, now: int, rtt: int, limited: bool) -> None:
        """Slow start, or §4.2 to §4.5; a window that is not used is not grown (§5.8, RFC 7661 §1)."""
        seen, self._seen = self._seen, now
        if not limited:
            if self._epoch >= 0:
                self._epoch += now - seen  # application-limited time MUST NOT count (§4.2)
            return
        if self.cwnd < self.ssthresh:
            acked = self._slow_start(acked)
            if not acked:
                return
        self._update(acked, now)
        self._grow_by_one_in(self._per, acked)

    def _begin(self, acked: int, now: int) -> None:
        """§4.2; K = 0 where there is no W_max to return to: after a time-out (§4.8), or no loss (§4.10)."""
        cwnd = self.cwnd
        self._epoch = now
        self._acks = acked
        self._w_est = cwnd
        if self._w_max <= cwnd:
            self._k = 0
            self._origin = cwnd
        else:
            # K = cbrt((W_max - cwnd_epoch) / C) seconds.
            self._k = cube_root((self._w_max - cwnd) * _TICKS**4 // _C)
            self._origin = self._w_max

    def _update(self, acked: int, now: int) -> None:
        cwnd = self.cwnd
        self._acks += acked
        if self._last_cwnd == cwnd and now - self._last <= _HOLD:
            return
        if self._epoch < 0 or now - self._last >= MS:
            self._last_cwnd = cwnd
            self._last = now
            if self._epoch < 0:
                self._begin(acked, now)
            # W_cubic(t) = C (t - K)³ + W_max (§4.2 figure 1), t one RTT ahead.
            t = (now - self._epoch + self._delay_min) * _TICKS // SEC - self._k
            target = self._origin + (_C * abs(t) ** 3 // _TICKS**4) * (1 if t >= 0 else -1)
            self._per = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
            if not self._w_max and self._per > 20:
                self._per = 20  # nothing is known of the path yet: at least 5 % per round trip
        # Reno-friendly region (§4.3).
        per_segment = cwnd * _RENO_ACKS >> 3
        if per_segment and self._acks > per_segment:
            self._w_est += (self._acks - 1) // per_segment
            self._acks -= (self._acks - 1) // per_segment * per_segment
        if self._w_est > cwnd:
            self._per = min(self._per, cwnd // (self._w_est - cwnd))
        self._per = max(self._per, 2)  # at most half as much again per round trip (§4.4)

    def on_rtt(self, rtt: int, now: int, snd_una: int, snd_nxt: int, acked: int) -> None:
        """The smallest RTT is how far ahead on the curve to look; slow start may be at its end."""
        if self._epoch >= 0 and now - self._epoch < SEC:
            return  # the queue of the loss may still be there
        if not self._delay_min or rtt < self._delay_min:
            self._delay_min = max(rtt, 1)
        if self.cwnd < self.ssthresh and self.hystart.path_full(
            self.cwnd, rtt, self._delay_min, now, snd_una, snd_nxt
        ):
            self.ssthresh = self.cwnd

    def ssthresh_after_loss(self) -> int:
        """Multiplicative decrease (§4.6) with fast convergence (§4.7)."""
        self._epoch = -1
        cwnd = self.cwnd
        if cwnd < self._w_max:
            # The share of this flow has shrunk: leave room for those who need it.
            self._w_max = cwnd * (_BETA_DEN + _BETA_NUM) // (2 * _BETA_DEN)
        else:
            self._w_max = cwnd
        return max(cwnd * _BETA_NUM // _BETA_DEN, 2)

    def on_timeout(self) -> None:
        """§4.8: the curve starts from nothing."""
        self._forget()
        self.hystart.reset()

    def on_idle_end(self, idle: int) -> None:
        """The curve does not count the time in which nothing was sent (§4.2)."""
        if self._epoch >= 0 and idle > 0:
            self._epoch += idle
            self._seen += idle
