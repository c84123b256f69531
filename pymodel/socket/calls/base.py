"""What every group of system calls needs: descriptors, and the signal that comes with EPIPE."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from pymodel.scheduler import Scheduler
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.sock import Network, Socket

if TYPE_CHECKING:
    from pymodel.socket.process import Process

IOV_MAX = 1024

Buffer = bytes | bytearray | memoryview

F = TypeVar("F", bound=OpenFile)


class Held(Generic[F]):
    """A file with one more reference inside the `with`. A class: two of three system calls pass here."""

    __slots__ = ("_file",)

    def __init__(self, file: F) -> None:
        self._file = file

    def __enter__(self) -> F:
        self._file.get()
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.put()


class Calls:
    """Base of the groups: the host's clock and network."""

    scheduler: Scheduler
    network: Network

    def _file(self, process: "Process", fd: int, access: int = c.O_RDWR) -> "Held[OpenFile]":
        """The file of `fd`, open for `access`; EBADF. Held while the call runs (fdget).

        Thus a close in another thread does not pull the file away.
        """
        file = process.files.get(fd)
        if access != c.O_RDWR and file.access not in (access, c.O_RDWR):
            raise error(errno.EBADF)
        return Held(file)

    def _socket(self, process: "Process", fd: int) -> "Held[Socket]":
        file = process.files.get(fd)
        if not isinstance(file, Socket):
            raise error(errno.ENOTSOCK)
        return Held(file)

    @contextmanager
    def _sigpipe(self, process: "Process", file: OpenFile, flags: int = 0) -> Generator[None, None, None]:
        """SIGPIPE for `process` if what is inside fails with EPIPE, unless MSG_NOSIGNAL says not to."""
        try:
            yield
        except BrokenPipeError as failure:
            if failure.errno == errno.EPIPE and file.sigpipe and not flags & c.MSG_NOSIGNAL:
                process.signal(c.SIGPIPE)
            raise
