"""A thread of a simulated program: a real thread that runs only while it holds the baton.

The scheduler's thread hands the baton over and waits; the program's thread hands it back when it
makes a system call or ends. So at any moment exactly one of all threads runs, simulated time cannot
move while a program computes, and runs repeat exactly.

A system call is a trap: the program's thread leaves its blocking generator and the baton, and the
*scheduler's* thread runs the generator. Thus kernel, stack and device code run in one thread only
(a simulator may insist on that), and a wake-up that changes nothing costs no thread switch.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pymodel.simtime import NS
from pymodel.socket.collector import collector
from pymodel.socket.current import running
from pymodel.task import Blocking, Sleeper, Wait

if TYPE_CHECKING:
    from pymodel.socket.process import Process

T = TypeVar("T")

SLICE_CALLS = 1000
CALL_TIME = 100 * NS
MAX_DOUBLINGS = 7
"""A program that makes `SLICE_CALLS` calls without ever blocking is charged `CALL_TIME` for each.

If it goes on, each time twice as much, up to 2^MAX_DOUBLINGS times: it may wait for a timer of milliseconds.
Simulated computing takes no time; without this a loop that polls without blocking would stop time
for ever. Programs that block now and then never notice.
"""

MAX_REFUSALS = 100


class ProcessKilled(BaseException):
    """Raised in a program's thread, at the call where it is blocked, when its process is killed."""


class SimThread:
    """One simulated thread. `body` must catch what it raises; only `ProcessKilled` may escape.

    `ended()` of the process is told when the body has returned.
    """

    def __init__(self, process: "Process", body: Callable[[], None], name: str, *, daemon: bool) -> None:
        self.process = process
        self.name = name
        self.daemon = daemon
        self.tid = process.next_tid()
        self.done = False
        self.sentinel: Callable[[], None] | None = None
        """Called when the thread has ended."""
        self._body = body
        self._go = threading.Lock()
        self._back = threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._thread: threading.Thread | None = None
        self.call: Blocking[Any] | None = None
        """The system call it is in."""
        self._sleeper: Sleeper | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._calls = self._slices = 0
        self._adrift = False
        self._trapped = False
        self._posted: deque[Callable[[], None]] = deque()
        self._interrupting = False
        """The program is woken to run what was posted, not because its call has returned."""
        self._continue = False
        """That is done: the call goes on, or is given up for `_raised`."""
        self._raised: BaseException | None = None
        process.kernel.scheduler.call_soon(self._begin)

    # The program's side: runs in the real thread behind this object

    def _main(self) -> None:
        self._go.acquire()
        collector.resume()
        try:
            if self._error is None:
                self._body()
        except ProcessKilled:
            pass
        finally:
            collector.rest()
            self.done = True
            self._back.release()

    def syscall(self, call: Blocking[T]) -> T:
        """Run `call` in simulated time and return (or raise) what it does. Only for this thread itself."""
        if not self.may_call():
            raise RuntimeError(f"a call of {self.name} was made outside of it, or in the middle of another")
        collector.rest()  # first: a finalizer may make calls, too
        self._trapped = True
        self.call = call
        while True:
            self._back.release()
            self._go.acquire()
            if not self._interrupting:
                break
            self._interrupting = False
            self.call = None
            self._trapped = False
            collector.resume()
            try:
                self.run_posted()
            except BaseException as raised:
                self._raised = raised
            collector.rest()
            self._trapped = True
            self.call = call
            self._continue = True
        value: T = self._value
        error, self._value, self._error = self._error, None, None
        self._trapped = False
        collector.resume()
        if error is not None:
            if isinstance(error, OSError):
                # As from C: no frame of the kernel, and no buffer in one, stays with the exception.
                error.__traceback__ = error.__context__ = None
            try:
                raise error
            finally:
                del error  # or it and this frame, and everything below, would keep each other alive
        if self._posted:
            self.run_posted()
        return value

    def may_call(self) -> bool:
        """Whether the caller is this thread, and not in the middle of a call: a finalizer must ask."""
        mine = self._thread is not None and self._thread.ident == threading.get_ident()
        return mine and not self._trapped

    def run_posted(self) -> None:
        """Run what was posted; what it raises is raised here. Only for this thread itself."""
        while self._posted:
            self._posted.popleft()()

    def post(self, action: Callable[[], None]) -> None:
        """Run `action` in this thread soon: now, if it runs; inside the call it is blocked in, if it is."""
        self._posted.append(action)
        if running.thread is self:
            self.run_posted()
        elif self.call is not None and self._sleeper is not None:
            self._sleeper.cancel()
            self._sleeper = None
            self.process.kernel.scheduler.call_soon(self._interrupt)

    def tick(self) -> None:
        """Charge a call that needs no kernel (reading the clock): loops around it must end too."""
        self._calls += 1
        if self._calls >= SLICE_CALLS:
            self.syscall(_nothing())

    # The scheduler's side

    def _begin(self) -> None:
        if self.done:
            return
        # daemon: an interpreter that exits on an error must not wait for a blocked program.
        self._thread = threading.Thread(target=self._main, name=self.name, daemon=True)
        self._thread.start()
        collector.thread_begins()
        self._run()

    def _hand_over(self) -> None:
        """Let the program run until it makes its next call (in `_call`) or ends."""
        with self.process.running(self):
            self._go.release()
            try:
                self._back.acquire()
            except BaseException:  # Ctrl-C while the program computes: it still holds the baton
                self._adrift = True
                raise
        self.process.reap()

    def _run(self) -> None:
        while True:
            self._hand_over()
            if self.done:
                self._end()
                return
            self._calls += 1
            if self._continue:
                self._continue = False
                raised, self._raised = self._raised, None
                if raised is not None:
                    assert self.call is not None
                    self.call.close()
                    self.call = None
                    self._error = raised
                elif not self._advance(True):
                    return
                continue
            if not self._advance(None):
                return
            if self._calls >= SLICE_CALLS:
                scheduler = self.process.kernel.scheduler
                deadline = scheduler.now + (self._calls * CALL_TIME << min(self._slices, MAX_DOUBLINGS))
                self._slices += 1
                self._sleeper = Sleeper(scheduler, Wait(deadline=deadline), self._rested)
                self._calls = 0
                return

    def _advance(self, woken: bool | None) -> bool:
        """Run the system call one step on; True when it has finished, False when it blocks."""
        call = self.call
        assert call is not None
        try:
            wait = next(call) if woken is None else call.send(woken)
        except StopIteration as stop:
            self._value = stop.value
        except Exception as error:
            self._error = error
        else:
            now = self.process.kernel.scheduler.now
            if wait.deadline is None or wait.deadline > now:  # else it only lets others go first
                self._calls = self._slices = 0
            self._sleeper = Sleeper(self.process.kernel.scheduler, wait, self._resume)
            return False
        self.call = None
        return True

    def _resume(self, woken: bool) -> None:
        self._sleeper = None
        self.process.kernel.run_queue.run(self, lambda: self._go_on(woken))

    def _go_on(self, woken: bool) -> None:
        if not self.done and self._advance(woken):
            self._run()

    def _interrupt(self) -> None:
        if not self.done:
            self._interrupting = True
            self._run()

    def _rested(self, _: bool) -> None:
        self._sleeper = None
        if not self.done:
            self._run()

    def _end(self) -> None:
        assert self._thread is not None
        self._thread.join()
        collector.thread_ended()
        self.process.thread_ended(self)

    def kill(self) -> None:
        """End the thread where it is blocked: `ProcessKilled` is raised there and its `finally` clauses run.

        It may still make calls that do not block. RuntimeError if it catches `ProcessKilled` and goes on.
        """
        if self._adrift:
            if not self._back.acquire(timeout=10):
                raise RuntimeError(f"{self.name} computes without end; it cannot be killed")
            self._adrift = False
            if self.done:
                self._end()
                return
        if self.done:
            return
        if self._thread is None:
            self.done = True
            self.process.thread_ended(self)
            return
        if self._sleeper is not None:
            self._sleeper.cancel()
            self._sleeper = None
        for _ in range(MAX_REFUSALS):
            if self.call is not None:
                self.call.close()
                self.call = None
            self._value, self._error = None, ProcessKilled(self.name)
            while True:
                self._hand_over()
                if self.done:
                    self._end()
                    return
                if not self._advance(None):
                    assert self._sleeper is not None
                    self._sleeper.cancel()
                    self._sleeper = None
                    break
        raise RuntimeError(f"{self.name} catches ProcessKilled and goes on; it cannot be killed")


def _nothing() -> Blocking[None]:
    yield from ()
