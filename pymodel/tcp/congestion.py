"""Congestion control: how large the congestion window is. What is lost is decided elsewhere.

Windows are in segments (as in Linux, whose figures scripts and programs look at), times in ps. During fast
recovery and after an ECN echo the window is PRR's (`pymodel.tcp.prr`); an algorithm says where it shall end
(`ssthresh_after_loss`) and how it grows outside (`on_ack`).

The algorithms are `reno` and `cubic`; `algorithms` makes one by its name.
"""

from typing import ClassVar, Final, Protocol

INFINITE: Final = 0x7FFF_FFFF
"""ssthresh before the first loss (TCP_INFINITE_SSTHRESH)."""


class CongestionControl(Protocol):
    """One algorithm for one connection. `cwnd`, `ssthresh`: segments."""

    name: ClassVar[str]
    cwnd: int
    ssthresh: int
    clamp: int

    def on_ack(self, acked: int, now: int, rtt: int, limited: bool) -> None:
        """`acked` segments arrived while the window may grow; `limited`: the window is what holds us back."""

    def on_rtt(self, rtt: int, now: int, snd_una: int, snd_nxt: int, acked: int) -> None:
        """A round trip was measured by `acked` segments."""

    def ssthresh_after_loss(self) -> int:
        """Congestion was met with the present window: what ssthresh becomes."""

    def on_timeout(self) -> None:
        """The retransmission timer has made everything count as lost."""

    def on_idle_end(self, idle: int) -> None:
        """Data is sent after `idle` ps in which nothing was in flight."""


class SlowStart:
    """What the algorithms share: RFC 5681 §3.1 with byte counting (RFC 3465) in units of segments.

    `limit` is RFC 3465's L; None: no limit, as in Linux.
    """

    __slots__ = ("_count", "_limit", "clamp", "cwnd", "ssthresh")

    def __init__(self, initial_segments: int, slow_start_segments: int | None) -> None:
        self.cwnd = initial_segments
        self.ssthresh = INFINITE
        self.clamp = INFINITE
        """Never beyond this (RTAX_CWND)."""
        self._limit = slow_start_segments
        self._count = 0

    def _slow_start(self, acked: int) -> int:
        """Grow towards ssthresh; what is left of `acked` for congestion avoidance."""
        grow = acked if self._limit is None else min(acked, self._limit)
        room = self.ssthresh - self.cwnd
        self.cwnd = min(self.cwnd + min(grow, room), self.clamp)
        return max(grow - room, 0)

    def _grow_by_one_in(self, per: int, acked: int) -> None:
        """One segment more for each `per` segments acknowledged (Linux: tcp_cong_avoid_ai)."""
        if self._count >= per:
            self._count = 0
            self.cwnd += 1
        self._count += acked
        if self._count >= per:
            self.cwnd += self._count // per
            self._count %= per
        self.cwnd = min(self.cwnd, self.clamp)

    def reset_count(self) -> None:
        """Growth that was on its way is forgotten: the window was reduced."""
        self._count = 0

    def on_rtt(self, rtt: int, now: int, snd_una: int, snd_nxt: int, acked: int) -> None:
        """Nothing to learn from it here."""

    def on_timeout(self) -> None:
        """Nothing to forget here."""

    def on_idle_end(self, idle: int) -> None:
        """Nothing to shift here."""
