"""The latency breakdown: what it makes of the moments at the NIC's ports."""

import pytest

from tb.bench.latency import PATHS, breakdown, round_trip

RX = [
    ("wire start", 10),
    ("rx buffer W", 14),
    ("rx buffer W last", 15),
    ("rx buffer B last", 18),
    ("wire end", 20),
    ("rx buffer W last", 22),
    ("rx buffer W last", 24),
    ("rx buffer B last", 27),
    ("rx buffer B last", 29),
    ("rx descriptor AW last", 30),
    ("rx descriptor W last", 31),
    ("rx descriptor B last", 36),
    ("rx driver event AR last", 37),
    ("rx driver event R last", 42),
    ("irq", 44),
]


def test_breakdown_of_a_received_frame_takes_the_last_burst_after_the_wire() -> None:
    _, start, hops = PATHS["wire to irq"]
    found = breakdown(RX, start, hops)
    assert found == {
        "data in memory": 4,
        "data B": 5,
        "used entry in memory": 2,
        "used B": 5,
        "event AR": 1,
        "event R": 5,
        "irq": 2,
    }
    assert sum(found.values()) == 44 - 20


def test_breakdown_without_an_interrupt_names_what_is_missing() -> None:
    _, start, hops = PATHS["wire to irq"]
    with pytest.raises(RuntimeError, match="no irq after 42"):
        breakdown(RX[:-1], start, hops)


def test_breakdown_counts_first_beats_of_single_and_of_longer_bursts_alike() -> None:
    _, start, hops = PATHS["doorbell to wire"]
    moments = [
        ("doorbell", 1),
        ("tx descriptor AR last", 3),
        ("tx descriptor R", 8),
        ("tx descriptor R last", 9),
        ("tx buffer AR last", 10),
        ("tx buffer R last", 15),
        ("wire start", 17),
    ]
    assert list(breakdown(moments, start, hops).values()) == [2, 5, 2, 5, 2]


def test_a_round_trip_takes_at_least_one_cycle() -> None:
    assert [round_trip(ns) for ns in (0, 100, 1000)] == [1, 15, 156]
