"""What a receive buffer holds, against numbers that a kernel gave.

Measured on Linux 6.18 over loopback: SO_RCVBUF set, datagrams of one size sent until they were dropped, then
counted. Short ones are left out: their buffer's size depends on how the kernel was configured.
"""

import pytest

from pymodel.udp.endpoint import Datagram, Endpoint

MEASURED = [
    *[(100_000, length, 78) for length in (300, 500, 608, 641)],
    *[(100_000, length, 43) for length in (700, 1000, 1500)],
    *[(100_000, 2000, 22), (100_000, 3000, 22), (100_000, 5000, 11), (100_000, 10_000, 6)],
    *[(8192, 300, 6), (8192, 1000, 3), (8192, 3000, 1), (8192, 60_000, 1)],
    *[(4000, 300, 3), (4000, 1000, 1), (2304, 300, 1), (2304, 20_000, 1)],
]


@pytest.mark.parametrize(("buffer", "length", "count"), MEASURED)
def test_buffer_holds_as_many_datagrams_as_the_kernel_counted(buffer: int, length: int, count: int) -> None:
    endpoint = Endpoint(lambda event: None)
    endpoint.rcvbuf = buffer
    datagram = Datagram(bytes(length), (b"\x7f\0\0\1", 9))
    assert [endpoint.deliver(datagram) for _ in range(count + 2)] == [True] * count + [False] * 2
    assert endpoint.drops == 2
    endpoint.receive()
    assert endpoint.deliver(datagram)
