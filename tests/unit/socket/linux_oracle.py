"""The kernel of the machine that runs the test is the oracle: one program, there and on a simulated host."""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sim_hosts import Host

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the oracle is the Linux kernel")


TRIES = 4

_RUN = 64
"""Descriptors that no program opens at once."""


@contextlib.contextmanager
def no_gaps_in_the_descriptor_table() -> Iterator[None]:
    """The lowest free numbers follow each other, as in a new process, whatever earlier tests left open."""
    taken = set(map(int, os.listdir("/proc/self/fd")))
    fillers: list[int] = []
    while True:
        lowest = os.open(os.devnull, os.O_RDONLY)
        if taken.isdisjoint(range(lowest + 1, lowest + _RUN)):
            os.close(lowest)
            break
        fillers.append(lowest)
    try:
        yield
    finally:
        for number in fillers:
            os.close(number)


def on_both(host: Host, program: Callable[[], Any], **process: int) -> tuple[Any, Any]:
    """What `program` returns on `host` (as a process with `process`, e.g. its uid), and on this machine."""
    result = host.run(program, **process)
    gc.collect()  # descriptors that an earlier test left open must not be closed in the middle of this
    with no_gaps_in_the_descriptor_table():
        expected = program()
        for _ in range(TRIES - 1):  # on a busy machine something real may have come too late
            if result == expected:
                break
            expected = program()
    return result, expected
