"""Multicast between two hosts over golden NICs."""

import pytest

from pymodel.simtime import SEC

GROUP = "239.1.2.3"


def listen(join, seconds):
    import socket
    import time

    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind(("", 5000))
    if join:
        s.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + bytes(4))
    s.settimeout(seconds)
    found = []
    try:
        while True:
            data, (host, _) = s.recvfrom(9000)
            found.append((len(data), host))
    except TimeoutError:
        return found, round(time.monotonic(), 3) > 0


def speak(sizes, **options):
    import socket
    import time

    time.sleep(0.5)
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.setsockopt(0, socket.IP_MULTICAST_TTL, options.get("ttl", 1))
    s.setsockopt(0, socket.IP_MULTICAST_LOOP, options.get("loop", 1))
    for size in sizes:
        s.sendto(bytes(size), (GROUP, 5000))
    return s.getsockname()[0]


@pytest.mark.parametrize("joined", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize(("options", "here", "there"), [({}, 1, 1), ({"loop": 0}, 0, 1), ({"ttl": 0}, 1, 0)])
def test_who_has_joined_gets_what_one_host_sends(world, joined, options, here, there):
    sizes = [0, 100, 5000]
    listeners = [host.spawn(listen, join, 2) for host, join in zip((world.a, world.b), joined, strict=True)]
    speaker = world.a.spawn(lambda: speak(sizes, **options))
    world.run(lambda: all(program.done for program in (*listeners, speaker)), timeout=20 * SEC)
    sent = [(size, "10.0.0.1") for size in sizes]
    for listener, join, comes in zip(listeners, joined, (here, there), strict=True):
        assert listener.result()[0] == (sent if join and comes else [])
    if joined[1]:  # IGMP has told of it: two reports to join, two to leave
        world.run(lambda: world.a.ip.igmp.stats["igmp_unknown"] == 4, timeout=5 * SEC)
        assert world.b.ip.igmp.stats["igmp_out"] == 4


def test_broadcast_comes_back_to_its_own_host(world):
    def program():
        import socket

        s = socket.socket(type=socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.bind(("", 5000))
        s.settimeout(1)
        s.sendto(b"x", ("10.0.0.255", 5000))
        return s.recvfrom(9)

    done = world.a.spawn(program)
    world.run(lambda: done.done)
    assert done.result() == (b"x", ("10.0.0.1", 5000))
