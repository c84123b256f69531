"""Feature bits as one number and as features."""

import pytest

from pymodel.featurebits import bits_of, complete, features_in
from pymodel.regs import Feature


def test_features_of_a_number_come_lowest_first_and_bits_without_a_name_are_passed_over() -> None:
    named = 1 << 34 | 1 << 11 | 1 << 0
    assert features_in(named | 1 << 63 | 1 << 2) == (Feature.CSUM, Feature.HOST_TSO4, Feature.RING_PACKED)
    assert features_in(0) == ()


def test_number_of_features_is_that_of_which_they_came() -> None:
    every = bits_of(Feature)
    assert every.bit_count() == len(Feature) and features_in(every) == tuple(Feature)


@pytest.mark.parametrize(
    ("features", "kept"),
    [
        ({0, 11, 12, 13}, {0, 11, 12, 13}),
        ({11, 12, 13, 15}, {15}),  # none of them without CSUM, HOST_ECN only as the others are gone
        ({0, 12, 13}, {0, 12, 13}),  # of two that would do one is enough
        ({0, 13, 28}, {0, 28}),
    ],
)
def test_feature_goes_when_none_of_those_that_it_needs_is_there(features: set[int], kept: set[int]) -> None:
    assert complete({Feature(n) for n in features}) == kept
