"""One simulated host on loopback, over the stand-in TCP, and a way to run programs to their end."""

import sys
import threading
from pathlib import Path

import pytest

from pymodel.scheduler import Scheduler
from pymodel.socket import Kernel, spawn

sys.path.insert(0, str(Path(__file__).parent))

from fake_tcp import FakeIp, FakeTcp  # noqa: E402


class Host:
    """A kernel and its scheduler. `run` starts a program, runs the world to its end, returns the result."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.scheduler = kernel.scheduler

    def start(self, program, *args, **options):
        return spawn(self.kernel, program, *args, **options)

    def finish(self, *programs):
        while not all(program.done for program in programs):
            assert self.scheduler.step(), f"stuck: {[p.name for p in programs if not p.done]}"
        results = [program.result() for program in programs]
        return results[0] if len(results) == 1 else results

    def run(self, program, *args, **options):
        return self.finish(self.start(program, *args, **options))


@pytest.fixture
def host():
    scheduler = Scheduler()
    hosts = {"localhost": b"\x7f\0\0\1", "server": b"\x7f\0\0\2"}
    kernel = Kernel(scheduler, FakeTcp(scheduler), FakeIp(), lambda: [b"\x7f\0\0\1"], hosts, seed=1)
    threads = threading.active_count()
    yield Host(kernel)
    kernel.power_off()
    assert threading.active_count() == threads, "a program's thread has outlived its world"
