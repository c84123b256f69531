"""A golden NIC with a mini driver above it and a recording wire below, for tests."""

import zlib
from dataclasses import dataclass

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
