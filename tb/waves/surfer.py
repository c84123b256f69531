"""Command files for Surfer: `view` as commands that add dividers and signals, and put the cursor.

One command a line, as Surfer's command prompt takes them; names of states, colours and number formats are not
among what is set: Surfer shows enumerations of its own making, and numbers in hexadecimal. The names of the
commands are from its documentation; no Surfer has read such a file yet.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tb.waves import view
from tb.waves.wavefile import WaveFile


def lines(waves: WaveFile, items: Iterable[view.Item]) -> Iterator[str]:
    """The commands for those of `items` that the waves have; lanes are in their words, which are shown."""
    for item in items:
        if isinstance(item, view.Group):
            yield f"divider_add {item.name}"
            yield from lines(waves, item.items)
        elif isinstance(item, view.Comment):
            yield f"divider_add {item.text}"
        elif isinstance(item, view.Trace) and f"{view.TOP}.{item.path}" in waves.widths:
            yield f"variable_add {view.TOP}.{item.path}"


def write(waves: Path, to: Path, *, here: int | None = None) -> None:
    """Write command file `to` for wave file `waves`: ``surfer -c to waves``.

    `here`: the time (ps) of the cursor, instead of the first marker's. FileNotFoundError without a wave file.
    """
    file = WaveFile(waves)
    if here is None:
        first = view.MARKERS[0]
        path = f"{view.TOP}.{first.path}"
        here = file.first_leave(path, first.rest) if path in file.widths else None
    commands = [*lines(file, view.ITEMS), "zoom_fit"]
    if here is not None:
        commands += [f"cursor_set {here}", "goto_cursor"]
    to.write_text("\n".join(commands) + "\n")
