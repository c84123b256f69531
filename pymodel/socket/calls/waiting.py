"""Waiting for several descriptors: poll(2), select(2), epoll(7)."""

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.calls.base import Calls
from pymodel.socket.epoll import Epoll
from pymodel.socket.errors import error
from pymodel.task import Blocking, Wait

if TYPE_CHECKING:
    from pymodel.socket.process import Process

FD_SETSIZE = 1024

POLL_ALWAYS = c.POLLERR | c.POLLHUP
SELECT_READ = c.POLLRDNORM | c.POLLRDBAND | c.POLLIN | c.POLLHUP | c.POLLERR | c.POLLNVAL
SELECT_WRITE = c.POLLWRBAND | c.POLLWRNORM | c.POLLOUT | c.POLLERR | c.POLLNVAL
SELECT_EXCEPT = c.POLLPRI | c.POLLNVAL
"""POLLIN_SET, POLLOUT_SET, POLLEX_SET of fs/select.c."""

FdSets = tuple[list[int], list[int], list[int]]


class WaitCalls(Calls):
    """Calls that wait. Times are ps; None waits for ever."""

    def poll(
        self, process: "Process", fds: Sequence[tuple[int, int]], timeout: int | None = None
    ) -> Blocking[list[tuple[int, int]]]:
        """poll(2): (fd, events) in, those with something to report out; `timeout` None: for ever.

        A negative descriptor is ignored, one that is not open reports POLLNVAL; one that is closed meanwhile
        does not wake the caller, who finds out when it looks again. EINVAL for more entries than the process
        may have descriptors.
        """
        if len(fds) > process.files.limit:
            raise error(errno.EINVAL)
        files = [file for fd, _ in fds if (file := process.files.peek(fd)) is not None]
        for file in files:
            file.get()
        try:
            deadline = None if timeout is None else self.scheduler.now + max(timeout, 0)
            while True:
                ready = []
                for fd, events in fds:
                    if fd < 0:
                        continue
                    now = process.files.peek(fd)
                    mask = c.POLLNVAL if now is None else now.poll() & (events | POLL_ALWAYS)
                    if mask:
                        ready.append((fd, mask))
                if ready or (deadline is not None and deadline <= self.scheduler.now):
                    return ready
                yield Wait(*(file.queue for file in files), deadline=deadline)
        finally:
            for file in files:
                file.put()

    def select(
        self,
        process: "Process",
        reading: Sequence[int],
        writing: Sequence[int],
        exceptional: Sequence[int],
        timeout: int | None = None,
    ) -> Blocking[FdSets]:
        """select(2) by way of `poll`: EBADF, and EINVAL for a descriptor beyond FD_SETSIZE."""
        wanted: dict[int, int] = {}
        for fds, mask in ((reading, SELECT_READ), (writing, SELECT_WRITE), (exceptional, SELECT_EXCEPT)):
            for fd in fds:
                if not 0 <= fd < FD_SETSIZE:
                    raise error(errno.EINVAL)
                process.files.get(fd)
                wanted[fd] = wanted.get(fd, 0) | mask
        deadline = None if timeout is None else self.scheduler.now + max(timeout, 0)
        while True:
            rest = None if deadline is None else deadline - self.scheduler.now
            found = dict((yield from self.poll(process, list(wanted.items()), rest)))
            sets = (
                [fd for fd in reading if found.get(fd, 0) & SELECT_READ],
                [fd for fd in writing if found.get(fd, 0) & SELECT_WRITE],
                [fd for fd in exceptional if found.get(fd, 0) & SELECT_EXCEPT],
            )
            if any(sets) or not found:
                return sets
            # A hang-up alone, which a set of writers does not count: wait until it is more than that.
            queues = [process.files.get(fd).queue for fd in wanted]
            if not (yield Wait(*queues, deadline=deadline)):
                return [], [], []

    # epoll

    def epoll_create(self, process: "Process", flags: int = 0) -> Blocking[int]:
        """epoll_create1(2): EINVAL for flags other than EPOLL_CLOEXEC, EMFILE."""
        yield from ()
        if flags & ~c.EPOLL_CLOEXEC:
            raise error(errno.EINVAL)
        return process.files.install(Epoll(), cloexec=bool(flags & c.EPOLL_CLOEXEC))

    def epoll_ctl(
        self, process: "Process", epfd: int, operation: int, fd: int, events: int = 0, data: int | None = None
    ) -> Blocking[None]:
        """epoll_ctl(2): `data` comes back from epoll_wait, by default `fd`.

        EBADF, EPERM (a file that cannot be polled), EINVAL, EEXIST, ENOENT, ELOOP.
        """
        yield from ()
        with self._file(process, epfd) as epoll, self._file(process, fd) as file:
            if not file.pollable:
                raise error(errno.EPERM)
            if not isinstance(epoll, Epoll):
                raise error(errno.EINVAL)
            epoll.control(operation, file, fd, events & 0xFFFF_FFFF, fd if data is None else data)

    def epoll_wait(
        self, process: "Process", epfd: int, limit: int, timeout: int | None = None
    ) -> Blocking[list[tuple[int, int]]]:
        """epoll_wait(2): up to `limit` pairs of (data, events); empty after `timeout`. EBADF, EINVAL."""
        with self._file(process, epfd) as epoll:
            if limit <= 0 or not isinstance(epoll, Epoll):
                raise error(errno.EINVAL)
            deadline = None if timeout is None else self.scheduler.now + max(timeout, 0)
            while True:
                found = epoll.collect(limit)
                if found or (deadline is not None and deadline <= self.scheduler.now):
                    return found
                epoll.collectors += 1
                try:
                    yield Wait(epoll.queue, deadline=deadline)
                finally:
                    epoll.collectors -= 1
