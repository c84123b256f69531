"""`fdwire bench`: measure, print tables, leave the figures as JSON, and plots, in build/bench/."""

from collections.abc import Callable

from rich.console import Console

from tb import compiled, toolchain, verilate
from tb.bench import attachments, client, copies, cosim, nic, plot, stack, tables, tracing, waits
from tb.cosim.build import spec

WIDTH = 128
"""Characters that the widest table needs."""


def run(console: Console) -> int:
    """Measure the NIC, the co-simulation and the host stack; 0."""
    out = toolchain.writable(toolchain.BUILD / "bench")
    with console.status("what it is measured with") as status:
        say: Callable[[str], None] = status.update if console.is_terminal else _lines(console)
        verilate.build(spec(bare=True), where=toolchain.BUILD / "nic", announce=say)
        throughput = nic.measure(say)
        latencies = nic.measure_latency(say)
        (out / "nic.json").write_text(nic.to_json([*throughput, *latencies]))
        speed = [*cosim.measure(say), *tracing.measure(say), *attachments.measure(say), *client.measure(say)]
        waited = waits.measure(say)
        costs = stack.measure(say)
        moved = copies.measure(say)
    (out / "copies.json").write_text(copies.to_json(moved))
    (out / "stack.json").write_text(stack.to_json(costs))
    (out / "cosim.json").write_text(cosim.to_json(speed))
    (out / "waits.json").write_text(waits.to_json(waited))
    written = ["nic.json", "cosim.json", "waits.json", "stack.json", "copies.json"]
    if plot.available():
        plot.draw(throughput, out / "nic.png")
        plot.draw_speed(speed, out / "cosim.png")
        written += ["nic.png", "cosim.png"]
    console.width = max(WIDTH, console.width)
    how = (
        "guided" if spec(bare=True).profile else "not guided",
        "compiled" if compiled.in_use() else "interpreted",
    )
    console.print("host stack {1}, simulator {0} by a profile (make fast)".format(*how), highlight=False)
    console.print()
    for table in (
        tables.rates(throughput),
        tables.bus(throughput),
        *tables.latencies(latencies),
        tables.speeds(speed),
        tables.waits(waited),
        tables.stack(costs),
        tables.copies(moved),
    ):
        console.print(table)
        console.print()
    if client.missing():
        console.print(client.missing(), highlight=False)
    console.print(f"written to {out.relative_to(toolchain.ROOT)}/: {', '.join(written)}", highlight=False)
    return 0


def _lines(console: Console) -> Callable[[str], None]:
    def say(text: str) -> None:
        console.print(f"{text} …", highlight=False)

    return say
