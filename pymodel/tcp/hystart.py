"""HyStart: leave slow start before it overruns the path (Ha and Rhee 2008, as Linux's CUBIC has it).

Two signs, looked for once the window has 16 segments: ACKs that come in a train (2 ms apart at most) which
is as long as half the minimal RTT, and a round whose smallest RTT is an eighth above the minimum.
"""

from typing import Final

from pymodel.simtime import MS
from pymodel.tcp.seq import gt

LOW_WINDOW: Final = 16
"""Segments below which nothing is concluded."""
ACK_SPACING: Final = 2 * MS
MIN_SAMPLES: Final = 8
"""RTT samples of a round that its minimum is taken from."""


class HyStart:
    """One connection's rounds of slow start."""

    __slots__ = ("_end", "_found", "_last_ack", "_minimum", "_round_start", "_samples", "enabled")

    def __init__(self) -> None:
        self.enabled = True
        self.reset()

    def reset(self) -> None:
        """Slow start begins anew."""
        self._end: int | None = None
        self._found = False
        self._round_start = self._last_ack = 0
        self._minimum = 0
        self._samples = 0

    def path_full(self, cwnd: int, rtt: int, delay_min: int, now: int, snd_una: int, snd_nxt: int) -> bool:
        """An ACK came in slow start that gave this RTT; True: the window is large enough."""
        if not self.enabled or self._found or cwnd < LOW_WINDOW:
            return False
        if self._end is None or gt(snd_una, self._end):
            self._end = snd_nxt
            self._round_start = self._last_ack = now
            self._samples = 0
            self._minimum = 0
        if now - self._last_ack <= ACK_SPACING:
            self._last_ack = now
            self._found = now - self._round_start > delay_min // 2
        if not self._minimum or rtt < self._minimum:
            self._minimum = rtt
        if self._samples < MIN_SAMPLES:
            self._samples += 1
        else:
            threshold = min(max(delay_min // 8, 4 * MS), 16 * MS)
            self._found |= self._minimum > delay_min + threshold
        return self._found
