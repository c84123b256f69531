"""Runs cocotb tests from a pytest function: of one RTL block (Verilator or Icarus), or of the whole NIC.

Simulators of a block: `verilator`; `icarus`, four-state, where registers begin as X; `icarus-scattered`,
where they begin with random bits (`tb.scatter`).

The same file holds the `@cocotb.test()` coroutines and a pytest function:

    def test_my_block() -> None:
        run_block("my_block", ["lib/my_block.v"], __name__)

    def test_through_the_nic() -> None:
        run_nic(__name__)
"""

import contextlib
import inspect
import os
import random
import re
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cocotb_tools.runner import Runner, get_runner

from tb import coverage, known, scatter, toolchain, verilate
from tb.cosim.build import is_built, run_cocotb, spec, waves_format
from tb.failure.guard import Guard

_PATIENCE = 60
"""Seconds that a run may have taken to be repeated, if it failed, for the sake of its waves."""


def in_icarus(
    toplevel: str, sources: tuple[Path, ...], parameters: Mapping[str, object], *, scattered: bool
) -> tuple[Runner, Path]:
    """A simulator in which every output must be known after the first reset (`tb.known`)."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (apt install iverilog)")
    kind = "scattered" if scattered else "icarus"
    wanted = verilate.Spec(toplevel, sources, (toolchain.RTL / "regs",), parameters, (kind,))
    # Workers of pytest build the same design at once, with seeds of their own: each has its directory.
    worker = "-".join(filter(None, (wanted.key(), os.environ.get("PYTEST_XDIST_WORKER"))))
    directory = _made(toolchain.BUILD / kind / f"{toplevel}-{worker}")
    top = next(path for path in sources if re.search(rf"\bmodule {toplevel}\b", path.read_text()))
    if scattered:
        seed = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"FDWIRE_SEED={seed}")
        sources = tuple(scatter.copies(sources, directory, seed))
    watcher = directory / f"{known.MODULE}.v"
    watcher.write_text(known.monitor(top, toplevel))
    runner = get_runner("icarus")
    runner.build(
        sources=[*sources, watcher],
        includes=[toolchain.RTL / "regs"],
        parameters=parameters,
        hdl_toplevel=toplevel,
        build_dir=directory,
        build_args=["-g2005", "-s", known.MODULE],
        timescale=("1ns", "1ps"),
        always=True,
        log_file=directory / "build.log",
    )
    return runner, directory


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _neighbours(test: Path) -> str:
    """Where a test's modules are: beside it, and in directories above with a conftest.py, as in pytest."""
    above = [directory for directory in test.parents[1:] if (directory / "conftest.py").is_file()]
    return os.pathsep.join(map(str, (test.parent, *above)))


def run_block(
    toplevel: str,
    sources: Sequence[str],
    test_module: str,
    parameters: Mapping[str, object] | None = None,
    simulator: str = "verilator",
    wrappers: Sequence[str] = (),
    testcase: str | Sequence[str] | None = None,
) -> None:
    """Build `toplevel` and run the cocotb tests of `test_module` on it.

    `sources`: files below `rtl/`; `wrappers`: further files beside the calling test. Fails with the names
    and messages of the cocotb tests that failed, or when none ran. The seed is FDWIRE_SEED if set.
    """
    caller = Path(inspect.stack()[1].filename).resolve()
    files = verilate.paths(toolchain.RTL, sources) + verilate.paths(caller.parent, wrappers)
    if simulator.startswith("icarus"):
        runner, directory = in_icarus(
            toplevel, files, parameters or {}, scattered=simulator == "icarus-scattered"
        )
    else:
        wanted = verilate.plain(toplevel, files, parameters)
        runner, directory = verilate.build(wanted, where=toolchain.BUILD / "blocks")
    where = _made(toolchain.RUNS / directory.name)
    log = where / f"{test_module}.log"
    results = where / f"{test_module}.xml"
    environment = {"PYTHONPATH": _neighbours(caller)}
    # A failing test exits; the results file says which one it was.
    with contextlib.suppress(SystemExit):
        runner.test(
            test_module=test_module,
            hdl_toplevel=toplevel,
            hdl_toplevel_lang="verilog",
            build_dir=directory,
            testcase=testcase,
            seed=os.environ.get("FDWIRE_SEED"),
            results_xml=str(results),
            plusargs=coverage.plusargs() if simulator == "verilator" else [],
            extra_env=environment,
            timescale=("1ns", "1ps"),
            log_file=log,
        )
    _judge(results, log)


def run_nic(
    test_module: str,
    testcase: str | Sequence[str] | None = None,
    *,
    signals: bool = False,
    waves: bool = False,
    where: str | None = None,
) -> None:
    """Run the cocotb tests of `test_module` on the whole NIC with its C++ attachment (`tb.testbench`).

    `signals`: a build in which `dut.nic` and everything below it can be read, at about a third of the speed;
    otherwise `dut` has only `clk`, `rst` and `evt`. `waves`: a build in which `bench.waves` can record.
    `where`: name of its directory, instead of the module's. The seed is FDWIRE_SEED, or a random one.

    Fails as `run_block` does. Each cocotb test that failed leaves `build/failures/<test>/REPORT.md` and more
    (docs/failures.md), if it made a bench of `tb.rtlbench`; with waves, if the build with waves is there.
    """
    caller = Path(inspect.stack()[1].filename).resolve()
    directory = toolchain.RUNS / (where or test_module)
    seed = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
    guard = Guard(str(toolchain.FAILURES), directory.name, _again(seed), str(seed))

    def run(directory: Path, guard: Guard, waves: str) -> Path:
        return run_cocotb(
            test_module,
            where=directory,
            environment={"PYTHONPATH": _neighbours(caller), **guard.environment()},
            testcase=testcase,
            seed=seed,
            signals=signals,
            waves=waves,
        )

    began = time.monotonic()
    results = run(directory, guard, waves_format() if waves else "off")
    took = time.monotonic() - began
    again = guard.environment() and not waves and took < _PATIENCE and _failed(results)
    if again and is_built(spec(waves=waves_format(), signals=signals)):
        # The same once more, with what would have cost too much before.
        run(directory / "again", replace(guard, waves=True), waves_format())
    _judge(results, directory / "simulation.log", guard)


def _again(seed: int) -> str:
    """The command that repeats the test that runs now."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    command = f".venv/bin/pytest -m 'slow or not slow' '{test}'" if test else shlex.join(sys.orig_argv)
    return f"FDWIRE_SEED={seed} {command}"


def _failed(results: Path) -> list[str]:
    """Names of the cocotb tests that failed; none if there are no results."""
    if not results.is_file():
        return []
    cases = ElementTree.parse(results).getroot().iter("testcase")
    return [str(c.get("name")) for c in cases if c.find("failure") is not None or c.find("error") is not None]


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def _judge(results: Path, log: Path, guard: Guard | None = None) -> None:
    unknown = [line for line in _lines(log) if known.FOUND in line]
    if unknown:
        pytest.fail(f"an output is not known: {unknown[0]}; the log is {log}", pytrace=False)
    if not results.is_file():
        tail = "\n".join(_lines(log)[-40:])
        pytest.fail(f"the simulation ended without results; the log is {log}:\n{tail}", pytrace=False)
    bad = _failed(results)
    if bad or not list(ElementTree.parse(results).getroot().iter("testcase")):
        said = _lines(log)
        names = ", ".join(bad) or "no test ran"
        telling = ("FDWIRE_SEED=", "ERROR", "WARNING", "Error", "assert ")
        tail = "\n".join(
            line
            for line in said
            if any(word in line for word in telling) and "DeprecationWarning" not in line
        )
        reports = [] if guard is None else [guard.report(name) for name in bad]
        left = [str(toolchain.short(report)) for report in reports if report is not None]
        told = f"explained in {', '.join(left)}; " if left else ""
        pytest.fail(f"{names}; {told}the log is {log}:\n{tail[-6000:]}", pytrace=False)
