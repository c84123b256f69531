"""Command files for Surfer: `view` as commands that add signals, and name, colour and format them.

A file is a list of what Surfer's command prompt takes, one a line. First all rows are added, none of them
with a name of more than one word, which `divider_add` does not take; the commands that change a row come
after and choose it by its place. So a command that a Surfer does not know changes nothing but what it is
about. Groups are dividers for that reason: one that could not be made would move all others.

Names of states, registers, descriptors' flags and so on are in an FST file itself (`tb.waves.enums`), for
Surfer to show as `Enum`; in a VCD file there are none, and numbers are shown.

No Surfer has read such a file: there was none to be had. The commands that add and change rows, what they
take and what colours and formats are called agree with what wavedisp 1.4.1, another generator of them,
writes. Of `zoom_fit`, `cursor_set`, `goto_cursor` and `marker_set` there was no such witness; they come last,
and the moments that are marked stand in dividers at the top, too, with their times.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tb.waves import view
from tb.waves.enums import mirror
from tb.waves.wavefile import WaveFile

_FORMATS: Final = {view.Radix.HEX: "Hexadecimal", view.Radix.DEC: "Unsigned", view.Radix.BIN: "Binary"}
_COLOURS: Final = {view.Colour.RED: "Red", view.Colour.ORANGE: "Orange", view.Colour.YELLOW: "Yellow"}
"""Of the default theme."""
_HEADING: Final = "Blue"
_MOMENTS: Final = "moments"


@dataclass(frozen=True)
class Row:
    """A row: a signal by its `path`, or a divider; the `text` beside it, its colour and format (or none)."""

    text: str
    path: str = ""
    colour: str = ""
    format: str = ""

    @property
    def added(self) -> str:
        """The command that adds it."""
        return f"variable_add {self.path}" if self.path else f"divider_add {_word(self.text)}"

    @property
    def changed(self) -> Iterator[str]:
        """The commands that make it what it is, once it has the focus."""
        yield f"item_rename {self.text}"
        if self.colour:
            yield f"item_set_color {self.colour}"
        if self.format:
            yield f"item_set_format {self.format}"


def place(index: int) -> str:
    """Row `index` as `item_focus` takes it: hexadecimal, in the letters a to p."""
    return "".join("abcdefghijklmnop"[int(digit, 16)] for digit in f"{index:x}")


def rows(waves: WaveFile, items: Iterable[view.Item]) -> Iterator[Row]:
    """Those of `items` that the waves have; lanes are in their words, which are shown."""
    for item in items:
        if isinstance(item, view.Group):
            within = list(rows(waves, item.items))
            if any(row.path for row in within):
                yield from (Row(item.name, colour=_HEADING), *within)
        elif isinstance(item, view.Comment):
            yield Row(item.text)
        elif isinstance(item, view.Trace) and (path := f"{view.TOP}.{item.path}") in waves.widths:
            shown = _FORMATS[item.radix] if waves.widths[path] > 1 else ""
            if item.names and mirror(path) in waves.widths:
                path, shown = mirror(path), "Enum"
            yield Row(item.label, path, _COLOURS.get(item.colour, ""), shown)


def write(waves: Path, to: Path, *, here: int | None = None) -> None:
    """Write command file `to` for wave file `waves`: ``surfer -c to waves``.

    `here`: a time (ps) with a marker of its own, at which the cursor is instead of at the first moment.
    Raises FileNotFoundError without a wave file.
    """
    file = WaveFile(waves)
    moments = {}
    for moment in view.MARKERS:
        path = f"{view.TOP}.{moment.path}"
        if path in file.widths and (time := file.first_leave(path, moment.rest)) is not None:
            moments[moment.name] = time
    cursor = next(iter(moments.values()), None) if here is None else here
    if here is not None:
        moments["here"] = here
    told = [Row(f"{name} at {time / 1000:,.1f} ns") for name, time in moments.items()]
    shown = [Row(_MOMENTS, colour=_HEADING), *told, *rows(file, view.ITEMS)]
    commands = [row.added for row in shown]
    for index, row in enumerate(shown):
        commands += [f"item_focus {place(index)}", *row.changed]
    commands += ["item_unfocus", "zoom_fit"]
    commands += [f"marker_set {_word(name)} {time}" for name, time in moments.items()]
    if cursor is not None:
        commands += [f"cursor_set {cursor}", "goto_cursor"]
    to.write_text("\n".join(commands) + "\n")


def _word(text: str) -> str:
    """`text` as one word, which is all that some commands take."""
    return re.sub(r"\W+", "_", text).strip("_")
