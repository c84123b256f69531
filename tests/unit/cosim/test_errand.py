"""A command's errand in the simulator: another process does it as if it were the command, which hears of it.

In place of the simulator here is a bare Python, started elsewhere and with streams of its own.
"""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tb import toolchain
from tb.cosim import errand
from tb.links import stop

DONE = """
import os, sys
from tb.cosim.errand import received
with received() as mine:
    print("seen", os.getcwd(), sys.path[-1], repr(sys.stdin.read()), flush=True)
    print("complained", file=sys.stderr)
    os.write(mine.descriptors[0], b"further")
    assert mine.streams == (sys.stdin, sys.stdout, sys.stderr)
    mine.outcome["back"] = mine.given
print("not seen")
"""
UNDONE = (
    "from tb.cosim.errand import received\nwith received() as mine: mine.outcome['back'] = 1; raise KeyError"
)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Lets a program take the place of a cocotb test; gives what each was asked for."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def simulate(program: str) -> list[tuple[str, dict[str, Any]]]:
        def run(module: str, *, where: Path, environment: dict[str, str], **others: Any) -> Path:
            asked.append((module, others))
            with (where / "log").open("w") as log:
                subprocess.run(
                    [sys.executable, "-c", program],
                    env=os.environ | environment,
                    cwd=where,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    timeout=60,
                    check=False,
                )
            (where / "results.xml").write_text("")
            return where / "results.xml"

        monkeypatch.setattr(errand, "run_cocotb", run)
        return asked

    monkeypatch.chdir(toolchain.ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path, "/somewhere"])
    return simulate


def test_errand_is_done_with_the_commands_own_streams_directory_and_path(
    simulated: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = simulated(DONE)
    read, write = os.pipe()
    outcome = errand.run("m", {"a": [1]}, where=tmp_path, descriptors=[write], seed=5, parameters={"N": 2})
    assert outcome == {"back": {"a": [1]}}
    assert asked == [("m", {"seed": 5, "parameters": {"N": 2}, "announce": None})]
    assert capfd.readouterr() == (f"seen {toolchain.ROOT} /somewhere ''\n", "complained\n")
    assert os.read(read, 100) == b"further"
    assert (tmp_path / "log").read_text() == "not seen\n"
    assert not (tmp_path / "results.xml").exists()


def test_errand_left_undone_is_told_with_the_log_whatever_an_earlier_one_left(
    simulated: Any, tmp_path: Path
) -> None:
    simulated(DONE)
    _, write = os.pipe()
    errand.run("m", 1, where=tmp_path, descriptors=[write])
    simulated(UNDONE)
    with pytest.raises(errand.EndedEarly, match=f"its log is {tmp_path}/simulation.log$"):
        errand.run("m", 1, where=tmp_path)


def test_errand_left_undone_for_want_of_room_says_that(
    simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(toolchain.tempfile, "TemporaryFile", full)
    simulated(UNDONE)
    with pytest.raises(toolchain.PlaceUnusable, match="No space left on device"):
        errand.run("m", 1, where=tmp_path)


@pytest.mark.parametrize(
    ("number", "error", "status"),
    [
        (signal.SIGINT, KeyboardInterrupt, None),
        (signal.SIGTERM, SystemExit, 143),
        (0, errand.EndedEarly, None),
    ],
)
def test_errand_ended_by_the_signal_that_the_command_got_ends_the_command_by_it(
    number: int, error: type[BaseException], status: int | None
) -> None:
    _, write = os.pipe()
    with pytest.raises(error) as caught, stop.told(write):
        if number:
            os.kill(os.getpid(), number)
        raise errand.EndedEarly("the simulation ended early")
    assert status is None or (isinstance(caught.value, SystemExit) and caught.value.code == status)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
