"""Reassembly (RFC 791 §3.2, RFC 815, RFC 5722 §3) of fragments that scapy makes."""

import random
import tracemalloc

import pytest
from scapy.layers.inet import IP, fragment

from pymodel.ip.fragments import MEMORY, TIMEOUT, Fragments
from pymodel.scheduler import Scheduler
from pymodel.wire import ipv4

PROTO = 253


class Bench:
    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.expired: list[bytes] = []
        self.fragments = Fragments(self.scheduler, self.expired.append)

    def add(self, packet: IP) -> bytes | None:
        data = bytes(packet)
        return self.fragments.add(ipv4.parse(data), data)


def pieces(payload: bytes, size: int = 600, ident: int = 7) -> list[IP]:
    packet = IP(src="192.0.2.1", dst="192.0.2.2", proto=PROTO, id=ident) / payload
    return list(fragment(packet, fragsize=size))


def whole(payload: bytes, ident: int = 7) -> bytes:
    return bytes(IP(src="192.0.2.1", dst="192.0.2.2", proto=PROTO, id=ident) / payload)


@pytest.mark.parametrize("seed", range(20))
def test_fragments_in_any_order_with_duplicates_are_the_packet(seed: int) -> None:
    rng = random.Random(seed)
    payload = rng.randbytes(rng.randrange(1, 9000))
    parts = pieces(payload, rng.randrange(8, 1500))
    if len(parts) == 1:
        return
    order = parts + rng.sample(parts, len(parts) // 3)
    rng.shuffle(order)
    bench = Bench()
    found = [result for part in order if (result := bench.add(part)) is not None]
    assert found[0] == whole(payload)


def test_two_datagrams_are_told_apart_by_their_identification() -> None:
    bench = Bench()
    first, second = pieces(b"a" * 1000, ident=1), pieces(b"b" * 1000, ident=2)
    assert bench.add(first[0]) is None and bench.add(second[1]) is None
    assert bench.add(first[1]) == whole(b"a" * 1000, 1)
    assert bench.add(second[0]) == whole(b"b" * 1000, 2)
    assert bench.fragments.held == 0 and len(bench.fragments) == 0


def test_overlap_spoils_the_datagram() -> None:
    bench = Bench()
    parts = pieces(bytes(1000), 600)
    overlap = IP(src="192.0.2.1", dst="192.0.2.2", proto=PROTO, id=7, frag=1, flags="MF") / (b"x" * 16)
    assert bench.add(parts[0]) is None and bench.add(overlap) is None
    assert bench.add(parts[1]) is None and bench.fragments.drops == 1


def test_two_ends_that_differ_spoil_the_datagram() -> None:
    bench = Bench()
    last = pieces(bytes(1000), 600)[1]
    other = IP(src="192.0.2.1", dst="192.0.2.2", proto=PROTO, id=7, frag=200) / b"x"
    assert bench.add(last) is None and bench.add(other) is None and bench.fragments.drops == 1


def test_ping_of_death_is_refused() -> None:
    bench = Bench()
    assert bench.add(IP(src="192.0.2.1", dst="192.0.2.2", proto=PROTO, frag=8189) / bytes(100)) is None
    assert len(bench.fragments) == 0 and bench.fragments.drops == 1


def test_missing_fragment_times_out_and_the_first_one_is_reported() -> None:
    bench = Bench()
    first = pieces(bytes(1000), 600)[0]
    bench.add(first)
    bench.add(pieces(bytes(1000), 600, ident=8)[1])
    bench.scheduler.run_until(TIMEOUT - 1)
    assert not bench.expired and len(bench.fragments) == 2
    bench.scheduler.run_until(TIMEOUT)
    assert bench.expired == [bytes(first)] and len(bench.fragments) == 0 and bench.fragments.held == 0


def test_flood_of_first_fragments_holds_no_more_than_the_bound() -> None:
    bench = Bench()
    header = ipv4.parse(bytes(pieces(bytes(1000), 600)[0]))
    packet = bytes(pieces(bytes(1000), 600)[0])
    tracemalloc.start()
    for n in range(2 * MEMORY // 850):
        bench.fragments.add(header._replace(src=n.to_bytes(4, "big")), packet)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bench.fragments.held <= MEMORY and used < 4 * MEMORY and bench.fragments.drops > 0
