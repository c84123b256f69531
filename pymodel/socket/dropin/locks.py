"""Drop-in locks: `_thread.allocate_lock`, `RLock`, and the conditions of `threading` that stand on them.

They block in simulated time. Strictly one thread runs at a time and it is never interrupted between
two calls, so the fields need no protection.
"""

from collections import deque
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

    def locked(self) -> bool:
        """Whether anybody holds it."""
        return self._held

    def _at_fork_reinit(self) -> None:
        """What the standard library registers for the child of a fork: free again."""
        self._held = False

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

    # What `Condition` needs, by CPython's names.

    def _is_owned(self) -> bool:
        return self._count > 0 and self._owner == get_ident()

    def _release_save(self) -> int:
        count, self._count = self._count, 0
        self._lock.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        self._lock.acquire()
        self._owner, self._count = get_ident(), count


class Condition:
    """`threading.Condition`."""

    def __init__(self, lock: Any = None) -> None:
        self._lock = RLock() if lock is None else lock
        self.acquire = self._lock.acquire
        self.release = self._lock.release
        self._waiters: deque[WaitQueue] = deque()

    def __enter__(self) -> bool:
        return bool(self._lock.__enter__())

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)

    def _is_owned(self) -> bool:
        if isinstance(self._lock, RLock):
            return self._lock._is_owned()
        return bool(self._lock.locked())

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, block until notified (True) or for `timeout` seconds (False), take it again."""
        if not self._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        waiter = WaitQueue()
        self._waiters.append(waiter)
        saved = None
        if isinstance(self._lock, RLock):
            saved = self._lock._release_save()
        else:
            self._lock.release()
        try:
            return block(waiter, None if timeout is None else deadline_after(max(timeout, 0)))
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            if saved is not None:
                self._lock._acquire_restore(saved)
            else:
                self._lock.acquire()

    def wait_for(self, predicate: Any, timeout: float | None = None) -> Any:
        """Wait until `predicate()` is true; its last value."""
        deadline = None if timeout is None else deadline_after(max(timeout, 0))
        result = predicate()
        while not result:
            rest = None
            if deadline is not None:
                rest = (deadline - current_thread().process.kernel.scheduler.now) / SEC
                if rest <= 0:
                    break
            self.wait(rest)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake the `n` that have waited longest."""
        if not self._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        for _ in range(min(n, len(self._waiters))):
            self._waiters.popleft().wake()

    def notify_all(self) -> None:
        """Wake all."""
        self.notify(len(self._waiters))

    notifyAll = notify_all


class Event:
    """`threading.Event`."""

    def __init__(self) -> None:
        self._flag = False
        self._queue = WaitQueue()

    def is_set(self) -> bool:
        """Whether it is set."""
        if running.thread is not None:
            running.thread.tick()
        return self._flag

    isSet = is_set

    def set(self) -> None:
        """Set it, and wake everybody who waits."""
        self._flag = True
        self._queue.wake()

    def clear(self) -> None:
        """Unset it."""
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is set (True), or for `timeout` seconds; whether it is set."""
        if not self._flag:
            deadline = None if timeout is None else deadline_after(max(timeout, 0))
            # Somebody may clear it before this thread runs again: being woken is enough.
            return block(self._queue, deadline) or self._flag
        return True


class Semaphore:
    """`threading.Semaphore`."""

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._value = value
        self._queue = WaitQueue()

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """As `threading.Semaphore.acquire`."""
        if not blocking and timeout is not None:
            raise ValueError("can't specify timeout for non-blocking acquire")
        if self._value == 0:
            if not blocking:
                return False
            deadline = None if timeout is None else deadline_after(max(timeout, 0))
            while self._value == 0:
                if not block(self._queue, deadline) and self._value == 0:
                    return False
        self._value -= 1
        return True

    def release(self, n: int = 1) -> None:
        """Let `n` more in."""
        if n < 1:
            raise ValueError("n must be one or more")
        self._value += n
        self._queue.wake()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """`threading.BoundedSemaphore`: ValueError when released more often than acquired."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial = value

    def release(self, n: int = 1) -> None:
        """Let `n` more in, but never more than at the start."""
        if self._value + n > self._initial:
            raise ValueError("Semaphore released too many times")
        super().release(n)


LOW_LEVEL: dict[str, Any] = {
    "allocate_lock": Lock,
    "LockType": Lock,
    "RLock": RLock,
    "get_ident": get_ident,
    "get_native_id": get_ident,
    "TIMEOUT_MAX": TIMEOUT_MAX,
    "error": RuntimeError,
}
