"""The campaign against the RTL in lockstep with the golden model: every feature mixed, faults on, seeded.

A failure prints the command that repeats its round: FDWIRE_SEED and FDWIRE_ROUNDS are taken back. The short
run always has the same seed, so that a change that passed goes on passing; the long one draws its own.
"""

import os
import random

import pytest

from tb.block import run_nic

FRAMES = 500
QUICK, LONG = 40, 400
"""Rounds that make 20,000 and 200,000 frames."""


def run(monkeypatch: pytest.MonkeyPatch, rounds: str, seed: int) -> None:
    monkeypatch.setenv("FDWIRE_SEED", os.environ.get("FDWIRE_SEED", str(seed)))
    monkeypatch.setenv("FDWIRE_FRAMES", str(FRAMES))
    monkeypatch.setenv("FDWIRE_ROUNDS", os.environ.get("FDWIRE_ROUNDS", rounds))
    print(f"FDWIRE_SEED={os.environ['FDWIRE_SEED']} FDWIRE_ROUNDS={os.environ['FDWIRE_ROUNDS']}")
    run_nic("campaign_rtl", where=f"campaign-{rounds}")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("half", [0, 1])
def test_20000_frames(monkeypatch: pytest.MonkeyPatch, half: int) -> None:
    first = half * QUICK // 2
    run(monkeypatch, f"{first}-{first + QUICK // 2}", seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_200000_frames(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    first = QUICK + part * (LONG - QUICK) // 4
    run(monkeypatch, f"{first}-{first + (LONG - QUICK) // 4}", seed=random.SystemRandom().randrange(1 << 32))
