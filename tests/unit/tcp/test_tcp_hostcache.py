"""FreeBSD's host cache is bounded; what it does is shown by tests/packetdrill/freebsd/hostcache."""

from types import SimpleNamespace
from typing import Any

from pymodel.simtime import MS
from pymodel.tcp.hostcache import MOST, HostCache
from pymodel.tcp.profile import FREEBSD


def ended(number: int) -> Any:
    """A connection with 10.x.x.x that has measured enough."""
    return SimpleNamespace(
        profile=FREEBSD,
        dst=b"\x0a" + number.to_bytes(3, "big"),
        rtt=SimpleNamespace(samples=9, srtt=20 * MS, deviation=3 * MS),
        cc=SimpleNamespace(ssthresh=1 << 30),
        snd_mss=1448,
        sndbuf=1 << 20,
    )


def test_regression_more_hosts_than_the_limit_and_the_oldest_is_forgotten() -> None:
    cache = HostCache()
    for number in range(MOST):
        cache.remember(ended(number), 0)
    cache.remember(ended(0), 1)  # no longer the oldest
    cache.remember(ended(MOST), 2)
    assert len(cache.lines(2)) == MOST
    assert cache.known(ended(0).dst, 2) and cache.known(ended(MOST).dst, 2)
    assert cache.known(ended(1).dst, 2) is None


def test_entry_that_has_expired_is_not_told_any_more() -> None:
    cache = HostCache()
    cache.remember(ended(1), 0)
    assert cache.lines(FREEBSD.host_cache_expire - 1) == ["10.0.0.1 0 20ms 3ms"]
    assert cache.lines(FREEBSD.host_cache_expire) == []
