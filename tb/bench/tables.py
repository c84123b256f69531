"""The measurements as tables for a terminal."""

from collections.abc import Sequence

from rich.table import Table

from tb.bench import copies as moves
from tb.bench import cosim, latency, nic
from tb.bench import stack as host
from tb.bench import waits as waited

TARGET = 0.995
"""Share of the line rate that no measurement should miss."""


def rates(records: Sequence[nic.Record]) -> Table:
    """Share of the line rate: one row a size and latency, features off and on side by side."""
    directions = list(nic.WAYS)
    columns = [f"{direction}, {features}" for features in nic.FEATURE_SETS for direction in directions]
    table = Table("of line rate", *columns, box=None)
    cells = {(r.frame_bytes, r.memory_latency_ns, r.direction, r.features): r for r in records if _plain(r)}
    for size, memory in sorted({key[:2] for key in cells}, key=lambda key: (-key[1], key[0])):
        row = [cells.get((size, memory, d, f)) for f in nic.FEATURE_SETS for d in directions]
        table.add_row(f"{size} B, {memory} ns", *(_share(record) for record in row))
    for record in records:
        if not _plain(record):
            table.add_row(record.name, _share(record))
    return table


def _plain(record: nic.Record) -> bool:
    return record.name.endswith(f"features {record.features}")


def is_sweep(record: nic.Record) -> bool:
    """A record of the sweep over the sizes, not of one of the further measurements."""
    return _plain(record) and record.memory_latency_ns == nic.LATENCIES[-1]


def _share(record: nic.Record | None) -> str:
    if record is None:
        return ""
    mark = "" if record.line_rate_ratio >= TARGET and not record.lost else " !"
    lost = f", {record.lost} lost" if record.lost else ""
    return f"{100 * record.line_rate_ratio:.2f} %{lost}{mark}"


def bus(records: Sequence[nic.Record]) -> Table:
    """Bytes on the memory bus beside the frames' own, of the smallest and the longest common size."""
    table = Table("bus bytes a frame", "descriptors", "used", "events", "header, alignment", "sum", box=None)
    for record in records:
        if (
            record.direction != "both"
            and record.frame_bytes in (64, 1518)
            and record.memory_latency_ns == nic.LATENCIES[-1]
        ):
            values = list(record.bus_bytes_per_frame.values())
            table.add_row(record.name, *(f"{value:.1f}" for value in [*values, sum(values)]))
    return table


def latencies(records: Sequence[latency.Record]) -> list[Table]:
    """One table a path: cycles in all, the NIC's own, and each hop; hops of memory in brackets."""
    tables = []
    for path in dict.fromkeys(record.path for record in records):
        mine = [record for record in records if record.path == path]
        table = Table(f"{path}: cycles", "in all", "NIC's own", *mine[0].hops, box=None)
        for record in mine:
            hops = [f"({n})" if hop in record.memory_hops else str(n) for hop, n in record.hops.items()]
            setting = f"{record.frame_bytes} B, {record.memory_latency_ns} ns, {record.features}"
            table.add_row(setting, str(record.cycles), str(record.own_cycles), *hops)
        tables.append(table)
    return tables


def speeds(records: Sequence[cosim.Record]) -> Table:
    """Speed of the co-simulation; ! where a figure, or its share of the yardstick, is not what is wanted."""
    table = Table("co-simulation", "", "", "wanted", "ratio", "wanted", "to", box=None)
    for figure in records:
        target = figure.target
        wanted = "" if target is None else f"{100 * target:g} %{'' if figure.ratio >= target else ' !'}"
        least = figure.least
        floor = "" if least is None else f"{least:,.0f}{'' if figure.value >= least else ' !'}"
        to = "" if figure.baseline == figure.name else figure.baseline
        ratio = f"{100 * figure.ratio:.1f} %"
        table.add_row(figure.name, f"{figure.value:,.0f}", figure.unit, floor, ratio, wanted, to)
    return table


def stack(records: Sequence[host.Record]) -> Table:
    """The host stack's figures; ! where a limit is not kept."""
    table = Table("host stack", "", "limit", "ratio", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for record in records:
        limit = "" if record.limit is None else f"{record.limit:,g}"
        ratio = "" if record.ratio is None else f"{record.ratio:.3f}"
        table.add_row(
            record.name, f"{record.value:,g} {record.unit}{'' if record.met else ' !'}", limit, ratio
        )
    return table


def waits(records: Sequence[waited.Record]) -> Table:
    """What a person waits for; ! where a limit is not kept."""
    table = Table("wait", "", "limit", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for record in records:
        value = f"{record.value:g} {record.unit}{'' if record.met else ' !'}"
        table.add_row(record.name, value, f"{record.limit:g}")
    return table


def copies(records: Sequence[moves.Record]) -> Table:
    """How often a byte is moved, one row a way of sending."""
    table = Table(
        "way of sending", "copies a byte", "bus bytes a byte", "bursts a frame", "cycles a frame", box=None
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for record in records:
        cycles = "" if record.cycles_per_frame is None else f"{record.cycles_per_frame:.1f}"
        row = (record.copies_per_byte, record.bus_bytes_per_byte, record.bursts_per_frame)
        table.add_row(record.way, *(f"{value:.2f}" for value in row), cycles)
    return table
