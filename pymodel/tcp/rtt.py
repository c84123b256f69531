"""The retransmission time-out (RFC 6298). Times in ps.

Karn's rule is the caller's: a segment that was retransmitted gives no sample, unless timestamps tell
which copy was acknowledged.
"""

from pymodel.tcp.profile import Profile
from pymodel.tcp.seq import gt


class RttEstimator:
    """SRTT, RTTVAR and RTO. A back-off stays until the next sample (RFC 6298 §5, note on (5.5)).

    With the profile's `rtt_peak_variance` the variance is Linux's: RTTVAR follows the largest mean
    deviation of each round up at once, down by a quarter a round, and has a floor (`rto_variance_min`);
    a sample below SRTT - deviation counts an eighth of that, so that a path that gets faster does not look
    unsteady. Otherwise RTTVAR is RFC 6298's.
    """

    __slots__ = (
        "_base",
        "_min_at",
        "_peak",
        "_peak_variance",
        "_profile",
        "_round",
        "backoff",
        "deviation",
        "latest",
        "min_rtt",
        "rto",
        "rttvar",
        "samples",
        "srtt",
    )

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._peak_variance = profile.rtt_peak_variance
        self.srtt = 0
        self.samples = 0
        self.rttvar = 0
        """What RTO adds to SRTT: K·RTTVAR of RFC 6298, floor included."""
        self.deviation = 0
        """Mean deviation; RFC 6298's RTTVAR."""
        self._peak = 0
        self._round = 0
        self.min_rtt = 0
        self._min_at = 0
        self.latest = 0
        self.rto = self._base = profile.rto_initial
        self.backoff = 0

    def sample(self, rtt: int, snd_una: int = 0, snd_nxt: int = 0) -> None:
        """Take one measurement R (2.2, 2.3): alpha 1/8, beta 1/4, K 4. The numbers tell rounds apart."""
        rtt = max(rtt, 1)
        profile = self._profile
        floor = profile.rto_variance_min
        self.latest = rtt
        self.samples += 1
        if not self.srtt:
            self.srtt = rtt
            self.deviation = rtt // 2
            self.rttvar = self._peak = max(4 * self.deviation, floor)
            self._round = snd_nxt
        else:
            error = rtt - self.srtt
            self.srtt = max(self.srtt + error // 8, 1)
            change = abs(error) - self.deviation
            if error < 0 and change > 0 and self._peak_variance:
                change //= 8
            self.deviation += change // 4
            if self._peak_variance:
                self._peak = max(self._peak, 4 * self.deviation)
                self.rttvar = max(self.rttvar, self._peak)
                if gt(snd_una, self._round):
                    if self._peak < self.rttvar:
                        self.rttvar -= (self.rttvar - self._peak) // 4
                    self._round = snd_nxt
                    self._peak = floor
            else:
                self.rttvar = max(4 * self.deviation, floor)
        self.backoff = 0
        self.set_rto()

    def begin_with(self, srtt: int, deviation: int) -> None:
        """Take over what another connection to the same host has measured."""
        self.srtt, self.deviation = srtt, deviation
        self.rttvar = max(4 * deviation, self._profile.rto_variance_min)
        self.set_rto()

    def set_rto(self) -> None:
        """RTO = SRTT + K·RTTVAR within the profile's bounds (2.3, 2.4, 2.5)."""
        profile = self._profile
        self._base = max(self.srtt + self.rttvar, profile.rto_min)
        self.rto = min(self._base + profile.rto_slop, profile.rto_max)

    def observe_min(self, rtt: int, now: int) -> None:
        """`rtt` may be the smallest of the last five minutes (tcp_min_rtt_wlen)."""
        rtt = max(rtt, 1)
        if not self.min_rtt or rtt <= self.min_rtt or now - self._min_at > self._profile.min_rtt_window:
            self.min_rtt = rtt
            self._min_at = now

    def back_off(self) -> None:
        """Double the RTO after it expired (5.5), up to the profile's maximum."""
        self.backoff += 1
        self._base = min(self._base * 2, self._profile.rto_max)
        self.rto = min(self._base + self._profile.rto_slop, self._profile.rto_max)

    def restart(self, rto: int) -> None:
        """Begin again with `rto`: after a lost SYN data starts at 3 s (5.7)."""
        self.rto = self._base = rto
        self.backoff = 0
