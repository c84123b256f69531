"""The open file description (open(2), "Open file descriptions"): what file descriptors refer to.

Descriptors made by dup(2) share one description, and with it the status flags (O_NONBLOCK). The last
`put` releases it. A system call holds a reference while it runs, so a close in another thread does
not pull the file from under it.
"""

import errno
import stat
from typing import Protocol

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.task import Blocking, WaitQueue


class Watcher(Protocol):
    """Who is told of every wake-up of a file, as an entry of Linux's wait queues is: epoll."""

    exclusive: bool
    """Told only if no exclusive watcher before it has taken the wake-up (EPOLLEXCLUSIVE)."""

    def woken(self, events: int) -> bool:
        """The file was woken for `events` (poll bits; 0: for anything). True if somebody is woken by it."""

    def released(self) -> None:
        """The file is gone."""


class OpenFile:
    """Base of everything that a descriptor can refer to. `queue` is woken when `poll` may have changed.

    `access`: O_RDONLY, O_WRONLY or O_RDWR. `pollable`: whether epoll takes it (EPERM otherwise).
    `sigpipe`: whether EPIPE comes with a signal, as it does from streams and pipes.
    """

    access = c.O_RDWR
    pollable = True
    sigpipe = False
    mode = stat.S_IFCHR | 0o600
    """st_mode of fstat(2)."""

    __slots__ = ("_references", "_watchers", "append", "nonblock", "queue")

    def __init__(self) -> None:
        self.nonblock = False
        self.append = False
        self.queue = WaitQueue()
        self._references = 0
        self._watchers: list[Watcher] = []

    def get(self) -> None:
        """One more user (a descriptor or a running system call)."""
        self._references += 1

    def put(self) -> bool:
        """One user less; True if it was the last and the file has been released."""
        self._references -= 1
        if self._references == 0:
            for watcher in tuple(self._watchers):
                watcher.released()
            self.release()
            return True
        return False

    def release(self) -> None:
        """The last user has gone: let go of everything. Never blocks."""

    def linger(self) -> Blocking[None]:
        """What close(2) still waits for after `release` (SO_LINGER); nothing by default."""
        yield from ()

    # Waiting

    def poll(self) -> int:
        """What is possible now, as poll(2) bits, ERR and HUP included."""
        raise NotImplementedError

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every wake-up from now on."""
        # add_wait_queue: the last comes first, behind it all exclusive ones in their order.
        self._watchers.insert(len(self._watchers) if watcher.exclusive else 0, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Do not tell it any more."""
        self._watchers.remove(watcher)

    def notify(self, events: int = 0) -> None:
        """Wake who waits for `events` (0: whoever waits): wake_up_poll of Linux.

        It is the wake-up and not the change of `poll` that an edge-triggered epoll reports.
        """
        if self._watchers:
            for watcher in [w for w in self._watchers if not w.exclusive]:
                watcher.woken(events)
            for watcher in [w for w in self._watchers if w.exclusive]:
                if watcher.woken(events):
                    break
        self.queue.wake()

    # Data

    def read(self, count: int) -> Blocking[bytes]:
        """read(2): up to `count` bytes, b"" at the end; EINVAL where nothing can be read."""
        raise error(errno.EINVAL)

    def write(self, data: memoryview) -> Blocking[int]:
        """write(2): how many of `data`'s bytes were taken; EINVAL where nothing can be written."""
        raise error(errno.EINVAL)

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2): ESPIPE where there is no position."""
        raise error(errno.ESPIPE)

    @property
    def size(self) -> int:
        """st_size of fstat(2)."""
        return 0

    def ioctl(self, request: int, argument: int) -> int:
        """ioctl(2) beyond FIONBIO; OSError(ENOTTY) for what the file does not know."""
        raise error(errno.ENOTTY)

    def fcntl(self, command: int, argument: int) -> int:
        """fcntl(2) commands of this kind of file; OSError(EINVAL) for what it does not know."""
        raise error(errno.EINVAL)


class NullFile(OpenFile):
    """/dev/null, where descriptors 0 to 2 of a simulated process lead."""

    pollable = False
    mode = stat.S_IFCHR | 0o666

    def poll(self) -> int:
        """Always ready."""
        return c.POLLIN | c.POLLRDNORM | c.POLLOUT | c.POLLWRNORM

    def read(self, count: int) -> Blocking[bytes]:
        """End of file."""
        yield from ()
        return b""

    def write(self, data: memoryview) -> Blocking[int]:
        """Takes and forgets everything."""
        yield from ()
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """Stays at 0 (null_lseek)."""
        return 0
