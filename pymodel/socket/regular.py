"""Regular files of a simulated host: as much as open(2), sendfile(2) and splice(2) need.

They live in memory, by path, and start empty: a simulated host sees nothing of the machine's own disk.
"""

import errno
import stat

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import NullFile, OpenFile
from pymodel.task import Blocking


class Inode:
    """A file's contents."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)


class RegularFile(OpenFile):
    """An open regular file: contents, position, access."""

    pollable = False
    mode = stat.S_IFREG | 0o644

    def __init__(self, inode: Inode, access: int) -> None:
        super().__init__()
        self.inode = inode
        self.access = access
        self.position = 0

    @property
    def size(self) -> int:
        """st_size."""
        return len(self.inode.data)

    def poll(self) -> int:
        """Always ready."""
        return c.POLLIN | c.POLLRDNORM | c.POLLOUT | c.POLLWRNORM

    def pread(self, count: int, offset: int) -> bytes:
        """pread(2); EINVAL for a negative offset."""
        if offset < 0:
            raise error(errno.EINVAL)
        return bytes(self.inode.data[offset : offset + count])

    def pwrite(self, data: memoryview, offset: int) -> int:
        """pwrite(2): a gap before `offset` reads as zeros; EINVAL for a negative offset."""
        if offset < 0:
            raise error(errno.EINVAL)
        contents = self.inode.data
        if len(contents) < offset:
            contents.extend(bytes(offset - len(contents)))
        contents[offset : offset + len(data)] = data
        return len(data)

    def read(self, count: int) -> Blocking[bytes]:
        """read(2) at the position."""
        yield from ()
        data = self.pread(count, self.position)
        self.position += len(data)
        return data

    def write(self, data: memoryview) -> Blocking[int]:
        """write(2) at the position, or at the end with O_APPEND."""
        yield from ()
        if self.append:
            self.position = self.size
        self.position += self.pwrite(data, self.position)
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2): EINVAL."""
        base = {c.SEEK_SET: 0, c.SEEK_CUR: self.position, c.SEEK_END: self.size}.get(whence)
        if base is None or base + offset < 0:
            raise error(errno.EINVAL)
        self.position = base + offset
        return self.position

    def ioctl(self, request: int, argument: int) -> int:
        """FIONREAD: bytes behind the position."""
        if request != c.FIONREAD:
            return super().ioctl(request, argument)
        return self.size - self.position


class ZeroFile(NullFile):
    """/dev/zero."""

    def read(self, count: int) -> Blocking[bytes]:
        """Zeros."""
        yield from ()
        return bytes(count)


_DEVICES = {"/dev/null": NullFile, "/dev/zero": ZeroFile}


class FileSystem:
    """All regular files of one host, and /dev/null and /dev/zero. `files` may be filled in advance."""

    def __init__(self) -> None:
        self.files: dict[str, Inode] = {}

    def open(self, path: str, flags: int) -> OpenFile:
        """open(2): O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK; ENOENT, EEXIST, EINVAL."""
        access = flags & c.O_ACCMODE
        if access == c.O_ACCMODE:
            raise error(errno.EINVAL)
        file: OpenFile
        if path in _DEVICES:
            file = _DEVICES[path]()
            file.access = access
        else:
            inode = self.files.get(path)
            if inode is None:
                if not flags & c.O_CREAT or not path:
                    raise error(errno.ENOENT)
                inode = self.files[path] = Inode()
            elif flags & c.O_CREAT and flags & c.O_EXCL:
                raise error(errno.EEXIST)
            elif flags & c.O_TRUNC:
                inode.data.clear()
            file = RegularFile(inode, access)
        file.append = bool(flags & c.O_APPEND)
        file.nonblock = bool(flags & c.O_NONBLOCK)
        return file
