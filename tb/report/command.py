"""`fdwire report`: the page of a run that was made before, once more."""

import webbrowser
from pathlib import Path

from rich.console import Console

from tb.report import page


def run(directory: Path, *, show: bool, console: Console) -> int:
    """Write the page into `directory`, and open it in a browser if `show`; 1 if there is no run in it."""
    try:
        written = page.write(directory)
    except page.NothingToReport as nothing:
        console.print(f"fdwire: {nothing}", highlight=False, markup=False)
        return 1
    console.print(f"written: {written}", highlight=False, markup=False)
    if show and not webbrowser.open(written.as_uri()):
        console.print("no browser to be found here: open it by hand")
    return 0
