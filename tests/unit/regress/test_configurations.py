"""The job list: seeds × configurations, and what a user may write for the seeds."""

import shlex
from collections import Counter

import pytest

from tb.regress.configurations import CONFIGURATIONS, jobs, seeds


def test_seeds_are_taken_in_the_order_given_and_once() -> None:
    assert seeds("1-3") == [1, 2, 3]
    assert seeds("7, 9-11,10,2") == [7, 9, 10, 11, 2]


@pytest.mark.parametrize("text", ["", "a", "1-", "-3", "1..3", "5-2", "1,,2"])
def test_what_is_no_list_of_seeds_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="seeds"):
        seeds(text)


def test_every_seed_meets_every_configuration_once_under_a_name_of_its_own() -> None:
    made = jobs([3, 1])
    assert [job.seed for job in made] == [3] * len(CONFIGURATIONS) + [1] * len(CONFIGURATIONS)
    assert set(Counter(job.name for job in made).values()) == {1}


def test_chosen_configurations_only_and_an_unknown_one_is_said_with_those_there_are() -> None:
    assert [job.name for job in jobs([1, 2], ["sim"])] == ["sim-1", "sim-2"]
    with pytest.raises(ValueError, match="no configuration dream; there are campaign,"):
        jobs([1], ["dream"])


@pytest.mark.parametrize("name", [configuration.name for configuration in CONFIGURATIONS])
def test_repeating_command_has_the_seed_and_a_place_for_what_it_writes(name: str) -> None:
    (job,) = jobs([77], [name])
    words = shlex.split(job.repeat())
    assert "FDWIRE_SEED=77" in words and ".venv/bin/python" in words
    assert not any("{" in word for word in words)
