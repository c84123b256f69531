"""Fixtures: a golden NIC with its mini driver, and a seeded generator."""

import os
import random

import pytest
from golden_bench import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def make():
    return make_bench


@pytest.fixture
def seeded() -> random.Random:
    """A generator whose seed is printed and can be given back in FDWIRE_SEED."""
    seed = int(os.environ.get("FDWIRE_SEED", random.randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    return random.Random(seed)
