"""Starting programs on a simulated host."""

import os
import runpy
import sys
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


def run_script(path: str, *argv: str) -> None:
    """A program for `spawn`: the Python file at `path`, run as `python path argv…`."""
    sys.argv[:] = [path, *argv]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    runpy.run_path(path, run_name="__main__")


def run_module(module: str, *argv: str) -> None:
    """A program for `spawn`: a module, run as `python -m module argv…` (such as http.server)."""
    sys.argv[:] = [module, *argv]
    sys.path.insert(0, os.getcwd())
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def run_code(code: str, *argv: str) -> None:
    """A program for `spawn`: a text, run as `python -c code argv…`."""
    sys.argv[:] = ["-c", *argv]
    sys.path.insert(0, "")
    exec(compile(code, "<string>", "exec"), vars(sys.modules["__main__"]))
