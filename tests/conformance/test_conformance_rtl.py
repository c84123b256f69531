"""Every conformance case over the RTL NIC in Verilator, in lockstep with the golden model.

All chosen cases run in one simulation for each behaviour of the memory. ``FDWIRE_SEED=n`` repeats a run.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cases import CASES

from tb import toolchain
from tb.cosim.build import run_cocotb

SEED = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
MEMORIES = ("steady", "fast", "rough")

pytestmark = pytest.mark.xdist_group("conformance-rtl")


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Callable[[str], dict[str, str]]:
    """For a memory: each chosen case's failure text, or "" when it passed."""
    done: dict[str, dict[str, str]] = {}

    def run(memory: str) -> dict[str, str]:
        if memory not in done:
            chosen = [
                item.callspec.params["name"]
                for item in request.session.items
                if getattr(item, "originalname", "") == "test_rtl"
                and item.callspec.params["memory"] == memory  # type: ignore[attr-defined]
            ]
            done[memory] = _simulate(memory, chosen)
        return done[memory]

    return run


def _simulate(memory: str, names: list[str]) -> dict[str, str]:
    where = toolchain.BUILD / "conformance" / memory
    results = run_cocotb(
        "rtl_cases",
        where=where,
        environment={
            "FDWIRE_SEED": str(SEED),
            "FDWIRE_CASES": " ".join(names),
            "FDWIRE_MEMORY": memory,
            "PYTHONPATH": str(Path(__file__).parent),
        },
        seed=SEED,
    )
    outcome = {}
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        trouble = case.find("failure")
        if trouble is None:
            trouble = case.find("error")
        text = "" if trouble is None else trouble.get("message") or "failed without a message"
        number = str(case.get("name")).partition("name=")[2].rstrip("]")
        outcome[names[int(number)]] = text
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", sorted(CASES))
def test_rtl(outcomes: Callable[[str], dict[str, str]], name: str, memory: str) -> None:
    print(f"FDWIRE_SEED={SEED}")
    result = outcomes(memory)
    assert name in result, "the simulation ended before this case: see build/conformance"
    assert result[name] == "", result[name]
