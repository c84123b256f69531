"""The retransmission time-out (RFC 6298). Times in ps.

Karn's rule is the caller's: a segment that was retransmitted gives no sample, unless timestamps tell
which copy was acknowledged.
"""

from pymodel.tcp.profile import Profile


class RttEstimator:
    """SRTT, RTTVAR and RTO. A back-off stays until the next sample (RFC 6298 §5, note on (5.5))."""

    __slots__ = ("_max", "_min", "_variance_min", "backoff", "latest", "min_rtt", "rto", "rttvar", "srtt")

    def __init__(self, profile: Profile) -> None:
        self._min = profile.rto_min
        self._max = profile.rto_max
        self._variance_min = profile.rto_variance_min
        self.srtt = 0
        self.rttvar = 0
        self.min_rtt = 0
        self.latest = 0
        self.rto = profile.rto_initial
        self.backoff = 0

    def sample(self, rtt: int) -> None:
        """Take one measurement R: RFC 6298 (2.2) and (2.3), alpha 1/8, beta 1/4, K 4."""
        rtt = max(rtt, 1)
        self.latest = rtt
        if not self.srtt:
            self.srtt = rtt
            self.rttvar = rtt // 2
            self.min_rtt = rtt
        else:
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) // 4
            self.srtt += (rtt - self.srtt) // 8
            if rtt < self.min_rtt:
                self.min_rtt = rtt
        self.backoff = 0
        self.rto = min(max(self.srtt + max(self._variance_min, 4 * self.rttvar), self._min), self._max)

    def back_off(self) -> None:
        """Double the RTO after it expired (5.5), up to the profile's maximum."""
        self.backoff += 1
        self.rto = min(self.rto * 2, self._max)

    def restart(self, rto: int) -> None:
        """Begin again with `rto`: after a lost SYN data starts at 3 s (5.7)."""
        self.rto = rto
        self.backoff = 0
