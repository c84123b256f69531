"""Every errno, return value and poll mask of AF_UNIX sockets as the Linux kernel gives them.

The oracle is the kernel of the machine that runs the test.
"""

import pytest
import unix_scenarios
from linux_oracle import needs_linux, on_both


@needs_linux
@pytest.mark.parametrize("scenario", unix_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_unix_sockets_do_what_linux_does(stack, scenario):
    result, expected = on_both(stack, scenario)
    assert result == expected
