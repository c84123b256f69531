"""Drop-in `posix` and the `os` above it: descriptors and environment are the simulated process's.

`os` is the interpreter's own source, loaded privately on top of this `posix`.
"""

import errno
import operator
import os
import posix
import stat
import sys
from collections.abc import Callable
from importlib.machinery import FrozenImporter
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.socket.dropin import subprocesses
from pymodel.socket.dropin.arguments import release
from pymodel.socket.dropin.descriptors import REAL_FDS, is_simulated, move_up, settled, syscall
from pymodel.socket.dropin.files import aliased, unsupported
from pymodel.socket.dropin.filetimes import DirEntry, FileTimes
from pymodel.socket.dropin.signals import kill
from pymodel.socket.errors import error

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
    "fchdir": unsupported(errno.ENOTDIR),
    **dict.fromkeys(("preadv", "pwritev"), unsupported(errno.ESPIPE)),
    **dict.fromkeys(
        ("fsync", "fdatasync", "ftruncate", "fchmod", "fchown", "posix_fallocate",
         "posix_fadvise", "fpathconf", "fstatvfs"),
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
    alias = aliased(path)
    if alias is not None:
        return _dup(alias)
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
    if high > REAL_FDS:
        os.closerange(max(low, REAL_FDS), high)


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
    """splice(2), where one side may be a real file."""
    if count < 0:
        raise ValueError("count cannot be negative")
    if is_simulated(src) and is_simulated(dst):
        return int(syscall("splice", src, offset_src, dst, offset_dst, count, flags))
    if not is_simulated(src) and not is_simulated(dst):
        return os.splice(src, dst, count, offset_src, offset_dst, flags)
    os.fstat(src if is_simulated(dst) else dst)  # EBADF
    pipe, offset = (dst, offset_dst) if is_simulated(dst) else (src, offset_src)
    if not stat.S_ISFIFO(_fstat(pipe).st_mode):
        raise error(errno.EINVAL)
    if offset is not None:
        raise error(errno.ESPIPE)
    if is_simulated(dst):
        data = _taken(src, min(count, _PIPE_ROOM), offset_src)
        return _write(dst, data) if data else 0
    data = _read(src, count)
    return os.write(dst, data) if offset_dst is None else os.pwrite(dst, data, offset_dst)


_PIPE_ROOM = 65_536
"""What an empty pipe takes."""


def _taken(fd: int, count: int, offset: int | None) -> bytes:
    """Read from a real file: from its position, which moves on, or from `offset`."""
    return os.read(fd, count) if offset is None else os.pread(fd, count, offset)


def _eventfd(initval: int, flags: int = os.O_CLOEXEC) -> int:
    count = operator.index(initval)
    if not 0 <= count < 1 << 32:
        if count < 0:
            raise ValueError("value must be positive")
        raise OverflowError("Python int too large for C unsigned int")
    return int(syscall("eventfd", count, flags))


def _eventfd_read(fd: int) -> int:
    return int.from_bytes(syscall("read", fd, 8), sys.byteorder)


def _eventfd_write(fd: int, value: int) -> None:
    syscall("write", fd, memoryview(value.to_bytes(8, sys.byteorder)))


_MAKING = ("dup", "openpty", "memfd_create")


def _moving(real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, with the real descriptors that it makes moved up."""

    def call(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        return tuple(map(move_up, made)) if isinstance(made, tuple) else move_up(made)

    call.__name__ = call.__qualname__ = real.__name__
    return call


_FORKING = ("fork", "forkpty", "posix_spawn", "posix_spawnp")


NO_FORK = "a program on a simulated host cannot fork: the copy would share the simulation (subprocess works)"
"""Why there is no fork(2)."""


def _absent(name: str) -> Any:
    """hasattr(os, "fork") is false, as on systems without it; who asks all the same is told why."""
    why = f": {NO_FORK}" if name in _FORKING else ""
    raise AttributeError(f"module 'os' has no attribute '{name}'{why}", name=name)


def contents(process: "Process") -> dict[str, Any]:
    """Everything in `posix`, for `process`: its identity and randomness, its descriptors and environment.

    It cannot fork: a copy of the real process would share the simulation with it.
    """
    names = {name: value for name, value in vars(posix).items() if not name.startswith("__")}
    times = FileTimes(process)
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
        eventfd=_eventfd,
        eventfd_read=_eventfd_read,
        eventfd_write=_eventfd_write,
        closerange=_closerange,
        sendfile=_sendfile,
        splice=_splice,
        stat=times.stat,
        lstat=times.lstat,
        scandir=times.scandir,
        DirEntry=DirEntry,
        fstat=_dispatch(_fstat, times.fstat),
        environ=dict(process.environment),
        getppid=lambda: 0 if process.parent is None else process.parent.pid,
        **subprocesses.EXPORTS,
        getpid=lambda: process.pid,
        kill=kill,
        urandom=process.random.randbytes,
        register_at_fork=lambda **_: None,
    )
    return names


def _source() -> CodeType:
    spec = os.__spec__
    loader: Any = FrozenImporter if spec is None or spec.loader is None else spec.loader
    code: CodeType = loader.get_code("os")
    return code


_CODE = _source()


def modules(process: "Process", make: Callable[[str, dict[str, Any]], ModuleType]) -> list[ModuleType]:
    """`posix` and `os` for `process`, made with `make`."""
    below = make("posix", contents(process))
    above = make("os", {"__file__": os.__file__})
    sys.modules["posix"] = below
    try:
        exec(_CODE, vars(above))
    finally:
        sys.modules["posix"] = posix
    vars(above)["__getattr__"] = _absent
    return [below, above]
