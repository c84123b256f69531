"""Cores and a Dask cluster give every job's outcome once, even if a worker dies under it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tb import toolchain
from tb.regress import command, configurations
from tb.regress import job as job_module
from tb.regress.job import Job, Outcome
from tb.regress.places import Cluster, Cores, Unreachable


def numbered(count: int) -> list[Job]:
    return [Job("test", seed, ("true",)) for seed in range(count)]


def notes_itself(job: Job, _count: bool) -> Outcome:
    """Leaves a line for each time that it is begun, in the file that the job's command names."""
    with Path(job.command[0]).open("a") as file:
        file.write(f"{job.seed} {os.getpid()}\n")
    time.sleep(0.2)
    return Outcome(job, True)


def test_cores_run_all_jobs_and_each_outcome_comes_once() -> None:
    seen = Counter(
        o.job.seed for o in Cores(3).outcomes(numbered(20), lambda job, _: Outcome(job, True), False)
    )
    assert seen == Counter(range(20))


def test_what_has_not_begun_does_not_begin_when_the_caller_stops() -> None:
    begun = []

    def slow(job: Job, _count: bool) -> Outcome:
        begun.append(job.seed)
        time.sleep(0.05)
        return Outcome(job, True)

    outcomes = Cores(1).outcomes(numbered(50), slow, False)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(begun) < 10


def test_regression_job_about_to_begin_when_the_caller_stops_is_ended_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "RUNS", tmp_path)

    taken = threading.Event()

    def late(job: Job, count: bool) -> Outcome:
        if job.seed == 0:
            taken.wait()
            return Outcome(job, True)
        taken.set()
        time.sleep(0.2)
        return job_module.run(job, count)

    outcomes = Cores(2).outcomes([Job("test", seed, ("sleep", "60")) for seed in range(2)], late, False)
    next(outcomes)
    began = time.monotonic()
    outcomes.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 30, "it ran to its end"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_regression_regress_that_is_stopped_leaves_no_job_running(
    tmp_path: Path, number: int, status: int
) -> None:
    program = (
        "import pathlib, sys; from tb import cli; from tb.regress import configurations as c, job, command;"
        f"job.RUNS = command.RUNS = pathlib.Path({str(tmp_path)!r});"
        f"words = ('sh', '-c', 'echo $$ >> {tmp_path}/began; sleep 60');"
        "c.CONFIGURATIONS = (c.Configuration('long', '', words),);"
        "sys.argv[1:] = ['regress', '--seeds', '1-9', '--jobs', '2', '--no-coverage']; sys.exit(cli.main())"
    )
    began = tmp_path / "began"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=toolchain.ROOT, stderr=subprocess.PIPE
    ) as process:
        for _ in range(400):
            if began.exists() and len(began.read_text().split()) == 2:
                break
            time.sleep(0.05)
        process.send_signal(number)
        try:
            _, complained = process.communicate(timeout=20)
        finally:
            process.terminate()
    assert (process.returncode, b"Traceback" in complained) == (status, False), complained.decode()
    pids = [int(word) for word in began.read_text().split()]
    assert len(pids) == 2, "what had not begun began"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_killed_worker_loses_no_result_and_none_counts_twice(tmp_path: Path) -> None:
    from distributed import LocalCluster

    file = tmp_path / "begun"
    jobs = [Job("test", seed, (str(file),)) for seed in range(16)]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        outcomes = Cluster(cluster.scheduler_address).outcomes(jobs, notes_itself, False)
        found = [next(outcomes)]
        victim = int(file.read_text().split()[1])
        os.kill(victim, signal.SIGKILL)
        found += outcomes
    assert all(outcome.passed for outcome in found)
    assert Counter(outcome.job.seed for outcome in found) == Counter(range(16))
    begun = Counter(line.split()[0] for line in file.read_text().splitlines())
    assert set(begun) == {str(seed) for seed in range(16)}
    assert sum(begun.values()) > 16, "nothing was under way on the worker that was killed"


def test_job_that_cannot_be_run_is_a_failure_and_the_others_go_on() -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, processes=False) as cluster:
        found = list(Cluster(cluster.scheduler_address).outcomes(numbered(3), raises_for_1, False))
    assert {o.job.seed: o.passed for o in found} == {0: True, 1: False, 2: True}
    assert "no such thing" in next(o.said for o in found if not o.passed)


def raises_for_1(job: Job, _count: bool) -> Outcome:
    if job.seed == 1:
        raise RuntimeError("no such thing")
    return Outcome(job, True)


def test_no_scheduler_is_one_sentence() -> None:
    with pytest.raises(Unreachable, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(Cluster("tcp://127.0.0.1:9", timeout=1).outcomes(numbered(1), notes_itself, False))


def test_table_counts_and_each_failure_has_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = configurations.Configuration("odd", "", ("python", "-c", "raise SystemExit({seed} % 2)"), frames=10)
    even = configurations.Configuration("even", "", ("true",))
    monkeypatch.setattr(configurations, "CONFIGURATIONS", (odd, even))
    for module in (command, job_module):
        monkeypatch.setattr(module, "RUNS", tmp_path)
    said = StringIO()
    status = command.main("1-4", [], None, 2, False, Console(file=said, width=200))
    assert status == 1
    rows = [line.split() for line in said.getvalue().splitlines()[:4]]
    assert rows[1][:5] == ["odd", "4", "2", "2", "40"]
    assert rows[2][:4] == ["even", "4", "4", "0"]
    assert rows[3][:5] == ["all", "8", "6", "2", "40"]
    for seed in (1, 3):
        assert f"odd, seed {seed}, failed" in said.getvalue()
        assert (
            f"repeat it: FDWIRE_SEED={seed} .venv/bin/python -c 'raise SystemExit({seed} % 2)'"
            in said.getvalue()
        )
    assert (tmp_path / "results.json").is_file()
