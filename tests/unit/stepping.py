"""Runs Python one machine instruction at a time (ptrace(2)), so that a test can come in between any two."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

import pytest

_TRACEME, _STEP, _DETACH = 0, 9, 17
_REFUSED: Final = 77

_BEGIN: Final = f"""
import ctypes, os, signal
def from_here():
    if ctypes.CDLL(None).ptrace({_TRACEME}, 0, None, None):
        os._exit({_REFUSED})
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def stepped(program: str, fds: Sequence[int], done: Callable[[], bool]) -> int:
    """Run `program`, which inherits `fds` and calls `from_here()`: from there on instruction by instruction,
    with `done()` after each until it is true, then on to its end. How many instructions were done by then.

    Skips the test where processes may not be traced.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    process = subprocess.Popen([sys.executable, "-c", _BEGIN + program], pass_fds=fds)
    try:
        _, status = os.waitpid(process.pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _REFUSED:
            pytest.skip("no process may be traced here (ptrace(2) is forbidden, as in some containers)")
        steps = 0
        while os.WIFSTOPPED(status) and not done():
            assert not libc.ptrace(_STEP, process.pid, None, None), os.strerror(ctypes.get_errno())
            _, status = os.waitpid(process.pid, 0)
            steps += 1
        assert os.WIFSTOPPED(status), f"it ended after {steps} instructions with status {status:#x}"
        libc.ptrace(_DETACH, process.pid, None, None)
        assert process.wait(10) == 0
        return steps
    finally:
        process.kill()
        process.wait()
