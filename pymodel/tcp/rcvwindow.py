"""The receive window: what is offered at first, how it moves, how the buffer grows with use.

`rcvbuf` is half of the memory that may be used (SO_RCVBUF shows all of it), which is a first guess at the
payload that fits into it. What does fit, `rcvmem` reckons; where the profile counts no overhead, `rcvbuf` is
payload.
"""

from typing import Final

from pymodel.tcp import berkeley, delack
from pymodel.tcp.seq import HALF, MASK, gt
from pymodel.tcp.state import RECEIVING, State
from pymodel.tcp.tcb import Tcb

MAX_WINDOW: Final = 0xFFFF
MAX_WSCALE: Final = 14
"""RFC 7323 §2.3."""
_SIGNED_WINDOW: Final = 0x7FFF
"""The largest window for a peer that reads the field as a signed number (MAX_TCP_WINDOW of Linux)."""

_DEFAULT_MSS: Final = 536
_LEAST_CLAMP: Final = 1152
"""Half of SOCK_MIN_RCVBUF."""


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
    if tcb.profile.signed_windows:
        space = min(space, _SIGNED_WINDOW)
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
    whole = full_space(tcb)
    clamp = min(tcb.window_clamp, (MAX_WINDOW << tcb.rcv_wscale))
    mss = tcb.advertised_mss
    part = tcb.profile.app_window
    if clamp >= whole:
        clamp = whole
        if part and whole > 4 * mss:
            clamp = max(whole - (whole >> part), 4 * mss)
    if part and clamp > 2 * mss and clamp + mss > whole:
        clamp = max(2 * mss, whole - mss)  # one segment in reserve
    tcb.window_clamp = clamp
    tcb.rcv_ssthresh = min(tcb.rcv_ssthresh, clamp)
    tcb.space = min(tcb.rcv_ssthresh, tcb.rcv_wnd, tcb.profile.initial_cwnd * mss)
    tcb.space_seq = tcb.copied_seq
    tcb.space_at = now


def advertised(tcb: Tcb) -> int:
    """The window of the last ACK sent, of which some may be used by now (tp->rcv_wnd)."""
    return (tcb.rcv_adv - tcb.rcv_wup) & MASK


def counts_memory(tcb: Tcb) -> bool:
    """The buffer is a bound on memory, not on payload."""
    return tcb.profile.skb_overhead > 0


def full_space(tcb: Tcb) -> int:
    """The payload that the whole buffer is good for (tcp_full_space)."""
    return tcb.rcv_memory.window(2 * tcb.rcvbuf) if counts_memory(tcb) else tcb.rcvbuf


def free_space(tcb: Tcb) -> int:
    """The payload that the rest of the buffer is good for (tcp_space); negative if more is taken."""
    if tcb.profile.skb_overhead > 0:
        memory = tcb.rcv_memory
        return (2 * tcb.rcvbuf - memory.used) * memory.ratio >> 8
    return tcb.rcvbuf - len(tcb.recv_queue) - tcb.reassembly.held


def wanted(tcb: Tcb) -> int:
    """The window that may be offered now (Linux: __tcp_select_window).

    Receiver's silly-window avoidance (RFC 9293 §3.8.6.2.2): below half of the buffer nothing smaller than a
    segment, or a sixteenth of the buffer, is offered; without scaling the offer is in whole segments.
    """
    free, allowed = free_space(tcb), full_space(tcb)
    full = min(tcb.window_clamp, allowed)
    mss = tcb.rcv_mss
    if mss > full:
        mss = full
        if mss <= 0:
            return 0
    shift = tcb.rcv_wscale
    shrink = shift and tcb.profile.shrink_window
    if shrink:
        free = free >> shift << shift
    if free < full >> 1:
        tcb.quick_acks = 0
        free = free >> shift << shift
        if free < allowed >> 4 or free < mss or (shrink and not free):
            return 0
    if free > tcb.rcv_ssthresh:
        free = tcb.rcv_ssthresh
    if shift:
        return -(-free >> shift) << shift
    window = advertised(tcb)
    if window <= free - mss or window > free:
        return free - free % mss
    if mss == full and free > window + (full >> 1):
        return free
    return window


def select(tcb: Tcb) -> int:
    """The window field of the segment about to be sent; moves the offered right edge, and back only if
    tcp_shrink_window allows it, or for want of memory."""
    shift = tcb.rcv_wscale
    if tcb.rcv_no_memory:
        tcb.rcv_no_memory = False
        tcb.rcv_adv = tcb.rcv_nxt
        return 0
    window = berkeley.wanted(tcb) if tcb.profile.berkeley else wanted(tcb)
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    if offered >= HALF:
        offered = 0
    if window < offered and not (shift and tcb.profile.shrink_window):
        window = -(-offered >> shift) << shift
    tcb.rcv_adv = (tcb.rcv_nxt + window) & MASK
    field = window >> shift
    most = MAX_WINDOW if shift or not tcb.profile.signed_windows else _SIGNED_WINDOW
    return field if field <= most else most


def grow(tcb: Tcb, n: int, size: int) -> None:
    """A segment of `n` bytes that costs `size` came: the window may be larger (Linux: tcp_grow_window)."""
    if tcb.profile.berkeley:
        return
    room = min(tcb.window_clamp, free_space(tcb)) - tcb.rcv_ssthresh
    if room <= 0:
        return
    step = 2 * tcb.advertised_mss
    if counts_memory(tcb) and tcb.rcv_memory.window(size) > n:
        step = _step_for_bad_use(tcb, n, size)
        if not step:
            return
    tcb.rcv_ssthresh += min(room, max(step, 2 * n))
    tcb.quick_acks |= 1


def _step_for_bad_use(tcb: Tcb, n: int, size: int) -> int:
    """Segments that waste memory may grow a window that is small beside the buffer (__tcp_grow_window)."""
    memory = tcb.rcv_memory
    price, window = memory.window(size) >> 1, memory.window(tcb.profile.rcvbuf_max) >> 1
    while tcb.rcv_ssthresh <= window:
        if price <= n:
            return 2 * tcb.rcv_mss
        price >>= 1
        window >>= 1
    return 0


def fits(tcb: Tcb, seq: int) -> bool:
    """There is memory for a segment at `seq` (tcp_try_rmem_schedule): if no more than the bound is taken.

    Else a buffer of the host's own size grows to what is in use, what lies in bad use of its memory is put
    together, and then what waits out of order behind `seq` goes, the last first (tcp_prune_queue).
    """
    memory = tcb.rcv_memory
    if memory.used <= 2 * tcb.rcvbuf or tcb.profile.skb_overhead <= 0:
        return True
    tcb.quick_acks = 0
    most = tcb.profile.rcvbuf_max
    if not tcb.rcvbuf_locked and 2 * tcb.rcvbuf < most:
        tcb.rcvbuf = (min(memory.used, most) + 1) // 2
    if memory.used <= 2 * tcb.rcvbuf:
        return True
    tcb.rcv_ssthresh = min(tcb.window_clamp, 2 * tcb.advertised_mss)
    memory.collapse()
    if memory.used > 2 * tcb.rcvbuf:
        _prune(tcb, seq)
    return memory.used <= 2 * tcb.rcvbuf


def _prune(tcb: Tcb, seq: int) -> None:
    """Drop what waits out of order, an eighth of the buffer at a time, until there is room again."""
    memory, reassembly = tcb.rcv_memory, tcb.reassembly
    goal = tcb.rcvbuf >> 2
    while (last := reassembly.last()) is not None and not gt(seq, last):
        freed = memory.released_none(reassembly.drop_last(), reassembly.held)
        tcb.layer.stats["out_of_order_pruned"] += 1
        goal -= freed
        if goal <= 0:
            if memory.used <= 2 * tcb.rcvbuf:
                break
            goal = tcb.rcvbuf >> 2


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


def read(tcb: Tcb, now: int, later: int) -> None:
    """The program has taken bytes: once per round trip, see whether the buffer holds it back.

    `later`: how many of them were not in the first of the buffers that it took them from. Linux looks after
    each buffer, and thus not at these.

    Dynamic right-sizing (Linux: tcp_rcv_space_adjust): the buffer becomes twice what was read in a round
    trip, and more while that rate grows, up to tcp_rmem[2]. A buffer set by the program stays.
    """
    if tcb.profile.berkeley or not tcb.rcv_rtt or now - tcb.space_at < tcb.rcv_rtt:
        return
    read_to = (tcb.copied_seq - later) & MASK
    copied = ((read_to - tcb.space_seq) & MASK) - ((tcb.rcv_nxt - read_to) & MASK)
    if copied > tcb.space:
        grow_buffer(tcb, copied)
    tcb.space_seq = read_to
    tcb.space_at = now


def grow_buffer(tcb: Tcb, copied: int) -> None:
    """The buffer shall hold twice what is read in a round trip, `copied`, and more while that rate grows, and
    what waits out of order besides (Linux: tcp_rcvbuf_grow)."""
    old, tcb.space = max(tcb.space, 1), copied
    profile = tcb.profile
    if profile.berkeley or not profile.moderate_rcvbuf or tcb.rcvbuf_locked:
        return
    window = 2 * copied
    window += 2 * (window * (copied - old) // old)
    highest = tcb.reassembly.highest()
    if highest is not None:
        window += (highest - tcb.rcv_nxt) & MASK
    memory = tcb.rcv_memory.memory(window) if counts_memory(tcb) else 2 * window
    buffer = min(memory, profile.rcvbuf_max) // 2
    if buffer > tcb.rcvbuf:
        tcb.rcvbuf = buffer
        tcb.window_clamp = full_space(tcb)


def _ratio(tcb: Tcb, n: int, size: int) -> None:
    """A segment of another size: how much of its memory is payload, from now on (tcp_set_window_clamp)."""
    if not counts_memory(tcb) or not tcb.rcv_memory.observe(n, size):
        return
    old, clamp = tcb.window_clamp, max(full_space(tcb), _LEAST_CLAMP)
    tcb.window_clamp = clamp
    if clamp < old:
        tcb.rcv_ssthresh = min(tcb.rcv_ssthresh, clamp)
    else:
        tcb.rcv_ssthresh = max(min(advertised(tcb), clamp), tcb.rcv_ssthresh)
    tcb.space = min(tcb.space, clamp)


def observe_segment(tcb: Tcb, n: int, whole: int, size: int, header_len: int, push: bool) -> None:
    """How large the peer's segments are (Linux: tcp_measure_rcv_mss); `header_len`: of its TCP header.

    `n`: of one segment; `whole`: of all that were joined, which cost `size`.

    A short segment is probably the end of what the peer had to say: reading it should send an ACK.
    """
    last = tcb.last_seg_size
    tcb.last_seg_size = 0
    if n >= tcb.rcv_mss:
        if n != tcb.rcv_mss:
            _ratio(tcb, whole, size)
        tcb.rcv_mss = min(n, tcb.advertised_mss)
        if push:
            tcb.ack_pushed |= 1
        return
    packet = n + header_len
    if packet >= _DEFAULT_MSS + 20 or (packet >= 88 + 20 and not push):
        packet -= 32 if tcb.ts_on else 20
        tcb.last_seg_size = packet
        if packet == last:
            tcb.rcv_mss = packet
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
