"""A command's errand in the simulator: another process does it as if it were the command, which hears of it.

In place of the simulator here is a bare Python, started elsewhere and with streams of its own.
"""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
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
    mine.outcome |= {"back": mine.given, "where": str(mine.where)}
print("not seen")
"""
UNDONE = (
    "from tb.cosim.errand import received\nwith received() as mine: mine.outcome['back'] = 1; raise KeyError"
)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """What lets a program take the place of a cocotb test."""

    def simulated_by(program: str) -> Callable[..., Path]:
        def run(module: str, *, where: Path, environment: dict[str, str], seed: int | None) -> Path:
            (where / "asked").write_text(f"{module} {seed}")
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

        return run

    monkeypatch.chdir(toolchain.ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path, "/somewhere"])
    return simulated_by


def test_errand_is_done_with_the_commands_own_streams_directory_and_path(
    simulated: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    outcome = errand.run(
        "m", {"a": [1]}, where=tmp_path / "new", descriptors=[write], seed=5, simulate=simulated(DONE)
    )
    assert outcome == {"back": {"a": [1]}, "where": f"{tmp_path}/new"}
    assert capfd.readouterr() == (f"seen {toolchain.ROOT} /somewhere ''\n", "complained\n")
    assert os.read(read, 100) == b"further"
    assert (tmp_path / "new" / "asked").read_text() == "m 5"
    assert (tmp_path / "new" / "log").read_text() == "not seen\n"
    assert not (tmp_path / "new" / "results.xml").exists()


def test_errand_left_undone_is_told_with_the_log_whatever_an_earlier_one_left(
    simulated: Any, tmp_path: Path
) -> None:
    _, write = os.pipe()
    errand.run("m", 1, where=tmp_path, descriptors=[write], simulate=simulated(DONE))
    with pytest.raises(errand.EndedEarly, match=f"its log is {tmp_path}/simulation.log$"):
        errand.run("m", 1, where=tmp_path, simulate=simulated(UNDONE))


def test_errand_left_undone_for_want_of_room_says_that(
    simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fills_the_disk(*arguments: Any, **named: Any) -> Path:
        monkeypatch.setattr(toolchain.tempfile, "TemporaryFile", full)
        return simulated(UNDONE)(*arguments, **named)

    with pytest.raises(toolchain.PlaceUnusable, match="No space left on device"):
        errand.run("m", 1, where=tmp_path, simulate=fills_the_disk)


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
