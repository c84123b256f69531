"""The eventfds by which the client notifies, as one descriptor to wait for."""

import contextlib
import os
import select
from collections.abc import Callable

__all__ = ["Kicks"]


class Kicks:
    """`fd` is readable when one of those that were added has been notified; `take` calls what belongs to
    it.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._then: dict[int, Callable[[], None]] = {}

    @property
    def fd(self) -> int:
        """To be watched."""
        return self._epoll.fileno()

    def add(self, fd: int, then: Callable[[], None]) -> None:
        """Call `then()` for notifications of the eventfd `fd`; also for one that came before."""
        self._then[fd] = then
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """No longer, if at all."""
        if self._then.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def take(self) -> None:
        """Take what has come, without waiting."""
        for fd, _ in self._epoll.poll(0):
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(fd)
                self._then[fd]()

    def close(self) -> None:
        """Let go."""
        self._epoll.close()
