"""Builds and runs the simulator of the whole NIC (`fdw_tb`) with its C++ attachment.

Several builds, each only when asked for: without waves (fast), with waves (FST or VCD), with every signal
visible to Python, and the bare loop without Python that the benchmark compares with.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tb import coverage, toolchain, verilate
from tb.waves import enums

_CPP = ("axi_memory.cpp", "xgmii.cpp", "cosim.cpp")

# Everything public costs 2.6 to 4 times the speed; without it tb/hdl/public.vlt names what Python may see.
_PRIVATE = ("--no-public-flat-rw",)
_FAST = (
    "--x-assign",
    "fast",
    "--x-initial",
    "unique",
    "-O3",
    "-Wno-fatal",
    "--no-timing",
)
# The model is 16,000 instructions a clock cycle, at -O3 2 % fewer than at -O1; no difference in speed was
# measured, and g++ takes half as long. Our own C++ is the global part.
_FAST_CPP = "-O1"
_GLOBAL_CPP = "-O2"
# What the profile's run did not reach is compiled as if there were none.
_GUIDED_CPP = "-O2 -fprofile-use -fprofile-partial-training -Wno-missing-profile -Wno-coverage-mismatch"
_COUNTING_CPP = "-O2 -fprofile-generate -fprofile-update=single"


def rtl_sources() -> tuple[Path, ...]:
    """Every Verilog file of the NIC. Raises ToolMissing where there are none."""
    found = tuple(sorted(toolchain.RTL.rglob("*.v")))
    if not found:
        raise toolchain.ToolMissing(f"there is no Verilog file below {toolchain.RTL}, which FDWIRE_RTL names")
    return found


def _headers() -> tuple[Path, ...]:
    """Where its `include files are; a NIC of another make may have none."""
    return tuple(directory for directory in (toolchain.RTL / "regs",) if directory.is_dir())


def spec(
    *,
    waves: str = "off",
    parameters: Mapping[str, object] | None = None,
    bare: bool = False,
    signals: bool = False,
    counting: bool = False,
) -> verilate.Spec:
    """The build of `fdw_tb`.

    `waves`: off, fst or vcd; `bare`: the benchmark's loop without cocotb; `signals`: Python sees every
    signal of the design, not only those of tb/hdl/public.vlt; `counting`: it leaves a profile of itself
    where GCOV_PREFIX says. If there is such a profile of this RTL (`tb.cosim.guided`), the build without
    waves and signals is guided by it.
    """
    cpp = toolchain.ROOT / "tb" / "cpp"
    hdl = toolchain.ROOT / "tb" / "hdl"
    trace = {"off": (), "vcd": ("--trace",), "fst": ("--trace-fst",)}[waves]
    libraries = ("-LDFLAGS", "-lz -llz4") if waves == "fst" else ()
    # With every signal public one constructor registers them all: at -O1 g++ takes ten minutes for it.
    slow = "OPT_SLOW=-O0" if signals else "OPT_SLOW=-O1"
    make = (f"OPT_GLOBAL={_GLOBAL_CPP}", slow, f"VM_TRACE={int(waves != 'off')}")
    built = verilate.Spec(
        top="fdw_tb",
        sources=(hdl / "public.vlt", *rtl_sources(), hdl / "fdw_tb.sv", *_names(waves)),
        cpp=tuple(cpp / name for name in _CPP),
        includes=(*_headers(), cpp),
        parameters=parameters or {},
        args=(
            *(() if signals else _PRIVATE),
            *_FAST,
            *trace,
            *coverage.build_arguments(),
            *libraries,
            *(("-LDFLAGS", "-fprofile-generate") if counting else ()),
            "-LDFLAGS",
            "-rdynamic",
            "-CFLAGS",
            f"-I{cpp} -std=c++20",
        ),
        make_args=make,
        main=cpp / ("bare_main.cpp" if bare else "main.cpp"),
        cocotb=not bare,
    )
    if counting:
        return replace(built, make_args=(f"OPT_FAST={_COUNTING_CPP}", *make))
    profile = profile_of(built)
    if waves != "off" or signals or not profile.is_dir():
        return replace(built, make_args=(f"OPT_FAST={_FAST_CPP}", *make))
    return replace(built, make_args=(f"OPT_FAST={_GUIDED_CPP}", *make), profile=profile)


def _names(waves: str) -> tuple[Path, ...]:
    """The file that puts the names of values into the waves (`tb.waves.enums`), where they can hold them.

    Not for a NIC of another make: its Verilog need not be as that reads it, and is to be built nevertheless.
    """
    if waves != "fst" or toolchain.RTL != toolchain.ROOT / "rtl":
        return ()
    text = enums.source(rtl_sources())
    file = toolchain.BUILD / "nic" / f"names-{hashlib.sha256(text.encode()).hexdigest()[:12]}.sv"
    if not file.is_file():
        toolchain.writable(file.parent)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(text)
        part.rename(file)  # whole, for whoever builds at the same time
    return (file,)


def profile_of(built: verilate.Spec) -> Path:
    """Where the profile of the C++ that Verilator makes for `built` is, if there is one.

    Our own C++, with main() or cocotb, is none of it, so that the bare loop's profile serves all.
    """
    model = replace(
        built,
        cpp=(),
        main=None,
        cocotb=False,
        includes=_headers(),
        make_args=(),
        profile=None,
    )
    return toolchain.BUILD / "nic" / f"profile-{model.key()}"


def is_built(wanted: verilate.Spec) -> bool:
    """The executable of `wanted` is there already."""
    return verilate.is_built(wanted, where=toolchain.BUILD / "nic")


def waves_format() -> str:
    """`fst` where its headers are installed, else `vcd`."""
    return "fst" if toolchain.has_fst() else "vcd"


def make_ready(announce: Callable[[str], None], parameters: Mapping[str, object] | None = None) -> None:
    """Build what `run_cocotb` without waves runs, if need be; raises as that does.

    For who takes signals to be for the run: while it is built Ctrl-C is the command's.
    """
    verilate.build(spec(parameters=parameters), where=toolchain.BUILD / "nic", announce=announce)


def run_cocotb(
    module: str,
    *,
    where: Path,
    waves: str = "off",
    wave_file: Path | None = None,
    wave_until: int | None = None,
    parameters: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    testcase: str | Sequence[str] | None = None,
    seed: int | None = None,
    signals: bool = False,
    record: Path | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Build if needed, run the cocotb tests of `module` in directory `where`; the results file (JUnit).

    `wave_until`: ps up to which waves are recorded. `signals`: see `spec`; `record`: a
    file for the script of the run, to be played again without Python (tb/cpp/script.h); `announce`: see
    `verilate.build`. Raises ToolMissing or BuildFailed; a failing test is in the results, not an exception.
    """
    arguments: list[str] = []
    if wave_file is not None:
        arguments += ["--trace-file", str(wave_file)]
        if wave_until is not None:
            arguments += ["--trace-until", str(wave_until)]
    if record is not None:
        arguments += ["--record", str(record)]
    return verilate.run(
        spec(waves=waves, parameters=parameters, signals=signals),
        module,
        built=toolchain.BUILD / "nic",
        where=where,
        seed=seed if seed is not None else os.environ.get("FDWIRE_SEED"),
        environment=environment or {},
        testcase=testcase,
        arguments=arguments,
        announce=announce,
    )
