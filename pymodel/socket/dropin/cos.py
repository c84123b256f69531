"""Drop-in `os`: the real one, but descriptors below the table's limit are the simulated process's."""

import errno
import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.socket.dropin.csocket import release
from pymodel.socket.dropin.descriptors import is_simulated, move_up, settled, syscall
from pymodel.socket.dropin.files import open_file, unsupported
from pymodel.socket.dropin.signals import kill
from pymodel.socket.errors import error
from pymodel.socket.fdtable import RLIMIT_NOFILE

if TYPE_CHECKING:
    from pymodel.socket.process import Process


def _close(fd: int) -> None:
    settled("close", fd)


def _read(fd: int, count: int, /) -> bytes:
    if count < 0:
        raise error(errno.EINVAL)
    data: bytes = syscall("read", fd, count)
    return data


def _write(fd: int, data: Any, /) -> int:
    with memoryview(data).cast("B") as view:
        return int(settled("write", fd, view))


def _readv(fd: int, buffers: Any, /) -> int:
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    try:
        return int(syscall("readv", fd, views))
    finally:
        release(views)


def _writev(fd: int, buffers: Any, /) -> int:
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    try:
        return int(settled("writev", fd, views))
    finally:
        release(views)


def _dup(fd: int, /) -> int:
    return int(syscall("fcntl", fd, c.F_DUPFD_CLOEXEC, 0))


def _dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    return int(syscall("dup2" if inheritable else "dup3", fd, fd2, *([] if inheritable else [c.O_CLOEXEC])))


def _flag(fd: int, mask: int, on: bool) -> None:
    flags = syscall("fcntl", fd, c.F_GETFL)
    syscall("fcntl", fd, c.F_SETFL, flags | mask if on else flags & ~mask)


def _get_inheritable(fd: int, /) -> bool:
    return not syscall("fcntl", fd, c.F_GETFD) & c.FD_CLOEXEC


def _set_inheritable(fd: int, inheritable: bool, /) -> None:
    syscall("fcntl", fd, c.F_SETFD, 0 if inheritable else c.FD_CLOEXEC)


def _lseek(fd: int, position: int, how: int, /) -> int:
    return int(syscall("lseek", fd, position, how))


def _fstat(fd: int) -> os.stat_result:
    result: os.stat_result = syscall("fstat", fd)
    return result


def _isatty(fd: int, /) -> bool:
    return False


ON_DESCRIPTORS: dict[str, Callable[..., Any]] = {
    "close": _close,
    "read": _read,
    "write": _write,
    "readv": _readv,
    "writev": _writev,
    "dup": _dup,
    "dup2": _dup2,
    "fstat": _fstat,
    "isatty": _isatty,
    "lseek": _lseek,
    "get_blocking": lambda fd: not syscall("fcntl", fd, c.F_GETFL) & c.O_NONBLOCK,
    "set_blocking": lambda fd, blocking: _flag(fd, c.O_NONBLOCK, not blocking),
    "get_inheritable": _get_inheritable,
    "set_inheritable": _set_inheritable,
    "pread": lambda fd, count, offset: syscall("pread", fd, count, offset),
    "pwrite": lambda fd, data, offset: syscall("pwrite", fd, data, offset),
    "ttyname": unsupported(errno.ENOTTY),
    "tcgetpgrp": unsupported(errno.ENOTTY),
    "get_terminal_size": unsupported(errno.ENOTTY),
    "device_encoding": lambda fd: None,
    **dict.fromkeys(
        ("fsync", "fdatasync", "ftruncate", "fchmod", "fchown", "fchdir", "posix_fallocate",
         "posix_fadvise", "preadv", "pwritev", "fpathconf", "fstatvfs"),
        unsupported(errno.EINVAL),
    ),
}  # fmt: skip
"""Functions whose first argument is a descriptor, on simulated ones."""


def _dispatch(simulated: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        fd = args[0] if args else kwargs.get("fd")
        return simulated(*args, **kwargs) if is_simulated(fd) else real(*args, **kwargs)

    call.__name__ = call.__qualname__ = real.__name__
    return call


def _open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    return move_up(os.open(path, flags, mode, dir_fd=dir_fd))


def _pipe() -> tuple[int, int]:
    ends: tuple[int, int] = syscall("pipe", c.O_CLOEXEC)
    return ends


def _pipe2(flags: int, /) -> tuple[int, int]:
    ends: tuple[int, int] = syscall("pipe", flags)
    return ends


def _closerange(low: int, high: int, /) -> None:
    for fd in current_process().files.open_fds():
        if low <= fd < high:
            _close(fd)
    if high > RLIMIT_NOFILE:
        os.closerange(max(low, RLIMIT_NOFILE), high)


def _sendfile(out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    """sendfile(2) from a real file to a simulated descriptor, or between simulated ones."""
    if not is_simulated(out_fd):
        return os.sendfile(out_fd, in_fd, offset, count)
    if is_simulated(in_fd):
        return int(syscall("sendfile", out_fd, in_fd, offset, count))
    start = os.lseek(in_fd, 0, os.SEEK_CUR) if offset is None else offset
    data = os.pread(in_fd, min(count, 1 << 20), start)
    sent = _write(out_fd, data) if data else 0
    if offset is None:
        os.lseek(in_fd, start + sent, os.SEEK_SET)
    return sent


def _splice(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> int:
    return int(syscall("splice", src, offset_src, dst, offset_dst, count, flags))


def _stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
    if is_simulated(path):
        return _fstat(path)
    return os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


def _fdopen(fd: int, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(fd, int):
        raise TypeError(f"invalid fd type ({type(fd)}, expected integer)")
    return open_file(fd, *args, **kwargs)


_MAKING = ("dup", "openpty", "memfd_create", "pidfd_open", "eventfd")


def _moving(real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, with the real descriptors that it makes moved up."""

    def call(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        return tuple(map(move_up, made)) if isinstance(made, tuple) else move_up(made)

    call.__name__ = call.__qualname__ = real.__name__
    return call


_FORKING = ("fork", "forkpty", "posix_spawn", "posix_spawnp")


def contents(process: "Process") -> dict[str, Any]:
    """Everything in the module, for `process`: its identity and randomness, and its descriptors.

    It cannot fork: a copy of the real process would share the simulation with it.
    """
    names = dict(vars(os))
    for name in _FORKING:
        names.pop(name, None)
    for name in _MAKING:
        if name in names:
            names[name] = _moving(names[name])
    for name, simulated in ON_DESCRIPTORS.items():
        if name in names:
            names[name] = _dispatch(simulated, names[name])
    names.update(
        open=_open,
        pipe=_pipe,
        pipe2=_pipe2,
        closerange=_closerange,
        sendfile=_sendfile,
        splice=_splice,
        stat=_stat,
        fdopen=_fdopen,
        getpid=lambda: process.pid,
        kill=kill,
        urandom=process.random.randbytes,
        register_at_fork=lambda **_: None,
    )
    return names


def module(process: "Process", make: Callable[[str, dict[str, Any]], ModuleType]) -> ModuleType:
    """The drop-in module for `process`, made with `make`."""
    return make("os", contents(process))
