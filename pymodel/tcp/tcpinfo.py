"""TCP_INFO: the figures of one connection, named and laid out as Linux's ``struct tcp_info``."""

import struct
from typing import Final

from pymodel.simtime import MS, US
from pymodel.tcp.seq import MASK
from pymodel.tcp.state import State
from pymodel.tcp.tcb import Tcb

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
]
_TAIL_NAMES: Final = tuple(item.split(":")[0] for item in _TAIL)
_BODY: Final = struct.Struct("<" + "I" * len(_WORDS) + "".join(item.split(":")[1] for item in _TAIL))

FIELDS: Final = (
    "state", "ca_state", "retransmits", "probes", "backoff", "options", "snd_wscale", "rcv_wscale",
    "delivery_rate_app_limited", "fastopen_client_fail", *_WORDS, *_TAIL_NAMES,
)  # fmt: skip
"""Every key of `tcp_info`, which is Linux's field without ``tcpi_``."""


def tcp_info(tcb: Tcb) -> dict[str, int]:
    """The connection's figures in Linux's units: RTTs and RTO in µs, ages in ms, counts in segments."""
    now = tcb.now
    mss = max(tcb.snd_mss, 1)
    rtt = tcb.rtt
    options = (
        (OPT_TIMESTAMPS if tcb.ts_on else 0)
        | (OPT_SACK if tcb.sack_on else 0)
        | (OPT_WSCALE if tcb.scale_on else 0)
    )

    def segments(size: int) -> int:
        return -(-size // mss)

    def age(when: int) -> int:
        return min(max(now - when, 0) // MS, U32)

    found = dict.fromkeys(FIELDS, 0)
    found.update(
        state=STATE_NUMBERS[tcb.state],
        ca_state=(0, 1, 3, 4)[tcb.recovery],
        retransmits=tcb.retries,
        probes=tcb.probes,
        backoff=tcb.persist_backoff if tcb.persisting else rtt.backoff,
        options=options,
        snd_wscale=tcb.snd_wscale,
        rcv_wscale=tcb.rcv_wscale,
        rto=rtt.rto // US,
        snd_mss=tcb.snd_mss,
        rcv_mss=tcb.rcv_mss,
        unacked=len(tcb.sent),
        sacked=segments(tcb.sacked_out),
        lost=segments(tcb.lost_out),
        retrans=segments(tcb.retrans_out),
        last_data_sent=age(tcb.last_sent),
        last_data_recv=age(tcb.last_data),
        last_ack_recv=age(tcb.last_received),
        pmtu=tcb.layer.ip.mtu_for(tcb.dst),
        rtt=rtt.srtt // US,
        rttvar=rtt.rttvar // US,
        snd_ssthresh=min(segments(tcb.cc.ssthresh), INFINITE_SSTHRESH),
        snd_cwnd=tcb.cc.cwnd // mss,
        advmss=tcb.advertised_mss,
        reordering=tcb.profile.dup_ack_threshold,
        rcv_space=tcb.rcvbuf,
        total_retrans=tcb.total_retrans,
        notsent_bytes=max(len(tcb.send_queue) - ((tcb.snd_nxt - tcb.send_queue.base) & MASK), 0),
        min_rtt=rtt.min_rtt // US if rtt.min_rtt else U32,
        snd_wnd=tcb.snd_wnd,
        rcv_wnd=tcb.rcv_wnd,
    )
    return found


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
    return head + _BODY.pack(*(info[name] for name in (*_WORDS, *_TAIL_NAMES)))
