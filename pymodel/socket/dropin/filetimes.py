"""When a program's real files were touched, by the simulated clock.

The machine's clock runs beside the simulated one. A file that was touched since the process began was touched
"now" when the program first sees it; older times are told as they are.
"""

import os
import time as real
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pymodel.simtime import NS
from pymodel.socket.dropin.descriptors import is_simulated, syscall
from pymodel.socket.messages import EPOCH

if TYPE_CHECKING:
    from pymodel.socket.process import Process

_BILLION = 1_000_000_000
_NAMES = ("st_atime", "st_mtime", "st_ctime")
_OF_ENTRY = ("inode", "is_dir", "is_file", "is_symlink", "name", "path")
_KEPT = 4096
"""Times that are remembered: the oldest are forgotten first, and are "now" again."""


class FileTimes:
    """stat(2) and its like for `process`."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._began = real.time_ns()
        self._seen: dict[int, int] = {}
        """Real time → simulated time, in ns."""

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        """As `os.stat`."""
        if is_simulated(path):
            result: os.stat_result = syscall("fstat", path)
            return result
        return self._told(os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks))

    def lstat(self, path: Any, *, dir_fd: int | None = None) -> os.stat_result:
        """As `os.lstat`."""
        return self._told(os.lstat(path, dir_fd=dir_fd))

    def fstat(self, fd: int) -> os.stat_result:
        """As `os.fstat`, of a real descriptor."""
        return self._told(os.fstat(fd))

    def _told(self, result: os.stat_result) -> os.stat_result:
        times = result.st_atime_ns, result.st_mtime_ns, result.st_ctime_ns
        # The kernel stamps files with its tick, which is a little in the past.
        if max(times) < self._began - _BILLION // 100:
            return result
        limit = real.time_ns()
        named: dict[str, float] = {
            name: getattr(result, name) for name in ("st_blksize", "st_blocks", "st_rdev")
        }
        seconds = []
        for name, when in zip(_NAMES, times, strict=True):
            if self._began - _BILLION // 100 <= when <= limit:
                when = self._simulated(when)
            named[f"{name}_ns"] = when
            named[name] = when / _BILLION
            seconds.append(when // _BILLION)
        return os.stat_result((*result[:7], *seconds), named)

    def scandir(self, path: Any = None) -> "Directory":
        """As `os.scandir`."""
        return Directory(os.scandir(path), self._told)

    def _simulated(self, when: int) -> int:
        now = EPOCH * _BILLION + self._process.kernel.scheduler.now // NS
        while len(self._seen) >= _KEPT:
            del self._seen[next(iter(self._seen))]
        return self._seen.setdefault(when, now)


class DirEntry:
    """`os.DirEntry`."""

    _entry: Any
    _told: Callable[[os.stat_result], os.stat_result]
    name: Any
    path: Any

    __slots__ = ("_entry", "_told", *_OF_ENTRY)

    def __new__(cls, *_: Any, **__: Any) -> "DirEntry":
        """Not for programs."""
        raise TypeError("cannot create 'posix.DirEntry' instances")

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """As `os.DirEntry.stat`."""
        return self._told(self._entry.stat(follow_symlinks=follow_symlinks))

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return repr(self._entry)


class Directory:
    """What `os.scandir` gives."""

    def __init__(self, entries: Any, told: Callable[[os.stat_result], os.stat_result]) -> None:
        self._entries = entries
        self._told = told
        self.close: Callable[[], None] = entries.close

    def __iter__(self) -> "Directory":
        return self

    def __next__(self) -> DirEntry:
        real_one = next(self._entries)
        entry = object.__new__(DirEntry)
        entry._entry, entry._told = real_one, self._told
        for name in _OF_ENTRY:
            setattr(entry, name, getattr(real_one, name))
        return entry

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
