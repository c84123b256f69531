"""Drop-in `select`: select(2) and poll(2) on simulated descriptors. There is no epoll, as on other systems;
`selectors` then uses poll."""

from typing import Any

from pymodel.simtime import MS, SEC
from pymodel.socket import constants as c
from pymodel.socket.current import current_process, current_thread

POLL_DEFAULT = c.POLLIN | c.POLLPRI | c.POLLOUT


def descriptor(item: Any) -> int:
    """The descriptor of an int or of an object with fileno(); TypeError, ValueError as CPython."""
    fd = item if isinstance(item, int) else getattr(item, "fileno", lambda: None)()
    if not isinstance(fd, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def select(
    rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """What is ready of each list, after `timeout` seconds at most; ValueError, OSError(EBADF)."""
    lists = [list(items) for items in (rlist, wlist, xlist)]
    fds = [[descriptor(item) for item in items] for items in lists]
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    if any(fd >= 1024 for group in fds for fd in group):
        raise ValueError("filedescriptor out of range in select()")
    limit = None if timeout is None else round(timeout * SEC)
    process = current_process()
    call = process.kernel.select(process, fds[0], fds[1], fds[2], limit)
    ready = current_thread().syscall(call)
    chosen = [
        [item for item, fd in zip(items, group, strict=True) if fd in found]
        for items, group, found in zip(lists, fds, ready, strict=True)
    ]
    return chosen[0], chosen[1], chosen[2]


class poll:
    """`select.poll()`."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = POLL_DEFAULT, /) -> None:
        """Watch `fd`."""
        self._events[descriptor(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Watch `fd` for something else; FileNotFoundError if it is not watched."""
        number = descriptor(fd)
        if number not in self._events:
            raise FileNotFoundError(2, "No such file or directory")
        self._events[number] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Do not watch `fd` any more; KeyError if it is not watched."""
        del self._events[descriptor(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """What is ready, after `timeout` milliseconds at most (None or negative: no limit)."""
        limit = None if timeout is None or timeout < 0 else round(timeout * MS)
        process = current_process()
        return current_thread().syscall(process.kernel.poll(process, list(self._events.items()), limit))


EXPORTS: dict[str, Any] = {"select": select, "poll": poll, "error": OSError}
