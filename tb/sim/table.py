"""The short table at the end of `make sim`."""

from typing import Any

from rich.console import Console
from rich.table import Table


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the figures of summary.json."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    rows = [
        ("frames", f"A→B {summary['frames_a_to_b']:,}   B→A {summary['frames_b_to_a']:,}"),
        ("bytes on the wire", f"A→B {summary['bytes_a_to_b']:,}   B→A {summary['bytes_b_to_a']:,}"),
        ("simulated time", f"{summary['simulated_ns'] / 1e6:,.3f} ms"),
        ("goodput", f"{summary['goodput_bps'] / 1e9:.3f} Gb/s"),
        ("cycles", f"{summary['cycles']:,}   ({summary['cycles_per_wall_second']:,} per wall second)"),
        ("golden model", f"{summary['comparisons']:,} comparisons, {summary['mismatches']} mismatches"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    for file in summary["files"]:
        mark = "=" if file["sent"] == file["received"] else "≠"
        table.add_row(file["name"], f"{file['bytes']:,} bytes")
        table.add_row("  SHA-256 sent", file["sent"])
        table.add_row(f"  {mark} received", file["received"])
    console.print(table)
    for report in summary["mismatch_reports"]:
        console.print(f"mismatch: {report}", highlight=False, markup=False)
