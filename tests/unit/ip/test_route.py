import ipaddress
import os
import random

import pytest

from pymodel.ip.route import Route, RoutingTable
from pymodel.netdev import NetDevice


class Dev(NetDevice):
    def start_xmit(self, skb: object) -> bool:
        raise AssertionError("nothing is sent here")


def net(text: str) -> tuple[bytes, int]:
    network = ipaddress.IPv4Network(text)
    return network.network_address.packed, network.prefixlen


def route(text: str, dev: NetDevice, metric: int = 0) -> Route:
    prefix, length = net(text)
    return Route(prefix, length, dev, b"\x0a\0\0\1", metric=metric)


def ip(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed


def test_nested_prefixes_longest_wins() -> None:
    table, dev = RoutingTable(), Dev("d")
    routes = {text: route(text, dev) for text in ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32")}
    for r in routes.values():
        table.add(r)
    assert table.lookup(ip("10.1.2.3")) is routes["10.1.2.3/32"]
    assert table.lookup(ip("10.1.2.4")) is routes["10.1.0.0/16"]
    assert table.lookup(ip("10.2.0.1")) is routes["10.0.0.0/8"]
    assert table.lookup(ip("11.0.0.1")) is routes["0.0.0.0/0"]


def test_no_covering_prefix_gives_none() -> None:
    table = RoutingTable()
    table.add(route("10.0.0.0/8", Dev("d")))
    assert table.lookup(ip("11.0.0.1")) is None


def test_same_prefix_lowest_metric_wins() -> None:
    table, dev = RoutingTable(), Dev("d")
    far, near = route("10.0.0.0/8", dev, metric=20), route("10.0.0.0/8", dev, metric=10)
    table.add(far)
    table.add(near)
    assert table.lookup(ip("10.9.9.9")) is near


def test_route_added_or_removed_after_a_lookup_changes_the_answer() -> None:
    table, dev = RoutingTable(), Dev("d")
    wide, narrow = route("10.0.0.0/8", dev), route("10.1.0.0/16", dev)
    table.add(wide)
    assert table.lookup(ip("10.1.0.1")) is wide
    table.add(narrow)
    assert table.lookup(ip("10.1.0.1")) is narrow
    table.remove(narrow)
    assert table.lookup(ip("10.1.0.1")) is wide


@pytest.mark.parametrize("bad", ["host bits", "twice", "absent"])
def test_misuse_is_refused(bad: str) -> None:
    table, dev = RoutingTable(), Dev("d")
    table.add(route("10.0.0.0/8", dev))
    with pytest.raises(ValueError):
        if bad == "host bits":
            table.add(Route(ip("10.0.0.1"), 8, dev, ip("10.0.0.1")))
        elif bad == "twice":
            table.add(route("10.0.0.0/8", dev))
        else:
            table.remove(route("11.0.0.0/8", dev))


def test_random_tables_agree_with_the_ipaddress_module() -> None:
    seed = int(os.environ.get("FDWIRE_SEED", random.randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    rng = random.Random(seed)
    dev, table = Dev("d"), RoutingTable()
    networks: dict[ipaddress.IPv4Network, Route] = {}
    for _ in range(200):
        length = rng.randint(0, 32)
        network = ipaddress.IPv4Network((rng.getrandbits(32) & 0xC0FFFFFF, length), strict=False)
        if network not in networks:
            networks[network] = Route(network.network_address.packed, length, dev, b"\x0a\0\0\1")
            table.add(networks[network])
    for _ in range(2000):
        inside = rng.choice(list(networks))
        address = ipaddress.IPv4Address(
            int(inside.network_address) | rng.getrandbits(32) & int(inside.hostmask)
        )
        covering = [n for n in networks if address in n]
        assert table.lookup(address.packed) is networks[max(covering, key=lambda n: n.prefixlen)]
