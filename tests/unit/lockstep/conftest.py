"""Recorded runs of a golden NIC under its mini driver: what a faultless NIC looks like to the checkers."""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))

from golden_bench import Bench, make_bench
from recorder import Recorder

from pymodel.simtime import NS, US


class Run:
    """A bench whose events are recorded. `traffic` drives both directions at random."""

    def __init__(
        self, generator: random.Random, rx_size: int = 16, tx_size: int = 16, **parameters: object
    ) -> None:
        self.bench: Bench = make_bench(**parameters)
        self.recorder = Recorder(self.bench.scheduler, self.bench.nic)
        self.random = generator
        self.posted: list[int] = []
        self.bench.driver.start(rx_size, tx_size)
        self.fill()

    @property
    def events(self):
        return self.recorder.events

    def fill(self, sizes=((1530,), (700, 900), (12, 1518), (1, 2, 3, 1600))) -> None:
        """Post receive chains until the ring is full."""
        driver = self.bench.driver
        for buffer_id in range(driver.rx.size):
            shape = self.random.choice([s for s in sizes if len(s) <= driver.rx.size])
            room = driver.rx.size - sum(driver.rx.counts.values())
            if buffer_id not in driver.rx.counts and len(shape) <= room:
                driver.post_rx(shape, buffer_id)

    def send(self, length: int) -> bool:
        """Post a frame cut at random, if the ring has room."""
        driver = self.bench.driver
        room = driver.tx.size - sum(driver.tx.counts.values())
        ids = [i for i in range(driver.tx.size) if i not in driver.tx.counts]
        if not room or not ids:
            return False
        cuts = sorted(self.random.sample(range(1, length), self.random.randrange(min(4, room))))
        driver.send(self.random.randbytes(length), self.random.choice(ids), cuts)
        return True

    def traffic(self, rounds: int) -> None:
        """Frames both ways, with polling, acknowledgements and register reads in between."""
        draw = self.random
        bench, driver = self.bench, self.bench.driver
        for _ in range(rounds):
            self.send(draw.choice([14, 60, 61, 1514, 1518, 1519, draw.randint(14, 1518)]))
            kind = draw.random()
            body = draw.randbytes(draw.choice([60, 61, 1514, draw.randint(60, 1518)]))
            if kind < 0.05:
                bench.receive(body[:40])
            elif kind < 0.1:
                bench.receive(body, fcs=b"bad!")
            elif kind < 0.15:
                bench.receive(body, error=True)
            else:
                bench.receive(body)
            bench.run(draw.randrange(2000 * NS))
            driver.tx.poll()
            driver.rx.poll()
            self.fill()
            if draw.random() < 0.2:
                queue = draw.choice([driver.rx, driver.tx])
                queue.suppress(draw.randrange(2))
            if driver.levels and driver.levels[-1][1] and draw.random() < 0.5:
                bench.nic.write(0x64, driver.read(0x60))
            if draw.random() < 0.2:
                driver.counter(draw.choice([0x1100, 0x1108, 0x1120, 0x1130, 0x1150, 0x1180, 0x1188, 0x1190]))

    def drain(self) -> None:
        """Let everything end, then read every counter."""
        bench, driver = self.bench, self.bench.driver
        for _ in range(200):
            bench.run(2 * US)
            driver.rx.poll()
            driver.tx.poll()
            self.fill()
        bench.nic.write(0x64, driver.read(0x60))
        for offset in [*range(0x1100, 0x1158, 8), *range(0x1180, 0x11A8, 8)]:
            driver.counter(offset)


@pytest.fixture
def seeded() -> random.Random:
    """A generator whose seed is printed and can be given back in FDWIRE_SEED."""
    seed = int(os.environ.get("FDWIRE_SEED", random.randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def make_run():
    return Run


@pytest.fixture(scope="session")
def recorded() -> Run:
    """One faultless run, always the same, for planting bugs in its events. Both queues interrupt."""
    run = Run(random.Random(20), 16, 16)
    for queue in (run.bench.driver.rx, run.bench.driver.tx):
        queue.suppress = lambda flags: None  # type: ignore[method-assign]
    run.traffic(90)
    run.drain()
    return run
