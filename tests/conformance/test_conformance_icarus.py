"""Every conformance case over the RTL NIC in four-state Icarus, which begins with X or with random bits.

No output may be X after reset (`tb.known`), and the NIC must do the same whatever its registers held. The bus
models are cocotb's own, so that nothing of the C++ attachment takes part. ``FDWIRE_SEED=n`` repeats a run.
"""

import os
import random

import pytest
from cases import CASES

from tb import toolchain
from tb.block import run_block

SOURCES = sorted(str(path.relative_to(toolchain.RTL)) for path in toolchain.RTL.rglob("*.v"))
PARTS = 4


def run(monkeypatch: pytest.MonkeyPatch, simulator: str, names: list[str]) -> None:
    seed = os.environ.get("FDWIRE_SEED", str(random.SystemRandom().randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    monkeypatch.setenv("FDWIRE_SEED", seed)
    monkeypatch.setenv("FDWIRE_CASES", " ".join(names))
    run_block("fdw_nic", SOURCES, "bus_cases", simulator=simulator)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("simulator", ["icarus", "icarus-scattered"])
def test_all_cases(monkeypatch: pytest.MonkeyPatch, simulator: str, part: int) -> None:
    run(monkeypatch, simulator, sorted(CASES)[part::PARTS])
