"""The bind table: which local addresses and ports are taken, by Linux's rules.

Two bindings of one port conflict if their addresses are equal or either is any, unless both have
SO_REUSEADDR and the other does not listen, or both have SO_REUSEPORT and the same user (socket(7), tcp(7);
net/ipv4/inet_connection_sock.c, inet_csk_bind_conflict). A binding outlives its socket as long as
its connection does (FIN-WAIT, TIME-WAIT …): that is what makes SO_REUSEADDR necessary for servers.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ANY = b"\0\0\0\0"

EPHEMERAL_LOW = 32768
EPHEMERAL_HIGH = 60999
"""The default."""


@dataclass(eq=False, slots=True)
class Binding:
    """One socket's hold on `address`:`port`.

    `explicit`: made by bind(2) or listen(2); kept until the socket is closed. One made by connect(2)
    or accept(2) lives only as long as its connection (SOCK_BINDPORT_LOCK in Linux).
    `in_use()` is asked before the binding is counted; a dead one is dropped.
    """

    address: bytes
    port: int
    uid: int
    reuse_address: bool
    reuse_port: bool
    explicit: bool
    in_use: Callable[[], bool]
    listening: bool = False

    def conflicts(self, other: "Binding") -> bool:
        """Whether this one may not hold (or begin to listen on) the port that `other` holds."""
        if self.address != other.address and ANY not in (self.address, other.address):
            return False
        if self.reuse_port and other.reuse_port and self.uid == other.uid:
            return False
        return not (self.reuse_address and other.reuse_address and not self.listening and not other.listening)


class PortTable:
    """All bindings of one protocol on one host. Ephemeral ports follow from `seed`."""

    def __init__(self, seed: int) -> None:
        self._ports: dict[int, list[Binding]] = {}
        self._random = random.Random(seed)
        self.ephemeral = range(EPHEMERAL_LOW, EPHEMERAL_HIGH + 1)
        """What ports are chosen from (net.ipv4.ip_local_port_range)."""

    def holders(self, port: int) -> list[Binding]:
        """The live bindings of `port`."""
        bindings = self._ports.get(port)
        if bindings is None:
            return []
        bindings[:] = [binding for binding in bindings if binding.in_use()]
        if not bindings:
            del self._ports[port]
        return bindings

    def prune(self, port: int) -> None:
        """A connection of `port` has ended: forget bindings that were only there for it."""
        self.holders(port)

    def conflict(self, binding: Binding) -> bool:
        """Whether another live binding forbids this one."""
        return any(other is not binding and binding.conflicts(other) for other in self.holders(binding.port))

    def add(self, binding: Binding) -> None:
        """Record `binding`; the caller has looked for conflicts."""
        self._ports.setdefault(binding.port, []).append(binding)

    def remove(self, binding: Binding) -> None:
        """Forget `binding`."""
        bindings = self._ports.get(binding.port)
        if bindings is not None and binding in bindings:
            bindings.remove(binding)
            if not bindings:
                del self._ports[binding.port]

    def choose_for_bind(self, binding: Binding) -> bool:
        """Set `binding.port` to a free ephemeral port (odd ones first, as Linux); False: none is left."""
        for port in self._candidates(1):
            binding.port = port
            if not any(
                ANY in (binding.address, other.address) or binding.address == other.address
                for other in self.holders(port)
            ):
                return True
        binding.port = 0
        return False

    def choose_for_connect(self, unused: Callable[[int], bool]) -> int:
        """A port for connect(2), even ones first; 0: none is left (then EADDRNOTAVAIL).

        A port may be shared by connections to different peers, never with an explicit binding.
        `unused(port)` says whether the connection's four-tuple is free.
        """
        for port in self._candidates(0):
            if unused(port) and not any(other.explicit for other in self.holders(port)):
                return port
        return 0

    def _candidates(self, parity: int) -> Iterator[int]:
        """Every ephemeral port once: first those of `parity`, from a random one on, then the others."""
        first = self.ephemeral.start
        start = self._random.randrange(max(len(self.ephemeral) // 2, 1))
        for offset in (parity, 1 - parity):
            ports = range(first + offset, self.ephemeral.stop, 2)
            for i in range(len(ports)):
                yield ports[(start + i) % len(ports)]
