"""Where a received frame goes: one chain or several, their lengths, and the header."""

import zlib

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from pymodel.golden.features import NONE, Features
from pymodel.golden.ring import Chain, Descriptor
from pymodel.golden.rx_place import Landing, in_used_order

MERGE = Features(mrg_rxbuf=True)


def sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")


def chains(*lengths: int, slots: int = 1) -> list[Chain]:
    return [Chain(i, True, [Descriptor(0x1000 * i, n)], n, i, slots) for i, n in enumerate(lengths)]


def land(frame: bytes, features: Features, given: list[Chain], ring_size: int = 256) -> Landing:
    landing = Landing(frame, features, ring_size)
    for chain in given:
        assert not landing.complete
        landing.add(chain)
    return landing


def header(count: int, flags: int = 0) -> bytes:
    return bytes([flags]) + bytes(9) + count.to_bytes(2, "little")


@pytest.mark.parametrize("features", [NONE, MERGE])
def test_one_chain_that_is_large_enough(seeded, features):
    body = seeded.randbytes(100)
    landing = land(sealed(body), features, chains(112))
    assert landing.complete and not landing.lost
    assert [(p.data, p.used_length) for p in landing.parts()] == [(header(1) + body, 112)]


def test_without_merging_a_small_chain_gets_what_fits_and_length_0(seeded):
    body = seeded.randbytes(100)
    landing = land(sealed(body), NONE, chains(111))
    assert landing.complete and landing.lost
    assert [(p.data, p.used_length) for p in landing.parts()] == [((header(1) + body)[:111], 0)]


def test_merged_chains_are_filled_to_their_ends_but_the_last(seeded):
    body = seeded.randbytes(100)
    landing = land(sealed(body), MERGE, chains(1, 7, 50, 50, 999))
    assert landing.complete and not landing.lost
    parts = landing.parts()
    assert [p.used_length for p in parts] == [1, 7, 50, 50, 4]
    assert b"".join(p.data for p in parts) == header(5) + body
    assert [p.chain.buffer_id for p in in_used_order(parts)] == [1, 2, 3, 4, 0]


def test_64_chains_are_enough_or_the_frame_is_given_up(seeded):
    body = seeded.randbytes(60)
    assert not land(sealed(body), MERGE, chains(*[1] * 63, 9)).lost
    landing = land(sealed(body), MERGE, chains(*[1] * 63, 8))
    assert landing.complete and landing.lost
    assert [p.used_length for p in landing.parts()] == [0] * 64


def test_frame_that_needs_more_slots_than_the_ring_has_is_given_up(seeded):
    body = seeded.randbytes(60)
    assert not land(sealed(body), MERGE, chains(30, 20, 22), ring_size=3).lost
    assert land(sealed(body), MERGE, chains(30, 20, 21), ring_size=3).lost
    assert land(sealed(body), MERGE, chains(71, slots=3), ring_size=3).lost
    assert not land(sealed(body), MERGE, chains(71), ring_size=3).complete


def test_data_valid_only_with_the_feature():
    good = sealed(bytes(Ether() / IP() / UDP() / Raw(b"x" * 30)))
    bad = good[:50] + b"!" + good[51:]
    checks = Features(guest_csum=True)
    for frame, features, flags in [(good, checks, 2), (bad, checks, 0), (good, NONE, 0)]:
        (part,) = land(frame, features, chains(2000)).parts()
        assert part.data[:12] == header(1, flags)
