"""`fdwire bench`: measure, print a table, write build/bench/cosim.json."""

from rich.console import Console
from rich.table import Table

from tb import toolchain
from tb.bench import cosim


def run(console: Console) -> int:
    """Measure the co-simulation; 0."""
    with console.status("building") as status:
        said = status.update if console.is_terminal else lambda text: console.print(f"{text} …")
        records = cosim.measure(said)
    out = toolchain.BUILD / "bench" / "cosim.json"
    out.write_text(cosim.to_json(records))
    table = Table("", "per wall second", "", f"of {records[0].baseline}", box=None)
    for record in records:
        table.add_row(record.name, f"{record.value:,.0f}", record.unit, f"{100 * record.ratio:.1f} %")
    console.print(table)
    console.print(f"written to {out.relative_to(toolchain.ROOT)}", highlight=False)
    return 0
