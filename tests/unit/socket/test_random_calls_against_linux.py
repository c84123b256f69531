"""Eighty random system calls in a row, on this machine's kernel and on a simulated host: results and masks.

Not among these seeds: a connection of a socket with itself that was shut before, which Linux ends at once.
"""

import pytest
import random_calls
from linux_oracle import needs_linux, on_both

SEEDS = [
    ("streams", 0),
    ("streams", 1),
    ("streams", 3),
    ("datagrams", 9),
    ("datagrams", 23),
    ("datagrams", 35),
]
SEEDS += [("unix", 0), ("unix", 1), ("unix", 2), ("polled", 0), ("polled", 1), ("polled", 9)]


@needs_linux
@pytest.mark.parametrize(("kind", "seed"), SEEDS)
def test_random_calls_do_what_they_do_on_linux(stack, kind, seed):
    def program():
        return random_calls.play(kind, seed, 80)

    result, expected = on_both(stack, program)
    for step, (ours, theirs) in enumerate(zip(result, expected, strict=True)):
        assert ours == theirs, f"{kind} {seed}, step {step}"
