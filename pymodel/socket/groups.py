"""Multicast options of a datagram socket (ip(7)): memberships, source filters, IP_MULTICAST_IF.

Which errno wins when several things are wrong follows net/ipv4/igmp.c and ip_sockglue.c.
"""

import errno
import struct
from typing import Final, NamedTuple

from pymodel.ip.groups import Membership
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.udp import Datagram
from pymodel.udp.ipsender import IpSender
from pymodel.wire.ipv4 import ANY, is_multicast

MEMBERSHIPS_MOST: Final = 20
"""igmp_max_memberships."""
SOURCES_MOST: Final = 10
"""igmp_max_msf."""

_MREQ: Final = struct.Struct("=4s4s")
_MREQN: Final = struct.Struct("=4s4si")
_SOURCE: Final = struct.Struct("=4s4s4s")
_GROUP_REQ: Final = struct.Struct("@I4xH2x4s120x")
_GROUP_SOURCE_REQ: Final = struct.Struct("@I4xH2x4s120xH2x4s120x")

_SOURCE_OPTIONS: Final = {
    # (of an EXCLUDE filter, adds)
    c.IP_BLOCK_SOURCE: (True, True),
    c.IP_UNBLOCK_SOURCE: (True, False),
    c.IP_ADD_SOURCE_MEMBERSHIP: (False, True),
    c.IP_DROP_SOURCE_MEMBERSHIP: (False, False),
}
_GROUP_OPTIONS: Final = {
    c.MCAST_JOIN_GROUP: c.IP_ADD_MEMBERSHIP,
    c.MCAST_LEAVE_GROUP: c.IP_DROP_MEMBERSHIP,
    c.MCAST_BLOCK_SOURCE: c.IP_BLOCK_SOURCE,
    c.MCAST_UNBLOCK_SOURCE: c.IP_UNBLOCK_SOURCE,
    c.MCAST_JOIN_SOURCE_GROUP: c.IP_ADD_SOURCE_MEMBERSHIP,
    c.MCAST_LEAVE_SOURCE_GROUP: c.IP_DROP_SOURCE_MEMBERSHIP,
}
"""The same for any address family (RFC 3678 §5)."""

OPTIONS: Final = frozenset(
    {c.IP_ADD_MEMBERSHIP, c.IP_DROP_MEMBERSHIP, c.IP_MULTICAST_IF, *_SOURCE_OPTIONS, *_GROUP_OPTIONS}
)


class _Request(NamedTuple):
    """`struct ip_mreqn`."""

    group: bytes
    address: bytes
    device: int
    """Interface index; 0: none is named."""


class SocketGroups:
    """What one socket has joined, and how it sends to groups.

    `device`: where it sends them by, None: as the routing table says; `source`: the address that they leave
    with if the socket is bound to none.
    """

    def __init__(self, ip: IpSender) -> None:
        self._ip = ip
        self._joined: list[tuple[Membership, bytes]] = []
        """With the address that IP_ADD_MEMBERSHIP named the interface by. The last one comes first."""
        self._filtered: set[Membership] = set()
        """Those that had a source at any time: they keep their filter's mode."""
        self.device: str | None = None
        self.source = ANY

    def admits(self, datagram: Datagram, everything: bool) -> bool:
        """Whether the socket takes what was sent to a group. `everything`: IP_MULTICAST_ALL."""
        for membership, _ in self._joined:
            if (membership.group, membership.interface) == (datagram.destination[0], datagram.interface):
                return membership.admits(datagram.sender[0])
        return everything

    def leave_all(self) -> None:
        """The socket is closed."""
        for membership, _ in self._joined:
            self._ip.groups.leave(membership)
        self._joined.clear()

    def set_option(self, name: int, value: bytes) -> None:
        """setsockopt(2) with one of `OPTIONS`."""
        if name == c.IP_MULTICAST_IF:
            self._choose(value)
        elif name in _SOURCE_OPTIONS:
            if len(value) != _SOURCE.size:
                raise error(errno.EINVAL)
            group, address, source = _SOURCE.unpack(value)
            self._filter(_Request(group, address, 0), source, name)
        elif name in _GROUP_OPTIONS:
            self._for_any_family(_GROUP_OPTIONS[name], value)
        else:
            request = _request(value)
            if name == c.IP_ADD_MEMBERSHIP:
                self._join(request, exclude=True)
            else:
                self._leave(request)

    def _for_any_family(self, name: int, value: bytes) -> None:
        with_source = name in _SOURCE_OPTIONS
        layout = _GROUP_SOURCE_REQ if with_source else _GROUP_REQ
        if len(value) < layout.size:
            raise error(errno.EINVAL)
        index, family, group, *source = layout.unpack_from(value)
        if family != c.AF_INET or (with_source and source[0] != c.AF_INET):
            raise error(errno.EADDRNOTAVAIL if with_source else errno.EINVAL)
        request = _Request(group, ANY, index)
        if with_source:
            self._filter(request, source[1], name)
        elif name == c.IP_ADD_MEMBERSHIP:
            self._join(request, exclude=True)
        else:
            self._leave(request)

    def _device(self, request: _Request) -> str | None:
        """ip_mc_find_dev."""
        if request.device:
            return self._ip.device_at(request.device)
        if request.address != ANY:
            return self._ip.device_of(request.address)
        return self._ip.device_towards(request.group)

    def _find(self, group: bytes, device: str) -> Membership | None:
        for membership, _ in self._joined:
            if (membership.group, membership.interface) == (group, device):
                return membership
        return None

    def _join(self, request: _Request, *, exclude: bool) -> None:
        """__ip_mc_join_group."""
        if not is_multicast(request.group):
            raise error(errno.EINVAL)
        device = self._device(request)
        if device is None:
            raise error(errno.ENODEV)
        if self._find(request.group, device) is not None:
            raise error(errno.EADDRINUSE)
        if len(self._joined) >= MEMBERSHIPS_MOST:
            raise error(errno.ENOBUFS)
        membership = Membership(request.group, device, exclude)
        self._joined.insert(0, (membership, request.address))
        self._ip.groups.join(membership)

    def _leave(self, request: _Request) -> None:
        """ip_mc_leave_group."""
        device = self._device(request)
        if device is None and not request.device and request.address == ANY:
            raise error(errno.ENODEV)
        for at, (membership, address) in enumerate(self._joined):
            if membership.group != request.group:
                continue
            if device is not None:
                if membership.interface != device:
                    continue
            elif request.device or (request.address not in (ANY, address)):
                continue
            del self._joined[at]
            self._filtered.discard(membership)
            self._ip.groups.leave(membership)
            return
        raise error(errno.EADDRNOTAVAIL)

    def _filter(self, request: _Request, source: bytes, name: int) -> None:
        """ip_mc_source, with the implied membership of IP_ADD_SOURCE_MEMBERSHIP before it."""
        exclude, add = _SOURCE_OPTIONS[name]
        if name == c.IP_ADD_SOURCE_MEMBERSHIP:
            try:
                self._join(request, exclude=False)
            except OSError as failure:
                if failure.errno != errno.EADDRINUSE:
                    raise
        if not is_multicast(request.group):
            raise error(errno.EINVAL)
        device = self._device(request)
        if device is None:
            raise error(errno.ENODEV)
        membership = self._find(request.group, device)
        if membership is None:
            raise error(errno.EINVAL)
        sources = set(membership.sources)
        if membership.exclude != exclude:
            if membership in self._filtered:
                raise error(errno.EINVAL)
            self._ip.groups.change(membership, exclude, set())
        if add and len(sources) >= SOURCES_MOST:
            raise error(errno.ENOBUFS)
        if add == (source in sources):
            raise error(errno.EADDRNOTAVAIL)
        if not add and not exclude and len(sources) == 1:
            self._leave(request)  # including nobody is no membership
            return
        self._filtered.add(membership)
        self._ip.groups.change(membership, exclude, sources ^ {source})

    def _choose(self, value: bytes) -> None:
        """IP_MULTICAST_IF: `struct in_addr`, `ip_mreq` or `ip_mreqn`."""
        if len(value) < len(ANY):
            raise error(errno.EINVAL)
        request = _Request(ANY, value[:4], 0) if len(value) < _MREQ.size else _request(value)
        if not request.device and request.address == ANY:
            self.device, self.source = None, ANY
            return
        device = self._ip.device_at(request.device) if request.device else self._ip.device_of(request.address)
        if device is None:
            raise error(errno.EADDRNOTAVAIL)
        self.device, self.source = device, request.address


def _request(value: bytes) -> _Request:
    """`struct ip_mreqn`, or the shorter `ip_mreq`."""
    if len(value) >= _MREQN.size:
        group, address, device = _MREQN.unpack_from(value)
        return _Request(group, address, device)
    if len(value) < _MREQ.size:
        raise error(errno.EINVAL)
    group, address = _MREQ.unpack_from(value)
    return _Request(group, address, 0)
