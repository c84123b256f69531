"""The open file description (open(2), "Open file descriptions"): what file descriptors refer to.

Descriptors made by dup(2) share one description, and with it the status flags (O_NONBLOCK). The last
`put` releases it. A system call holds a reference while it runs, so a close in another thread does
not pull the file from under it.
"""

import errno

from pymodel.socket.constants import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from pymodel.socket.errors import error
from pymodel.task import Blocking, WaitQueue


class OpenFile:
    """Base of everything that a descriptor can refer to. `queue` is woken when `poll` may have changed."""

    def __init__(self) -> None:
        self.nonblock = False
        self.queue = WaitQueue()
        self._references = 0

    def get(self) -> None:
        """One more user (a descriptor or a running system call)."""
        self._references += 1

    def put(self) -> bool:
        """One user less; True if it was the last and the file has been released."""
        self._references -= 1
        if self._references == 0:
            self.release()
            return True
        return False

    def release(self) -> None:
        """The last user has gone: let go of everything. Never blocks."""

    def linger(self) -> Blocking[None]:
        """What close(2) still waits for after `release` (SO_LINGER); nothing by default."""
        yield from ()

    def poll(self) -> int:
        """What is possible now, as poll(2) bits, ERR and HUP included."""
        raise NotImplementedError

    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """Queues of which one is woken at least whenever `poll` changes."""
        return (self.queue,)

    def read(self, count: int) -> Blocking[bytes]:
        """read(2): up to `count` bytes, b"" at the end."""
        raise NotImplementedError

    def write(self, data: memoryview) -> Blocking[int]:
        """write(2): how many of `data`'s bytes were taken."""
        raise NotImplementedError

    def ioctl(self, request: int, argument: int) -> int:
        """ioctl(2) beyond FIONBIO; OSError(ENOTTY) for what the file does not know."""
        raise error(errno.ENOTTY)


class NullFile(OpenFile):
    """/dev/null, where descriptors 0 to 2 of a simulated process lead."""

    def poll(self) -> int:
        """Always ready."""
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM

    def read(self, count: int) -> Blocking[bytes]:
        """End of file."""
        yield from ()
        return b""

    def write(self, data: memoryview) -> Blocking[int]:
        """Takes and forgets everything."""
        yield from ()
        return len(data)
