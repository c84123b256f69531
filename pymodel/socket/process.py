"""A simulated process: descriptors, threads, and the program that runs in it.

It ends as a Python interpreter does: when its program has returned and its non-daemon threads have
ended. Then daemon threads are killed and every descriptor is closed, as exit(2) does.
"""

import importlib
import inspect
import os
import random
import sys
import traceback
import types
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, Generic, TextIO, TypeVar

from pymodel.socket import constants as c
from pymodel.socket.children import Child, Children
from pymodel.socket.current import running
from pymodel.socket.dropin.descriptors import REAL_FDS, StandardStream
from pymodel.socket.dropin.overlay import Overlay, check_program
from pymodel.socket.dropin.threads import prepare
from pymodel.socket.fdtable import FdTable
from pymodel.socket.simthread import ProcessKilled, SimThread
from pymodel.socket.syscalls import Kernel
from pymodel.task import Blocking, Task, Wait, WaitQueue

T = TypeVar("T")


class Program(Generic[T]):
    """What runs in a process, from outside: `done`, then `result()`. `finished` is woken at the end."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.name = process.name
        self.done = False
        self.taken = False
        """Somebody has asked for the result."""
        self.finished = WaitQueue()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._settled = False

    def result(self) -> T:
        """What the program returned; raises what it raised, or RuntimeError while it still runs.

        A killed program raises `ProcessKilled`, one that called sys.exit with a status SystemExit.
        """
        if not self.done:
            raise RuntimeError(f"{self.name} has not finished")
        self.taken = True
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    @types.coroutine
    def join(self) -> Blocking[T]:
        """Block until the process has ended; then as `result`."""
        while not self.done:
            yield Wait(self.finished)
        return self.result()

    def kill(self) -> None:
        """End the process."""
        self.process.kill()

    def settle(self, value: T | None, error: BaseException | None) -> None:
        """The program has returned or raised (its process may go on for its other threads)."""
        self._value, self._error = value, error
        self._settled = True

    def end(self) -> None:
        """The process has ended."""
        if not self._settled:
            self.settle(None, ProcessKilled(self.name))
        self.done = True
        if self._error is not None and not isinstance(self._error, ProcessKilled):
            self.process.kernel.failed.append(self)
        self.finished.wake()

    def report(self) -> str:
        """The traceback of a program that has raised."""
        return f"{self.name}:\n{''.join(traceback.format_exception(self._error))}"


class ProgramFailed(Exception):
    """Programs have raised, and nobody has asked for their results; the text has their tracebacks."""


def check_programs(*kernels: Kernel) -> None:
    """ProgramFailed if a program of `kernels` has raised what nobody was told of."""
    failed = [program for kernel in kernels for program in kernel.failed if not program.taken]
    if failed:
        raise ProgramFailed("\n".join(program.report() for program in failed))


def _for_ever() -> Blocking[None]:
    while True:
        yield Wait()


class Process:
    """A process of `kernel`, run as user `uid`.

    `argv`, `stdout` and `stderr` are what `sys` holds while a blocking program of this process runs;
    `argv` is [name] by default, the files are the interpreter's.
    """

    def __init__(
        self,
        kernel: Kernel,
        name: str,
        *,
        uid: int = 0,
        argv: list[str] | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        parent: "Process | None" = None,
    ) -> None:
        self.kernel = kernel
        self.parent = parent
        """Who has started it, and brings its descriptors 0 to 2; None: nobody, they are the interpreter's."""
        self.children = Children(self._child_ended)
        self.environment: dict[bytes, bytes] = dict(os.environb)
        """What its `os.environ` begins with."""
        self.directory: str | None = None
        """Its working directory, where that is not the interpreter's."""
        self.exit_status = 0
        self.killed_by = 0
        """The signal that ended it, or 0."""
        self.name = name
        self.uid = uid
        self.files = FdTable()
        self.threads: list[SimThread] = []
        self.main_thread: SimThread | None = None
        self.exited = False
        self.default_timeout: float | None = None
        """socket.setdefaulttimeout."""
        self.zone_set = False
        """tzset(3) has found TZ in the environment: local time is not UTC."""
        self.at_exit: list[tuple[object, Callable[[], object]]] = []
        """What `atexit` runs when the program has ended: (as registered, to call)."""
        self.lost_fds: deque[int] = deque()
        """Descriptors whose socket object was dropped without close(): closed at the next switch."""
        self.signals: Counter[int] = Counter()
        """Signals received, by number: without effect unless `on_signal` is set (Python ignores SIGPIPE)."""
        self.on_signal: Callable[[int], None] | None = None
        self.interrupt: Callable[[int], None] = self.signal
        """As if a signal had come, unless the program has no handler for it (_thread.interrupt_main)."""
        self.pid = kernel.add_process(self)
        self.random = random.Random(f"{kernel.seed}/{self.pid}")
        self.program: Program[Any] | None = None
        self._sys = {
            key: value
            for key, value in (("argv", argv or [name]), ("stdout", stdout), ("stderr", stderr))
            if value is not None
        }
        self._task: Task[Any] | None = None
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._overlay: Overlay | None = None
        self._tids = 0
        self.waits = 0
        """How often its coroutine has blocked."""

    @property
    def credentials(self) -> tuple[int, int, int]:
        """pid, uid and gid, as others see them (SCM_CREDENTIALS); the group is the user's own."""
        return self.pid, self.uid, self.uid

    def next_tid(self) -> int:
        """A new thread's number: the first is the pid, as in Linux."""
        self._tids += 1
        return self.pid * 1000 + self._tids - 1

    def signal(self, number: int) -> None:
        """The kernel sends a signal (signal(7)), such as SIGPIPE beside EPIPE."""
        self.signals[number] += 1
        if self.on_signal is not None:
            self.on_signal(number)

    # Starting a program

    def start(self, program: Callable[..., Any], *args: Any) -> Program[Any]:
        """Run `program(*args)` from the next event on: a coroutine function, or a blocking function.

        A blocking function gets a thread, and the drop-in modules for everything it imports. ValueError
        if it refers to a real module that simulated programs must not use. One program per process.
        """
        if self.program is not None:
            raise RuntimeError(f"process {self.name} already runs a program")
        handle: Program[Any] = Program(self)
        self.program = handle
        if inspect.iscoroutinefunction(program):
            self._coroutine = program(*args)
            self._task = Task(self.kernel.scheduler, self._steps(self._coroutine), self.name)
        else:
            check_program(program)
            files = self.files
            files.limit, files.hard_limit = min(files.limit, REAL_FDS), min(files.hard_limit, REAL_FDS)
            for fd in range(3) if self.parent is None else ():
                self.files.remove(fd).put()
                self.files.install_at(fd, StandardStream())
            self._overlay = Overlay(self, {**self._sys, "path": list(sys.path)})
            self.main_thread = self.add_thread(lambda: self._body(program, args), self.name, daemon=False)
        return handle

    def add_thread(self, body: Callable[[], None], name: str, *, daemon: bool) -> SimThread:
        """One more thread; it begins at the next event. RuntimeError in a process that ends."""
        if self.exited:
            raise RuntimeError("can't start new thread")
        thread = SimThread(self, body, name, daemon=daemon)
        self.threads.append(thread)
        return thread

    def _body(self, program: Callable[..., Any], args: tuple[Any, ...]) -> None:
        assert self.program is not None
        threading: Any = importlib.import_module("threading")  # the process's own
        prepare(threading)
        try:
            self.program.settle(program(*args), None)
        except BaseException as error:
            if isinstance(error, SystemExit) and not error.code:
                self.program.settle(None, None)
            else:
                self.program.settle(None, error)
            if isinstance(error, ProcessKilled):
                raise
        if running.process is not self:
            return  # interrupted from outside while it computed: nobody runs simulated calls any more
        threading._shutdown()  # waits for the threads that are no daemons
        while self.at_exit:
            self.at_exit.pop()[1]()

    def _steps(self, program: Coroutine[Any, Any, Any]) -> Generator[Any, Any, None]:
        assert self.program is not None
        woken: bool | None = None
        try:
            while True:
                before = running.process, running.thread
                running.process, running.thread = self, None
                try:
                    wait = program.send(woken)
                finally:
                    running.process, running.thread = before
                self.waits += 1
                woken = yield wait
        except StopIteration as stop:
            self.program.settle(stop.value, None)
        except Exception as error:
            self.program.settle(None, error)
        finally:
            self._exit()

    def child(self, name: str, directory: str, environment: dict[bytes, bytes]) -> "Process":
        """A process that this one starts, still without a program. It tells here how it has ended."""
        process = Process(self.kernel, name, uid=self.uid, parent=self)
        process.environment, process.directory = environment, directory
        process.files.limit, process.files.hard_limit = self.files.limit, self.files.hard_limit
        self.children.add(Child(process.pid, process.signal))
        return process

    def _child_ended(self, child: Child) -> None:
        if not self.exited:
            self.signal(c.SIGCHLD)

    def end_soon(self) -> None:
        """End the process, from inside of a program: if it is this one, the call does not return."""
        self.kernel.scheduler.call_soon(lambda: None if self.exited else self.kill())
        if running.process is self and running.thread is not None:
            running.thread.syscall(_for_ever())

    # Running

    @contextmanager
    def running(self, thread: SimThread) -> Generator[None, None, None]:
        """While inside, `thread` has the baton and the drop-in modules are in place."""
        assert self._overlay is not None
        if running.thread is not None:
            raise RuntimeError(f"{running.thread.name} runs; {thread.name} cannot be resumed from inside it")
        running.process, running.thread = self, thread
        self._overlay.enter()
        try:
            yield
        finally:
            self._overlay.leave()
            running.process = running.thread = None

    def reap(self) -> None:
        """Close the descriptors of socket objects that were dropped without close()."""
        while self.lost_fds:
            fd = self.lost_fds.popleft()
            if self.files.peek(fd) is not None:
                self.files.remove(fd).put()

    # Ending

    def thread_ended(self, thread: SimThread) -> None:
        """A thread's body has returned: called by the thread itself, on the scheduler's side."""
        self.threads.remove(thread)
        if thread.sentinel is not None:
            thread.sentinel()
        if not self.exited and not any(not other.daemon for other in self.threads):
            self._exit()

    def kill(self) -> None:
        """End the process at once: threads are unwound, descriptors closed. Not from inside a program."""
        if running.process is not None:
            raise RuntimeError(f"{self.name} cannot be killed from inside a simulated program")
        if self._task is not None:
            self._task.cancel()
        self._exit()

    def _exit(self) -> None:
        if self.exited:
            return
        self.exited = True
        if self._coroutine is not None:
            before = running.process, running.thread
            running.process, running.thread = self, None
            try:
                self._coroutine.close()
            finally:
                running.process, running.thread = before
        for thread in list(self.threads):
            thread.kill()
        for fd in self.files.open_fds():
            self.files.remove(fd).put()
        self._overlay = None
        self.kernel.processes.pop(self.pid, None)
        if self.program is not None:
            self.program.end()
            self._tell_parent(self.program)

    def _tell_parent(self, program: Program[Any]) -> None:
        child = None if self.parent is None else self.parent.children.known.get(self.pid)
        if self.parent is None or child is None:
            return
        try:
            status: Any = program.result()
        except BaseException:
            status = self.exit_status
        self.parent.children.end(child, self.killed_by or (int(status or 0) & 0xFF) << 8)
