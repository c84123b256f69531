"""Elaboration without a simulator: illegal parameters die there, and the message names the rule."""

import os
import subprocess
from collections.abc import Sequence

from tb import toolchain


def elaborate(top: str, sources: Sequence[str], **parameters: object) -> subprocess.CompletedProcess[str]:
    """Verilator's elaboration of `top`, of these files below rtl/: no code is generated."""
    root = toolchain.verilator_root()
    return subprocess.run(
        [
            str(root / "bin" / "verilator_bin"),
            *("--lint-only", "-Wall", "-Wno-fatal", "--top-module", top, f"-I{toolchain.RTL / 'regs'}"),
            *(f"-G{name}={value}" for name, value in parameters.items()),
            *(str(toolchain.RTL / source) for source in sources),
        ],
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(top: str, sources: Sequence[str], rule: str, **parameters: object) -> bool:
    """`top` does not take these parameters, and says that it is for `rule`."""
    result = elaborate(top, sources, **parameters)
    print(result.stderr)
    return result.returncode != 0 and f"fdw_rule_{rule}'" in result.stderr
