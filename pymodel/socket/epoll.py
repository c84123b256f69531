"""epoll(7): interest list and ready list, as in Linux's fs/eventpoll.c.

An entry is put on the ready list when its file is *woken* for something it wants; whether the file is
ready is asked only when events are collected. A level-triggered entry goes back on the list after it was
reported, an edge-triggered one does not: so it is reported once for each wake-up, not for each change.
"""

import errno
import stat
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile, Watcher

PRIVATE: Final = c.EPOLLWAKEUP | c.EPOLLONESHOT | c.EPOLLET | c.EPOLLEXCLUSIVE
"""Bits of an entry that are no events."""
EXCLUSIVE_ALLOWED: Final = (
    c.EPOLLIN | c.EPOLLOUT | c.EPOLLERR | c.EPOLLHUP | c.EPOLLWAKEUP | c.EPOLLET | c.EPOLLEXCLUSIVE
)
MAX_NESTS: Final = 4
"""How many epolls may watch each other in a chain."""


class Entry:
    """One watched descriptor (`struct epitem`): the file, the number it was added by, events and data."""

    def __init__(self, epoll: "Epoll", file: OpenFile, fd: int, events: int, data: int) -> None:
        self.epoll = epoll
        self.file = file
        self.fd = fd
        self.events = events
        self.data = data
        self.exclusive = bool(events & c.EPOLLEXCLUSIVE)

    def woken(self, events: int) -> bool:
        """ep_poll_callback; True if that wakes somebody, for EPOLLEXCLUSIVE."""
        if not self.events & ~PRIVATE or (events and not events & self.events):
            return not self.exclusive
        blocked = self.epoll.collectors
        self.epoll.ready[self] = None
        self.epoll.notify(c.POLLIN)
        if not self.exclusive:
            return True
        inout = events & (c.EPOLLIN | c.EPOLLOUT)
        return bool(blocked) and (inout == 0 or (inout & self.events) == inout)

    def released(self) -> None:
        """The file's last descriptor is closed: it is watched no more."""
        self.epoll.drop(self)

    def state(self) -> int:
        """What the entry wants and is the case now."""
        return self.file.poll() & self.events


class Epoll(OpenFile):
    """An epoll instance."""

    mode = stat.S_IRUSR | stat.S_IWUSR

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[int, int], Entry] = {}
        self.ready: dict[Entry, None] = {}
        self.collectors = 0
        """Threads blocked in epoll_wait(2)."""

    def release(self) -> None:
        """Watch nothing any more."""
        for entry in list(self.entries.values()):
            self.drop(entry)

    def drop(self, entry: Entry) -> None:
        """Remove `entry` from both lists."""
        self.entries.pop((id(entry.file), entry.fd), None)
        self.ready.pop(entry, None)
        entry.file.unwatch(entry)

    # epoll_ctl(2)

    def control(self, operation: int, file: OpenFile, fd: int, events: int, data: int) -> None:
        """EPERM, EINVAL, ELOOP, EEXIST, ENOENT."""
        has_event = operation != c.EPOLL_CTL_DEL
        if not file.pollable:
            raise error(errno.EPERM)
        if file is self:
            raise error(errno.EINVAL)
        if has_event and events & c.EPOLLEXCLUSIVE:
            bad = isinstance(file, Epoll) or events & ~EXCLUSIVE_ALLOWED
            if operation == c.EPOLL_CTL_MOD or (operation == c.EPOLL_CTL_ADD and bad):
                raise error(errno.EINVAL)
        if operation == c.EPOLL_CTL_ADD and isinstance(file, Epoll):
            self._check_nesting(file)
        entry = self.entries.get((id(file), fd))
        if operation == c.EPOLL_CTL_ADD:
            if entry is not None:
                raise error(errno.EEXIST)
            self._add(Entry(self, file, fd, events | c.EPOLLERR | c.EPOLLHUP, data))
        elif operation in (c.EPOLL_CTL_MOD, c.EPOLL_CTL_DEL):
            if entry is None:
                raise error(errno.ENOENT)
            if operation == c.EPOLL_CTL_DEL:
                self.drop(entry)
                return
            if entry.exclusive:
                raise error(errno.EINVAL)
            entry.events, entry.data = events | c.EPOLLERR | c.EPOLLHUP, data
            self._look(entry)
        else:
            raise error(errno.EINVAL)

    def _add(self, entry: Entry) -> None:
        self.entries[id(entry.file), entry.fd] = entry
        entry.file.watch(entry)
        self._look(entry)

    def _look(self, entry: Entry) -> None:
        if entry.state():
            self.ready[entry] = None
            self.notify(c.POLLIN)

    def _check_nesting(self, file: "Epoll") -> None:
        def below(epoll: Epoll) -> int:
            if epoll is self:
                raise error(errno.ELOOP)
            nested = [entry.file for entry in epoll.entries.values() if isinstance(entry.file, Epoll)]
            return 1 + max(map(below, nested), default=0)

        def above(epoll: Epoll) -> int:
            # An entry of the file's watchers says which epoll holds it.
            outer = [w.epoll for w in epoll.watchers() if isinstance(w, Entry)]
            return 1 + max(map(above, outer), default=0)

        if below(file) + above(self) > MAX_NESTS + 1:
            raise error(errno.ELOOP)

    def watchers(self) -> list[Watcher]:
        """Who watches this epoll itself."""
        return list(self._watchers)

    # epoll_wait(2)

    def collect(self, limit: int) -> list[tuple[int, int]]:
        """Up to `limit` (data, events) of the ready list (ep_send_events)."""
        found: list[tuple[int, int]] = []
        again: list[Entry] = []
        for entry in list(self.ready):
            if len(found) >= limit:
                break
            del self.ready[entry]
            events = entry.state()
            if not events:
                continue
            found.append((entry.data, events))
            if entry.events & c.EPOLLONESHOT:
                entry.events &= PRIVATE
            elif not entry.events & c.EPOLLET:
                again.append(entry)
        self.ready.update(dict.fromkeys(again))
        return found

    def poll(self) -> int:
        """POLLIN if an entry is ready; entries that are not leave the list (__ep_eventpoll_poll)."""
        while self.ready:
            entry = next(iter(self.ready))
            if entry.state():
                return c.POLLIN | c.POLLRDNORM
            del self.ready[entry]
        return 0
