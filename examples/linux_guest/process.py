"""A program beside us: what it says goes to a file, in which we wait for what is to come."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

LOOK = 0.05
"""Wall seconds between two looks at what it has said."""


class GuestError(Exception):
    """The example cannot go on: a sentence that says why."""


class Process:
    """`command`, called `name` in what is said of it, in the directory `cwd`; `log`: where its output goes.

    `end` it in any case.
    """

    def __init__(self, name: str, command: list[str], log: Path, cwd: Path) -> None:
        self.name = name
        self._log = log
        self._looked = 0
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """All that it has said so far."""
        return self._log.read_bytes().decode(errors="replace").replace("\r", "")

    def type(self, line: str) -> None:
        """Type a line."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: `until` says so
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def until(self, pattern: str, patience: float, check: Callable[[], None] = lambda: None) -> re.Match[str]:
        """Wait until it says `pattern`, behind what was waited for last. `check` is called meanwhile.

        Raises GuestError if it ends before, or `patience` (s) does.
        """
        deadline = time.monotonic() + patience
        while True:
            ended = self.status is not None
            said = self.said
            found = re.compile(pattern).search(said, self._looked)
            if found is not None:
                self._looked = found.end()
                return found
            if ended:
                raise self._ended()
            if time.monotonic() > deadline:
                raise GuestError(
                    f"{self.name} has not done in {patience:.0f} s what it should: see {self._log}"
                )
            check()
            time.sleep(LOOK)

    def wait(self, patience: float) -> None:
        """Wait until it ends well. Raises GuestError."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise GuestError(f"{self.name} has not ended in {patience:.0f} s") from None
        if status:
            raise self._ended()

    def check(self) -> None:
        """Raise GuestError if it has ended, which it should not have."""
        if self.status is not None:
            raise self._ended()

    def _ended(self) -> GuestError:
        last = (self.said.strip().splitlines() or ["nothing"])[-1]
        return GuestError(f"{self.name} ended with status {self.status} and said last: {last}")

    def end(self, number: int = signal.SIGKILL, patience: float = 60) -> int:
        """Send it a signal if it still runs, and a last one if that does not help; its status."""
        for chosen in (number, signal.SIGKILL):
            if self.status is None:
                os.killpg(self._process.pid, chosen)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait()
