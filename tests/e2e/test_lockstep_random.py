"""A random attack on the NIC in lockstep: rings, chains, frames, faults and resets of every kind, seeded.

A failure prints FDWIRE_SEED and the round; both are taken back from the environment.
"""

import os
import random

import pytest

from tb.block import run_nic

SEED = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))


@pytest.mark.slow
def test_random_attack_leaves_nic_and_golden_model_in_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"FDWIRE_SEED={SEED}")
    monkeypatch.setenv("FDWIRE_SEED", str(SEED))
    if "FDWIRE_ROUNDS" not in os.environ:
        monkeypatch.setenv("FDWIRE_ROUNDS", "0-6")
    run_nic("lockstep_rounds")
