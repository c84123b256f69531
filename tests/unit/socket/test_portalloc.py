"""Ephemeral ports: repeatable, spread, and shared only where Linux shares them."""

import itertools

from pymodel.socket.portalloc import ANY, EPHEMERAL_HIGH, EPHEMERAL_LOW, Binding, PortTable

LOCAL = b"\x7f\0\0\1"


def binding(port=0, *, address=LOCAL, explicit=True, alive=lambda: True):
    return Binding(address, port, 0, False, False, explicit, alive)


def chosen(seed, count):
    table = PortTable(seed)
    ports = []
    for _ in range(count):
        new = binding()
        assert table.choose_for_bind(new)
        table.add(new)
        ports.append(new.port)
    return ports


def test_same_seed_gives_the_same_ports_and_another_seed_others():
    assert chosen(1, 20) == chosen(1, 20) != chosen(2, 20)
    assert len(set(chosen(1, 500))) == 500
    assert all(EPHEMERAL_LOW <= port <= EPHEMERAL_HIGH and port % 2 for port in chosen(3, 500))


def test_every_port_of_the_range_is_offered_before_none_is_left():
    table = PortTable(1)
    offered = set()
    table.choose_for_connect(lambda port: offered.add(port) or False)
    assert offered == set(range(EPHEMERAL_LOW, EPHEMERAL_HIGH + 1))
    assert table.choose_for_connect(lambda port: False) == 0


def test_connect_shares_a_port_with_connections_but_not_with_a_bound_socket():
    table = PortTable(1)
    table.add(binding(40_000, explicit=False))
    table.add(binding(40_002, address=ANY))
    ports = (40_000, 40_002)
    assert table.choose_for_connect(lambda port: port in ports) == 40_000


def test_binding_that_has_died_is_dropped_when_its_port_is_asked_for():
    table = PortTable(1)
    alive = itertools.chain([True], itertools.repeat(False))
    table.add(binding(80, alive=lambda: next(alive)))
    assert table.conflict(binding(80))
    assert not table.conflict(binding(80))
    assert table.holders(80) == []
