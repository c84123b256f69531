"""`make fast` compiles the host stack: what it does is what the sources do, interpreted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tb import compile_stack, toolchain
from tb.bench.speed_job import Job

pytestmark = pytest.mark.slow

SCRIPTS = sorted((toolchain.ROOT / "tests" / "packetdrill").glob("*/*.pkt"))
SEEDS = ("1", "2", "3", "4", "5")


@pytest.fixture(scope="module", autouse=True)
def package() -> Path:
    """The compiled package, made if need be: minutes."""
    return compile_stack.build(print)


def _python(*arguments: str, compiled: bool) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COCOTB_"))}
    environment |= {"FDWIRE_COMPILED": "on" if compiled else "off", "PYTHONPATH": str(toolchain.ROOT)}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def _story(out: Path, *, compiled: bool) -> tuple[dict[str, int], list[bytes]]:
    out.mkdir()
    script = Path(__file__).with_name("compiled_story.py")
    done = _python(str(script), str(out), *SEEDS, compiled=compiled)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["compiled"] is compiled
    return said["received"], [(out / f"{seed}.pcapng").read_bytes() for seed in SEEDS]


def test_compiled_stack_sends_the_same_frames_at_the_same_times(tmp_path: Path) -> None:
    received, frames = _story(tmp_path / "interpreted", compiled=False)
    assert set(received.values()) == {200_005}
    assert min(map(len, frames)) > 200_000 and len(set(frames)) == len(SEEDS)
    assert _story(tmp_path / "compiled", compiled=True) == (received, frames)


def test_compiled_stack_and_golden_model_do_the_same_over_the_rtl(tmp_path: Path) -> None:
    figures: list[Any] = []
    code = "import json, sys; from pathlib import Path; from tb import compiled; used = compiled.use();"
    code += "from tb.bench import cosim, speed_job; assert compiled.in_use() == used;"
    code += "counts = cosim.run(speed_job.Job(**json.loads(sys.argv[1])), Path(sys.argv[2]));"
    code += "print(json.dumps([used, counts]))"
    for compiled in (False, True):
        job = Job("tcp", size=400_000, lockstep=True)
        place = tmp_path / str(compiled)
        place.mkdir()
        done = _python("-c", code, json.dumps(vars(job)), str(place), compiled=compiled)
        assert done.returncode == 0, done.stderr
        used, counts = json.loads(done.stdout.splitlines()[-1])
        assert used is compiled
        del counts["seconds"]
        figures.append(counts)
    assert figures[0]["sent"] > 100
    assert figures[1] == figures[0]


def test_compiled_stack_passes_what_the_interpreted_one_does_of_packetdrill() -> None:
    verdicts = []
    for compiled in (False, True):
        done = _python("-m", "tb.cli", "packetdrill", "--json", *map(str, SCRIPTS), compiled=compiled)
        verdicts.append({one["file"]: one["passed"] for one in json.loads(done.stdout)["results"]})
    assert len(verdicts[0]) == len(SCRIPTS) > 100
    assert verdicts[1] == verdicts[0]
