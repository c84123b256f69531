"""eventfd(2): a counter behind a descriptor, as in Linux's fs/eventfd.c."""

import errno
import struct
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.task import Blocking, Wait

MOST: Final = (1 << 64) - 2
"""The counter never holds more."""

_COUNT: Final = struct.Struct("@Q")


class EventFile(OpenFile):
    """A counter: write(2) adds to it, read(2) takes all of it, or 1 with EFD_SEMAPHORE."""

    mode = 0o600

    def __init__(self, count: int, semaphore: bool) -> None:
        super().__init__()
        self.count = count
        self._semaphore = semaphore

    def poll(self) -> int:
        """POLLIN if it is not 0, POLLOUT if 1 may be added."""
        return c.POLLIN * (self.count > 0) | c.POLLOUT * (self.count < MOST)

    def _wait(self) -> Blocking[None]:
        if self.nonblock:
            raise error(errno.EAGAIN)
        yield Wait(self.queue)

    def read(self, count: int) -> Blocking[bytes]:
        """EINVAL for less than 8 bytes, EAGAIN."""
        if count < _COUNT.size:
            raise error(errno.EINVAL)
        while not self.count:
            yield from self._wait()
        taken = 1 if self._semaphore else self.count
        self.count -= taken
        self.notify(c.POLLOUT)
        return _COUNT.pack(taken)

    def write(self, data: memoryview) -> Blocking[int]:
        """EINVAL for less than 8 bytes, or 2^64 - 1; EAGAIN if the counter cannot take it."""
        if len(data) < _COUNT.size:
            raise error(errno.EINVAL)
        (added,) = _COUNT.unpack_from(data)
        if added > MOST:
            raise error(errno.EINVAL)
        while self.count + added > MOST:
            yield from self._wait()
        self.count += added
        self.notify(c.POLLIN)
        return _COUNT.size

    def seek(self, offset: int, whence: int) -> int:
        """Stays at 0 (noop_llseek)."""
        return 0
