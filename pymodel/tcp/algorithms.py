"""The congestion control algorithms by their names (Linux's: net.ipv4.tcp_available_congestion_control)."""

from collections.abc import Callable, Mapping
from typing import Final

from pymodel.tcp.congestion import CongestionControl
from pymodel.tcp.cubic import Cubic
from pymodel.tcp.profile import Profile
from pymodel.tcp.reno import NewReno

ALGORITHMS: Final[Mapping[str, Callable[[int, int, int | None], CongestionControl]]] = {
    Cubic.name: Cubic,
    NewReno.name: NewReno,
}


def make(name: str, mss: int, profile: Profile) -> CongestionControl:
    """Algorithm `name` with the profile's initial window; `mss` in bytes. ValueError for an unknown name."""
    if name not in ALGORITHMS:
        raise ValueError(f"no congestion control {name!r}; there are {', '.join(sorted(ALGORITHMS))}")
    return ALGORITHMS[name](mss, profile.initial_cwnd, profile.slow_start_segments)
