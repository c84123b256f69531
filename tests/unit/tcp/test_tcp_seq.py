import random

import pytest

from pymodel.tcp import seq

EDGES = [0, 1, 2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF]


@pytest.mark.parametrize("base", EDGES)
@pytest.mark.parametrize("distance", [1, 2, 1448, 0x7FFFFFFF])
def test_number_ahead_on_the_circle_compares_as_later_across_the_wrap(base: int, distance: int) -> None:
    later = (base + distance) % 2**32
    assert seq.lt(base, later) and seq.le(base, later) and not seq.lt(later, base) and not seq.le(later, base)
    assert seq.gt(later, base) and seq.ge(later, base) and not seq.gt(base, later) and not seq.ge(base, later)
    assert seq.diff(later, base) == distance and seq.diff(base, later) == -distance
    assert seq.later(base, later) == seq.later(later, base) == later


@pytest.mark.parametrize("base", EDGES)
def test_number_compared_with_itself_is_equal_only(base: int) -> None:
    assert seq.le(base, base) and seq.ge(base, base) and not seq.lt(base, base) and not seq.gt(base, base)
    assert seq.diff(base, base) == 0


def test_add_and_diff_are_inverse_for_any_step() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        a, n = rng.getrandbits(32), rng.randrange(-(2**31), 2**31)
        assert seq.diff(seq.add(a, n), a) == n
