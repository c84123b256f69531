"""Drop-in `resource`: RLIMIT_NOFILE is the simulated process's, every other limit the interpreter's."""

import operator
import resource as real
from typing import Any

from pymodel.socket.current import current_process
from pymodel.socket.dropin.descriptors import REAL_FDS


def getrlimit(which: int, /) -> tuple[int, int]:
    """getrlimit(2): (soft, hard)."""
    if which != real.RLIMIT_NOFILE:
        return real.getrlimit(which)
    files = current_process().files
    return files.limit, files.hard_limit


def _both(limits: Any) -> tuple[int, int]:
    try:
        soft, hard = map(operator.index, limits)
    except ValueError:
        raise ValueError("expected a tuple of 2 integers") from None
    largest = (1 << 64) - 1  # RLIM_INFINITY
    return soft & largest, hard & largest


def setrlimit(which: int, limits: Any, /) -> None:
    """setrlimit(2): ValueError for a soft limit above the hard one, or a hard one that may not be raised."""
    if which != real.RLIMIT_NOFILE:
        real.setrlimit(which, limits)
        return
    process = current_process()
    soft, hard = _both(limits)
    if soft > hard:
        raise ValueError("current limit exceeds maximum limit")
    if hard > (process.files.hard_limit if process.uid else REAL_FDS):
        raise ValueError("not allowed to raise maximum limit")
    process.files.limit, process.files.hard_limit = soft, hard


def prlimit(pid: int, which: int, limits: Any = None, /) -> tuple[int, int]:
    """prlimit(2) of the process itself (`pid` 0 or its own); PermissionError for any other."""
    if pid not in (0, current_process().pid):
        raise PermissionError(1, "Operation not permitted")
    before = getrlimit(which)
    if limits is not None:
        setrlimit(which, limits)
    return before


EXPORTS: dict[str, Any] = {
    **{name: value for name, value in vars(real).items() if not name.startswith("__")},
    "getrlimit": getrlimit,
    "setrlimit": setrlimit,
    "prlimit": prlimit,
}
