"""The send buffer's size: it follows the congestion window (Linux: tcp_sndbuf_expand)."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

_PER_SEGMENT: Final = 4352
"""Memory that Linux reckons for a segment of 1460 bytes, with its sk_buff."""


def expand(tcb: "Tcb") -> None:
    """Room for twice the congestion window; a buffer set by the program stays."""
    profile = tcb.profile
    if tcb.options.sndbuf is not None or not profile.moderate_sndbuf or profile.berkeley:
        return
    segments = max(profile.initial_cwnd, tcb.cc.cwnd, tcb.reordering + 1)
    per_segment = max(_PER_SEGMENT, 2 * tcb.snd_mss)
    tcb.sndbuf = max(tcb.sndbuf, min(2 * segments * per_segment, profile.sndbuf_max) // 2)


def acked(tcb: "Tcb") -> None:
    """New room in the buffer: is it worth more? Only while the window is used."""
    if tcb.packets_out < tcb.cc.cwnd:
        expand(tcb)
