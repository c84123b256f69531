"""Drop-in `open`: a simulated descriptor becomes a file object, a path becomes a real file, moved up."""

import errno
import io
import os
from collections.abc import Callable
from typing import Any

from pymodel.socket import constants as c
from pymodel.socket.current import current_process, running
from pymodel.socket.dropin.descriptors import is_simulated, move_up, syscall
from pymodel.socket.errors import error


class DescriptorIO(io.RawIOBase):
    """`io.FileIO` over a simulated descriptor."""

    def __init__(self, fd: int, mode: str, closefd: bool = True) -> None:
        super().__init__()
        syscall("fstat", fd)  # EBADF
        self._fd = fd
        self._process = current_process()
        self._reading = "r" in mode or "+" in mode
        self._writing = "w" in mode or "a" in mode or "x" in mode or "+" in mode
        self.mode = "rb+" if self._reading and self._writing else "rb" if self._reading else "wb"
        self.closefd = closefd
        self.name = fd

    def fileno(self) -> int:
        """The descriptor."""
        self._check()
        return self._fd

    def _check(self) -> None:
        if running.process is not self._process:
            raise error(errno.EBADF)  # a finalizer, while another process runs
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def readable(self) -> bool:
        """Opened for reading."""
        self._check()
        return self._reading

    def writable(self) -> bool:
        """Opened for writing."""
        self._check()
        return self._writing

    def readinto(self, buffer: Any, /) -> int | None:
        """read(2) into `buffer`; None if it would block."""
        self._check()
        if not self._reading:
            raise io.UnsupportedOperation("File not open for reading")
        view = memoryview(buffer).cast("B")
        try:
            data = syscall("read", self._fd, len(view))
        except BlockingIOError:
            return None
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int | None:
        """write(2); None if it would block."""
        self._check()
        if not self._writing:
            raise io.UnsupportedOperation("File not open for writing")
        try:
            return int(syscall("write", self._fd, memoryview(data).cast("B")))
        except BlockingIOError:
            return None

    def close(self) -> None:
        """close(2), unless the descriptor belongs to somebody else."""
        if not self.closed:
            super().close()
            if not self.closefd:
                return
            if running.process is self._process and running.thread is not None:
                syscall("close", self._fd)
            else:  # finalized while somebody else runs: closed at the process's next switch
                self._process.lost_fds.append(self._fd)


_real_open = io.open


def _opener(given: Callable[[str, int], int] | None) -> Callable[[Any, int], int]:
    def open_high(path: Any, flags: int) -> int:
        return move_up(os.open(path, flags, 0o666) if given is None else given(path, flags))

    return open_high


_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_BY_NUMBER = ("/dev/fd/", "/proc/self/fd/")


def aliased(path: Any) -> int | None:
    """The simulated descriptor that `path` is a name of (/dev/stdin, /dev/fd/3); None: it is none."""
    if not isinstance(path, str) or not path.startswith(("/dev/", "/proc/")):
        return None
    fd = _STREAMS.get(path, -1)
    for directory in _BY_NUMBER:
        if path.startswith(directory) and path[len(directory) :].isdecimal():
            fd = int(path[len(directory) :])
    return fd if is_simulated(fd) else None


def open_file(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """As the built-in `open`."""
    alias = aliased(file)
    if alias is not None:
        file, closefd = syscall("fcntl", alias, c.F_DUPFD_CLOEXEC, 0), True
    if not is_simulated(file):
        if isinstance(file, int):
            return _real_open(file, mode, buffering, encoding, errors, newline, closefd)
        return _real_open(file, mode, buffering, encoding, errors, newline, closefd, _opener(opener))
    binary = "b" in mode
    raw = DescriptorIO(file, mode, closefd)
    if buffering == 0:
        if not binary:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    buffer: Any
    if raw.readable() and raw.writable():
        buffer = io.BufferedRWPair(raw, raw, size)
    else:
        buffer = io.BufferedReader(raw, size) if raw.readable() else io.BufferedWriter(raw, size)
    if binary:
        return buffer
    return io.TextIOWrapper(buffer, encoding, errors, newline, line_buffering=buffering == 1)


open_file.__name__ = "open"


def unsupported(number: int) -> Callable[..., Any]:
    """A call that fails with `number` on every simulated descriptor."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error(number)

    return fail
