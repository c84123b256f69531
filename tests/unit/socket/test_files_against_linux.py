"""Pipes, epoll, poll and select, splice and descriptors by number: what the Linux kernel does.

The oracle is the kernel of the machine that runs the test.
"""

import os

import epoll_scenarios
import pipe_scenarios
import pytest
from linux_oracle import needs_linux, on_both

SCENARIOS = [*pipe_scenarios.SCENARIOS, *epoll_scenarios.SCENARIOS]


@needs_linux
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_files_do_what_linux_does(ethernet, scenario):
    result, expected = on_both(ethernet, scenario, uid=os.getuid())
    assert result == expected
