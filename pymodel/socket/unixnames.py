"""Names of AF_UNIX sockets (unix(7)): paths, abstract names, and those that the kernel chooses.

A name travels as (sun_path, 0), so that it is a `SockAddr` like any other: (b"", 0) for none, a first byte
of 0 for an abstract one. Paths are the machine's own, as every file of a program is: bind(2) makes a real
node of type socket, and what it stands for is found by its inode, as in Linux; so rename(2), unlink(2) and
stat(2) on it do what they should. Abstract names are the simulated host's.
"""

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from pymodel.socket.errors import error
from pymodel.socket.messages import SockAddr

if TYPE_CHECKING:
    from pymodel.socket.unixlife import UnixLife

PATH_MAX: Final = 108
"""sizeof(sun_path)."""
UNNAMED: Final[SockAddr] = (b"", 0)


class UnixNames:
    """The AF_UNIX sockets of one host that have a name."""

    def __init__(self) -> None:
        self._abstract: dict[tuple[int, bytes], UnixLife] = {}
        """By type and name: a stream and a datagram socket may have the same."""
        self._inodes: dict[tuple[int, int], UnixLife] = {}
        self._next = 0

    def bind(self, path: bytes, sock: "UnixLife") -> bytes:
        """Give `sock` the name `path`, b"" lets the host choose; the name.

        EADDRINUSE, EINVAL for a name too long, and what mknod(2) says of the path.
        """
        if len(path) > PATH_MAX:
            raise error(errno.EINVAL)
        if not path:
            path = self._free(sock.type)
        if path.startswith(b"\0"):
            if (sock.type, path) in self._abstract:
                raise error(errno.EADDRINUSE)
            self._abstract[sock.type, path] = sock
            return path
        path = path.split(b"\0")[0]
        try:
            os.mknod(path, stat.S_IFSOCK | 0o777)
        except FileExistsError:
            raise error(errno.EADDRINUSE) from None
        except OSError as failure:
            raise error(failure.errno or errno.EIO) from None
        found = os.stat(path)
        self._inodes[found.st_dev, found.st_ino] = sock
        return path

    def _free(self, kind: int) -> bytes:
        """Autobind: a zero byte and five hexadecimal digits (unix(7))."""
        while True:
            name = b"\0%05x" % self._next
            self._next = self._next + 1 & 0xFFFFF
            if (kind, name) not in self._abstract:
                return name

    def find(self, path: bytes, kind: int) -> "UnixLife":
        """The socket of a name: EPROTOTYPE if it is not of type `kind`, ECONNREFUSED if there is none.

        And what path resolution says.
        """
        found: UnixLife | None
        if path.startswith(b"\0"):
            found = self._abstract.get((kind, path))
        elif not path or len(path) > PATH_MAX:
            raise error(errno.EINVAL)
        else:
            path = path.split(b"\0")[0]
            try:
                node = os.stat(path)
            except OSError as failure:
                raise error(failure.errno or errno.EIO) from None
            if not os.access(path, os.W_OK):
                raise error(errno.EACCES)
            found = self._inodes.get((node.st_dev, node.st_ino))
        if found is None:
            raise error(errno.ECONNREFUSED)
        if found.type != kind:
            raise error(errno.EPROTOTYPE)
        return found

    def forget(self, sock: "UnixLife") -> None:
        """`sock` is closed: its name leads nowhere. The node of a path stays, as in Linux."""
        if not sock.path:
            return
        self._abstract = {name: held for name, held in self._abstract.items() if held is not sock}
        self._inodes = {node: held for node, held in self._inodes.items() if held is not sock}
