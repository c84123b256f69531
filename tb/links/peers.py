"""Commands that run in the network namespace, beside the simulation."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from typing import IO

GRACE = 2.0
"""Wall seconds that a command has to end after SIGTERM."""


class Peer:
    """A shell command with the given environment and streams; `fd` is readable once it has ended."""

    def __init__(
        self, command: str, environment: dict[str, str], stdin: IO[str], stdout: IO[str], stderr: IO[str]
    ) -> None:
        self.command = command
        # On a terminal the command stays in the foreground's process group, or it could not read from it.
        self._own_group = not stdin.isatty()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=0 if self._own_group else None,
        )
        self.fd = os.pidfd_open(self._process.pid)

    @property
    def status(self) -> int | None:
        """The exit status as a shell's (128 and more: a signal), None while it runs."""
        status = self._process.poll()
        return None if status is None else status if status >= 0 else 128 - status

    def end(self) -> None:
        """Terminate it, and what it has started."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        os.close(self.fd)

    def _signal(self, number: int) -> None:
        send: Callable[[int, int], None] = os.killpg if self._own_group else os.kill
        with contextlib.suppress(ProcessLookupError):
            send(self._process.pid, number)
