"""The congestion control algorithms by their names (Linux's: net.ipv4.tcp_available_congestion_control)."""

from collections.abc import Callable, Mapping
from typing import Final

from pymodel.tcp.congestion import SlowStart
from pymodel.tcp.cubic import Cubic
from pymodel.tcp.profile import Profile
from pymodel.tcp.reno import NewReno

Algorithm = Cubic | NewReno

ALGORITHMS: Final[Mapping[str, Callable[[int, int | None], Algorithm]]] = {
    Cubic.name: Cubic,
    NewReno.name: NewReno,
}


def make(name: str, profile: Profile) -> Algorithm:
    """Algorithm `name` with the profile's initial window. ValueError for an unknown name."""
    if name not in ALGORITHMS:
        raise ValueError(f"no congestion control {name!r}; there are {', '.join(sorted(ALGORITHMS))}")
    made = ALGORITHMS[name](profile.initial_cwnd, profile.slow_start_segments)
    if isinstance(made, Cubic):
        made.hystart.enabled = profile.hystart
    if profile.cwnd_clamp:
        made.clamp = profile.cwnd_clamp
        made.cwnd = min(made.cwnd, profile.cwnd_clamp)
    return made


__all__ = ["ALGORITHMS", "Algorithm", "SlowStart", "make"]
