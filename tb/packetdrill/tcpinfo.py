"""`struct tcp_info` of Linux (include/uapi/linux/tcp.h) as numbers by name."""

import struct
from typing import Final

_BYTES: Final = (
    "tcpi_state", "tcpi_ca_state", "tcpi_retransmits", "tcpi_probes", "tcpi_backoff", "tcpi_options",
    "_wscale", "_limited",
)  # fmt: skip
_WORDS: Final = (
    "tcpi_rto", "tcpi_ato", "tcpi_snd_mss", "tcpi_rcv_mss", "tcpi_unacked", "tcpi_sacked", "tcpi_lost",
    "tcpi_retrans", "tcpi_fackets", "tcpi_last_data_sent", "tcpi_last_ack_sent", "tcpi_last_data_recv",
    "tcpi_last_ack_recv", "tcpi_pmtu", "tcpi_rcv_ssthresh", "tcpi_rtt", "tcpi_rttvar", "tcpi_snd_ssthresh",
    "tcpi_snd_cwnd", "tcpi_advmss", "tcpi_reordering", "tcpi_rcv_rtt", "tcpi_rcv_space",
    "tcpi_total_retrans",
)  # fmt: skip
_LAYOUT: Final = (
    *((name, "B") for name in _BYTES),
    *((name, "I") for name in _WORDS),
    ("tcpi_pacing_rate", "Q"), ("tcpi_max_pacing_rate", "Q"), ("tcpi_bytes_acked", "Q"),
    ("tcpi_bytes_received", "Q"), ("tcpi_segs_out", "I"), ("tcpi_segs_in", "I"), ("tcpi_notsent_bytes",
    "I"),
    ("tcpi_min_rtt", "I"), ("tcpi_data_segs_in", "I"), ("tcpi_data_segs_out", "I"), ("tcpi_delivery_rate",
    "Q"),
    ("tcpi_busy_time", "Q"), ("tcpi_rwnd_limited", "Q"), ("tcpi_sndbuf_limited", "Q"), ("tcpi_delivered",
    "I"),
    ("tcpi_delivered_ce", "I"), ("tcpi_bytes_sent", "Q"), ("tcpi_bytes_retrans", "Q"), ("tcpi_dsack_dups",
    "I"),
    ("tcpi_reord_seen", "I"), ("tcpi_rcv_ooopack", "I"), ("tcpi_snd_wnd", "I"), ("tcpi_rcv_wnd", "I"),
    ("tcpi_rehash", "I"), ("tcpi_total_rto", "H"), ("tcpi_total_rto_recoveries", "H"),
    ("tcpi_total_rto_time", "I"), ("tcpi_received_ce", "I"), ("tcpi_delivered_e1_bytes", "I"),
    ("tcpi_delivered_e0_bytes", "I"), ("tcpi_delivered_ce_bytes", "I"), ("tcpi_received_e1_bytes", "I"),
    ("tcpi_received_e0_bytes", "I"), ("tcpi_received_ce_bytes", "I"), ("_accecn", "I"),
)  # fmt: skip

SIZE: Final = sum(struct.calcsize("=" + code) for _, code in _LAYOUT)


def parse(data: bytes) -> dict[str, int]:
    """Every member by its name. What a shorter structure (of an older kernel) does not have is missing.

    `tcpi_cwnd` and `tcpi_ssthresh` are there as short names,
    and `tcpi_snd_wscale` and the like taken out of
    their bit fields.
    """
    found: dict[str, int] = {}
    at = 0
    for name, code in _LAYOUT:
        size = struct.calcsize("=" + code)
        if at + size > len(data):
            break
        (found[name],) = struct.unpack_from("=" + code, data, at)
        at += size
    scales, limited = found.pop("_wscale", 0), found.pop("_limited", 0)
    found["tcpi_snd_wscale"], found["tcpi_rcv_wscale"] = scales & 15, scales >> 4
    found["tcpi_delivery_rate_app_limited"] = limited & 1
    found["tcpi_fastopen_client_fail"] = limited >> 1 & 3
    accurate = found.pop("_accecn", 0)
    found["tcpi_ecn_mode"], found["tcpi_accecn_opt_seen"] = accurate & 3, accurate >> 2 & 3
    found["tcpi_accecn_fail_mode"], found["tcpi_options2"] = accurate >> 4 & 15, accurate >> 8
    for short, name in (("tcpi_cwnd", "tcpi_snd_cwnd"), ("tcpi_ssthresh", "tcpi_snd_ssthresh")):
        if name in found:
            found[short] = found[name]
    return found
