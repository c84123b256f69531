"""The routing table: longest prefix wins, then the lowest metric (RFC 1812 §5.2.4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pymodel.netdev import NetDevice


@dataclass(frozen=True, slots=True)
class Route:
    """Packets to `prefix`/`length` leave through `dev` with source `src`, via `gateway` or directly."""

    prefix: bytes
    length: int
    dev: NetDevice
    src: bytes
    gateway: bytes | None = None
    metric: int = 0
    mtu: int | None = None
    metrics: Mapping[str, int | str] = field(default_factory=dict)
    """What else ip-route(8) can say of a path: `initcwnd`, `rto_min` (ms) and the like, for TCP."""
    mtu_locked: bool = False
    """`mtu lock`: no path MTU discovery. Routers may cut packets; what they say of MTUs counts nothing."""

    def path_mtu(self) -> int:
        """Bytes of the largest IP packet: the route's own limit, or the device's."""
        return self.dev.mtu if self.mtu is None else min(self.mtu, self.dev.mtu)


def mask(address: bytes, length: int) -> bytes:
    """The first `length` bits of `address`, the rest zero."""
    bits = 8 * len(address)
    keep = ((1 << length) - 1) << (bits - length)
    return (int.from_bytes(address, "big") & keep).to_bytes(len(address), "big")


class RoutingTable:
    """Routes by prefix length, with a cache of answers that any change empties."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[bytes, list[Route]]] = {}
        self._cache: dict[bytes, Route | None] = {}

    def add(self, route: Route) -> None:
        """Add a route. ValueError when host bits are set, or the same prefix has that metric already."""
        if mask(route.prefix, route.length) != route.prefix:
            raise ValueError(f"{route.prefix.hex('.')}/{route.length} has host bits set")
        routes = self._by_length.setdefault(route.length, {}).setdefault(route.prefix, [])
        if any(r.metric == route.metric for r in routes):
            raise ValueError(
                f"a route to {route.prefix.hex('.')}/{route.length} with metric {route.metric} exists"
            )
        routes.append(route)
        routes.sort(key=lambda r: r.metric)
        self._cache.clear()

    def remove(self, route: Route) -> None:
        """Remove a route. ValueError when it is not there."""
        routes = self._by_length.get(route.length, {}).get(route.prefix, [])
        if route not in routes:
            raise ValueError(f"no such route: {route}")
        routes.remove(route)
        self._cache.clear()

    def lookup(self, dst: bytes) -> Route | None:
        """The route that packets to `dst` take; None: the network is unreachable."""
        try:
            return self._cache[dst]
        except KeyError:
            pass
        found = None
        for length in sorted(self._by_length, reverse=True):
            routes = self._by_length[length].get(mask(dst, length))
            if routes:
                found = routes[0]
                break
        if len(self._cache) >= 4096:  # a scan over many addresses must not grow it for ever
            self._cache.clear()
        self._cache[dst] = found
        return found

    def __iter__(self):  # type: ignore[no-untyped-def]
        for length in sorted(self._by_length, reverse=True):
            for routes in self._by_length[length].values():
                yield from routes
