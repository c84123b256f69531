"""`fdwire bench`: measure, print tables, write build/bench/nic.json and cosim.json."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tb import toolchain
from tb.bench import cosim, nic


def run(console: Console) -> int:
    """Measure the NIC and the co-simulation; 0."""
    out = toolchain.BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    with console.status("building") as status:
        say: Callable[[str], None] = status.update if console.is_terminal else _lines(console)
        throughput = nic.measure(say)
        speed = cosim.measure(say)
    (out / "nic.json").write_text(nic.to_json(throughput))
    (out / "cosim.json").write_text(cosim.to_json(speed))
    table = Table("NIC", "cycles a frame", "of line rate", box=None)
    for rate in throughput:
        table.add_row(rate.name, f"{rate.cycles_per_frame:.2f}", f"{100 * rate.line_rate_ratio:.1f} %")
    console.print(table)
    table = Table("co-simulation", "per wall second", "", f"of {speed[0].baseline}", box=None)
    for figure in speed:
        table.add_row(figure.name, f"{figure.value:,.0f}", figure.unit, f"{100 * figure.ratio:.1f} %")
    console.print(table)
    console.print(f"written to {out.relative_to(toolchain.ROOT)}/: nic.json, cosim.json", highlight=False)
    return 0


def _lines(console: Console) -> Callable[[str], None]:
    def say(text: str) -> None:
        console.print(f"{text} …", highlight=False)

    return say
