"""A simulator that gcc has compiled knowing what runs often (profile-guided optimisation).

One executable counts while the bare loop (tb/cpp/bare_main.cpp) drives it through frames of all kinds; the
simulator without waves is then compiled again by those counts. That takes about as long as two builds, and
pays for who runs the same RTL for minutes: what is run afterwards uses it, until the RTL changes.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from pymodel import regs
from tb import toolchain, verilate
from tb.cosim.build import profile_of, spec

_CYCLES = 20_000
_OFFLOADS = 1 << regs.Feature.CSUM | 1 << regs.Feature.HOST_TSO4
_RUNS = (
    "frame=64 features=0 offload=0 indirect=0 tso=0",
    f"frame=64 features={_OFFLOADS | 1 << regs.Feature.INDIRECT_DESC:#x} offload=1 indirect=1 tso=0",
    f"frame=1518 features={_OFFLOADS:#x} offload=1 indirect=0 tso=0",
    f"frame=1518 features={_OFFLOADS:#x} offload=1 indirect=0 tso=1",
)


def build(announce: Callable[[str], None]) -> Path:
    """The directory of the guided simulator, made unless it is there; `announce` hears what is under way.

    Raises ToolMissing or BuildFailed, and RuntimeError when the NIC does not work.
    """
    profile = profile_of(spec(bare=True))
    if not profile.is_dir():
        _count(profile, announce)
    announce("compiling the simulator by that profile")
    _, directory = verilate.build(spec(), where=toolchain.BUILD / "nic")
    return directory


def _count(profile: Path, announce: Callable[[str], None]) -> None:
    """Leave the counts of `_RUNS` in `profile`."""
    announce("compiling a simulator that counts")
    _, directory = verilate.build(spec(bare=True, counting=True), where=toolchain.BUILD / "nic")
    with tempfile.TemporaryDirectory(dir=profile.parent) as scratch:
        # The counts' names hold the directory that the objects were compiled in, which the compiler's cache
        # may have from elsewhere: only the last part of the path is kept.
        environment = os.environ | {"GCOV_PREFIX": scratch, "GCOV_PREFIX_STRIP": "99"}
        for number, run in enumerate(_RUNS, 1):
            announce(f"run {number} of {len(_RUNS)}: {run}")
            words = [*run.split(), "direction=both", "memory=32", "mode=rate", f"cycles={_CYCLES}"]
            done = subprocess.run(
                [directory / "fdw_tb", *words], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"the bare loop failed: {done.stderr.strip() or 'no reason given'}")
        if not list(Path(scratch).glob("Vtop*.gcda")):
            raise RuntimeError("the simulator that counts has left no counts")
        whole = Path(scratch) / "whole"
        whole.mkdir()
        for counts in Path(scratch).glob("Vtop*.gcda"):
            counts.rename(whole / counts.name)
        shutil.rmtree(profile, ignore_errors=True)
        whole.rename(profile)
