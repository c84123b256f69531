"""Drop-in `threading`: threads of the simulated process, which take turns with all others."""

import sys
import threading as real
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pymodel.socket.current import current_process, running
from pymodel.socket.dropin import locks
from pymodel.socket.dropin.locks import Condition, Event, block, deadline_after, get_ident
from pymodel.socket.simthread import ProcessKilled, SimThread
from pymodel.task import WaitQueue


class Thread:
    """`threading.Thread`. Subclasses may override `run`, as usual."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        if group is not None:
            raise ValueError("group argument must be None for now")
        process = current_process()
        self._process = process
        self._target = target
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._daemon = current_thread().daemon if daemon is None else daemon
        self._thread: SimThread | None = None
        self._over = False
        self._ended = WaitQueue()
        if name is None:
            process.thread_names += 1
            name = f"Thread-{process.thread_names}"
            if target is not None:
                name += f" ({getattr(target, '__name__', target)})"
        self.name = name

    def __repr__(self) -> str:
        state = "initial" if self._thread is None else "stopped" if self._over else "started"
        return f"<{type(self).__name__}({self.name}, {state}{' daemon' * self._daemon})>"

    def start(self) -> None:
        """Start it: it runs when the running thread blocks. RuntimeError the second time."""
        if self._thread is not None:
            raise RuntimeError("threads can only be started once")
        self._thread = self._process.add_thread(self._bootstrap, self.name, daemon=self._daemon)
        self._thread.python_thread = self

    def run(self) -> None:
        """What the thread does: call the target."""
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def _bootstrap(self) -> None:
        try:
            self.run()
        except (SystemExit, ProcessKilled):
            return
        except BaseException as error:
            hook = sys.modules["threading"].excepthook
            hook(ExceptHookArgs((type(error), error, error.__traceback__, self)))

    def finished(self) -> None:
        """The thread has ended (called by its process)."""
        self._over = True
        self._ended.wake()

    def join(self, timeout: float | None = None) -> None:
        """Block until it has ended, or for `timeout` seconds; RuntimeError for oneself."""
        if self._thread is None:
            raise RuntimeError("cannot join thread before it is started")
        if self._thread is running.thread:
            raise RuntimeError("cannot join current thread")
        deadline = None if timeout is None else deadline_after(max(timeout, 0))
        while not self._over and block(self._ended, deadline):
            pass

    def is_alive(self) -> bool:
        """Started and not ended."""
        return self._thread is not None and not self._over

    @property
    def ident(self) -> int | None:
        """Its number; None before it is started."""
        return self._thread.tid if self._thread is not None else None

    native_id = ident

    @property
    def daemon(self) -> bool:
        """Whether it dies with the program."""
        return self._daemon

    @daemon.setter
    def daemon(self, value: bool) -> None:
        if self._thread is not None:
            raise RuntimeError("cannot set daemon status of active thread")
        self._daemon = value


class _MainThread(Thread):
    """The thread in which the program itself runs, or one started below `threading`."""

    def __init__(self, thread: SimThread, name: str) -> None:
        super().__init__(name=name, daemon=thread.daemon)
        self._thread = thread
        thread.python_thread = self


class Timer(Thread):
    """`threading.Timer`: calls `function` after `interval` seconds unless it is cancelled."""

    def __init__(
        self,
        interval: float,
        function: Callable[..., object],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(target=function, args=args or (), kwargs=kwargs)
        self.interval = interval
        self._cancelled = Event()

    def cancel(self) -> None:
        """Do not call it any more."""
        self._cancelled.set()

    def run(self) -> None:
        """Wait, then call."""
        if not self._cancelled.wait(self.interval):
            super().run()


class _Round:
    """Those who wait at a barrier together."""

    def __init__(self) -> None:
        self.waiting = 0
        self.passed = False
        self.broken = False


class Barrier:
    """`threading.Barrier`."""

    def __init__(
        self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None
    ) -> None:
        self.parties = parties
        self._action = action
        self._timeout = timeout
        self._condition = Condition()
        self._round = _Round()

    @property
    def n_waiting(self) -> int:
        """How many wait now."""
        return 0 if self._round.broken else self._round.waiting

    @property
    def broken(self) -> bool:
        """Whether `wait` raises until `reset`."""
        return self._round.broken

    def wait(self, timeout: float | None = None) -> int:
        """Block until all parties wait; a number from 0 to parties - 1, different for each.

        BrokenBarrierError after `timeout` seconds, `abort`, `reset`, or an action that raised.
        """
        with self._condition:
            mine = self._round
            if mine.broken:
                raise real.BrokenBarrierError
            index = mine.waiting
            mine.waiting += 1
            if mine.waiting == self.parties:
                try:
                    if self._action is not None:
                        self._action()
                except BaseException:
                    self._break()
                    raise
                mine.passed = True
                self._round = _Round()
                self._condition.notify_all()
                return index
            limit = self._timeout if timeout is None else timeout
            if not self._condition.wait_for(lambda: mine.passed or mine.broken, limit):
                self._break()
            if mine.broken:
                raise real.BrokenBarrierError
            return index

    def _break(self) -> None:
        self._round.broken = True
        self._condition.notify_all()

    def abort(self) -> None:
        """Break it for everybody."""
        with self._condition:
            self._break()

    def reset(self) -> None:
        """Break it for those who wait, and start anew."""
        with self._condition:
            self._break()
            self._round = _Round()


def current_thread() -> Thread:
    """The `Thread` that runs now."""
    thread = running.thread
    if thread is None:
        raise RuntimeError("no simulated thread runs here")
    if thread.python_thread is None:
        is_main = thread is thread.process.main_thread
        _MainThread(thread, "MainThread" if is_main else f"Dummy-{thread.tid}")
    python_thread: Thread = thread.python_thread
    return python_thread


def main_thread() -> Thread:
    """The thread of the program itself."""
    thread = current_process().main_thread
    assert thread is not None
    if thread.python_thread is None:
        _MainThread(thread, "MainThread")
    python_thread: Thread = thread.python_thread
    return python_thread


def enumerate() -> list[Thread]:
    """All threads of the process that are alive."""
    return [thread.python_thread for thread in current_process().threads if thread.python_thread is not None]


def active_count() -> int:
    """How many threads are alive."""
    return len(current_process().threads)


class ExceptHookArgs(tuple[Any, ...]):
    """What `threading.excepthook` gets."""

    exc_type = property(lambda self: self[0])
    exc_value = property(lambda self: self[1])
    exc_traceback = property(lambda self: self[2])
    thread = property(lambda self: self[3])


def excepthook(args: Any, /) -> None:
    """Print the traceback of a thread that raised, to the program's stderr."""
    print(f"Exception in thread {args.thread.name}:", file=sys.stderr)
    traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback, file=sys.stderr)


def start_new_thread(function: Callable[..., object], args: tuple[Any, ...], kwargs: Any = None, /) -> int:
    """`_thread.start_new_thread`."""
    thread = Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    assert thread.ident is not None
    return thread.ident


def _register_atexit(function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """What concurrent.futures calls to stop its workers before the process waits for threads."""
    current_process().at_exit.append((function, lambda: function(*args, **kwargs)))


def stack_size(size: int = 0, /) -> int:
    """Threads of a simulation have the interpreter's stack size."""
    return 0


def settrace(function: Any) -> None:
    """Tracing stays with the interpreter's own threads."""


EXPORTS: dict[str, Any] = {
    **{
        item.__name__: item
        for item in (
            *(Thread, Timer, Barrier, current_thread, main_thread, enumerate, active_count),
            *(locks.Lock, locks.RLock, Condition, Event, locks.Semaphore, locks.BoundedSemaphore),
            *(ExceptHookArgs, excepthook, get_ident, stack_size, settrace, _register_atexit),
        )
    },
    "setprofile": settrace,
    "currentThread": current_thread,
    "activeCount": active_count,
    "get_native_id": get_ident,
    "BrokenBarrierError": real.BrokenBarrierError,
    "ThreadError": RuntimeError,
    "TIMEOUT_MAX": locks.TIMEOUT_MAX,
    "local": real.local,
}

LOW_LEVEL: dict[str, Any] = {
    "start_new_thread": start_new_thread,
    "start_new": start_new_thread,
    "exit": sys.exit,
    "_local": real.local,
    "stack_size": stack_size,
}
