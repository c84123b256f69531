"""Programs for `spawn`: a script, a module or a text, run as the interpreter runs them."""

import os
import runpy
import sys


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
