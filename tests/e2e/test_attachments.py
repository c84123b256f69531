"""The two attachments of the RTL, which share no code, let the same frames pass for the same seed."""

import os
import random
from pathlib import Path

import pytest

from tb.bench import attachments
from tb.bench.attachments_job import Job


@pytest.mark.slow
def test_same_seed_gives_the_same_frames_by_both_attachments(tmp_path: Path) -> None:
    seed = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    digests = [
        attachments.run(Job(attachment, 70, 0, number), tmp_path / f"{attachment}-{number}")["digest"]
        for attachment, number in (("cpp", seed), ("buses", seed), ("cpp", seed + 1))
    ]
    assert digests[0] == digests[1] != digests[2]
