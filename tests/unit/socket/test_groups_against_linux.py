"""IPv4 multicast on the loopback interface as the Linux kernel does it (ip(7), RFC 3678).

The oracle is the kernel of the machine that runs the test.
"""

import group_scenarios
import pytest
from linux_oracle import needs_linux, on_both


@needs_linux
@pytest.mark.parametrize("scenario", group_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_multicast_is_as_in_linux(stack, scenario):
    result, expected = on_both(stack, scenario)
    assert result == expected
