"""One round: traffic under changing habits, and stops and faults of all kinds in between; and which features.

A run's rounds together cover every pair of feature settings.
"""

import random
import traceback
from collections.abc import Iterator, Mapping

from campaign_account import settle
from campaign_bench import Bench
from campaign_driver import Driver
from campaign_faults import bad_descriptor, failing_transfer, memory_changes, register_storm
from campaign_numbers import NEEDS, OPTIONAL
from campaign_stops import device_reset, pin_reset, reset_queue, stop_queues

from tb.covering import pairwise

STOPS = (
    *(device_reset,) * 4,
    *(pin_reset,) * 2,
    *(stop_queues,) * 3,
    *(reset_queue,) * 3,
    *(bad_descriptor,) * 3,
    *(failing_transfer,) * 3,
    *(memory_changes,) * 2,
    register_storm,
)


def pairwise_subsets() -> list[frozenset[int]]:
    """Subsets of the optional features that together have every pair on, off, and either way round."""

    def legal(on: Mapping[int, bool]) -> bool:
        return all(any(on[other] for other in others) or not on[one] for one, others in NEEDS.items())

    rows = pairwise(OPTIONAL, legal)
    return [frozenset(bit for bit in OPTIONAL if row[bit]) for row in rows]


def subsets(rng: random.Random, first: int) -> Iterator[frozenset[int]]:
    """The features of one life after the other: row `first` of the pairwise ones, then any, mixed."""
    rows = pairwise_subsets()
    yield rows[first % len(rows)]
    while True:
        if rng.random() < 0.5:
            yield rng.choice(rows)
        else:
            chosen = {bit for bit in OPTIONAL if rng.random() < 0.6}
            for one, others in NEEDS.items():
                if chosen.isdisjoint(others):
                    chosen.discard(one)
            yield frozenset(chosen)


async def play(bench: Bench, seed: int, number: int, frames: int) -> Driver:
    """Round `number` of a run with `seed`: at least `frames` frames. The driver at its end."""
    rng = random.Random(seed * 1000 + number)
    driver = Driver(bench, rng, subsets(rng, number))
    await driver.bring_up()
    while driver.frames < frames:
        driver.change_habits()
        await driver.traffic(rng.choice((3, 20, rng.randint(20, 120))))
        if rng.random() < 0.5:
            await settle(driver)
        if rng.random() < 0.6:
            await rng.choice(STOPS)(driver)
    await settle(driver)
    await bench.finish()
    return driver


def report(bench: Bench, error: BaseException) -> str:
    """What a failed round leaves to be read."""
    trace = "".join(traceback.format_exception(error)[-3:])
    steps = "\n  ".join(bench.log)
    found = "\n  ".join(map(str, bench.checker.mismatches[:10]))
    return f"the last steps:\n  {steps}\nthe checker:\n  {found}\n{trace}"
