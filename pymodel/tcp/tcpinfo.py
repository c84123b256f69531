"""TCP_INFO: the figures of one connection, named and laid out as Linux's ``struct tcp_info``."""

import struct
from typing import Final

from pymodel.simtime import MS, SEC, US
from pymodel.tcp import output
from pymodel.tcp.accecn import CE, ECT_0, ECT_1
from pymodel.tcp.chrono import Chrono
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Tcb
from pymodel.wire.tcp import TIMESTAMPS_LEN

STATE_NUMBERS: Final = {
    State.ESTABLISHED: 1,
    State.SYN_SENT: 2,
    State.SYN_RECEIVED: 3,
    State.FIN_WAIT_1: 4,
    State.FIN_WAIT_2: 5,
    State.TIME_WAIT: 6,
    State.CLOSED: 7,
    State.CLOSE_WAIT: 8,
    State.LAST_ACK: 9,
    State.CLOSING: 11,
}
"""enum in include/net/tcp_states.h; LISTEN (10) is a `Listener`."""

LISTEN: Final = 10

OPT_TIMESTAMPS: Final = 1
OPT_SACK: Final = 2
OPT_WSCALE: Final = 4
OPT_ECN: Final = 8
OPT_ECN_SEEN: Final = 16
OPT_SYN_DATA: Final = 32
"""Bits of tcpi_options (TCPI_OPT_*)."""

INFINITE_SSTHRESH: Final = 0x7FFF_FFFF
U32: Final = 0xFFFF_FFFF
U64: Final = 0xFFFF_FFFF_FFFF_FFFF

_HEAD: Final = struct.Struct("<8B")
_WORDS: Final = [
    "rto",
    "ato",
    "snd_mss",
    "rcv_mss",
    "unacked",
    "sacked",
    "lost",
    "retrans",
    "fackets",
    "last_data_sent",
    "last_ack_sent",
    "last_data_recv",
    "last_ack_recv",
    "pmtu",
    "rcv_ssthresh",
    "rtt",
    "rttvar",
    "snd_ssthresh",
    "snd_cwnd",
    "advmss",
    "reordering",
    "rcv_rtt",
    "rcv_space",
    "total_retrans",
]
_TAIL: Final = [
    "pacing_rate:Q",
    "max_pacing_rate:Q",
    "bytes_acked:Q",
    "bytes_received:Q",
    "segs_out:I",
    "segs_in:I",
    "notsent_bytes:I",
    "min_rtt:I",
    "data_segs_in:I",
    "data_segs_out:I",
    "delivery_rate:Q",
    "busy_time:Q",
    "rwnd_limited:Q",
    "sndbuf_limited:Q",
    "delivered:I",
    "delivered_ce:I",
    "bytes_sent:Q",
    "bytes_retrans:Q",
    "dsack_dups:I",
    "reord_seen:I",
    "rcv_ooopack:I",
    "snd_wnd:I",
    "rcv_wnd:I",
    "rehash:I",
    "total_rto:H",
    "total_rto_recoveries:H",
    "total_rto_time:I",
    "received_ce:I",
    "delivered_e1_bytes:I",
    "delivered_e0_bytes:I",
    "delivered_ce_bytes:I",
    "received_e1_bytes:I",
    "received_e0_bytes:I",
    "received_ce_bytes:I",
]
_TAIL_NAMES: Final = tuple(item.split(":")[0] for item in _TAIL)
_BODY: Final = struct.Struct("<" + "I" * len(_WORDS) + "".join(item.split(":")[1] for item in _TAIL))

FIELDS: Final = (
    "state", "ca_state", "retransmits", "probes", "backoff", "options", "snd_wscale", "rcv_wscale",
    "delivery_rate_app_limited", "fastopen_client_fail", *_WORDS, *_TAIL_NAMES, "ecn_mode", "accecn_opt_seen",
    "accecn_fail_mode",
)  # fmt: skip
"""Every key of `tcp_info`, which is Linux's field without ``tcpi_``."""


def tcp_info(tcb: Tcb) -> dict[str, int]:
    """The connection's figures in Linux's units: RTTs and RTO in µs, ages in ms, counts in segments."""
    now = tcb.now
    rtt, cc = tcb.rtt, tcb.cc
    options = (
        (OPT_TIMESTAMPS if tcb.ts_on else 0)
        | (OPT_SACK if tcb.sack_on else 0)
        | (OPT_WSCALE if tcb.scale_on else 0)
        | (OPT_ECN if tcb.ecn_on or tcb.accurate else 0)
        | (OPT_ECN_SEEN if tcb.ecn_seen else 0)
        | (OPT_SYN_DATA if tcb.syn_data_acked else 0)
    )

    def age(when: int) -> int:
        return min(max(now - when, 0) // MS, U32)

    rate = output.pacing_rate(tcb)
    interval = tcb.rate_interval
    found = dict.fromkeys(FIELDS, 0)
    found.update(
        state=STATE_NUMBERS[tcb.state],
        ca_state=int(tcb.recovery),
        retransmits=tcb.retries,
        probes=tcb.probes,
        backoff=rtt.backoff,
        options=options,
        snd_wscale=tcb.snd_wscale,
        rcv_wscale=tcb.rcv_wscale,
        delivery_rate_app_limited=int(tcb.rate_app_limited),
        fastopen_client_fail=tcb.fastopen_client_fail,
        rto=rtt.rto // US,
        ato=tcb.ato // US,
        snd_mss=tcb.snd_mss,
        rcv_mss=tcb.rcv_mss,
        unacked=tcb.packets_out,
        sacked=tcb.sacked_out,
        lost=tcb.lost_out,
        retrans=tcb.retrans_out,
        last_data_sent=age(tcb.last_sent),
        last_data_recv=age(tcb.last_data),
        last_ack_recv=age(tcb.last_received),
        pmtu=tcb.layer.ip.mtu_for(tcb.dst),
        rcv_ssthresh=tcb.rcv_ssthresh,
        rtt=rtt.srtt // US,
        rttvar=rtt.deviation // US,
        snd_ssthresh=cc.ssthresh,
        snd_cwnd=cc.cwnd,
        advmss=tcb.advertised_mss,
        reordering=tcb.reordering,
        rcv_rtt=tcb.rcv_rtt // US,
        rcv_space=tcb.space,
        total_retrans=tcb.total_retrans,
        pacing_rate=rate if rate else U64,
        max_pacing_rate=U64,
        bytes_acked=tcb.bytes_acked,
        bytes_received=tcb.bytes_received,
        segs_out=tcb.segs_out,
        segs_in=tcb.segs_in,
        notsent_bytes=tcb.unsent,
        min_rtt=rtt.min_rtt // US if rtt.min_rtt else U32,
        data_segs_in=tcb.data_segs_in,
        data_segs_out=tcb.data_segs_out,
        delivery_rate=tcb.rate_delivered * tcb.snd_mss * SEC // interval if interval else 0,
        busy_time=tcb.clock.spent(Chrono.BUSY, now) // US,
        rwnd_limited=tcb.clock.spent(Chrono.RWND_LIMITED, now) // US,
        sndbuf_limited=tcb.clock.spent(Chrono.SNDBUF_LIMITED, now) // US,
        delivered=tcb.delivered,
        delivered_ce=tcb.delivered_ce,
        bytes_sent=tcb.bytes_sent,
        bytes_retrans=tcb.bytes_retrans,
        dsack_dups=tcb.dsack_dups,
        reord_seen=tcb.reord_seen,
        rcv_ooopack=tcb.rcv_ooopack,
        snd_wnd=tcb.snd_wnd,
        rcv_wnd=tcb.rcv_wnd,
        total_rto=tcb.timeouts.total,
        total_rto_recoveries=tcb.timeouts.recoveries,
        total_rto_time=tcb.timeouts.spent(now) // MS,
    )
    _accurate_ecn(tcb, found)
    return found


def _accurate_ecn(tcb: Tcb, found: dict[str, int]) -> None:
    """What is counted of codepoints."""
    found["ecn_mode"] = 2 if tcb.accurate else int(tcb.ecn_on)
    state = tcb.accecn
    if state is None:
        return
    found["received_ce"] = state.received_ce & U32
    for name, code in (("e1", ECT_1), ("e0", ECT_0), ("ce", CE)):
        found[f"delivered_{name}_bytes"] = state.delivered[code] & U32
        found[f"received_{name}_bytes"] = state.received[code] & U32
    found["accecn_opt_seen"] = state.seen
    found["accecn_fail_mode"] = state.failed


def in_bytes(info: dict[str, int]) -> dict[str, int]:
    """The same as the BSDs give it: windows of congestion control in bytes, segments with their options."""
    mss = info["snd_mss"]
    whole = mss + (TIMESTAMPS_LEN if info["options"] & OPT_TIMESTAMPS else 0)
    ssthresh = info["snd_ssthresh"]
    return info | {
        "snd_mss": whole,
        "rcv_mss": whole,
        "snd_cwnd": info["snd_cwnd"] * mss,
        "snd_ssthresh": ssthresh if ssthresh >= INFINITE_SSTHRESH else ssthresh * mss,
    }


def pack(info: dict[str, int]) -> bytes:
    """``struct tcp_info`` (little-endian, as on x86), to be cut to the length that getsockopt was given."""
    head = _HEAD.pack(
        info["state"],
        info["ca_state"],
        min(info["retransmits"], 255),
        min(info["probes"], 255),
        min(info["backoff"], 255),
        info["options"],
        info["snd_wscale"] | info["rcv_wscale"] << 4,
        info["delivery_rate_app_limited"] | info["fastopen_client_fail"] << 1,
    )
    bits = info["ecn_mode"] | info["accecn_opt_seen"] << 2 | info["accecn_fail_mode"] << 4
    body = _BODY.pack(*(info[name] for name in (*_WORDS, *_TAIL_NAMES)))
    return head + body + bits.to_bytes(4, "little")
