"""Rarer flags, options and orders of calls: what the Linux kernel does.

The oracle is the kernel of the machine that runs the test.
"""

import corner_scenarios
import pytest
from linux_oracle import needs_linux, on_both


@needs_linux
@pytest.mark.parametrize("scenario", corner_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_corners_are_as_in_linux(stack, scenario):
    result, expected = on_both(stack, scenario)
    assert result == expected
