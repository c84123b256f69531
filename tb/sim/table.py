"""The short table at the end of `make sim`."""

from typing import Any


def lines(summary: dict[str, Any]) -> list[str]:
    """The figures of summary.json, a line each."""
    rows = [
        ("frames", f"A→B {summary['frames_a_to_b']:,}   B→A {summary['frames_b_to_a']:,}"),
        ("bytes on the wire", f"A→B {summary['bytes_a_to_b']:,}   B→A {summary['bytes_b_to_a']:,}"),
        ("simulated time", f"{summary['simulated_ns'] / 1e6:,.3f} ms"),
        ("goodput", f"{summary['goodput_bps'] / 1e9:.3f} Gb/s"),
        ("cycles", f"{summary['cycles']:,}   ({summary['cycles_per_wall_second']:,} per wall second)"),
        ("golden model", f"{summary['comparisons']:,} comparisons, {summary['mismatches']} mismatches"),
    ]
    for file in summary["files"]:
        same = "=" if file["sent"] == file["received"] else "≠"
        rows += [
            (file["name"], f"{file['bytes']:,} bytes"),
            ("  SHA-256 sent", file["sent"]),
            (f"  {same:>7} received", file["received"]),
        ]
    said = [f"{name:18} {value}" for name, value in rows]
    if summary["trouble"]:
        said.append(f"trouble: {summary['trouble']}")
    return said + [f"mismatch: {report}" for report in summary["mismatch_reports"]]
