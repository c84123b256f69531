"""The campaign against the golden NIC: model, checker and campaign must agree before the RTL is judged.

The short run always has the same seed, so that a change that passed goes on passing; the long draws its own.
"""

import os
import random

import pytest
from campaign_numbers import OPTIONAL, REQUIRED
from campaign_rounds import pairwise_subsets, play, report
from golden_side import golden_bench

from pymodel.simtime import SEC
from pymodel.task import Task

ALL = REQUIRED | sum(1 << bit for bit in OPTIONAL)


def run(number: int, default: int) -> None:
    seed = int(os.environ.get("FDWIRE_SEED", default))
    print(f"FDWIRE_SEED={seed}")
    bench = golden_bench(ALL)
    task = Task(bench.scheduler, play(bench, seed, number, 150), "campaign")
    try:
        while not task.done:
            assert bench.scheduler.step() and bench.now < SEC
        task.result()
    except BaseException as error:
        pytest.fail(report(bench, error), pytrace=False)


@pytest.mark.parametrize("number", range(len(pairwise_subsets())))
def test_round(number: int) -> None:
    run(number, default=1)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(pairwise_subsets())))
def test_round_of_any_seed(number: int) -> None:
    run(number, default=random.SystemRandom().randrange(1 << 32))
