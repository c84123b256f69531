"""The campaign against the golden NIC: model, checker and campaign must agree before the RTL is judged."""

import os
import random

import pytest
from campaign_numbers import OPTIONAL, REQUIRED
from campaign_rounds import pairwise_subsets, play, report
from golden_side import golden_bench

from pymodel.simtime import SEC
from pymodel.task import Task

SEED = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
ALL = REQUIRED | sum(1 << bit for bit in OPTIONAL)


@pytest.mark.parametrize("number", range(len(pairwise_subsets())))
def test_round(number: int) -> None:
    print(f"FDWIRE_SEED={SEED}")
    bench = golden_bench(ALL)
    task = Task(bench.scheduler, play(bench, SEED, number, 150), "campaign")
    try:
        while not task.done:
            assert bench.scheduler.step() and bench.now < SEC
        task.result()
    except BaseException as error:
        pytest.fail(report(bench, error), pytrace=False)
