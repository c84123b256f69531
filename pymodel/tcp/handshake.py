"""SYNs: what a peer's says, SYN-SENT (RFC 9293 §3.10.7.3), and the step to ESTABLISHED."""

from typing import TYPE_CHECKING, Final

from pymodel.simtime import MS
from pymodel.tcp import (
    accecn,
    ack,
    algorithms,
    delack,
    ecn,
    fastopen,
    keepalive,
    lifecycle,
    mss,
    output,
    plpmtud,
    rcvwindow,
    receive,
    sndtune,
    timerset,
    transmit,
)
from pymodel.tcp.reassembly import Reassembly
from pymodel.tcp.seq import MASK, gt, le
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Pending
from pymodel.wire.tcp import ACK, FIN, RST, SYN, TIMESTAMPS_LEN, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def learn_syn(tcb: "Tcb", header: TcpHeader, now: int, tos: int) -> None:
    """Take IRS and the options from the peer's SYN: both sides must have offered what is then used."""
    profile = tcb.profile
    tcb.irs = header.seq
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    tcb.rcv_nxt = tcb.rcv_wup = tcb.copied_seq = (header.seq + 1) & MASK
    tcb.rcv_up = tcb.rcv_nxt
    tcb.reassembly = Reassembly(tcb.rcv_nxt)
    tcb.last_received = now
    bare = tcb.options.no_options
    tcb.ts_on = profile.timestamps and header.ts_val is not None and not bare
    if header.ts_val is not None and tcb.ts_on:
        tcb.ts_recent = header.ts_val
        tcb.ts_recent_at = now
    tcb.sack_on = profile.sack and header.sack_permitted and not bare
    tcb.scale_on = profile.window_scaling and header.wscale is not None and not bare
    if header.wscale is not None and tcb.scale_on:
        # More than 14 is treated as 14 (RFC 7323 §2.3).
        tcb.snd_wscale = min(header.wscale, rcvwindow.MAX_WSCALE)
        tcb.rcv_wscale = rcvwindow.scale(tcb)
    if tcb.state is State.CLOSED:
        rcvwindow.open_for_syn(tcb, TIMESTAMPS_LEN if tcb.ts_on else 0)
    else:
        # What the SYN offered was not scaled.
        tcb.rcv_adv = (tcb.rcv_nxt + min(offered, rcvwindow.MAX_WINDOW)) & MASK
    ecn.learn_syn(tcb, header, tos)
    tcb.peer_mss = header.mss or mss.default(tcb)
    tcb.snd_wl1 = tcb.rcv_nxt
    ack.set_window(tcb, header.window)
    if tcb.state is State.SYN_SENT:
        plpmtud.begin(tcb, now)
    mss.sync(tcb)
    tcb.rcv_mss = max(min(tcb.advertised_mss, tcb.snd_mss, mss.default(tcb), max(tcb.rcv_wnd // 2, 1)), 88)
    tcb.reordering = profile.dup_ack_threshold
    tcb.cc = algorithms.make(tcb.cc.name, profile)
    if profile.initial_cwnd_bytes:
        tcb.cc.cwnd = min(tcb.cc.cwnd, max(profile.initial_cwnd_bytes // tcb.snd_mss, 2))


_RETRY_SYN: Final = 8 * MS
"""TCP_TIMEOUT_MIN of Linux: two ticks of 250 Hz."""


def established(tcb: "Tcb", now: int) -> None:
    """The handshake is over: RFC 6298 (5.7) and RFC 6928 §2 about a SYN that was lost."""
    profile = tcb.profile
    if not tcb.rtt.srtt and profile.rto_after_syn_loss:
        tcb.rtt.restart(profile.rto_after_syn_loss)
    if profile.host_cache:
        tcb.layer.host_cache.apply(tcb, now)
    if tcb.total_retrans > profile.syn_losses_forgiven:
        tcb.cc.cwnd = 1
    tcb.retries = 0
    tcb.timeouts.recovered(now)
    tcb.retrans_stamp = -1
    tcb.soft_error = 0
    timerset.stop(tcb)
    tcb.state_timer.cancel()
    plpmtud.begin(tcb, now)  # a passive open's MSS is bounded from the first answered probe on
    rcvwindow.established(tcb, now)
    sndtune.expand(tcb)
    tcb.cwnd_stamp = now
    tcb.last_sent = now
    tcb.last_data = now
    lifecycle.set_state(tcb, State.ESTABLISHED)
    keepalive.start(tcb, now)
    if tcb.fin_queued:
        lifecycle.set_state(tcb, State.FIN_WAIT_1)


def syn_sent(tcb: "Tcb", header: TcpHeader, payload: memoryview | bytes, now: int, tos: int) -> bool:
    """§3.10.7.3. False: answer with a RST as for CLOSED (an ACK of something never sent)."""
    flags = header.flags
    if flags & ACK:
        if le(header.ack, tcb.iss) or gt(header.ack, tcb.snd_nxt):
            # The peer may have answered for an old connection, which our RST ends: try again at once.
            if not tcb.retries and not tcb.profile.berkeley:
                timerset.start(tcb, Pending.RETRANSMIT, now + _RETRY_SYN)
            return False  # (which never answers a RST)
        echo = header.ts_ecr if tcb.profile.timestamps and header.ts_val is not None else 0
        if echo and gt(echo, transmit.timestamp_now(tcb, now)):
            return False  # PAWS the other way round: an echo of what we cannot have sent yet
    if flags & RST:
        if flags & ACK:
            lifecycle.reset_by_peer(tcb)
        return True
    if not flags & SYN:
        return True
    profile = tcb.profile
    learn_syn(tcb, header, now, tos)
    if not flags & ACK:
        # Simultaneous open (figure 7).
        lifecycle.set_state(tcb, State.SYN_RECEIVED)
        transmit.syn(tcb, now, True)
        return True
    ack.process(tcb, header, 0, now)
    established(tcb, now)
    if tcb.syn_option_sent or tcb.syn_data:
        tcb.cc.cwnd = tcb.profile.initial_cwnd
        if fastopen.answered(tcb, tcb.layer.fast_open, header, now):
            return True
    if payload or flags & FIN:
        receive.text(tcb, (header.seq + 1) & MASK, payload, header, now, tos)
    if tcb.state is State.CLOSED:
        return True
    soon = delack.in_pingpong(tcb) or tcb.write_pending or tcb.options.defer_accept
    if soon and not payload and not profile.berkeley:
        # The program writes soon, or waits to (TCP_QUICKACK 0, TCP_DEFER_ACCEPT): one ACK is saved.
        tcb.ack_scheduled = True
        delack.enter_quick_mode(tcb)
        tcb.delack_timer.set(now + tcb.profile.delayed_ack_max)
    elif not (profile.berkeley and tcb.has_unsent):
        accecn.answer_syn_ack(tcb)
        transmit.ack(tcb, now)
    output.push(tcb, now)
    return True
