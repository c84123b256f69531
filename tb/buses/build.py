"""The NIC between Python bus models, built with Verilator as cocotb's runner does it by default, and run."""

from collections.abc import Mapping
from pathlib import Path

from tb import toolchain, verilate


def run_cocotb(module: str, *, where: Path, environment: Mapping[str, str], seed: int) -> Path:
    """Build if needed, run the cocotb tests of `module` in directory `where`; the results file (JUnit).

    Raises as `verilate.run` does.
    """
    sources = sorted(toolchain.RTL.rglob("*.v"), key=lambda path: str(path.relative_to(toolchain.RTL)))
    return verilate.run(
        verilate.plain("fdw_nic", sources),
        module,
        built=toolchain.BUILD / "blocks",
        where=where,
        seed=seed,
        environment=environment,
    )
