"""Pipes (pipe(7)): a ring of page-sized buffers between two open files, as in Linux's fs/pipe.c.

A pipe holds `slots` buffers (16 by default); a write fills them page by page and adds to the last one only
what fits there entirely. That is why a pipe of "65536 bytes" may be full with fewer.
"""

import errno
import stat
from collections import deque
from typing import Final

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.task import Blocking, Wait

PAGE: Final = 4096
"""PIPE_BUF too: so much is written at once or not at all."""
SLOTS_DEFAULT: Final = 16
SIZE_MAX: Final = 1 << 20
"""fs.pipe-max-size."""


class Pipe:
    """The buffers, and the two ends that are open. `Pipe()` makes both."""

    def __init__(self) -> None:
        self.slots = SLOTS_DEFAULT
        self.buffers: deque[bytearray] = deque()
        self.reader = PipeReader(self)
        self.writer = PipeWriter(self)
        self.readers = self.writers = 1

    @property
    def full(self) -> bool:
        """No slot is free."""
        return len(self.buffers) >= self.slots

    @property
    def held(self) -> int:
        """Bytes that can be read."""
        return sum(map(len, self.buffers))

    def peek(self, count: int) -> bytes:
        """The first `count` bytes."""
        found, rest = [], count
        for buffer in self.buffers:
            if rest <= 0:
                break
            found.append(bytes(buffer[:rest]))
            rest -= len(buffer)
        return b"".join(found)

    def take(self, count: int) -> bytes:
        """`peek`, and they are gone; a writer is woken when a full pipe has room again."""
        data = self.peek(count)
        was_full, rest = self.full, len(data)
        while rest:
            first = self.buffers[0]
            if len(first) <= rest:
                rest -= len(first)
                self.buffers.popleft()
            else:
                del first[:rest]
                rest = 0
        if was_full and not self.full:
            self.writer.notify(c.POLLOUT | c.POLLWRNORM)
        return data

    def add(self, data: memoryview) -> int:
        """Store what fits; how many bytes that was. Wakes the reader."""
        done = 0
        tail = len(data) % PAGE
        if self.buffers and tail and len(self.buffers[-1]) + tail <= PAGE:
            self.buffers[-1] += data[:tail]
            done = tail
        while done < len(data) and not self.full:
            self.buffers.append(bytearray(data[done : done + PAGE]))
            done += len(self.buffers[-1])
        if done:
            self.reader.notify(c.POLLIN | c.POLLRDNORM)
        return done

    def resize(self, size: int) -> int:
        """F_SETPIPE_SZ: EBUSY if what is held needs more slots, EPERM beyond the maximum."""
        if size > SIZE_MAX:
            raise error(errno.EPERM)
        if size < 0:
            raise error(errno.EINVAL)
        pages = max(-(-size // PAGE), 1)
        slots = 1 << (pages - 1).bit_length()
        if len(self.buffers) > slots:
            raise error(errno.EBUSY)
        was_full = self.full
        self.slots = slots
        if was_full and not self.full:
            self.writer.notify(c.POLLOUT | c.POLLWRNORM)
        return slots * PAGE


class _End(OpenFile):
    mode = stat.S_IFIFO | 0o600

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self.pipe = pipe

    def ioctl(self, request: int, argument: int) -> int:
        """FIONREAD: bytes in the pipe."""
        if request != c.FIONREAD:
            return super().ioctl(request, argument)
        return self.pipe.held

    def fcntl(self, command: int, argument: int) -> int:
        """F_GETPIPE_SZ, F_SETPIPE_SZ."""
        if command == c.F_GETPIPE_SZ:
            return self.pipe.slots * PAGE
        if command == c.F_SETPIPE_SZ:
            return self.pipe.resize(argument)
        return super().fcntl(command, argument)


class PipeReader(_End):
    """The end that is read."""

    access = c.O_RDONLY

    def release(self) -> None:
        """Nobody reads any more: writers get EPIPE."""
        self.pipe.readers = 0
        self.pipe.writer.notify()

    def poll(self) -> int:
        """POLLIN if there is data, POLLHUP if nobody writes."""
        mask = c.POLLIN | c.POLLRDNORM if self.pipe.buffers else 0
        return mask if self.pipe.writers else mask | c.POLLHUP

    def wait_data(self, nonblock: bool) -> Blocking[bool]:
        """Block until there is data (True) or nobody writes any more (False); EAGAIN if it may not."""
        while not self.pipe.buffers:
            if not self.pipe.writers:
                return False
            if nonblock:
                raise error(errno.EAGAIN)
            yield Wait(self.queue)
        return True

    def read(self, count: int) -> Blocking[bytes]:
        """read(2): b"" at the end; EAGAIN."""
        if not count or not (yield from self.wait_data(self.nonblock)):
            return b""
        return self.pipe.take(count)


class PipeWriter(_End):
    """The end that is written."""

    access = c.O_WRONLY
    sigpipe = True

    def release(self) -> None:
        """Nobody writes any more: readers get the end of file."""
        self.pipe.writers = 0
        self.pipe.reader.notify()

    def poll(self) -> int:
        """POLLOUT if a slot is free, POLLERR if nobody reads."""
        mask = 0 if self.pipe.full else c.POLLOUT | c.POLLWRNORM
        return mask if self.pipe.readers else mask | c.POLLERR

    def wait_room(self, nonblock: bool) -> Blocking[None]:
        """Block until a slot is free; EPIPE if nobody reads, EAGAIN if it may not block."""
        while True:
            if not self.pipe.readers:
                raise error(errno.EPIPE)
            if not self.pipe.full:
                return
            if nonblock:
                raise error(errno.EAGAIN)
            yield Wait(self.queue)

    def write(self, data: memoryview) -> Blocking[int]:
        """write(2): all of it, unless O_NONBLOCK; up to PIPE_BUF bytes never in part. EPIPE, EAGAIN."""
        done = 0
        while done < len(data):
            if not self.pipe.readers:
                if done:
                    return done
                raise error(errno.EPIPE)
            done += self.pipe.add(data[done:])
            if done == len(data):
                break
            if self.nonblock:
                if done:
                    return done
                raise error(errno.EAGAIN)
            yield Wait(self.queue)
        return done
