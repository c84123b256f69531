"""ioctl(2) requests about interfaces, on any socket (netdevice(7)): `struct ifreq` in, and out."""

import errno
import struct
from collections.abc import Callable, Sequence
from typing import Final

from pymodel.ip.layer import Interface
from pymodel.ip.route import mask
from pymodel.socket import constants as c
from pymodel.socket.errors import error

IFREQ: Final = struct.Struct("16s24s")
SIOCGIFCONF: Final = 0x8912
SIOCGIFNAME: Final = 0x8910

_UP, _BROADCAST, _LOOPBACK, _RUNNING, _MULTICAST = 1, 2, 8, 0x40, 0x1000
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772


def _address(address: bytes) -> bytes:
    return struct.pack("=HH4s", c.AF_INET, 0, address)


def _flags(interface: Interface) -> bytes:
    kind = _LOOPBACK if interface.neighbours is None else _BROADCAST | _MULTICAST
    return struct.pack("=H", _UP | kind | (_RUNNING if interface.dev.carrier else 0))


def _hardware(interface: Interface) -> bytes:
    kind = _ARPHRD_LOOPBACK if interface.neighbours is None else _ARPHRD_ETHER
    return struct.pack("=H", kind) + interface.dev.mac


def _broadcast(interface: Interface) -> bytes:
    return bytes(4) if interface.neighbours is None else interface.broadcast


_ANSWERS: Final[dict[int, Callable[[Interface], bytes]]] = {
    0x8913: _flags,
    0x8915: lambda interface: _address(interface.address),
    0x8917: lambda interface: _address(interface.address),  # of what is no point-to-point link
    0x8919: lambda interface: _address(_broadcast(interface)),
    0x891B: lambda interface: _address(mask(b"\xff" * 4, interface.length)),
    0x891D: lambda interface: bytes(4),
    0x8921: lambda interface: struct.pack("=i", interface.dev.mtu),
    0x8927: _hardware,
    0x8942: lambda interface: struct.pack("=i", interface.dev.txqueuelen),
}
"""SIOCGIFFLAGS, ADDR, DSTADDR, BRDADDR, NETMASK, METRIC, MTU, HWADDR, TXQLEN."""
_SIOCGIFINDEX: Final = 0x8933

REQUESTS: Final = frozenset({SIOCGIFNAME, _SIOCGIFINDEX, *_ANSWERS})


def answer(interfaces: Sequence[Interface], request: int, asked: bytes) -> bytes:
    """What one of `REQUESTS` makes of `asked`: 40 bytes. ENODEV."""
    if len(asked) < IFREQ.size:
        raise error(errno.EFAULT)
    name = bytes(asked[:15]).split(b"\0")[0]
    names = [interface.dev.name.encode() for interface in interfaces]
    if request == SIOCGIFNAME:
        index = int(struct.unpack_from("=i", asked, 16)[0])
        if not 0 < index <= len(names):
            raise error(errno.ENODEV)
        return names[index - 1].ljust(16, b"\0") + asked[16 : IFREQ.size]
    if name not in names:
        raise error(errno.ENODEV)
    at = names.index(name)
    result = struct.pack("=i", at + 1) if request == _SIOCGIFINDEX else _ANSWERS[request](interfaces[at])
    return asked[:16] + result + asked[16 + len(result) : IFREQ.size]


def everything(interfaces: Sequence[Interface]) -> bytes:
    """What SIOCGIFCONF stores: an ifreq with the address of each interface."""
    return b"".join(IFREQ.pack(i.dev.name.encode(), _address(i.address)) for i in interfaces)
