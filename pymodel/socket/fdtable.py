"""A process's file descriptor table: the lowest free integer is given out (open(2), dup(2))."""

import errno

from pymodel.socket.errors import error
from pymodel.socket.file import NullFile, OpenFile

RLIMIT_NOFILE = 1024
"""Soft limit of open descriptors (getrlimit(2)), as most distributions set it."""
RLIMIT_NOFILE_MAX = 4096
"""The hard limit: Linux's INR_OPEN_MAX."""


class FdTable:
    """Descriptors 0, 1 and 2 are taken from the start, so the first `install` returns 3.

    `limit` is RLIMIT_NOFILE: one more than the largest descriptor that can be had; those that are open stay
    when it is lowered. `hard_limit`: what setrlimit(2) may raise it to.
    """

    def __init__(self, limit: int = RLIMIT_NOFILE) -> None:
        self.limit = limit
        self.hard_limit = max(limit, RLIMIT_NOFILE_MAX)
        self._files: dict[int, OpenFile] = {}
        self._cloexec: set[int] = set()
        self._next = 0
        for _ in range(3):
            self.install(NullFile())

    def __len__(self) -> int:
        return len(self._files)

    def lowest_free(self, start: int = 0) -> int:
        """The lowest free descriptor >= `start`; OSError(EMFILE) at the limit."""
        fd = max(start, self._next)
        while fd in self._files:
            fd += 1
        if fd >= self.limit:
            raise error(errno.EMFILE)
        return fd

    def install(self, file: OpenFile, start: int = 0, *, cloexec: bool = False) -> int:
        """Give `file` the lowest free descriptor >= `start`; OSError(EMFILE) at the limit."""
        fd = self.lowest_free(start)
        self.install_at(fd, file, cloexec=cloexec)
        return fd

    def install_at(self, fd: int, file: OpenFile, *, cloexec: bool = False) -> None:
        """Give `file` the free descriptor `fd`."""
        file.get()
        self._files[fd] = file
        if cloexec:
            self._cloexec.add(fd)
        if fd == self._next:
            self._next = fd + 1

    def get(self, fd: int) -> OpenFile:
        """The file behind `fd`; OSError(EBADF) if there is none."""
        file = self._files.get(fd)
        if file is None:
            raise error(errno.EBADF)
        return file

    def peek(self, fd: int) -> OpenFile | None:
        """The file behind `fd`, or None."""
        return self._files.get(fd)

    def remove(self, fd: int) -> OpenFile:
        """Free `fd` and hand back its file, whose reference the caller must `put`; OSError(EBADF)."""
        file = self.get(fd)
        del self._files[fd]
        self._cloexec.discard(fd)
        self._next = min(self._next, fd)
        return file

    def open_fds(self) -> list[int]:
        """All descriptors in use, ascending."""
        return sorted(self._files)

    def cloexec(self, fd: int) -> bool:
        """FD_CLOEXEC of `fd` (stored; nothing here executes)."""
        return fd in self._cloexec

    def set_cloexec(self, fd: int, on: bool) -> None:
        """Set FD_CLOEXEC of `fd`."""
        if on:
            self._cloexec.add(fd)
        else:
            self._cloexec.discard(fd)
