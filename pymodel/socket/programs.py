"""Starting programs on a simulated host."""

from collections.abc import Callable
from typing import Any, TextIO

from pymodel.socket.process import Process, Program
from pymodel.socket.syscalls import Kernel


def spawn(
    kernel: Kernel,
    program: Callable[..., Any],
    *args: Any,
    name: str | None = None,
    uid: int = 0,
    argv: list[str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> Program[Any]:
    """Run `program(*args)` in a new process of `kernel`, from the next event on.

    A coroutine function works with `AsyncSocket`. A plain function blocks, in a thread of its own; what
    it imports (inside of it) stands on the simulated network, clock and threads. The result is known
    once `done`: `result()`. See `Process` for the other arguments.
    """
    title = name or str(getattr(program, "__name__", "program"))
    process = Process(kernel, title, uid=uid, argv=argv, stdout=stdout, stderr=stderr)
    return process.start(program, *args)
