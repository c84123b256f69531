"""Tables of rarer calls in every state of a socket: what the Linux kernel does.

The oracle is the kernel of the machine that runs the test.
"""

import detail_scenarios
import pytest
from linux_oracle import needs_linux, on_both


@needs_linux
@pytest.mark.parametrize("scenario", detail_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulated_details_are_as_in_linux(stack, scenario):
    result, expected = on_both(stack, scenario)
    assert result == expected


def test_addresses_of_all_interfaces_by_siocgifconf(stack):
    def program():
        import array
        import fcntl
        import socket
        import struct

        s = socket.socket()
        room = array.array("B", bytes(200))
        asked = struct.pack("@iP", 200, room.buffer_info()[0])
        length, _ = struct.unpack("@iP", fcntl.ioctl(s, 0x8912, asked))
        size, _ = struct.unpack("@iP", fcntl.ioctl(s, 0x8912, struct.pack("@iP", 0, 0)))
        return length, size, [bytes(room[at : at + 24]) for at in range(0, length, 40)]

    length, size, found = stack.run(program)
    _, real_size, really = program()
    assert length == size == 40 * len(found) and found == [entry for entry in really if entry[:3] == b"lo\0"]
    assert real_size >= size
