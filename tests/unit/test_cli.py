"""`fdwire`: what its arguments become, and what a wrong one gets."""

import argparse
import errno
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tb import cli, toolchain
from tb.arguments import parser_of
from tb.run import words
from tb.sim import command
from tb.sim.options import Options
from tb.verilate import BuildFailed
from tb.waves import command as viewer


def fdwire(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fdwire", *arguments])
    return cli.main()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Options, str]]:
    """What `fdwire sim` would run."""
    runs: list[tuple[Options, str]] = []

    def run(options: Options, *, waves: str, console: Any) -> int:
        runs.append((options, waves))
        return 3

    monkeypatch.setattr(command, "run", run)
    return runs


def test_sim_without_arguments_runs_the_documented_job(
    asked: list[tuple[Options, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fdwire(monkeypatch, "sim") == 3  # the command's status is the program's
    assert asked == [(Options(out=str(toolchain.BUILD / "sim")), "200")]


def test_every_argument_of_sim_reaches_the_job_and_survives_the_way_to_the_simulator(
    asked: list[tuple[Options, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    line = "--seed 7 --waves all --bytes 0 --loss .1 --duplicate .2 --reorder .3 --corrupt 1 --no-lockstep"
    fdwire(monkeypatch, "sim", *line.split(), "--plant", "used twice", "--out", "here",
            "--without", "csum,EVENT_IDX")  # fmt: skip
    expected = Options(
        str(tmp_path / "here"), 7, 0, loss=0.1, duplicate=0.2, reorder=0.3, corrupt=1.0,
        lockstep=False, plant="used twice", without=("CSUM", "EVENT_IDX"),
    )  # fmt: skip
    assert asked == [(expected, "all")]
    assert Options.from_json(expected.to_json()) == expected and expected.directory == tmp_path / "here"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--loss", "1.5"), "probability (0 to 1)"),
        (("--corrupt", "-0.1"), "probability (0 to 1)"),
        (("--reorder", "nan"), "probability (0 to 1)"),
        (("--bytes", "-1"), "number of bytes"),
        (("--bytes", str((1 << 30) + 1)), "number of bytes"),
        (("--waves", "0"), "number of microseconds"),
        (("--waves", "some"), "number of microseconds"),
        (("--waves", "last:"), "number of microseconds"),
        (("--waves", "last:0"), "number of microseconds"),
        (("--waves", "nan"), "number of microseconds"),
        (("--waves", "inf"), "number of microseconds"),
        (("--plant", "weeds"), "used length"),
        (("--seed", "x"), "invalid int"),
        (("--without", "CSUM,TSO9"), "no feature TSO9 to do without; there are CSUM, GUEST_CSUM, MTU, MAC"),
        (("--without", "VERSION_1"), "no feature VERSION_1 to do without"),
    ],
)
def test_senseless_argument_is_refused_by_name_before_anything_runs(
    arguments: tuple[str, str],
    complaint: str,
    asked: list[tuple[Options, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        fdwire(monkeypatch, "sim", *arguments)
    assert caught.value.code == 2 and asked == []
    last = capsys.readouterr().err.splitlines()[-1]
    assert arguments[0] in last and complaint in last


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BuildFailed("building fdw_tb failed"), 1, "fdwire: building fdw_tb failed\n"),
        (toolchain.ToolMissing("perl is missing"), 1, "fdwire: perl is missing\n"),
        (toolchain.PlaceUnusable("no room"), 2, "fdwire: no room\n"),
        (OSError(errno.ENOSPC, "it is full"), 1, "fdwire: what it writes is not whole: it is full\n"),
        (KeyboardInterrupt(), 130, "fdwire: interrupted\n"),
    ],
)
def test_failure_of_the_machine_is_a_sentence_and_a_status_not_a_traceback(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*_: Any, **__: Any) -> int:
        raise error

    monkeypatch.setattr(command, "run", run)
    assert fdwire(monkeypatch, "sim") == status
    assert capsys.readouterr().err == said


def test_command_line_without_a_word_shows_the_commands_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fdwire(monkeypatch) == 2
    said = capsys.readouterr()
    assert "fdwire COMMAND --help" in said.err and said.out == ""


def test_each_command_has_one_line_in_the_help() -> None:
    shown = parser_of().format_help()
    for name, first in (
        ("sim", "the main job"),
        ("vhost-user", "let DPDK"),
        ("packetdrill", "run packetdrill"),
    ):
        assert re.search(rf"^ +{name} +{first}", shown, re.MULTILINE)


def test_every_option_is_explained_and_every_example_of_the_help_is_a_command_line() -> None:
    parser = parser_of()
    (commands,) = (a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    assert set(commands) == {
        "sim", "waves", "report", "run", "tap", "vhost-user", "packetdrill", "regress", "bench",
    }  # fmt: skip
    tried = 0
    for name, one in commands.items():
        assert all(action.help for action in one._actions), name
        text = one.format_help()
        assert one.description and "{" not in one.description
        assert max(map(len, text.splitlines())) <= 110, name
        for line in re.findall(r"^  (fdwire .*?)(?:  .*)?$", one.epilog or "", re.MULTILINE):
            own = shlex.split(line)[1:]
            native = words.native(own)
            own = native[0] if native else words.split(own)[0] if "--python" in own else own
            assert parser.parse_args(own).command == name
            tried += 1
    assert tried >= 18


@pytest.mark.parametrize(
    "command",
    [
        "sim --out OUT",
        "run --out OUT -- true",
        "run --out OUT --nic rtl -- true",
        "tap --out OUT --nic golden --exec true",
        "tap --out OUT --exec true",
        "vhost-user --out OUT --nic golden --socket SOCKET --exec true",
        "vhost-user --out OUT --socket SOCKET --exec true",
        "packetdrill --nic rtl some.pkt",
        "run --nic rtl --python -c 1",
        "regress --seeds 1",
        "bench",
    ],
)
@pytest.mark.parametrize("below", ["/proc/fdwire", "FILE", "FILE/below"])
def test_regression_place_where_no_directory_can_be_is_refused_in_a_sentence_by_every_command_that_writes(
    command: str,
    below: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    place = Path(below.replace("FILE", f"{tmp_path}/file"))
    if "--out" not in command:
        monkeypatch.setattr(toolchain, "BUILD", place)
        monkeypatch.setattr("tb.regress.command.RUNS", place)
    words = command.replace("OUT", str(place)).replace("SOCKET", f"{tmp_path}/s").split()
    assert fdwire(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fdwire: nothing can be written to {place}") and said.count("\n") == 1
    assert ("takes no new ones" if below.startswith("/proc") else f"{tmp_path}/file is no directory") in said


@pytest.mark.parametrize("name", ["report", "waves"])
def test_report_and_waves_of_what_is_no_run_say_what_to_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for place in ("/proc/fdwire", f"{tmp_path}/file", f"{tmp_path}/none"):
        assert fdwire(monkeypatch, name, "--out", place) == 1
        said = capsys.readouterr()
        assert re.search("run `(fdwire|make) sim`", said.out) and said.err == ""


def test_report_of_a_run_that_was_not_written_whole_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "summary.json").write_text('{"ok": tr')
    assert fdwire(monkeypatch, "report", "--out", str(tmp_path)) == 1
    assert "cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--python", "FILE.py"), "there is no script FILE.py"),
        (("run", "--python", "/tmp"), "there is no script /tmp"),
        (("tap", "--python", "FILE.py"), "there is no script FILE.py"),
        (("run", "--python", "-m", "not_there.at_all"), "there is no module not_there.at_all"),
    ],
)
def test_script_that_is_not_there_is_refused_in_a_sentence(
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        fdwire(monkeypatch, *(each.replace("FILE", f"{tmp_path}/file") for each in arguments))
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(said.replace("FILE", f"{tmp_path}/file") + "\n")


def test_waves_before_the_first_run_say_what_to_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert fdwire(monkeypatch, "waves", "--out", str(tmp_path)) == 1
    assert "make sim" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["14083200", "12.5 ns", "-1ns", "nans", "1s", "ns", "1e3ns"])
def test_time_in_the_waves_without_a_unit_that_is_known_is_refused_in_a_sentence(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        fdwire(monkeypatch, "waves", f"--at={text}")
    assert "time with its unit (ps, ns, us or ms)" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["14083200ps", "14083.2ns", "14.0832us", "14.0832µs", "0.0140832ms"])
def test_time_in_the_waves_may_have_any_unit(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    def run(_: Path, at: int | None, __: Any) -> int:
        asked.append(at)
        return 0

    monkeypatch.setattr(viewer, "run", run)
    assert fdwire(monkeypatch, "waves", "--at", text) == 0
    assert asked == [14_083_200]
