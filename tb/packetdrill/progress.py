"""How far scripts in the simulator are: a bar on a terminal, counted from the results that they leave."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_INTERVAL = 0.25
"""Seconds between two looks at the results."""


@contextmanager
def shown(results: Path, total: int) -> Generator[Callable[[str], None], None, None]:
    """Inside, a bar shows how many lines of `total` the file has, on standard error if that is a terminal.

    Gives what says something above the bar; that is said in a pipe, too.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    over = threading.Event()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scripts", total=total)

        def look() -> None:
            while not over.wait(_INTERVAL):
                if results.is_file():
                    bar.update(task, completed=results.read_bytes().count(b"\n"))

        watching = threading.Thread(target=look, daemon=True)
        watching.start()
        try:
            yield lambda text: console.print(f"{text} …", markup=False)
        finally:
            over.set()
            watching.join()
