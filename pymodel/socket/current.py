"""Who runs: the process, and the thread if it is a blocking program, that holds the baton now."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymodel.socket.process import Process
    from pymodel.socket.simthread import SimThread


class _Running:
    process: "Process | None" = None
    thread: "SimThread | None" = None


running = _Running()
"""Set by `Process.running` and `Process.stepping` only."""


def current_process() -> "Process":
    """The process whose program runs now; RuntimeError outside of simulated programs."""
    if running.process is None:
        raise RuntimeError("no simulated program runs here: start one with pymodel.socket.spawn")
    return running.process


def current_thread() -> "SimThread":
    """The simulated thread that runs now; RuntimeError in coroutines and outside of programs."""
    if running.thread is None:
        raise RuntimeError("a simulated call that can block was made outside of a simulated thread")
    return running.thread
