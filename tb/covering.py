"""Few settings of switches that together have every pair of them in every way that the rules allow.

A covering array of strength 2 with constraints. A pairwise generator that filters the rows it has begun
(allpairspy 2.5.1) leaves out pairs that its last rows cannot take any more; here all legal settings are
candidates, which is well for a dozen switches.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def pairs(setting: Mapping[T, bool]) -> set[tuple[tuple[T, bool], tuple[T, bool]]]:
    """Every two switches as they are in `setting`."""
    return set(itertools.combinations(setting.items(), 2))


def pairwise(switches: Sequence[T], legal: Callable[[Mapping[T, bool]], bool]) -> list[dict[T, bool]]:
    """Settings, each legal, with every pair that any legal setting has; all on first, if that is legal.

    Always the one with the most pairs that are still missing.
    """
    every = (
        dict(zip(switches, ways, strict=True))
        for ways in itertools.product((True, False), repeat=len(switches))
    )
    candidates = [(setting, pairs(setting)) for setting in every if legal(setting)]
    missing = set().union(*(held for _, held in candidates))
    chosen = []
    while missing:
        setting, held = max(candidates, key=lambda candidate: len(candidate[1] & missing))
        chosen.append(setting)
        missing -= held
    return chosen
