"""Which multicast groups a host wants at which interface, and from whom (RFC 3376 §3).

A socket's wish is a `Membership`. What the interface lets in, and what IGMP tells the routers, is what all of
them want together: `Filter`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pymodel.wire.igmp import ALL_SYSTEMS


class Filter(NamedTuple):
    """Everybody but `sources` (EXCLUDE), or only these (INCLUDE). Including nobody is no membership."""

    exclude: bool
    sources: frozenset[bytes]


NOBODY: Final = Filter(False, frozenset())


@dataclass(eq=False, slots=True)
class Membership:
    """One socket's: `group` at the interface called `interface`. `sources` as in `Filter`."""

    group: bytes
    interface: str
    exclude: bool = True
    sources: set[bytes] = field(default_factory=set)

    def admits(self, source: bytes) -> bool:
        """Whether the socket wants what `source` sends."""
        return (source in self.sources) != self.exclude


Changed = Callable[[str, bytes, Filter, Filter], None]
"""(interface, group, old, new)."""


def combined(members: list[Membership]) -> Filter:
    """What an interface wants for all its members (RFC 3376 §3.2)."""
    excluding = [m.sources for m in members if m.exclude]
    included = frozenset[bytes]().union(*(m.sources for m in members if not m.exclude))
    if not excluding:
        return Filter(False, included)
    return Filter(True, frozenset(set.intersection(*excluding)) - included)


class Groups:
    """All memberships of a host. `changed` is told when what an interface wants has changed."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self._members: dict[tuple[str, bytes], list[Membership]] = {}

    def join(self, membership: Membership) -> None:
        """Let its packets in from now on."""
        members = self._members.setdefault((membership.interface, membership.group), [])
        old = combined(members)
        members.append(membership)
        self._tell(membership, old)

    def leave(self, membership: Membership) -> None:
        """Forget it. ValueError if it has not joined."""
        key = membership.interface, membership.group
        members = self._members[key]
        old = combined(members)
        members.remove(membership)
        self._tell(membership, old)
        if not members:
            del self._members[key]

    def change(self, membership: Membership, exclude: bool, sources: set[bytes]) -> None:
        """Another filter for a membership that has joined."""
        old = self.filter(membership.interface, membership.group)
        membership.exclude, membership.sources = exclude, sources
        self._tell(membership, old)

    def _tell(self, membership: Membership, old: Filter) -> None:
        new = self.filter(membership.interface, membership.group)
        if new != old:
            self._changed(membership.interface, membership.group, old, new)

    def filter(self, interface: str, group: bytes) -> Filter:
        """What `interface` wants of `group`."""
        return combined(self._members.get((interface, group), []))

    def joined(self, interface: str) -> list[bytes]:
        """The groups that `interface` wants something of."""
        return [group for name, group in self._members if name == interface]

    def admits(self, interface: str, group: bytes, source: bytes) -> bool:
        """Whether a packet comes in; what is sent to all systems always does (RFC 1112 §7.2)."""
        if group == ALL_SYSTEMS:
            return True
        members = self._members.get((interface, group))
        return members is not None and any(member.admits(source) for member in members)
