"""Drop-in `_thread`: threads of the simulated process, which take turns with all others.

`threading` is the interpreter's own source, loaded privately on top of this.
"""

import _thread as real
import sys
from collections.abc import Callable
from typing import Any

from pymodel.socket.current import current_process, current_thread, running
from pymodel.socket.dropin import locks
from pymodel.socket.simthread import ProcessKilled, SimThread


def start_new_thread(function: Callable[..., object], args: tuple[Any, ...], kwargs: Any = None, /) -> int:
    """As `_thread.start_new_thread`; RuntimeError in a process that ends."""
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")

    def body() -> None:
        try:
            function(*args, **(kwargs or {}))
        except (SystemExit, ProcessKilled):
            pass
        except BaseException as error:
            message = "Exception ignored in thread started by"
            sys.unraisablehook(_Unraisable(type(error), error, error.__traceback__, message, function))

    name = getattr(function, "__qualname__", None) or repr(function)
    return current_process().add_thread(body, name, daemon=True).tid


class _Unraisable(tuple[Any, ...]):
    """`sys.UnraisableHookArgs`, which cannot be made from outside."""

    def __new__(cls, *values: Any) -> "_Unraisable":
        return super().__new__(cls, values)

    exc_type = property(lambda self: self[0])
    exc_value = property(lambda self: self[1])
    exc_traceback = property(lambda self: self[2])
    err_msg = property(lambda self: self[3])
    object = property(lambda self: self[4])


def _set_sentinel() -> locks.Lock:
    """A lock that is released when the running thread has ended."""
    lock = locks.Lock()
    current_thread().sentinel = lock.release_if_held
    return lock


def _count() -> int:
    """How many threads that `start_new_thread` has started are alive."""
    process = current_process()
    return len(process.threads) - (process.main_thread in process.threads)


def _excepthook(args: Any, /) -> None:
    """Print the traceback of a thread that raised; one that was killed raises nothing to be told of."""
    if args.exc_type is not ProcessKilled:
        real._excepthook(args)


def exit_thread() -> None:
    """As `_thread.exit`."""
    raise SystemExit


def prepare(threading: Any) -> None:
    """Make the questions of a freshly loaded `threading` that a loop may ask without end take time."""

    def ticking(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def ask(self: Any) -> Any:
            thread: SimThread | None = running.thread
            if thread is not None:
                thread.tick()
            return method(self)

        ask.__name__, ask.__doc__ = method.__name__, method.__doc__
        return ask

    threading.Event.is_set = ticking(threading.Event.is_set)
    threading.Thread.is_alive = ticking(threading.Thread.is_alive)


LOW_LEVEL: dict[str, Any] = {
    "start_new_thread": start_new_thread,
    "start_new": start_new_thread,
    "exit": exit_thread,
    "exit_thread": exit_thread,
    "_local": real._local,
    "_ExceptHookArgs": real._ExceptHookArgs,
    "_excepthook": _excepthook,
    "_set_sentinel": _set_sentinel,
    "_count": _count,
    "stack_size": real.stack_size,
}
