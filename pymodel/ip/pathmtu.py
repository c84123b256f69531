"""Path MTUs that ICMP has told of (RFC 1191 §3, §6.3): by destination, forgotten after ten minutes."""

from typing import Final

from pymodel.simtime import SEC

MIN_MTU: Final = 552
"""Linux's ip_rt_min_pmtu: whoever claims less does not make us send tiny packets."""

EXPIRES: Final = 600 * SEC
"""Linux's ip_rt_mtu_expires; RFC 1191 §6.3 asks for about ten minutes."""

_MOST: Final = 4096
"""Destinations that are remembered; the oldest goes first."""


class PathMtus:
    """What is known beyond the routing table."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def reduce(self, dst: bytes, mtu: int, present: int, now: int) -> None:
        """Packets to `dst` beyond `mtu` bytes do not pass. Only less than the `present` figure counts."""
        if mtu > present:
            return
        mtu = max(mtu, min(MIN_MTU, present))
        self._known.pop(dst, None)
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[dst] = (mtu, now + EXPIRES)

    def limit(self, dst: bytes, mtu: int, now: int) -> int:
        """`mtu`, or less if the path to `dst` is known to carry less."""
        known = self._known.get(dst)
        if known is None:
            return mtu
        if known[1] <= now:
            del self._known[dst]
            return mtu
        return min(mtu, known[0])

    def clear(self) -> None:
        """Forget everything (`ip route flush cache`)."""
        self._known.clear()
