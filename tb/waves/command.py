"""`fdwire waves`: open the waves of a run in GTKWave, where they begin to tell or at a time."""

import os
import shutil
import subprocess
from pathlib import Path

from rich.console import Console

from pymodel.simtime import NS
from tb import toolchain
from tb.cosim.build import rtl_sources
from tb.waves import gtkw, surfer
from tb.waves.wavefile import WaveFile

AT = "waves-at"
"""The name of the save file, and of Surfer's commands, that open at a time."""


def run(out: Path, at: int | None, console: Console) -> int:
    """Open the waves of the run in directory `out`, at `at` (ps) if that is given, or say how; exit status.

    For a time, waves-at.gtkw and waves-at.sucl are left in `out`, with a marker (a cursor) at it.
    """
    saved = out / "waves.gtkw"
    if not saved.is_file():
        console.print("there are no waves yet: run `make sim` (or `make waves` for all of them)")
        return 1
    if at is not None:
        found = next(
            (out / f"waves.{kind}" for kind in ("fst", "vcd") if (out / f"waves.{kind}").is_file()), None
        )
        if found is None:
            console.print(f"{toolchain.short(saved)} is there, but its waves are not: run `make sim` again")
            return 1
        first, last = WaveFile(found).span()
        if not first <= at <= last:
            held, asked = f"{first / NS:,.1f} to {last / NS:,.1f} ns", f"{at / NS:,.1f} ns"
            console.print(
                f"{toolchain.short(found)} has {held}, and not {asked}: run `fdwire sim --waves all`",
                highlight=False,
            )
            return 1
        saved = toolchain.writable(out) / f"{AT}.gtkw"
        gtkw.write(found, saved, rtl_sources(), here=at)
        surfer.write(found, out / f"{AT}.sucl", here=at)
    viewer = shutil.which("gtkwave")
    if viewer is None:
        console.print(
            f"GTKWave is not installed (apt install gtkwave); open {toolchain.short(saved)} with it"
        )
        return 0
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        console.print(f"no display here: open {toolchain.short(saved)} with gtkwave")
        return 0
    return subprocess.run([viewer, str(saved)], check=False).returncode
