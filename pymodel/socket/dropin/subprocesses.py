"""Drop-in `_posixsubprocess` and waitpid(2): processes that a program starts.

A Python program (the interpreter's own executable) becomes a process of the same simulated host, with the
descriptors that it inherits. Any other program runs on the machine itself, beside the simulation
(`external`).
"""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

from pymodel.socket import constants as c
from pymodel.socket.children import Child
from pymodel.socket.current import current_process, current_thread
from pymodel.socket.dropin.commandline import Command, parse
from pymodel.socket.dropin.descriptors import REAL_FDS, StandardStream, syscall
from pymodel.socket.dropin.external import External
from pymodel.socket.dropin.files import open_file
from pymodel.socket.dropin.realfiles import RealFile
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.simthread import ProcessKilled
from pymodel.task import Blocking, Wait

if TYPE_CHECKING:
    from pymodel.socket.process import Process

_PATH = tuple(sys.path)
_OURS = (os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "<frozen runpy>")
"""Where frames are no program's: this package, and what runs modules and scripts."""
_FAILED = 255 << 8
"""Of a child that could not execute its program."""


def _inherited(parent: "Process", fd: int) -> OpenFile | None:
    """The open file that the parent's `fd` is; None: it is closed."""
    if fd >= REAL_FDS:
        return RealFile(fd)
    return parent.files.peek(fd)


def _executable(candidates: Sequence[bytes], directory: str) -> str | int:
    """The first of `candidates` that can be executed; an errno if there is none."""
    failure = errno.ENOENT
    for candidate in candidates:
        path = os.path.join(directory, os.fsdecode(candidate))
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        if os.path.exists(path):
            failure = errno.EACCES
    return failure


def fork_exec(
    args: Sequence[Any],
    executables: Sequence[bytes],
    close_fds: bool,
    pass_fds: Sequence[int],
    cwd: Any,
    env: Sequence[bytes] | None,
    *rest: Any,
) -> int:
    """As `_posixsubprocess.fork_exec`: the child's pid. Why it could not start goes to its error pipe."""
    p2cread, _, _, c2pwrite, _, errwrite, _, errpipe = rest[:8]
    preexec = rest[-2] if callable(rest[-2]) else None
    parent = current_process()
    argv = [os.fsdecode(arg) for arg in args]
    directory = os.getcwd() if cwd is None else os.path.abspath(os.fsdecode(cwd))
    found: str | int = errno.ENOENT
    why = b"noexec"
    if os.path.isdir(directory):
        found, why = _executable(executables, directory), b""
    if isinstance(found, int):
        syscall("write", errpipe, memoryview(b"OSError:%x:" % found + why))
        return _stillborn(parent)
    environment = dict(sys.modules["os"].environb)
    if env is not None:
        environment = dict(entry.split(b"=", 1) for entry in env)
    wanted = {0: p2cread, 1: c2pwrite, 2: errwrite}
    files = {n: _inherited(parent, n if fd == -1 else fd) for n, fd in wanted.items()}
    if os.path.realpath(found) != os.path.realpath(sys.executable):
        return _start_external(parent, argv, found, directory, environment, files)
    kept = pass_fds if close_fds else [fd for fd in parent.files.open_fds() if not parent.files.cloexec(fd)]
    files.update({fd: _inherited(parent, fd) for fd in kept if 2 < fd < REAL_FDS})
    files[errpipe] = _inherited(parent, errpipe)
    return _start(parent, parse(argv), directory, environment, files, errpipe, preexec)


def _stillborn(parent: "Process") -> int:
    child = Child(parent.kernel.next_pid(), lambda number: None)
    parent.children.add(child)
    parent.children.end(child, _FAILED)
    return child.pid


def _start_external(
    parent: "Process",
    argv: list[str],
    executable: str,
    directory: str,
    environment: dict[bytes, bytes],
    files: dict[int, OpenFile | None],
) -> int:
    def start() -> Blocking[External]:  # as a system call: the interpreter's own modules are in place then
        yield from ()
        return External(parent.kernel.scheduler, argv, executable, directory, environment, files)

    external = current_thread().syscall(start())
    child = Child(parent.kernel.next_pid(), external.signal)
    parent.children.add(child)
    external.on_end = lambda status: parent.children.end(child, status)
    return child.pid


def _start(
    parent: "Process",
    command: Command,
    directory: str,
    environment: dict[bytes, bytes],
    files: dict[int, OpenFile | None],
    errpipe: int,
    preexec: Callable[[], object] | None,
) -> int:
    process = parent.child(command.name, directory, environment)
    for fd in range(3):
        process.files.remove(fd).put()
    for fd, file in sorted(files.items()):
        if file is not None:
            process.files.install_at(fd, file)
    process.start(_main, command, errpipe, preexec)
    return process.pid


def _main(command: Command, errpipe: int, preexec: Callable[[], object] | None) -> int:
    """What a child does; its exit status."""
    process = current_process()
    try:
        if preexec is not None:
            preexec()
    except ProcessKilled:
        raise
    except BaseException:
        message = b"SubprocessError:0:Exception occurred in preexec_fn."
        syscall("write", errpipe, memoryview(message))
        return 255
    finally:
        if process.files.peek(errpipe) is not None:
            syscall("close", errpipe)
    flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if name.islower() and name[0] != "_"}
    flags.update(command.flags)
    _open_streams(process, bool(flags.pop("unbuffered", 0)))
    sys.flags = SimpleNamespace(**flags)  # type: ignore[assignment]
    environment = {} if flags["ignore_environment"] else process.environment
    path = environment.get(b"PYTHONPATH", b"").split(b":")
    sys.path[:] = [*filter(None, map(os.fsdecode, path)), *_PATH]
    try:
        command.run()
    except SystemExit as stop:
        return _status(stop.code)
    except ProcessKilled:
        raise
    except BaseException as failure:
        failure = failure.with_traceback(_of_program(failure.__traceback__))
        sys.excepthook(type(failure), failure, failure.__traceback__)
        if isinstance(failure, KeyboardInterrupt):
            process.killed_by = 2
        return 1
    return 0


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    """`trace` from the first frame on that is the program's own."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _open_streams(process: "Process", unbuffered: bool) -> None:
    """`sys.stdin`, `stdout` and `stderr` over the descriptors, flushed and closed at the very end."""
    made: list[Any] = []
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        file = process.files.peek(fd)
        if isinstance(file, StandardStream):
            continue
        stream = None
        if file is not None:
            errors = "backslashreplace" if fd == 2 else None
            stream = open_file(fd, mode, encoding="utf-8", errors=errors)
            if fd and (unbuffered or fd == 2):
                stream.reconfigure(write_through=True)
            made.append(stream)
        setattr(sys, name, stream)

    def finish() -> None:
        names = vars(sys.modules["__main__"])
        while names:  # as the interpreter at its end: finalizers still find what was there before them
            names.popitem()
        for stream in made:
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.close()

    process.at_exit.insert(0, (finish, finish))


# waitpid(2)


def _ended(process: "Process", pid: int, options: int) -> Blocking[tuple[int, int]]:
    while True:
        child = process.children.take(pid)
        if child is not None:
            assert child.status is not None
            return child.pid, child.status
        if options & os.WNOHANG:
            return 0, 0
        yield Wait(process.children.changed)


def waitpid(pid: int, options: int, /) -> tuple[int, int]:
    """As `os.waitpid`."""
    return current_thread().syscall(_ended(current_process(), pid, options))


def wait() -> tuple[int, int]:
    """As `os.wait`."""
    return waitpid(-1, 0)


class ProcessFile(OpenFile):
    """pidfd_open(2): readable when the process has ended."""

    mode = 0o600

    def __init__(self, child: Child) -> None:
        super().__init__()
        self.child = child
        child.ended.add(self._over)

    def _over(self) -> None:
        self.notify(c.POLLIN)

    def release(self) -> None:
        """Nobody asks any more."""
        self.child.ended.remove(self._over)

    def poll(self) -> int:
        """POLLIN once it has ended."""
        return c.POLLIN | c.POLLRDNORM if self.child.status is not None else 0


def pidfd_open(pid: int, flags: int = 0) -> int:
    """As `os.pidfd_open`, of a child or of the process itself."""
    process = current_process()
    child = process.children.known.get(pid)
    if pid == process.pid:
        child = Child(pid, process.signal)
    if child is None:
        raise error(errno.ESRCH)
    return process.files.install(ProcessFile(child), cloexec=True)


def exit_now(status: int) -> None:
    """As `os._exit`: a child ends at once, whatever its threads do; the first program takes all with it."""
    process = current_process()
    if process.parent is None:
        os._exit(status)
    process.exit_status = status & 0xFF
    process.end_soon()


EXPORTS: dict[str, Any] = {
    "waitpid": waitpid,
    "wait": wait,
    "pidfd_open": pidfd_open,
    "_exit": exit_now,
}
