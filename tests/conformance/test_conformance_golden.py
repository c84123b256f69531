"""Every conformance case over the golden NIC. ``FDWIRE_SEED=n`` repeats a run."""

import os
import random
import zlib
from collections.abc import Coroutine
from typing import Any

import pytest
from cases import CASES

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G

SEED = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
PREAMBLE = 8


class GoldenBench:
    """One golden NIC on a scheduler of its own; simulated time passes only in `run_for`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.scheduler = Scheduler()
        self.memory = HostMemory()
        self._nic = GoldenNic(self.scheduler, self.memory)
        self.port = self._nic
        self.sent: list[Frame] = []
        self._nic.set_wire_handler(self.sent.append)
        self._nic.set_link(True)
        self._wire_free = 0

    async def wire_send(self, data: bytes, *, bad_fcs: bool = False, gap: int = 12) -> None:
        fcs = zlib.crc32(data) ^ (0x00800000 if bad_fcs else 0)
        whole = data + fcs.to_bytes(4, "little")
        start = max(self.scheduler.now, self._wire_free + gap * BYTE_TIME_10G)
        end = start + (PREAMBLE + len(whole)) * BYTE_TIME_10G
        self._wire_free = end
        self._nic.deliver(Frame(whole, start, end))

    async def run_for(self, ps: int) -> None:
        self.scheduler.run_until(self.scheduler.now + ps)

    def set_link(self, up: bool) -> None:
        self._nic.set_link(up)


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
    run(CASES[name](GoldenBench(SEED)))
