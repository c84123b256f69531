"""Which descriptors of a drop-in program are simulated: all below the table's limit.

The program's regular files are the machine's own. Their descriptors are moved up, out of the range of the
simulated ones, so that a number says which of both tables it belongs to. 0, 1 and 2 are the
interpreter's until the program closes or replaces them.
"""

import fcntl
import os
import resource
from typing import Any, TypeVar

from pymodel.scheduler import Scheduler
from pymodel.socket.current import current_process, current_thread
from pymodel.socket.fdtable import RLIMIT_NOFILE
from pymodel.socket.file import NullFile
from pymodel.task import Blocking, Wait

T = TypeVar("T")

_ROUNDS = 8
"""Segments of a handshake over loopback, there and back, and what they wake."""
_WANTED = 16 * RLIMIT_NOFILE


class StandardStream(NullFile):
    """Descriptor 0, 1 or 2 of a drop-in program: what is done with it is done with the interpreter's."""


def is_simulated(fd: Any) -> bool:
    """Whether `fd` is a number of the simulated table (open or not)."""
    if not isinstance(fd, int) or not 0 <= fd < RLIMIT_NOFILE:
        return False
    return not isinstance(current_process().files.peek(fd), StandardStream)


def syscall(name: str, *args: Any) -> Any:
    """Make the system call `name` of the running process."""
    process = current_process()
    call: Blocking[Any] = getattr(process.kernel, name)(process, *args)
    return current_thread().syscall(call)


def settle(scheduler: Scheduler, call: Blocking[T]) -> Blocking[T]:
    """`call`, and after it everything that is due at this very time.

    What is sent over the loopback interface of Linux has arrived, and is answered, when the call returns.
    """
    try:
        result = yield from call
    except OSError:
        yield from _arrival(scheduler)
        raise
    yield from _arrival(scheduler)
    return result


def _arrival(scheduler: Scheduler) -> Blocking[None]:
    """Let go of the processor until nothing is due now, but not for ever: others may be busy, too."""
    yield Wait(deadline=0)
    for _ in range(_ROUNDS):
        due = scheduler.next_deadline()
        if due is None or due > scheduler.now:
            return
        yield Wait(deadline=0)


def settled(name: str, *args: Any) -> Any:
    """As `syscall`, with `settle`."""
    process = current_process()
    kernel = process.kernel
    return current_thread().syscall(settle(kernel.scheduler, getattr(kernel, name)(process, *args)))


def move_up(fd: int) -> int:
    """A real descriptor, moved above the simulated ones (close-on-exec, as Python's are)."""
    if fd >= RLIMIT_NOFILE:
        return fd
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _WANTED:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(_WANTED, hard), hard))
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, RLIMIT_NOFILE)
    finally:
        os.close(fd)
