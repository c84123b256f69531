"""Options, ancillary data, error queues and MSG flags: what the Linux kernel does.

The oracle is the kernel of the machine that runs the test.
"""

import gc
import os
import sys

import message_scenarios
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is the Linux kernel")
@pytest.mark.parametrize("scenario", message_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_messages_are_what_linux_makes_them(stack, scenario):
    result = stack.run(scenario, uid=os.getuid())
    gc.collect()  # descriptors that an earlier scenario left open must not be closed in the middle of this
    expected = scenario()
    if result != expected:
        expected = scenario()  # on a busy machine something real may have come too late
    assert result == expected
