"""The kernel's socket layer, and the programs above it.

`Kernel` has the system calls of one host; `spawn` starts a program there: a coroutine that uses
`AsyncSocket`, or a blocking function that uses the standard library's own modules unmodified.
"""

from pymodel.socket.asyncsocket import AsyncSocket, sleep
from pymodel.socket.current import current_process
from pymodel.socket.process import Process, Program, ProgramFailed, check_programs
from pymodel.socket.programs import spawn
from pymodel.socket.runners import run_code, run_module, run_script
from pymodel.socket.simthread import ProcessKilled
from pymodel.socket.syscalls import Kernel
from pymodel.task import blocking

__all__ = [
    "AsyncSocket",
    "Kernel",
    "Process",
    "ProcessKilled",
    "Program",
    "ProgramFailed",
    "blocking",
    "check_programs",
    "current_process",
    "run_code",
    "run_module",
    "run_script",
    "sleep",
    "spawn",
]
