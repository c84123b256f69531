"""Which descriptors of a drop-in program are simulated: all below `REAL_FDS`.

The program's regular files are the machine's own. Their descriptors are moved up, out of the range of the
simulated ones, so that a number says which of both tables it belongs to. 0, 1 and 2 are the
interpreter's until the program closes or replaces them.
"""

import fcntl
import os
import resource
from typing import Any, TypeVar

from pymodel.socket.current import current_process, current_thread
from pymodel.socket.file import NullFile
from pymodel.socket.simthread import SimThread
from pymodel.task import Blocking, Wait

T = TypeVar("T")

_ROUNDS = 8
"""Segments of a handshake over loopback, there and back, and what they wake."""
_REAL_ROOM = 16_384
"""Real files that a program may have open."""
REAL_FDS = min(16_384, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)
"""Real descriptors begin here, above every simulated one; half-way where the machine allows only few."""


class StandardStream(NullFile):
    """Descriptor 0, 1 or 2 of a drop-in program: what is done with it is done with the interpreter's."""


def is_simulated(fd: Any) -> bool:
    """Whether `fd` is a number of the simulated table (open or not)."""
    if not isinstance(fd, int) or not 0 <= fd < REAL_FDS:
        return False
    return not isinstance(current_process().files.peek(fd), StandardStream)


def syscall(name: str, *args: Any) -> Any:
    """Make the system call `name` of the running process."""
    process = current_process()
    call: Blocking[Any] = getattr(process.kernel, name)(process, *args)
    return current_thread().syscall(call)


def settle(call: Blocking[T]) -> Blocking[T]:
    """`call`, by the running thread, and after it everything that the network does at this very time.

    What is sent over the loopback interface of Linux has arrived, and is answered, when the call returns;
    a thread that waited for it runs on only when it gets a processor, which is later.
    """
    return _settle(current_thread(), call)


def _settle(thread: SimThread, call: Blocking[T]) -> Blocking[T]:
    try:
        result = yield from call
    except OSError:
        yield from _arrival(thread)
        raise
    yield from _arrival(thread)
    return result


def _arrival(thread: SimThread) -> Blocking[None]:
    """Let go of the processor until nothing is due now, but not for ever: others may be busy, too."""
    scheduler = thread.process.kernel.scheduler
    with thread.process.kernel.run_queue.first(thread):
        yield Wait(deadline=0)
        for _ in range(_ROUNDS):
            due = scheduler.next_deadline()
            if due is None or due > scheduler.now:
                return
            yield Wait(deadline=0)


def settled(name: str, *args: Any) -> Any:
    """As `syscall`, with `settle`."""
    process = current_process()
    return current_thread().syscall(settle(getattr(process.kernel, name)(process, *args)))


def move_up(fd: int) -> int:
    """A real descriptor, moved above the simulated ones (close-on-exec, as Python's are)."""
    if fd >= REAL_FDS:
        return fd
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(REAL_FDS + _REAL_ROOM, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, REAL_FDS)
    finally:
        os.close(fd)
