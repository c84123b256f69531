"""Linux's names for what a `Profile` holds: reading and writing ``net.ipv4.tcp_*`` of one host.

Values are strings, as in /proc/sys. A setting that has no meaning here but exists in Linux is kept and
given back (`Sysctl.inert`); an unknown name is a KeyError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pymodel.simtime import MS, NS, SEC, US
from pymodel.tcp.fastopen import parse_keys, show_keys
from pymodel.tcp.profile import Profile


@dataclass(frozen=True, slots=True)
class _Setting:
    read: Callable[[Profile], str]
    write: Callable[[Profile, str], None]


def _number(attribute: str, unit: int = 1, low: int = 0, high: int = (1 << 31) - 1) -> _Setting:
    """An integer that counts `unit`s of the attribute. ValueError outside `low`…`high`."""

    def write(profile: Profile, text: str) -> None:
        value = int(text, 0)
        if not low <= value <= high:
            raise ValueError(f"{value} is outside {low}…{high}")
        kind: Any = type(getattr(profile, attribute))
        setattr(profile, attribute, kind(value * unit))

    return _Setting(lambda profile: str(int(getattr(profile, attribute)) // unit), write)


def _memory(default: str, maximum: str) -> _Setting:
    """``min default max`` in bytes of memory, of which half is payload (tcp_adv_win_scale 1)."""

    def read(profile: Profile) -> str:
        return f"4096\t{2 * getattr(profile, default)}\t{getattr(profile, maximum)}"

    def write(profile: Profile, text: str) -> None:
        _, middle, most = (int(part, 0) for part in text.split())
        setattr(profile, default, middle // 2)
        setattr(profile, maximum, most)

    return _Setting(read, write)


def _send_memory(default: str, maximum: str) -> _Setting:
    """``min default max`` of the send buffer, all of which may be used."""

    def read(profile: Profile) -> str:
        return f"4096\t{getattr(profile, default)}\t{getattr(profile, maximum)}"

    def write(profile: Profile, text: str) -> None:
        _, middle, most = (int(part, 0) for part in text.split())
        setattr(profile, default, middle)
        setattr(profile, maximum, most)

    return _Setting(read, write)


def _text(attribute: str) -> _Setting:
    return _Setting(
        lambda profile: str(getattr(profile, attribute)),
        lambda profile, text: setattr(profile, attribute, text.strip()),
    )


def _bits(read: Callable[[Profile], int], write: Callable[[Profile, int], None]) -> _Setting:
    return _Setting(lambda profile: str(read(profile)), lambda profile, text: write(profile, int(text, 0)))


def _recovery_write(profile: Profile, value: int) -> None:
    profile.rack = bool(value & 1)
    profile.rack_static_window = bool(value & 2)
    profile.rack_no_dup_threshold = bool(value & 4)


def _probe_write(profile: Profile, value: int) -> None:
    profile.tail_loss_probe = value in (3, 4)


def _frto_write(profile: Profile, value: int) -> None:
    profile.frto = bool(value)


def _timestamps_write(profile: Profile, value: int) -> None:
    profile.timestamps = bool(value)


def _orphan_write(profile: Profile, text: str) -> None:
    profile.orphan_retries = int(text, 0) or 8


def _keys_read(profile: Profile) -> str:
    return show_keys(profile.fastopen_keys or (bytes(16),))


def _keys_write(profile: Profile, text: str) -> None:
    profile.fastopen_keys = parse_keys(text)


PREFIX: Final = "net.ipv4."

SETTINGS: Final[dict[str, _Setting]] = {
    "tcp_timestamps": _bits(lambda profile: int(profile.timestamps), _timestamps_write),
    "tcp_window_scaling": _number("window_scaling"),
    "tcp_sack": _number("sack"),
    "tcp_rmem": _memory("rcvbuf", "rcvbuf_max"),
    "tcp_wmem": _send_memory("sndbuf", "sndbuf_max"),
    "tcp_notsent_lowat": _number("notsent_lowat", high=0xFFFF_FFFF),
    "tcp_congestion_control": _text("congestion"),
    "tcp_reordering": _number("dup_ack_threshold", low=1),
    "tcp_rto_min_us": _number("rto_min", US, low=1),
    "tcp_rto_max_ms": _number("rto_max", MS, low=1000, high=120_000),
    "tcp_ecn": _number("ecn", high=5),
    "tcp_ecn_fallback": _number("ecn_fallback", high=1),
    "tcp_ecn_option": _number("ecn_option", high=3),
    "tcp_ecn_option_beacon": _number("ecn_option_beacon", high=3),
    "tcp_dsack": _number("dsack"),
    "tcp_recovery": _bits(
        lambda p: p.rack | p.rack_static_window << 1 | p.rack_no_dup_threshold << 2, _recovery_write
    ),
    "tcp_early_retrans": _bits(lambda profile: 3 * profile.tail_loss_probe, _probe_write),
    "tcp_fastopen": _number("fastopen"),
    "tcp_fastopen_key": _Setting(_keys_read, _keys_write),
    "tcp_frto": _bits(lambda profile: 2 * profile.frto, _frto_write),
    "tcp_max_reordering": _number("max_reordering", low=1),
    "tcp_retrans_collapse": _number("retransmit_collapse"),
    "tcp_slow_start_after_idle": _number("slow_start_after_idle"),
    "tcp_tso_win_divisor": _number("tso_win_divisor"),
    "tcp_min_tso_segs": _number("min_tso_segs", low=1),
    "tcp_pacing_ss_ratio": _number("pacing_ss_ratio", high=1000),
    "tcp_pacing_ca_ratio": _number("pacing_ca_ratio", high=1000),
    "tcp_syn_linear_timeouts": _number("syn_linear_timeouts", high=127),
    "tcp_pingpong_thresh": _number("pingpong_threshold", low=1, high=255),
    "tcp_moderate_rcvbuf": _number("moderate_rcvbuf"),
    "tcp_shrink_window": _number("shrink_window"),
    "tcp_comp_sack_delay_ns": _number("comp_sack_delay", NS),
    "tcp_comp_sack_nr": _number("comp_sack_count", high=255),
    "tcp_comp_sack_rtt_percent": _number("comp_sack_rtt_percent", low=1, high=1000),
    "tcp_min_snd_mss": _number("min_mss", low=48, high=65535),
    "tcp_mtu_probing": _number("mtu_probing", high=2),
    "tcp_base_mss": _number("base_mss"),
    "tcp_mtu_probe_floor": _number("mtu_probe_floor", low=48, high=65535),
    "tcp_probe_threshold": _number("mtu_probe_threshold"),
    "tcp_probe_interval": _number("mtu_probe_interval", SEC),
    "tcp_abort_on_overflow": _number("abort_on_overflow"),
    "tcp_min_rtt_wlen": _number("min_rtt_window", SEC, high=86_400),
    "tcp_reflect_tos": _number("reflect_tos", high=1),
    "tcp_stdurg": _number("standard_urgent"),
    "tcp_thin_linear_timeouts": _number("thin_linear_timeouts"),
    "tcp_retries1": _number("retries1", high=255),
    "tcp_syncookies": _number("syncookies", high=2),
    "tcp_syn_retries": _number("syn_retries", low=1, high=127),
    "tcp_synack_retries": _number("synack_retries", high=255),
    "tcp_keepalive_time": _number("keepalive_idle", SEC, low=1),
    "tcp_keepalive_intvl": _number("keepalive_interval", SEC, low=1),
    "tcp_keepalive_probes": _number("keepalive_count", low=1, high=127),
    "tcp_retries2": _number("retries", high=255),
    "tcp_orphan_retries": _Setting(lambda profile: str(profile.orphan_retries), _orphan_write),
    "tcp_fin_timeout": _number("fin_timeout", SEC),
    "tcp_rfc1337": _number("rfc1337"),
    "tcp_tw_reuse": _number("tw_reuse", high=2),
    "tcp_tw_reuse_delay": _number("tw_reuse_delay", MS, low=1, high=60_000),
    "tcp_app_win": _number("app_window", high=31),
    "tcp_workaround_signed_windows": _number("signed_windows"),
    "tcp_challenge_ack_limit": _number("challenge_ack_limit"),
    "tcp_invalid_ratelimit": _number("challenge_ack_interval", MS),
    "tcp_max_syn_backlog": _number("max_syn_backlog"),
}
"""By name without ``net.ipv4.``."""

INERT: Final[dict[str, str]] = {
    "tcp_adv_win_scale": "1",
    "tcp_autocorking": "1",
    "tcp_backlog_ack_defer": "1",
    "tcp_child_ehash_entries": "0",
    "tcp_comp_sack_slack_ns": "100000",
    "tcp_early_demux": "1",
    "tcp_fastopen_blackhole_timeout_sec": "0",
    "tcp_fack": "0",
    "tcp_fwmark_accept": "0",
    "tcp_l3mdev_accept": "0",
    "tcp_limit_output_bytes": "4194304",
    "tcp_low_latency": "0",
    "tcp_max_orphans": "131072",
    "tcp_max_tw_buckets": "131072",
    "tcp_mem": "88560\t118080\t177120",
    "tcp_migrate_req": "0",
    "tcp_no_metrics_save": "0",
    "tcp_no_ssthresh_metrics_save": "1",
    "tcp_plb_enabled": "0",
    "tcp_rcvbuf_low_rtt": "1000",
    "tcp_thin_dupack": "0",
    "tcp_tso_rtt_log": "9",
    "tcp_tw_recycle": "0",
}
"""Settings that Linux has and whose defaults are the only behaviour here; with their defaults."""


class Sysctl:
    """One host's settings. Names with or without ``net.ipv4.``, dots or slashes alike."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.inert = dict(INERT)

    @staticmethod
    def _short(name: str) -> str:
        return name.replace("/", ".").removeprefix(PREFIX)

    def names(self) -> list[str]:
        """Every name, in full, sorted."""
        return sorted(PREFIX + name for name in (*SETTINGS, *self.inert))

    def get(self, name: str) -> str:
        """The value as Linux prints it. KeyError for an unknown name."""
        short = self._short(name)
        if short in SETTINGS:
            return SETTINGS[short].read(self._profile)
        return self.inert[short]

    def set(self, name: str, value: str) -> None:
        """Change a setting; it holds for connections made, and decisions taken, from now on.

        KeyError for an unknown name, ValueError for a value that Linux refuses.
        """
        short = self._short(name)
        if short in SETTINGS:
            SETTINGS[short].write(self._profile, value)
        elif short in self.inert:
            self.inert[short] = value.strip()
        else:
            raise KeyError(name)
