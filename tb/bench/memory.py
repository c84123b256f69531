"""Does memory stay flat? What millions of frames leave behind in a host, its NIC and the simulation.

Two hosts exchange rounds of traffic (`tb.bench.rounds`); what is in use between them is compared. As a
program: ``python -m tb.bench.memory [--rtl] [FRAMES]``.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from pymodel.host import World
from pymodel.simtime import US
from tb import toolchain, verilate
from tb.bench.memory_job import ENVIRONMENT as JOB
from tb.bench.rounds import Rounds, Sample
from tb.cosim.build import run_cocotb

GOLDEN_FRAMES: Final = 10_000_000
RTL_FRAMES: Final = 1_000_000
WARM: Final = 0.1
"""Of the frames, before the comparison begins: pools fill, Python's own caches too."""
RESIDENT: Final = 1 << 20
"""Bytes by which the process may differ afterwards: the C library's allocator keeps some."""
DMA: Final = 2 * 128 * 4096
"""Bytes by which what is handed out may differ: up to half of each receive ring waits for its refill."""
MADE: Final = 1 << 18
"""Bytes by which the memory ever touched may grow: some round has more super-frames at once than before."""


@dataclass(frozen=True)
class Verdict:
    """How far each figure moved after the warm-up: the largest less the smallest."""

    frames: int
    resident: int
    blocks: int
    dma: int
    dma_made: int
    events: int

    @property
    def flat(self) -> bool:
        """Nothing grew."""
        return self.resident <= RESIDENT and self.dma <= DMA and self.dma_made <= MADE and not self.events


def judge(samples: list[Sample]) -> Verdict:
    """Compare the samples behind the warm-up. Raises ValueError when there are fewer than two."""
    last = samples[-1].frames
    warm = [sample for sample in samples if sample.frames >= WARM * last]
    if len(warm) < 2:
        raise ValueError(f"{len(warm)} samples behind the warm-up: nothing to compare")

    def spread(name: str) -> int:
        values: list[int] = [getattr(sample, name) for sample in warm]
        return max(values) - min(values)

    return Verdict(last, *map(spread, ("resident", "blocks", "dma", "dma_made", "events")))


def golden(frames: int, hear: Callable[[Sample], None]) -> None:
    """Run rounds of at least `frames` frames in all between two golden NICs."""
    world = World.golden()
    world.start()
    for host in (world.a, world.b):
        host.device.gro_flush_timeout, host.device.napi_defer_hard_irqs = 20 * US, 1
    rounds = Rounds(world, frames, hear)
    world.run(lambda: rounds.client.done, timeout=10**30)
    world.check_programs()
    world.power_off()


def rtl(frames: int, hear: Callable[[Sample], None]) -> None:
    """The same with host A on the RTL NIC. Raises ToolMissing, BuildFailed, or RuntimeError: it failed."""
    where = toolchain.BUILD / "bench" / "memory"
    where.mkdir(parents=True, exist_ok=True)
    result = where / "samples.jsonl"
    job = {"frames": frames, "result": str(result)}
    heard = 0

    def look() -> int:
        """Hand on what is new in the file; how many frames there have been."""
        nonlocal heard
        samples = [Sample(**json.loads(line)) for line in result.read_text().splitlines()]
        for sample in samples[heard:]:
            hear(sample)
        heard = len(samples)
        return samples[-1].frames if samples else 0

    result.write_text("")
    over = threading.Event()

    def follow() -> None:
        while not over.wait(1):
            look()

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        run_cocotb("tb.bench.memory_job", where=where, environment={JOB: json.dumps(job)}, seed=1)
    finally:
        over.set()
        follower.join()
    if look() < frames:
        raise RuntimeError(f"the run to be measured failed; its log is {where / 'simulation.log'}")


def main() -> int:
    """Measure, print each round and the verdict, write build/bench/memory-golden.json or memory-rtl.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("frames", nargs="?", type=int, help="both ways together")
    parser.add_argument("--rtl", action="store_true", help="A is on the RTL NIC")
    args = parser.parse_args()
    samples: list[Sample] = []
    began = time.monotonic()

    def hear(sample: Sample) -> None:
        samples.append(sample)
        rate = sample.frames / (time.monotonic() - began)
        print(
            f"{sample.frames:>12,} frames  {sample.resident / 2**20:8.2f} MiB  {sample.blocks:>9,} objects  "
            f"DMA {sample.dma:>10,} of {sample.dma_made:>10,}  {sample.events} events  {rate:,.0f} frames/s",
            flush=True,
        )

    try:
        if args.rtl:
            rtl(args.frames or RTL_FRAMES, hear)
        else:
            golden(args.frames or GOLDEN_FRAMES, hear)
    except (toolchain.ToolMissing, verilate.BuildFailed, RuntimeError) as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
    verdict = judge(samples)
    out = toolchain.BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    record = {"verdict": asdict(verdict), "flat": verdict.flat, "samples": [asdict(s) for s in samples]}
    (out / f"memory-{'rtl' if args.rtl else 'golden'}.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"{'flat' if verdict.flat else 'NOT flat'}: {verdict}")
    return not verdict.flat


if __name__ == "__main__":
    sys.exit(main())
