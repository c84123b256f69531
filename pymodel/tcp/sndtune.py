"""The send buffer's size: it follows the congestion window (Linux: tcp_sndbuf_expand)."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb

_HEAD: Final = 320 + 320
_SKB: Final = 256
"""Linux's MAX_TCP_HEADER, sizeof(struct skb_shared_info), and sizeof(struct sk_buff)."""


def _per_segment(tcb: "Tcb") -> int:
    """Memory that Linux reckons for one full segment: of 1460 bytes, 4352."""
    size = max(tcb.peer_mss, tcb.options.maxseg, tcb.snd_mss) + _HEAD
    return (1 << (size - 1).bit_length()) + _SKB


def expand(tcb: "Tcb") -> None:
    """Room for twice the congestion window; a buffer set by the program stays."""
    profile = tcb.profile
    if tcb.options.sndbuf is not None or not profile.moderate_sndbuf or profile.berkeley:
        return
    segments = max(profile.initial_cwnd, tcb.cc.cwnd, tcb.reordering + 1)
    wanted = min(2 * segments * _per_segment(tcb), profile.sndbuf_max)
    tcb.sndbuf = max(tcb.sndbuf, wanted if profile.skb_overhead else wanted // 2)


def acked(tcb: "Tcb") -> None:
    """New room in the buffer: is it worth more? Only while the window is used."""
    if tcb.packets_out < tcb.cc.cwnd:
        expand(tcb)
