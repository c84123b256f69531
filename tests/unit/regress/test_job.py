"""A job is run once in a directory of its own, and its outcome says what a user needs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tb.regress import job as module
from tb.regress.job import Job, fingerprint, run


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS", tmp_path)


def python(code: str, **more: object) -> Job:
    return Job("test", 5, ("python", "-c", code, "{seed}", "{out}"), **more)  # type: ignore[arg-type]


def test_command_sees_seed_and_variables_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import os, sys; assert sys.argv[1] == os.environ['FDWIRE_SEED'] == '5' and os.environ['MORE'] == 'x'"
    )
    outcome = run(python(code, environment={"MORE": "x"}, frames=9), False)
    assert outcome.passed, outcome.said
    assert (outcome.said, outcome.frames) == ("", 9) and outcome.seconds > 0
    assert list(tmp_path.iterdir()) == []


def test_failed_command_says_status_place_and_the_end_of_its_output(tmp_path: Path) -> None:
    outcome = run(python("print('first'); [print(n) for n in range(30)]; raise SystemExit(3)"), False)
    (left,) = tmp_path.iterdir()
    assert not outcome.passed
    assert outcome.said.splitlines()[0] == f"exit status 3; what it left is in {left}"
    assert outcome.said.splitlines()[-1] == "29" and "first" not in outcome.said


def test_frames_are_those_that_the_summary_counts() -> None:
    summary = json.dumps({"frames_a_to_b": 3, "frames_b_to_a": 4})
    code = f"import sys; open(sys.argv[2] + '/summary.json', 'w').write({summary!r})"
    assert run(python(code, frames=9), False).frames == 7


def test_command_without_end_is_stopped_at_the_limit_with_what_it_started(tmp_path: Path) -> None:
    job = Job("test", 5, ("sh", "-c", "sleep 60 & echo $!; wait"), limit=2)
    outcome = run(job, False)
    assert outcome.said.startswith("no end within 2 s")
    child = int(outcome.said.splitlines()[-1])
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("its child lives on")


def test_other_sources_than_those_of_the_list_are_refused() -> None:
    assert run(python("", sources=fingerprint()), False).passed
    assert "not those of the job list" in run(python("", sources="0123"), False).said


def test_coverage_of_a_run_comes_with_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    source = module.toolchain.RTL / "fdw_nic.v"
    record = f"C '\x01f\x02{source}\x01l\x027\x01page\x02v_line/x\x01o\x02block\x01n\x023' 4\n"
    code = (
        f"import os; d = os.environ['FDWIRE_COVERAGE']; os.mkdir(d);open(d + '/1.dat', 'w').write({record!r})"
    )
    ((point, count),) = run(python(code), True).counts.items()
    assert (point.file, point.line, point.kind, count) == ("fdw_nic.v", 7, "line", 4)


def test_repeating_command_repeats_it() -> None:
    job = python("import sys, os; print(os.environ['FDWIRE_SEED'], sys.argv[1])")
    command = job.repeat().replace(".venv/bin/python", sys.executable)
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, cwd=os.getcwd())
    assert shown.stdout.split() == ["5", "5"]
