"""The co-simulation's yardsticks: a recorded run done again without Python, and one that cannot be traced."""

from pathlib import Path

import pytest

from tb.bench import bare, cosim, tracing
from tb.bench.raw import BATCH, frames_of
from tb.bench.speed_job import TRACE, Job

JOBS = [Job("raw", size=300), Job("tcp", size=200_000), Job("tcp", size=200_000, lockstep=True)]


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS, ids=["raw", "tcp", "tcp-lockstep"])
def test_recorded_run_replayed_without_python_takes_the_same_cycles(job: Job, tmp_path: Path) -> None:
    script = tmp_path / "script"
    counted = cosim.run(job, tmp_path, record=script)
    assert bare.replay(script)["cycles"] == counted["cycles"] > 1000


def test_replay_whose_frames_differ_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script"
    cosim.run(JOBS[0], tmp_path, record=script)
    reads = script.with_name("script.reads")
    content = bytearray(reads.read_bytes())
    content[content.index(frames_of(1, BATCH, 64)[0][20:28])] ^= 1
    reads.write_bytes(content)
    with pytest.raises(RuntimeError, match="other frames than in the recorded run"):
        bare.replay(script)


def test_replay_of_a_script_cut_short_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script"
    cosim.run(JOBS[0], tmp_path, record=script)
    script.write_bytes(script.read_bytes()[:-48])
    with pytest.raises(RuntimeError, match="the script has no end"):
        bare.replay(script)


@pytest.mark.slow
def test_run_that_could_be_traced_executes_next_to_no_bytecodes_more_than_one_that_could_not(
    tmp_path: Path,
) -> None:
    absent, off, on = (tracing.bytecodes(trace, 300_000, tmp_path) for trace in tracing.WAYS)
    assert 1 < off / absent < 1.002 and off != absent
    assert on > 2 * off
    assert (tmp_path / TRACE).stat().st_size > 100_000
