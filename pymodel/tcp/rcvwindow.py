"""The receive window: what is offered at first, how it moves, how the buffer grows with use.

`rcvbuf` counts payload: Linux counts memory and offers half of it (tcp_adv_win_scale 1), so SO_RCVBUF
is twice this.
"""

from typing import Final

from pymodel.tcp import berkeley, delack
from pymodel.tcp.seq import HALF, MASK
from pymodel.tcp.state import RECEIVING, State
from pymodel.tcp.tcb import Tcb

MAX_WINDOW: Final = 0xFFFF
MAX_WSCALE: Final = 14
"""RFC 7323 §2.3."""

_DEFAULT_MSS: Final = 536


def scale(tcb: Tcb) -> int:
    """The shift we announce: enough for the largest buffer the profile allows (RFC 7323 §2.3)."""
    if tcb.profile.window_scale_for:
        return berkeley.scale(tcb.profile.window_scale_for)
    space = max(tcb.rcvbuf, tcb.profile.rcvbuf_max)
    if tcb.options.window_clamp:
        space = min(space, tcb.options.window_clamp)
    if tcb.options.rcvbuf is not None:  # SO_RCVBUF fixes the buffer: it will not grow
        space = min(space, tcb.options.rcvbuf)
    return min(max(space.bit_length() - 16, 0), MAX_WSCALE)


def open_for_syn(tcb: Tcb, option_bytes: int, segment: int = 0) -> None:
    """The first window: the buffer, in Linux in whole segments (tcp_select_initial_window).

    `segment`: their size; 0: what we announce less `option_bytes`.
    """
    space = tcb.rcvbuf
    clamp = tcb.options.window_clamp
    if clamp:
        space = min(space, clamp)
    mss = segment or tcb.advertised_mss - option_bytes
    if space > mss and tcb.profile.whole_segment_window:
        space -= space % mss
    if tcb.profile.initial_rwnd:
        space = min(space, tcb.profile.initial_rwnd * mss)
    tcb.window_clamp = clamp or MAX_WINDOW << MAX_WSCALE
    tcb.rcv_ssthresh = space
    tcb.rcv_adv = (tcb.rcv_nxt + space) & MASK


def established(tcb: Tcb, now: int) -> None:
    """The handshake is over: begin to measure (Linux: tcp_init_buffer_space)."""
    if tcb.profile.berkeley:
        berkeley.round_buffers(tcb)
        return
    whole = tcb.rcvbuf
    clamp = min(tcb.window_clamp, (MAX_WINDOW << tcb.rcv_wscale))
    if clamp >= whole:
        clamp = whole
    mss = tcb.advertised_mss
    if clamp > 2 * mss and clamp + mss > whole:
        clamp = max(2 * mss, whole - mss)  # one segment in reserve
    tcb.window_clamp = clamp
    tcb.rcv_ssthresh = min(tcb.rcv_ssthresh, clamp)
    tcb.space = min(tcb.rcv_ssthresh, tcb.rcv_wnd, tcb.profile.initial_cwnd * mss)
    tcb.space_seq = tcb.copied_seq
    tcb.space_at = now


def wanted(tcb: Tcb) -> int:
    """The window that may be offered now (Linux: __tcp_select_window).

    Receiver's silly-window avoidance (RFC 9293 §3.8.6.2.2): below half of the buffer nothing smaller than a
    segment, or a sixteenth of the buffer, is offered; without scaling the offer is in whole segments.
    """
    buffer = tcb.rcvbuf
    free = buffer - len(tcb.recv_queue) - tcb.reassembly.held
    full = min(tcb.window_clamp, buffer)
    mss = tcb.rcv_mss
    if mss > full:
        mss = full
        if mss <= 0:
            return 0
    shift = tcb.rcv_wscale
    if free < full >> 1:
        tcb.quick_acks = 0
        free = free >> shift << shift
        if free < buffer >> 4 or free < mss:
            return 0
    if free > tcb.rcv_ssthresh:
        free = tcb.rcv_ssthresh
    if shift:
        offered = tcb.rcv_wnd
        if offered <= free < offered + min(buffer >> 1, tcb.advertised_mss):
            free = offered
        return -(-free >> shift) << shift
    window = tcb.rcv_wnd
    if window <= free - mss or window > free:
        return free - free % mss
    if mss == full and free > window + (full >> 1):
        return free
    return window


def select(tcb: Tcb) -> int:
    """The window field of the segment about to be sent; moves the offered right edge, never back."""
    shift = tcb.rcv_wscale
    window = berkeley.wanted(tcb) if tcb.profile.berkeley else wanted(tcb)
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    if offered >= HALF:
        offered = 0
    if window < offered:
        window = -(-offered >> shift) << shift
    tcb.rcv_adv = (tcb.rcv_nxt + window) & MASK
    field = window >> shift
    return field if field <= MAX_WINDOW else MAX_WINDOW


def grow(tcb: Tcb, n: int) -> None:
    """A segment of `n` bytes came: the window may be larger (Linux: tcp_grow_window)."""
    if tcb.profile.berkeley:
        return
    room = min(tcb.window_clamp, tcb.rcvbuf - len(tcb.recv_queue)) - tcb.rcv_ssthresh
    if room > 0:
        tcb.rcv_ssthresh += min(room, max(2 * tcb.advertised_mss, 2 * n))
        tcb.quick_acks |= 1


def measure_rtt(tcb: Tcb, now: int) -> None:
    """Without timestamps: a round trip takes at least as long as a window's worth of data."""
    if not tcb.rcv_rtt_at:
        tcb.rcv_rtt_at = now
        tcb.rcv_rtt_seq = tcb.rcv_adv
        return
    if (tcb.rcv_nxt - tcb.rcv_rtt_seq) & MASK >= HALF:
        return
    _rtt_sample(tcb, now - tcb.rcv_rtt_at, window=True)
    tcb.rcv_rtt_at = now
    tcb.rcv_rtt_seq = tcb.rcv_adv


def measure_rtt_by_echo(tcb: Tcb, now: int, sent_at: int, ecr: int, n: int) -> None:
    """With timestamps: a full segment that echoes a new TSecr answers what was sent at `sent_at`."""
    if ecr == tcb.rcv_rtt_ecr:
        return
    tcb.rcv_rtt_ecr = ecr
    if n >= tcb.rcv_mss and now >= sent_at:
        _rtt_sample(tcb, now - sent_at, window=False)


def _rtt_sample(tcb: Tcb, sample: int, window: bool) -> None:
    sample = max(sample, 1)
    old = tcb.rcv_rtt
    if not old:
        tcb.rcv_rtt = sample
    elif window:
        tcb.rcv_rtt = min(old, sample)
    else:
        tcb.rcv_rtt = old + (sample - old) // 8


def read(tcb: Tcb, now: int) -> None:
    """The program has taken bytes: once per round trip, see whether the buffer holds it back.

    Dynamic right-sizing (Linux: tcp_rcv_space_adjust): the buffer becomes twice what was read in a round
    trip, and more while that rate grows, up to tcp_rmem[2]. A buffer set by the program stays.
    """
    if tcb.profile.berkeley or not tcb.rcv_rtt or now - tcb.space_at < tcb.rcv_rtt:
        return
    copied = (tcb.copied_seq - tcb.space_seq) & MASK
    if copied > tcb.space:
        if tcb.profile.moderate_rcvbuf and not tcb.rcvbuf_locked:
            window = 2 * copied + 16 * tcb.advertised_mss
            window += 2 * (window * (copied - tcb.space) // max(tcb.space, 1))
            buffer = min(window, tcb.profile.rcvbuf_max // 2)
            if buffer > tcb.rcvbuf:
                tcb.rcvbuf = buffer
                tcb.window_clamp = buffer
        tcb.space = copied
    tcb.space_seq = tcb.copied_seq
    tcb.space_at = now


def observe_segment(tcb: Tcb, n: int, header_len: int, push: bool) -> None:
    """How large the peer's segments are (Linux: tcp_measure_rcv_mss); `header_len`: of its TCP header.

    A short segment is probably the end of what the peer had to say: reading it should send an ACK.
    """
    last = tcb.last_seg_size
    tcb.last_seg_size = 0
    if n >= tcb.rcv_mss:
        tcb.rcv_mss = min(n, tcb.advertised_mss)
        if push:
            tcb.ack_pushed |= 1
        return
    whole = n + header_len
    if whole >= _DEFAULT_MSS + 20 or (whole >= 88 + 20 and not push):
        size = whole - (32 if tcb.ts_on else 20)
        tcb.last_seg_size = size
        if size == last:
            tcb.rcv_mss = size
            return
    tcb.ack_pushed = 3 if tcb.ack_pushed else 1


def update_due(tcb: Tcb) -> bool:
    """The program has read: does that ask for an ACK (Linux: tcp_cleanup_rbuf)?

    Yes, if an ACK for more than a segment waits; if everything is read and a short segment showed that the
    peer is done for now; or if the window can at least double, which the peer must learn.
    """
    if tcb.profile.berkeley:
        return berkeley.update_due(tcb)
    if tcb.ack_scheduled and (
        (tcb.rcv_nxt - tcb.rcv_wup) & MASK > tcb.rcv_mss
        or (
            not tcb.recv_queue
            and not tcb.reassembly.held
            and (tcb.ack_pushed >= 2 or (tcb.ack_pushed and not delack.in_pingpong(tcb)))
        )
    ):
        return tcb.state is not State.CLOSED
    if tcb.state not in RECEIVING:
        return False
    offered = tcb.rcv_wnd
    if 2 * offered > tcb.window_clamp:
        return False
    window = wanted(tcb)
    return window > 0 and window >= 2 * offered
