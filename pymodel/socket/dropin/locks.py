"""Drop-in locks: `_thread.allocate_lock` and `RLock`, on which everything of `threading` stands.

They block in simulated time. Strictly one thread runs at a time and it is never interrupted between
two calls, so the fields need no protection.
"""

from typing import Any

from pymodel.simtime import SEC
from pymodel.socket.current import current_thread, running
from pymodel.task import Blocking, Wait, WaitQueue

TIMEOUT_MAX = 9_223_372_036.0
"""Seconds, as CPython's on 64-bit machines."""


def get_ident() -> int:
    """The number of the running thread; 0 outside of simulated threads (finalizers)."""
    return running.thread.tid if running.thread is not None else 0


def deadline_after(timeout: float | None) -> int | None:
    """The time (ps) at which `timeout` seconds from now are over; None and negative: never."""
    if timeout is None or timeout < 0:
        return None
    return current_thread().process.kernel.scheduler.now + round(timeout * SEC)


def block(queue: WaitQueue, deadline: int | None) -> bool:
    """Block the running thread until `queue` is woken (True) or until `deadline` (False)."""

    def wait() -> Blocking[bool]:
        return (yield Wait(queue, deadline=deadline))

    return current_thread().syscall(wait())


class Lock:
    """`threading.Lock`."""

    def __init__(self) -> None:
        self._held = False
        self._queue = WaitQueue()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.Lock.acquire`: ValueError for a timeout that makes no sense."""
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if timeout > TIMEOUT_MAX:
            raise OverflowError("timeout value is too large")
        if self._held:
            if not blocking:
                if running.thread is not None:
                    running.thread.tick()
                return False
            deadline = deadline_after(timeout)
            while self._held:
                if not block(self._queue, deadline) and self._held:
                    return False
        self._held = True
        return True

    def release(self) -> None:
        """RuntimeError if it is not held."""
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False
        self._queue.wake()

    def release_if_held(self) -> None:
        """What the end of a thread does with its sentinel (tstate->on_delete)."""
        if self._held:
            self.release()

    def locked(self) -> bool:
        """Whether anybody holds it."""
        return self._held

    def _at_fork_reinit(self) -> None:
        """What the standard library registers for the child of a fork: free again."""
        self._held = False

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def __repr__(self) -> str:
        return f"<{'locked' if self._held else 'unlocked'} _thread.lock object at {id(self):#x}>"

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock:
    """`threading.RLock`: the thread that holds it may take it again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = 0
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.RLock.acquire`."""
        me = get_ident()
        if self._count and self._owner == me:
            self._count += 1
            return True
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        """RuntimeError if the running thread does not hold it."""
        if not self._is_owned():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._count else "unlocked"
        return f"<{state} _thread.RLock object owner={self._owner} count={self._count} at {id(self):#x}>"

    # What `Condition` needs, by CPython's names.

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._owner = self._count = 0

    def _is_owned(self) -> bool:
        return self._count > 0 and self._owner == get_ident()

    def _release_save(self) -> int:
        count, self._count = self._count, 0
        self._lock.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        self._lock.acquire()
        self._owner, self._count = get_ident(), count


LOW_LEVEL: dict[str, Any] = {
    "allocate_lock": Lock,
    "allocate": Lock,
    "LockType": Lock,
    "RLock": RLock,
    "get_ident": get_ident,
    "get_native_id": get_ident,
    "TIMEOUT_MAX": TIMEOUT_MAX,
    "error": RuntimeError,
}
