"""Options, ancillary data, error queues and MSG flags: what the Linux kernel does.

The oracle is the kernel of the machine that runs the test.
"""

import os

import message_scenarios
import pytest
from linux_oracle import needs_linux, on_both


@needs_linux
@pytest.mark.parametrize("scenario", message_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_messages_are_what_linux_makes_them(stack, scenario):
    result, expected = on_both(stack, scenario, uid=os.getuid())
    assert result == expected
