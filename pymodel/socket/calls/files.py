"""System calls on descriptors of any kind: read(2), write(2), dup(2), fcntl(2), ioctl(2), pipe(2) …"""

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.calls.base import IOV_MAX, Buffer, Calls
from pymodel.socket.errors import error
from pymodel.socket.eventfd import EventFile
from pymodel.socket.pipe import Pipe
from pymodel.socket.regular import FileSystem, RegularFile
from pymodel.task import Blocking

if TYPE_CHECKING:
    from pymodel.socket.process import Process

MAX_RW_COUNT = 0x7FFF_F000
"""What one read or write moves at most (read(2))."""


class FileCalls(Calls):
    """Calls on any open file."""

    filesystem: FileSystem

    def eventfd(self, process: "Process", count: int, flags: int = 0) -> Blocking[int]:
        """eventfd(2): EINVAL, EMFILE."""
        yield from ()
        if flags & ~(c.EFD_SEMAPHORE | c.O_NONBLOCK | c.O_CLOEXEC):
            raise error(errno.EINVAL)
        file = EventFile(count, bool(flags & c.EFD_SEMAPHORE))
        file.nonblock = bool(flags & c.O_NONBLOCK)
        return process.files.install(file, cloexec=bool(flags & c.O_CLOEXEC))

    # Data

    def read(self, process: "Process", fd: int, count: int) -> Blocking[bytes]:
        """read(2): EBADF, EAGAIN, EINVAL, and what the file says; b"" at the end."""
        with self._file(process, fd, c.O_RDONLY) as file:
            return (yield from file.read(min(count, MAX_RW_COUNT)))

    def write(self, process: "Process", fd: int, data: Buffer) -> Blocking[int]:
        """write(2): EBADF, EAGAIN, EPIPE (and SIGPIPE), and what the file says."""
        with self._file(process, fd, c.O_WRONLY) as file, self._sigpipe(process, file):
            return (yield from file.write(memoryview(data).cast("B")))

    def readv(self, process: "Process", fd: int, buffers: Sequence[memoryview]) -> Blocking[int]:
        """readv(2) into `buffers`, one after the other; EINVAL beyond IOV_MAX of them."""
        if len(buffers) > IOV_MAX:
            raise error(errno.EINVAL)
        data = memoryview((yield from self.read(process, fd, sum(map(len, buffers)))))
        length = len(data)
        for buffer in buffers:
            part = data[: len(buffer)]
            buffer[: len(part)] = part
            data = data[len(part) :]
        return length

    def writev(self, process: "Process", fd: int, buffers: Sequence[Buffer]) -> Blocking[int]:
        """writev(2): one write of all of them; EINVAL beyond IOV_MAX."""
        if len(buffers) > IOV_MAX:
            raise error(errno.EINVAL)
        return (yield from self.write(process, fd, b"".join(buffers)))

    def pread(self, process: "Process", fd: int, count: int, offset: int) -> Blocking[bytes]:
        """pread(2): ESPIPE on anything but a regular file."""
        yield from ()
        with self._file(process, fd, c.O_RDONLY) as file:
            if not isinstance(file, RegularFile):
                raise error(errno.ESPIPE)
            return file.pread(count, offset)

    def pwrite(self, process: "Process", fd: int, data: Buffer, offset: int) -> Blocking[int]:
        """pwrite(2): ESPIPE on anything but a regular file."""
        yield from ()
        with self._file(process, fd, c.O_WRONLY) as file:
            if not isinstance(file, RegularFile):
                raise error(errno.ESPIPE)
            return file.pwrite(memoryview(data).cast("B"), offset)

    def lseek(self, process: "Process", fd: int, offset: int, whence: int = c.SEEK_SET) -> Blocking[int]:
        """lseek(2): ESPIPE, EINVAL."""
        yield from ()
        with self._file(process, fd) as file:
            return file.seek(offset, whence)

    def fstat(self, process: "Process", fd: int) -> Blocking[os.stat_result]:
        """fstat(2): st_mode, st_size and the owner; the rest is 0."""
        yield from ()
        with self._file(process, fd) as file:
            return os.stat_result((file.mode, 0, 0, 1, process.uid, process.uid, file.size, 0, 0, 0))

    # Opening and closing

    def open(self, process: "Process", path: str, flags: int, mode: int = 0o666) -> Blocking[int]:
        """open(2) of the host's own small file system: ENOENT, EEXIST, EINVAL, EMFILE."""
        yield from ()
        process.files.lowest_free()
        file = self.filesystem.open(path, flags)
        return process.files.install(file, cloexec=bool(flags & c.O_CLOEXEC))

    def pipe(self, process: "Process", flags: int = 0) -> Blocking[tuple[int, int]]:
        """pipe2(2): (reading, writing) descriptors; O_NONBLOCK, O_CLOEXEC; EINVAL, EMFILE."""
        yield from ()
        if flags & ~(c.O_NONBLOCK | c.O_CLOEXEC | c.O_DIRECT):
            raise error(errno.EINVAL)
        pipe = Pipe()
        cloexec = bool(flags & c.O_CLOEXEC)
        pipe.reader.nonblock = pipe.writer.nonblock = bool(flags & c.O_NONBLOCK)
        reading = process.files.install(pipe.reader, cloexec=cloexec)
        try:
            return reading, process.files.install(pipe.writer, cloexec=cloexec)
        except OSError:
            process.files.remove(reading).put()
            raise

    def close(self, process: "Process", fd: int) -> Blocking[None]:
        """close(2): EBADF; blocks only for SO_LINGER."""
        file = process.files.remove(fd)
        if file.put():
            yield from file.linger()

    def dup(self, process: "Process", fd: int) -> Blocking[int]:
        """dup(2): EBADF, EMFILE."""
        yield from ()
        return process.files.install(process.files.get(fd))

    def dup2(self, process: "Process", fd: int, new: int) -> Blocking[int]:
        """dup2(2): EBADF; closes `new` first if it is open. Nothing happens if both are the same."""
        process.files.get(fd)
        if fd == new:
            return new
        return (yield from self.dup3(process, fd, new))

    def dup3(self, process: "Process", fd: int, new: int, flags: int = 0) -> Blocking[int]:
        """dup3(2): as dup2, with O_CLOEXEC; EINVAL if both are the same."""
        if flags & ~c.O_CLOEXEC or fd == new:
            raise error(errno.EINVAL)
        if not 0 <= new < process.files.limit:
            raise error(errno.EBADF)
        file = process.files.get(fd)
        old = process.files.remove(new) if process.files.peek(new) is not None else None
        process.files.install_at(new, file, cloexec=bool(flags & c.O_CLOEXEC))
        if old is not None and old.put():
            yield from old.linger()
        return new

    # Flags and requests

    def fcntl(self, process: "Process", fd: int, command: int, argument: int = 0) -> Blocking[int]:
        """fcntl(2): F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL; EBADF, EINVAL.

        Of pipes F_GETPIPE_SZ and F_SETPIPE_SZ, too.
        """
        yield from ()
        file = process.files.get(fd)
        if command in (c.F_DUPFD, c.F_DUPFD_CLOEXEC):
            if not 0 <= argument < process.files.limit:
                raise error(errno.EINVAL)
            return process.files.install(file, argument, cloexec=command == c.F_DUPFD_CLOEXEC)
        if command == c.F_GETFD:
            return c.FD_CLOEXEC if process.files.cloexec(fd) else 0
        if command == c.F_SETFD:
            process.files.set_cloexec(fd, bool(argument & c.FD_CLOEXEC))
        elif command == c.F_GETFL:
            return file.access | c.O_NONBLOCK * file.nonblock | c.O_APPEND * file.append
        elif command == c.F_SETFL:
            file.nonblock = bool(argument & c.O_NONBLOCK)
            file.append = bool(argument & c.O_APPEND)
        else:
            return file.fcntl(command, argument)
        return 0

    def ioctl(self, process: "Process", fd: int, request: int, argument: int = 0) -> Blocking[int]:
        """ioctl(2): FIONREAD/SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK (the number is the result).

        FIONBIO, FIOCLEX and FIONCLEX work on every descriptor. ENOTTY for what the file does not know.
        """
        yield from ()
        file = process.files.get(fd)
        if request == c.FIONBIO:
            file.nonblock = bool(argument)
        elif request in (c.FIOCLEX, c.FIONCLEX):
            process.files.set_cloexec(fd, request == c.FIOCLEX)
        else:
            return file.ioctl(request, argument)
        return 0
