"""Traffic that gets answers needs no ARP (RFC 1122 §2.3.2.1, hint (3)): two hosts over golden NICs."""

import pytest

from pymodel.simtime import SEC

ROUNDS, PAUSE = 30, 4
"""Two minutes: four times as long as a neighbour is reachable by itself."""


def stream(listening):
    import socket
    import time

    if listening:
        s = socket.create_server(("", 5000)).accept()[0]
        return sum(len(s.recv(1)) for _ in range(ROUNDS))
    time.sleep(1)
    s = socket.create_connection(("10.0.0.2", 5000))
    for _ in range(ROUNDS):
        s.send(b"x")
        time.sleep(PAUSE)
    return ROUNDS


def datagrams(listening, flags):
    import socket
    import time

    s = socket.socket(type=socket.SOCK_DGRAM)
    if listening:
        s.bind(("", 5000))
        return sum(len(s.recv(1)) for _ in range(ROUNDS))
    time.sleep(1)
    for _ in range(ROUNDS):
        s.sendto(b"x", flags, ("10.0.0.2", 5000))
        time.sleep(PAUSE)
    return ROUNDS


@pytest.mark.parametrize(
    ("program", "arguments", "asked"),
    [(stream, (), 1), (datagrams, (0x800,), 1), (datagrams, (0,), 4)],
    ids=["acknowledged", "MSG_CONFIRM", "unconfirmed"],
)
def test_regression_neighbour_is_asked_for_again_only_if_nothing_confirms_it(
    world, program, arguments, asked
):
    programs = [world.b.spawn(program, True, *arguments), world.a.spawn(program, False, *arguments)]
    world.run(lambda: all(p.done for p in programs), timeout=300 * SEC)
    assert [p.result() for p in programs] == [ROUNDS] * 2
    (there,) = [i.neighbours for i in world.b.ip.interfaces if i.neighbours is not None]
    assert there.stats["arp_requests_in"] == asked
