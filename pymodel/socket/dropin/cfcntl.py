"""Drop-in `fcntl`: fcntl(2) and ioctl(2) on simulated descriptors, the real ones on others."""

import ctypes
import errno
import fcntl as real
import struct
from typing import Any

from pymodel.socket import constants as c
from pymodel.socket import ifreq
from pymodel.socket.dropin.cselect import descriptor
from pymodel.socket.dropin.descriptors import is_simulated, syscall
from pymodel.socket.errors import error

_RESULT = struct.Struct("@i")
_IFCONF = struct.Struct("@iP")
_ANSWERS = frozenset({c.SIOCINQ, c.SIOCOUTQ, c.SIOCOUTQNSD, c.SIOCATMARK})
"""Requests that write an int through their argument."""


def _number(fd: Any) -> int:
    if isinstance(fd, int) and fd < -0x8000_0000:
        raise OverflowError("Python int too large to convert to C int")
    return descriptor(fd)


def fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    """As `fcntl.fcntl`."""
    number = _number(fd)
    if not is_simulated(number):
        return real.fcntl(number, cmd, arg)
    if isinstance(arg, int):
        return int(syscall("fcntl", number, cmd, arg))
    raw = bytes(arg)
    syscall("fcntl", number, cmd, _RESULT.unpack_from(raw.ljust(_RESULT.size, b"\0"))[0])
    return raw


def ioctl(fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
    """As `fcntl.ioctl`: a bytes argument comes back with the answer, a writable buffer is changed."""
    number = _number(fd)
    if not is_simulated(number):
        return real.ioctl(number, request, arg, mutate_flag)
    request &= 0xFFFF_FFFF
    if isinstance(arg, int):
        if request in _ANSWERS:
            syscall("ioctl", number, request)
            raise error(errno.EFAULT)  # the int would be taken for an address
        return int(syscall("ioctl", number, request, arg))
    raw = bytearray(memoryview(arg).cast("B"))
    if request in ifreq.REQUESTS:
        raw[: ifreq.IFREQ.size] = syscall("interface_ioctl", number, request, bytes(raw))
        return _given_back(raw, arg, mutate_flag)
    if request == ifreq.SIOCGIFCONF and len(raw) >= _IFCONF.size:
        _store_everything(raw, syscall("interface_ioctl", number, request, b""))
        return _given_back(raw, arg, mutate_flag)
    value = _RESULT.unpack_from(raw)[0] if len(raw) >= _RESULT.size else 0
    answer = syscall("ioctl", number, request, value)
    if request in _ANSWERS and len(raw) >= _RESULT.size:
        _RESULT.pack_into(raw, 0, answer)
    return _given_back(raw, arg, mutate_flag)


def _given_back(raw: bytearray, arg: Any, mutate_flag: bool) -> Any:
    if not memoryview(arg).readonly and mutate_flag:
        memoryview(arg).cast("B")[:] = raw
        return 0
    return bytes(raw)


def _store_everything(raw: bytearray, entries: bytes) -> None:
    """SIOCGIFCONF: `struct ifconf` has the program's buffer by address; without one only the size counts."""
    length, address = _IFCONF.unpack_from(raw)
    if address:
        size = ifreq.IFREQ.size
        entries = entries[: length // size * size]
        ctypes.memmove(address, entries, len(entries))
    _IFCONF.pack_into(raw, 0, len(entries), address)


def flock(fd: Any, operation: int, /) -> None:
    """As `fcntl.flock`; locks of simulated descriptors are always free."""
    number = _number(fd)
    if is_simulated(number):
        syscall("fcntl", number, c.F_GETFD)
    else:
        real.flock(number, operation)


def lockf(fd: Any, cmd: int, *args: Any) -> Any:
    """As `fcntl.lockf`."""
    number = _number(fd)
    if is_simulated(number):
        raise error(errno.EINVAL)
    return real.lockf(number, cmd, *args)


EXPORTS: dict[str, Any] = {
    **{name: value for name, value in vars(real).items() if name.isupper()},
    "fcntl": fcntl,
    "ioctl": ioctl,
    "flock": flock,
    "lockf": lockf,
}
