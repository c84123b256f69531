"""What one incoming ACK meant: collected while it is processed, judged in `recovery`."""

from typing import TYPE_CHECKING

from pymodel.tcp.seq import HALF, MASK

if TYPE_CHECKING:
    from pymodel.tcp.segment import SentSegment
    from pymodel.tcp.tcb import Tcb


class AckEvent:
    """One ACK. Booleans say what was found; times are those of transmissions in ps, -1: none."""

    __slots__ = (
        "data_acked",
        "data_sacked",
        "delivered_bytes",
        "dsack_of_probe",
        "dsacking",
        "echo",
        "first_sack_at",
        "has_data",
        "last_sack_at",
        "lost_retransmission",
        "original_sacked",
        "prior_delivered",
        "prior_una",
        "rate_app_limited",
        "rate_at",
        "rate_first",
        "rate_interval_sent",
        "rearm",
        "reneging",
        "reordered_below",
        "retransmitted_acked",
        "syn_acked",
        "una_advanced",
        "window_update",
    )

    def __init__(self, prior_una: int) -> None:
        self.prior_una = prior_una
        self.has_data = False
        self.window_update = False
        self.una_advanced = False
        self.data_acked = False
        """Data (or FIN) left the queue."""
        self.syn_acked = False
        self.retransmitted_acked = False
        """Something that was sent more than once left the queue: no RTT sample (Karn)."""
        self.data_sacked = False
        self.delivered_bytes = 0
        """That nothing had reported before; counted where AccECN is in use."""
        self.original_sacked = False
        """Something never retransmitted, sent before the time-out, arrived (F-RTO)."""
        self.echo = False
        """ECE (RFC 3168), or more CE marks than before (RFC 9768)."""
        self.dsacking = False
        self.dsack_of_probe = False
        self.reneging = False
        self.lost_retransmission = False
        self.rearm = False
        """The retransmission timer starts anew."""
        self.reordered_below: int | None = None
        self.first_sack_at = -1
        self.last_sack_at = -1
        self.prior_delivered = -1
        """`Tcb.delivered` when the newest segment that this ACK reports was sent; -1: it reports none."""
        self.rate_at = 0
        self.rate_first = 0
        self.rate_interval_sent = 0
        self.rate_app_limited = False

    @property
    def acked(self) -> bool:
        """Something left the queue."""
        return self.data_acked or self.syn_acked

    @property
    def not_duplicate(self) -> bool:
        """It cannot be a duplicate ACK (RFC 5681 §2)."""
        return self.has_data or self.window_update or self.data_acked or self.syn_acked

    @property
    def progress(self) -> bool:
        """Something new has arrived at the peer."""
        return self.data_acked or self.syn_acked or self.data_sacked

    @property
    def dubious(self) -> bool:
        """Recovery has to look at it even if all is well."""
        return not self.not_duplicate or self.data_sacked or self.echo or self.dsacking

    def reordering_at(self, seq: int) -> None:
        """The segment at `seq` arrived after later ones."""
        low = self.reordered_below
        if low is None or (seq - low) & MASK >= HALF:
            self.reordered_below = seq

    def rate_sample(self, tcb: "Tcb", segment: "SentSegment") -> None:
        """`segment` was delivered: the newest one decides the sample (draft-cheng-iccrg-delivery-rate)."""
        if not segment.delivered_at and not segment.first_sent_at:
            return
        if self.prior_delivered < 0 or segment.delivered >= self.prior_delivered:
            self.prior_delivered = segment.delivered
            self.rate_at = segment.delivered_at
            self.rate_app_limited = segment.app_limited
            self.rate_interval_sent = segment.sent_at - segment.first_sent_at
            tcb.first_sent_at = segment.sent_at
