"""Drop-in `_signal`: signals of the simulated process, timers on the simulated clock.

Handlers run in the main thread, as in CPython: at its next system call, or in the one that it is blocked in,
which goes on afterwards unless the handler raises (PEP 475).
"""

import _signal as real  # type: ignore[import-not-found]
import math
import operator
import sys
import traceback
from typing import TYPE_CHECKING, Any

from pymodel.scheduler import Timer
from pymodel.simtime import SEC, US
from pymodel.socket import constants as c
from pymodel.socket.asyncsocket import at_once
from pymodel.socket.current import current_process, current_thread, running
from pymodel.socket.dropin.descriptors import is_simulated, syscall
from pymodel.task import Blocking, Wait, WaitQueue

if TYPE_CHECKING:
    from pymodel.socket.process import Process

_IGNORED_BY_DEFAULT = frozenset({real.SIGCHLD, real.SIGURG, real.SIGWINCH, real.SIGCONT})


class Signals:
    """Handlers, timer and wake-up descriptor of one process."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.handlers: dict[int, Any] = {
            real.SIGINT: real.default_int_handler,
            real.SIGPIPE: real.SIG_IGN,
            real.SIGXFSZ: real.SIG_IGN,
        }
        self.wakeup_fd = -1
        self.warns_of_full = True
        """set_wakeup_fd(…, warn_on_full_buffer)."""
        self.arrived = WaitQueue()
        self._timer: Timer | None = None
        self._interval = 0

    def deliver(self, number: int) -> None:
        """A signal has come, from the kernel's side or from the program itself."""
        handler = self.handlers.get(number, real.SIG_DFL)
        if self.process.parent is not None and self._deadly(number, handler):
            self.process.killed_by = number
            self.process.end_soon()
            return
        if handler == real.SIG_IGN or (handler == real.SIG_DFL and number in _IGNORED_BY_DEFAULT):
            return
        if self.wakeup_fd >= 0:
            self._wake(number)
        main = self.process.main_thread
        if main is None or main.done:
            return
        self.arrived.wake()
        main.post(lambda: self._handle(number))

    @staticmethod
    def _deadly(number: int, handler: Any) -> bool:
        return number == real.SIGKILL or (handler == real.SIG_DFL and number not in _IGNORED_BY_DEFAULT)

    def interrupt(self, number: int) -> None:
        """As if a signal had come, but without effect if the program has set no handler for it."""
        if self.handlers.get(number, real.SIG_DFL) not in (real.SIG_IGN, real.SIG_DFL):
            self.deliver(number)

    def _wake(self, number: int) -> None:
        try:
            call = self.process.kernel.write(self.process, self.wakeup_fd, bytes([number]))
            if running.thread is None:
                at_once(call)
            else:
                running.thread.syscall(call)
        except OSError as failure:
            full = isinstance(failure, BlockingIOError)
            main = self.process.main_thread
            if main is not None and not main.done and (self.warns_of_full or not full):
                main.post(lambda failure=failure: _warn(failure))  # type: ignore[misc]

    def _handle(self, number: int) -> None:
        handler = self.handlers.get(number, real.SIG_DFL)
        if handler == real.SIG_DFL:
            raise SystemExit(128 + number)  # the signal's default: the process ends
        if callable(handler):
            handler(number, None)

    # ITIMER_REAL

    def remaining(self) -> tuple[float, float]:
        """getitimer(2): seconds to the next signal, and between signals after it."""
        left = 0
        if self._timer is not None and self._timer.pending:
            left = max(self._timer.when - self.process.kernel.scheduler.now, US)
        return left / SEC, self._interval / SEC

    def set_timer(self, delay: int, interval: int) -> None:
        """setitimer(2): SIGALRM in `delay` ps (0: never), then every `interval` ps (0: once)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._interval = interval
        if delay:
            self._timer = self.process.kernel.scheduler.after(delay, self._expired)

    def _expired(self) -> None:
        if self.process.exited:
            return
        self._timer = None
        if self._interval:
            self.set_timer(self._interval, self._interval)
        self.process.signal(real.SIGALRM)


def _warn(failure: OSError) -> None:
    print("Exception ignored when trying to write to the signal wakeup fd:", file=sys.stderr)
    traceback.print_exception(failure, file=sys.stderr)


def _number(value: Any) -> int:
    number = operator.index(value)
    if not 1 <= number < real.NSIG:
        raise ValueError("signal number out of range")
    return number


def contents(process: "Process") -> dict[str, Any]:
    """Everything in the module, for `process`."""
    state = Signals(process)
    process.on_signal = state.deliver
    process.interrupt = state.interrupt

    def only_main_thread(what: str) -> None:
        if running.thread is not process.main_thread:
            raise ValueError(f"{what} only works in main thread of the main interpreter")

    def signal(number: Any, handler: Any, /) -> Any:
        if not callable(handler) and handler not in (real.SIG_IGN, real.SIG_DFL):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        only_main_thread("signal")
        key = _number(number)
        if key in (real.SIGKILL, real.SIGSTOP):
            raise OSError(22, "Invalid argument")
        old = state.handlers.get(key, real.SIG_DFL)
        state.handlers[key] = handler
        return old

    def getsignal(number: Any, /) -> Any:
        return state.handlers.get(_number(number), real.SIG_DFL)

    def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> tuple[float, float]:
        if which != real.ITIMER_REAL or seconds < 0 or interval < 0:
            raise real.ItimerError(22, "Invalid argument")
        old = state.remaining()
        state.set_timer(round(seconds * SEC), round(interval * SEC))
        return old

    def alarm(seconds: int, /) -> int:
        old = math.ceil(state.remaining()[0])
        state.set_timer(operator.index(seconds) * SEC, 0)
        return old

    def raise_signal(number: int, /) -> None:
        current_thread().tick()
        process.signal(_number(number))

    def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
        only_main_thread("set_wakeup_fd")
        number = operator.index(fd)
        if number != -1:
            if not is_simulated(number):
                raise ValueError("set_wakeup_fd needs a simulated descriptor")
            if not syscall("fcntl", number, c.F_GETFL) & c.O_NONBLOCK:
                raise ValueError(f"the fd {number} must be in non-blocking mode")
        state.warns_of_full = warn_on_full_buffer
        old, state.wakeup_fd = state.wakeup_fd, number
        return old

    def pause() -> None:
        def wait() -> Blocking[None]:
            yield Wait(state.arrived)

        current_thread().syscall(wait())

    names = dict(vars(real))
    for function in (signal, getsignal, setitimer, alarm, raise_signal, set_wakeup_fd, pause):
        names[function.__name__] = function
    names.update(
        getitimer=lambda which: state.remaining(),
        siginterrupt=lambda number, flag: None,
        pthread_kill=lambda thread, number: raise_signal(number),
    )
    return names


def interrupt_main(number: int = real.SIGINT, /) -> None:
    """As `_thread.interrupt_main`: the main thread handles `number`, if it has a handler for it."""
    if not 1 <= number < real.NSIG:
        raise ValueError("signal number out of range")
    current_thread().tick()
    current_process().interrupt(number)


def kill(pid: int, number: int, /) -> None:
    """As `os.kill`, among the processes of the running one's host."""
    process = current_process()
    target, child = process.kernel.processes.get(pid), process.children.known.get(pid)
    if target is None and child is None:
        raise ProcessLookupError(3, "No such process")
    current_thread().tick()
    if not number:
        return
    if target is not None:
        target.signal(_number(number))
    elif child is not None and child.status is None:
        child.signal(_number(number))
