"""Pipes, epoll, poll and select, splice and descriptors by number: what the Linux kernel does.

The oracle is the kernel of the machine that runs the test.
"""

import gc
import os
import sys

import epoll_scenarios
import pipe_scenarios
import pytest

SCENARIOS = [*pipe_scenarios.SCENARIOS, *epoll_scenarios.SCENARIOS]


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is the Linux kernel")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_files_do_what_linux_does(ethernet, scenario):
    result = ethernet.run(scenario, uid=os.getuid())
    gc.collect()  # descriptors that an earlier scenario left open must not be closed in the middle of this
    expected = scenario()
    if result != expected:
        expected = scenario()  # on a busy machine something real may have come too late
    assert result == expected
