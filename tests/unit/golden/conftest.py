"""A golden NIC with a mini driver above it and a recording wire below."""

import random
import zlib
from dataclasses import dataclass

import pytest
from mini_driver import MiniDriver

from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler

BYTE_TIME = 800


@dataclass
class Bench:
    scheduler: Scheduler
    memory: HostMemory
    nic: GoldenNic
    driver: MiniDriver
    sent: list[Frame]
    wire_free: int = 0

    def run(self, duration: int) -> None:
        self.driver.run(duration)

    def receive(self, body: bytes, *, fcs: bytes | None = None, error: bool = False) -> None:
        """Let a frame of `body` arrive, as soon as the wire is free; a good FCS unless another is given."""
        data = body + (zlib.crc32(body).to_bytes(4, "little") if fcs is None else fcs)
        start = max(self.scheduler.now, self.wire_free)
        end = start + (8 + len(data)) * BYTE_TIME
        self.wire_free = end + 12 * BYTE_TIME
        self.nic.deliver(Frame(data, start, end, error))


def make_bench(**parameters: object) -> Bench:
    scheduler = Scheduler()
    memory = HostMemory(1 << 24)
    nic = GoldenNic(scheduler, memory, **parameters)  # type: ignore[arg-type]
    sent: list[Frame] = []
    nic.set_wire_handler(sent.append)
    return Bench(scheduler, memory, nic, MiniDriver(scheduler, memory, nic), sent)


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def make():
    return make_bench


@pytest.fixture
def seeded() -> random.Random:
    """A generator whose seed is printed and can be given back in FDWIRE_SEED."""
    import os

    seed = int(os.environ.get("FDWIRE_SEED", random.randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    return random.Random(seed)
