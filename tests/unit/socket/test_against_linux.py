"""Every errno, return value, poll mask and descriptor number as the Linux kernel gives them.

The oracle is the kernel of the machine that runs the test.
"""

import ending_scenarios
import opening_scenarios
import option_scenarios
import pytest
import transfer_scenarios
from linux_oracle import needs_linux, on_both

SCENARIOS = [
    *opening_scenarios.SCENARIOS,
    *ending_scenarios.SCENARIOS,
    *option_scenarios.SCENARIOS,
    *transfer_scenarios.SCENARIOS,
]


@needs_linux
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_sockets_do_what_linux_does(loopback, scenario):
    result, expected = on_both(loopback, scenario)
    assert result == expected
