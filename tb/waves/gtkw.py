"""GTKWave save files: `view` applied to a wave file, with the filter files that turn values into text.

The format is GTKWave's own; flags and paths are as its version 3.3.118 takes them. Paths are absolute; since
the file also says where it was saved, GTKWave finds waves and filters again when the directory has been
moved or copied.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_uppercase

from tb.waves import fsm, names, view
from tb.waves.wavefile import WaveFile

FILTERS = "gtkw"
"""The directory of the filter files, beside the save file."""

_RIGHT = 0x20
_BLANK = 0x200
_COLLAPSED = 0x1000
_TRANSLATED = 0x2000
_CLOSED = 0x400000
_GROUP_BEGIN = 0x800000
_GROUP_END = 0x1000000

_ZOOM = 16.0
"""About 2^16 ps in 200 pixels: a clock cycle is 20 pixels wide, and a byte of a lane can be read."""
_LEAD = 96_000
"""ps shown before the first marker: 15 clock cycles."""


class Writer:
    """Makes the lines of one save file. `missing` names what the view wants and the waves do not have."""

    def __init__(self, waves: WaveFile, tables: dict[str, names.Names], filters: Path) -> None:
        self.missing: list[str] = []
        self._waves = waves
        self._tables = tables
        self._filters = filters

    def lines(self, items: Iterable[view.Item]) -> Iterator[str]:
        """The lines of `items`: groups, comments, and traces with their flags."""
        for item in items:
            if isinstance(item, view.Group):
                begin, end = _GROUP_BEGIN | _BLANK, _GROUP_END | _BLANK
                if item.closed:
                    begin, end = begin | _CLOSED, end | _CLOSED | _COLLAPSED
                yield from (f"@{begin:x}", f"-{item.name}")
                yield from self.lines(item.items)
                yield from (f"@{end:x}", f"-{item.name}")
            elif isinstance(item, view.Comment):
                yield from (f"@{_BLANK:x}", f"-{item.text}")
            elif isinstance(item, view.Lane):
                if self._present(item.control, item.data):
                    yield from self._flags(item.label, view.Radix.HEX, item.names, len(item.bits))
                    bits = (f"({self._width(path) - 1 - bit}){self._name(path)}" for path, bit in item.bits)
                    yield f"#{{{item.label}}} {' '.join(bits)}"
            elif self._present(item.path):
                yield from self._flags(item.path, item.radix, item.names, self._width(item.path))
                if item.colour:
                    yield f"[color] {int(item.colour)}"
                yield f"+{{{item.label}}} {self._name(item.path)}"

    def time_of(self, moment: view.Moment) -> int | None:
        """When `moment` was, or None when it was not."""
        if not self._present(moment.path):
            return None
        return self._waves.first_leave(f"{view.TOP}.{moment.path}", moment.rest)

    def _present(self, *paths: str) -> bool:
        absent = [f"{view.TOP}.{path}" for path in paths if f"{view.TOP}.{path}" not in self._waves.widths]
        self.missing += absent
        return not absent

    def _flags(self, what: str, radix: view.Radix, table_name: str, width: int) -> Iterator[str]:
        """How the next trace is shown; a table of another width than the signal's is not for it."""
        if not table_name:
            yield f"@{radix | _RIGHT:x}"
            return
        table = self._tables.get(table_name)
        if table is None or table.width != width:
            self.missing.append(f"{table_name} as names for the {width} bits of {what}")
            yield f"@{radix | _RIGHT:x}"
            return
        yield f"@{radix | _RIGHT | _TRANSLATED:x}"
        yield f"^1 {self._filters / table_name}.txt"

    def _width(self, path: str) -> int:
        return self._waves.widths[f"{view.TOP}.{path}"]

    def _name(self, path: str) -> str:
        """As GTKWave calls it: with its range, unless it is a single bit."""
        width = self._width(path)
        return f"{view.TOP}.{path}" + (f"[{width - 1}:0]" if width > 1 else "")


def write(waves: Path, to: Path, sources: Iterable[Path], *, here: int | None = None) -> list[str]:
    """Write save file `to` for wave file `waves`, and the filter files in directory `FILTERS` beside it.

    `sources`: the Verilog files whose state machines get names; `here`: a time (ps) at which to open, with a
    marker, instead of the first doorbell. Returns what could not be shown because
    the design does not have it (empty for an unchanged one): signals renamed since the view was made.
    Raises FileNotFoundError without a wave file, ValueError when states of a source contradict each other.
    """
    waves, to = waves.resolve(), to.resolve()
    tables = names.tables(fsm.read(list(sources)).values())
    filters = to.parent / FILTERS
    filters.mkdir(parents=True, exist_ok=True)
    for stale in filters.glob("*.txt"):
        stale.unlink()
    for name, table in tables.items():
        (filters / f"{name}.txt").write_text(table.filter_file())

    writer = Writer(WaveFile(waves), tables, filters)
    markers = [(moment.name, writer.time_of(moment)) for moment in view.MARKERS]
    if here is not None:
        markers.append(("here", here))
    times = [time for _, time in markers]
    first = times[0] if here is None else here
    body = list(writer.lines(view.ITEMS))
    unset = [None] * (len(ascii_uppercase) - len(times))
    positions = " ".join(str(-1 if time is None else time) for time in (first, *times, *unset))
    header = [
        f'[dumpfile] "{waves}"',
        f'[savefile] "{to}"',
        f"[timestart] {max(0, first - _LEAD) if first is not None else 0}",
        "[size] 1600 1000",
        "[pos] -1 -1",
        f"*-{_ZOOM:.6f} {positions}",
        *(
            f"[markername] {letter}{name}"
            for letter, (name, time) in zip(ascii_uppercase, markers, strict=False)
            if time is not None
        ),
        f"[treeopen] {view.TOP}.",
        f"[treeopen] {view.TOP}.nic.",
        "[sst_width] 200",
        "[signals_width] 440",
        "[sst_expanded] 1",
        "[sst_vpaned_height] 300",
    ]
    to.write_text("\n".join(header + body) + "\n")
    return writer.missing
