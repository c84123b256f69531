"""Drop-in `select`: select(2), poll(2) and epoll(7) on simulated descriptors."""

import errno
import math
import os
import stat
from typing import Any

from pymodel.simtime import MS, SEC
from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.socket.dropin.descriptors import REAL_FDS, syscall

POLL_DEFAULT = c.POLLIN | c.POLLPRI | c.POLLOUT
FD_SETSIZE = 1024
INT_MAX = 0x7FFF_FFFF


def descriptor(item: Any) -> int:
    """The descriptor of an int or of an object with fileno(); TypeError, ValueError as CPython."""
    if isinstance(item, int):
        fd: Any = item
    elif hasattr(item, "fileno"):
        fd = item.fileno()
        if not isinstance(fd, int):
            raise TypeError("fileno() returned a non-integer")
    else:
        raise TypeError("argument must be an int, or have a fileno() method.")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    if fd > 0x7FFF_FFFF:
        raise OverflowError("Python int too large to convert to C int")
    return int(fd)


def _limit(timeout: Any, unit: int) -> int | None:
    """A time-out in `unit`s as ps, rounded up to a whole ms or µs as CPython does; None: for ever."""
    if timeout is None:
        return None
    if not isinstance(timeout, int | float) and not hasattr(timeout, "__index__"):
        raise TypeError("timeout must be a real number or None")
    value = timeout if isinstance(timeout, int | float) else timeout.__index__()
    if math.isnan(value):
        raise ValueError("Invalid value NaN (not a number)")
    if value * (unit / SEC) > 9_223_372_036:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")
    return math.ceil(value * unit) if value >= 0 else math.floor(value * unit)  # away from zero


def select(
    rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """What is ready of each list, after `timeout` seconds at most; ValueError, OSError(EBADF)."""
    limit = _limit(timeout, SEC)
    if limit is not None and limit < 0:
        raise ValueError("timeout must be non-negative")
    lists = [_collect(items) for items in (rlist, wlist, xlist)]
    regular = [[fd for _, fd in group if not _simulated(fd)] for group in lists]
    if any(regular[:2]):
        limit = 0
    fds = [[fd for _, fd in group if fd < FD_SETSIZE] for group in lists]
    ready = [set(found) for found in syscall("select", *fds, limit)]
    for found, files in zip(ready[:2], regular[:2], strict=True):
        found.update(files)
    chosen = [[item for item, fd in group if fd in found] for group, found in zip(lists, ready, strict=True)]
    return chosen[0], chosen[1], chosen[2]


def _collect(items: Any) -> list[tuple[Any, int]]:
    """Each item with its descriptor. The list may shrink while its items are asked for theirs."""
    try:
        sequence = items if isinstance(items, list | tuple) else list(items)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None
    found: list[tuple[Any, int]] = []
    while len(found) < len(sequence):
        item = sequence[len(found)]
        found.append((item, descriptor(item)))
    return found


def _simulated(fd: int) -> bool:
    """Whether `fd` is in the simulated table. ValueError, unless it is a real file: always ready. EBADF."""
    if fd < FD_SETSIZE:
        return True
    if fd < REAL_FDS or not stat.S_ISREG(os.fstat(fd).st_mode):
        raise ValueError("filedescriptor out of range in select()")
    return False


_FILE_READY = c.POLLIN | c.POLLOUT


def _regular(fd: int) -> bool:
    """Whether `fd` is a real file."""
    try:
        return fd >= REAL_FDS and stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False


def _unsigned_short(value: Any) -> int:
    number = value.__index__()
    if number < 0:
        raise ValueError("value must be positive")
    if number > 0xFFFF:
        raise OverflowError("Python int too large for C unsigned short")
    return int(number)


class Poll:
    """What `select.poll()` gives."""

    def __new__(cls, *_: Any, **__: Any) -> "Poll":
        """Not for programs."""
        raise TypeError("cannot create 'select.poll' instances")

    def __init__(self) -> None:
        self._events: dict[int, int] = {}
        self._running = False

    def register(self, fd: Any, eventmask: int = POLL_DEFAULT, /) -> None:
        """Watch `fd`."""
        self._events[descriptor(fd)] = _unsigned_short(eventmask)

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Watch `fd` for something else; FileNotFoundError if it is not watched."""
        number = descriptor(fd)
        mask = _unsigned_short(eventmask)
        if number not in self._events:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        self._events[number] = mask

    def unregister(self, fd: Any, /) -> None:
        """Do not watch `fd` any more; KeyError if it is not watched."""
        del self._events[descriptor(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """What is ready, after `timeout` milliseconds at most (None or negative: no limit)."""
        limit = _limit(timeout, MS)
        if limit is not None and limit > INT_MAX * MS:
            raise OverflowError("timeout is too large")
        if self._running:
            raise RuntimeError("concurrent poll() invocation")
        self._running = True
        try:
            whole = None if limit is None or limit < 0 else -(-limit // MS) * MS
            # A real file is always ready; a number that is open in neither table is for the kernel to refuse.
            files = {fd: events & _FILE_READY for fd, events in self._events.items() if _regular(fd)}
            files = {fd: events for fd, events in files.items() if events}
            watched = [(fd, events) for fd, events in self._events.items() if not _regular(fd)]
            ready: list[tuple[int, int]] = syscall("poll", watched, 0 if files else whole)
            return ready + list(files.items())
        finally:
            self._running = False


Poll.__module__, Poll.__name__, Poll.__qualname__ = "select", "poll", "poll"


def poll() -> Poll:
    """As `select.poll`."""
    made = object.__new__(Poll)
    made.__init__()  # type: ignore[misc]
    return made


class epoll:
    """`select.epoll`."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._fd = -1
        self._process = current_process()
        if sizehint != -1 and sizehint <= 0:
            raise ValueError("negative sizehint")
        if flags and flags != c.EPOLL_CLOEXEC:
            raise OSError("invalid flags")
        self._fd = int(syscall("epoll_create", c.EPOLL_CLOEXEC))

    @classmethod
    def fromfd(cls, fd: int, /) -> "epoll":
        """An object for an epoll descriptor that exists."""
        made = cls.__new__(cls)
        made._fd, made._process = fd, current_process()
        return made

    def __del__(self) -> None:
        # A finalizer may run anywhere: the process closes the descriptor at the next switch.
        if getattr(self, "_fd", -1) >= 0:
            self._process.lost_fds.append(self._fd)
            self._fd = -1

    def _open(self) -> int:
        if self._fd < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._fd

    def __enter__(self) -> "epoll":
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._fd < 0

    def fileno(self) -> int:
        """The epoll descriptor."""
        return self._open()

    def close(self) -> None:
        """Close it; closing twice is harmless."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            syscall("close", fd)

    def _control(self, operation: int, fd: Any, events: int) -> None:
        own = self._open()
        syscall("epoll_ctl", own, operation, descriptor(fd), events)

    def register(self, fd: Any, eventmask: int = POLL_DEFAULT) -> None:
        """EPOLL_CTL_ADD."""
        self._control(c.EPOLL_CTL_ADD, fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """EPOLL_CTL_MOD."""
        self._control(c.EPOLL_CTL_MOD, fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """EPOLL_CTL_DEL."""
        self._control(c.EPOLL_CTL_DEL, fd, 0)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """epoll_wait(2): (fd, events) pairs after `timeout` seconds at most (None or negative: no limit)."""
        own = self._open()
        limit = _limit(timeout, SEC)
        if maxevents == -1:
            maxevents = FD_SETSIZE - 1
        elif maxevents < 1:
            raise ValueError(f"maxevents must be greater than 0, got {maxevents}")
        whole = None if limit is None or limit < 0 else -(-limit // MS) * MS
        found: list[tuple[int, int]] = syscall("epoll_wait", own, maxevents, whole)
        return found


EXPORTS: dict[str, Any] = {"PIPE_BUF": 4096, "select": select, "poll": poll, "epoll": epoll, "error": OSError}
