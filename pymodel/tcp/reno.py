"""NewReno: RFC 5681 with the recovery of RFC 6582 (which is `recovery`'s) and byte counting (RFC 3465)."""

from typing import ClassVar

from pymodel.tcp.congestion import SlowStart


class NewReno(SlowStart):
    """Half the window at a loss, one segment more per round trip."""

    name: ClassVar[str] = "reno"
    __slots__ = ()

    def on_ack(self, acked: int, now: int, rtt: int, limited: bool) -> None:
        """RFC 5681 §3.1; a window that is not used is not grown (RFC 7661 §1)."""
        if not limited:
            return
        if self.cwnd < self.ssthresh:
            acked = self._slow_start(acked)
            if not acked:
                return
        self._grow_by_one_in(self.cwnd, acked)

    def ssthresh_after_loss(self) -> int:
        """RFC 5681 §3.1 equation (4)."""
        return max(self.cwnd // 2, 2)
