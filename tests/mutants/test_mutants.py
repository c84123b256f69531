"""The catalogue fits the RTL, and a few of its bugs are caught (`make mutants` hunts them all)."""

from pathlib import Path

import pytest
from catalogue import MUTANTS, Mutant
from run import hunt

from tb import toolchain


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_fits_the_rtl_and_its_case_exists(mutant: Mutant) -> None:
    text = (toolchain.RTL / mutant.plant.file).read_text()
    assert mutant.plant.spoil(text) != text
    file = toolchain.ROOT / mutant.test.partition("::")[0]
    assert f"async def {mutant.case}(" in file.read_text()


def test_names_of_mutants_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25


@pytest.mark.parametrize("name", ["ack-race", "event-equality", "data-mixed"])
def test_planted_bug_is_caught_by_the_test_that_is_named_for_it(name: str, tmp_path: Path) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    outcome = hunt(mutant, tmp_path)
    assert outcome.caught, outcome.said


def test_harmless_change_survives_the_hunt(tmp_path: Path) -> None:
    """The hunt does not call everything caught: a change in a comment is not."""
    from dataclasses import replace

    mutant = next(mutant for mutant in MUTANTS if mutant.name == "ack-race")
    harmless = replace(mutant.plant, find=mutant.plant.find, replace=mutant.plant.find + " // harmless")
    outcome = hunt(replace(mutant, plant=harmless), tmp_path)
    assert not outcome.caught
