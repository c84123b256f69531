"""Every pair of switches in every legal way, in few settings."""

import itertools

from tb.covering import pairwise

NEEDS = {"tso": "csum", "ecn": "tso"}
SWITCHES = ("csum", "guest_csum", "tso", "ecn", "merge", "status", "indirect", "event")


def legal(setting) -> bool:
    return all(setting[other] or not setting[one] for one, other in NEEDS.items())


def test_regression_every_legal_pair_is_there_under_rules() -> None:
    rows = pairwise(SWITCHES, legal)
    assert all(legal(row) for row in rows) and all(rows[0].values())
    possible = [dict(zip(SWITCHES, ways, strict=True)) for ways in itertools.product((0, 1), repeat=8)]
    for one, other in itertools.combinations(SWITCHES, 2):
        for a, b in itertools.product((0, 1), repeat=2):
            there = any(p[one] == a and p[other] == b and legal(p) for p in possible)
            assert any(row[one] == a and row[other] == b for row in rows) == there, (one, a, other, b)


def test_settings_are_few() -> None:
    assert len(pairwise(SWITCHES, legal)) <= 9
    assert len(pairwise(range(3), lambda _: True)) == 4
