"""The sweep over frame sizes, and the speed of the co-simulation, drawn."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from tb.bench import cosim, nic, tables


def available() -> bool:
    """matplotlib is installed (the extra `bench`)."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(records: Sequence[nic.Record], file: Path) -> None:
    """Write the sweep among `records` to `file`, a PNG: share of the line rate, and frames a second."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    figure, (share, pace) = pyplot.subplots(2, 1, figsize=(9, 8), sharex=True, layout="constrained")
    styles = {"tx": ("C0", "o"), "rx": ("C1", "s"), "both": ("C2", "^")}
    for features, line in zip(nic.FEATURE_SETS, ("-", "--"), strict=True):
        for direction, (colour, mark) in styles.items():
            mine = sorted(
                (r.frame_bytes, r)
                for r in records
                if r.direction == direction and r.features == features and tables.is_sweep(r)
            )
            sizes = [size for size, _ in mine]
            look = {"color": colour, "linestyle": line, "marker": mark, "markersize": 4}
            label = f"{direction}, features {features}"
            share.plot(sizes, [100 * r.line_rate_ratio for _, r in mine], label=label, **look)
            pace.plot(sizes, [156.25 / r.cycles_per_frame for _, r in mine], **look)
    sizes = sorted({r.frame_bytes for r in records})
    pace.plot(sizes, [1250 / (s + nic.OVERHEAD) for s in sizes], "k:", label="10 Gb/s, minimum gaps")
    share.axhline(100 * tables.TARGET, color="grey", linewidth=0.8, label=f"{100 * tables.TARGET} %")
    share.set_ylabel("of line rate, %")
    share.set_ylim(min(98.0, *(100 * r.line_rate_ratio - 0.5 for r in records)), 100.5)
    share.set_title(f"One queue, host memory {nic.LATENCIES[-1]} ns away")
    pace.set_ylabel("million frames a second")
    pace.set_xlabel("frame, bytes with FCS")
    pace.set_xscale("log", base=2)
    pace.set_yscale("log")
    pace.set_xticks([64, 128, 256, 512, 1024, 1518, 4096, 9018])
    for axis in (pace.xaxis, pace.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axes in (share, pace):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def draw_speed(records: Sequence[cosim.Record], file: Path) -> None:
    """Write to `file`, a PNG, what share of its yardstick's speed each run of the co-simulation reaches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    mine = [r for r in records if r.unit == "cycles/s" and r.baseline != r.name]
    names = [f"{r.name}\n{r.value:,.0f} cycles/s, of: {r.baseline}" for r in mine]
    figure, axes = pyplot.subplots(figsize=(9, 0.8 * len(mine) + 1), layout="constrained")
    axes.barh(names, [100 * r.ratio for r in mine], color="C0")
    for row, record in enumerate(mine):
        if record.target is not None:
            axes.plot([100 * record.target] * 2, [row - 0.4, row + 0.4], color="C3")
    axes.invert_yaxis()
    axes.set_xlabel("share of the yardstick's speed, % (line: what is wanted)")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
