"""Every conformance case over the golden NIC, behind an IOMMU. ``FDWIRE_SEED=n`` repeats a run."""

import os
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from bench import WireSide
from cases import CASES

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler

SEED = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))


class GoldenBench(WireSide):
    """One golden NIC on a scheduler of its own; simulated time passes only in `run_for`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.scheduler = Scheduler()
        self.memory = HostMemory(iommu=True)
        self.port = GoldenNic(self.scheduler, self.memory)
        self.plug_in()

    async def run_for(self, ps: int) -> None:
        self.scheduler.run_until(self.scheduler.now + ps)


def run(case: Coroutine[Any, Any, None]) -> None:
    """Run a case; over the golden NIC it never suspends."""
    try:
        case.send(None)
    except StopIteration:
        return
    raise RuntimeError("the case waits for something that is not its bench")


@pytest.mark.parametrize("name", sorted(CASES))
def test_golden(name: str) -> None:
    print(f"FDWIRE_SEED={SEED}")
    bench = GoldenBench(SEED)
    run(CASES[name](bench))
    assert bench.memory.iommu is not None
    bench.memory.iommu.check()
