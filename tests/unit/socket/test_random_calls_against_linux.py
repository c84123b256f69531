"""Sixty random system calls in a row, on this machine's kernel and on a simulated host: results and masks.

Seeds in which Linux lets a listener pass its own shutdown(2) on to what it accepts are not among these.
"""

import sys

import pytest
import random_calls

SEEDS = (*range(8), 20)
"""In the last a bind fails after a connection that is over: the socket forgets its address."""


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is the Linux kernel")
@pytest.mark.parametrize("seed", SEEDS)
def test_random_calls_do_what_they_do_on_linux(stack, seed):
    def program():
        return random_calls.play(seed, 60)

    result = stack.run(program)
    expected = program()
    if result != expected:
        expected = program()  # on a busy machine a real segment may have come too late
    for step, (ours, theirs) in enumerate(zip(result, expected, strict=True)):
        assert ours == theirs, f"seed {seed}, step {step}"
