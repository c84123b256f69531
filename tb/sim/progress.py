"""Progress of a run in the simulator, shown by the command that started it: JSON lines in a pipe."""

import json
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

INTERVAL = 0.25
"""Wall seconds between two messages at least."""


class Sender:
    """The simulator's end. Without a pipe it says nothing."""

    def __init__(self, pipe: str) -> None:
        self._file: TextIO | None = open(pipe, "w") if pipe else None  # noqa: SIM115 - closed by the process's end
        self._last = 0.0

    def send(self, phase: str, done: int, total: int, cycles: int, *, now: bool = False) -> None:
        """`done` of `total` bytes are through, at clock cycle `cycles`."""
        clock = time.monotonic()
        if self._file is None or (clock - self._last < INTERVAL and not now):
            return
        self._last = clock
        try:
            self._file.write(json.dumps([phase, done, total, cycles]) + "\n")
            self._file.flush()
        except BrokenPipeError:
            self._file = None


class Receiver:
    """The command's end: a bar on a terminal, nothing elsewhere."""

    def __init__(self, pipe: Path, console: Console) -> None:
        self._pipe = pipe
        self._console = console
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        # Held open for writing too, so that opening does not block and the end is ours to say.
        self._fd = os.open(pipe, os.O_RDWR)
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._fd, b"\n")
        self._thread.join(timeout=5)
        os.close(self._fd)
        self._pipe.unlink(missing_ok=True)

    def say(self, text: str) -> None:
        """Something that the command itself is at, above the bar."""
        self._console.print(f"{text} …", highlight=False)

    def _show(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
        )
        with (
            open(os.dup(self._fd)) as lines,
            Progress(
                *columns, console=self._console, transient=True, disable=not self._console.is_terminal
            ) as bar,
        ):
            task = bar.add_task("starting the simulator", total=None, figures="")
            for line in lines:
                if not line.strip():
                    return
                phase, done, total, cycles = json.loads(line)
                figures = f"{done:,} of {total:,} bytes, {cycles:,} cycles"
                bar.update(task, description=phase, completed=done, total=total, figures=figures)
