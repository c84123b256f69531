"""Which package a process takes: what was compiled, where it fits the sources, or the sources themselves."""

import ast
import os
import sys
from pathlib import Path

import pytest

from tb import compile_stack, compiled, fast, toolchain


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two files, and a place for what is compiled from it; sys.path is put back."""
    package = tmp_path / "pymodel"
    (package / "tcp").mkdir(parents=True)
    (package / "scheduler.py").write_text("now = 0\n")
    (package / "tcp" / "tcb.py").write_text("snd_una = 0\n")
    monkeypatch.setattr(compiled, "PACKAGE", package)
    monkeypatch.setattr(toolchain, "BUILD", tmp_path / "build")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("FDWIRE_COMPILED", raising=False)
    return package


def _made() -> Path:
    """As if it had been compiled."""
    (compiled.directory() / "pymodel").mkdir(parents=True)
    return compiled.directory()


def test_nothing_compiled_nothing_taken(sources: Path) -> None:
    before = list(sys.path)
    assert not compiled.use()
    assert sys.path == before


def test_what_fits_goes_before_the_sources(sources: Path) -> None:
    made = _made()
    assert compiled.use(["run", "--seed", "1"])
    assert sys.path[0] == str(made)


@pytest.mark.parametrize("change", ["content", "name", "one more"])
def test_a_change_of_the_sources_is_not_hidden(sources: Path, change: str) -> None:
    _made()
    if change == "content":
        (sources / "tcp" / "tcb.py").write_text("snd_una = 1\n")
    elif change == "name":
        (sources / "tcp" / "tcb.py").rename(sources / "tcp" / "block.py")
    else:
        (sources / "socket.py").write_text("")
    before = list(sys.path)
    assert not compiled.use()
    assert sys.path == before


def test_runs_with_trace_points_are_interpreted(sources: Path) -> None:
    _made()
    assert not compiled.use(["sim", "--seed", "1"])


def test_the_environment_can_forbid_it(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _made()
    monkeypatch.setenv("FDWIRE_COMPILED", "off")
    assert not compiled.use()


def test_what_is_started_while_it_is_left_out_runs_the_sources(sources: Path) -> None:
    made = _made()
    compiled.use()
    with compiled.left_out():
        assert str(made) not in sys.path
        assert not compiled.use()
    assert sys.path[0] == str(made) and "FDWIRE_COMPILED" not in os.environ


def test_every_source_named_is_there_and_no_socket_is_among_them() -> None:
    found = compiled.sources()
    assert all(path.is_file() for path in found)
    names = {str(path.relative_to(compiled.PACKAGE)) for path in found}
    assert {"scheduler.py", "tcp/tcb.py", "golden/nic.py", "driver/packed_ring.py"} <= names
    assert not any(name.startswith(("socket", "lwip")) for name in names)


def test_a_machine_without_python_headers_is_told_the_package(
    sources: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compile_stack.sysconfig, "get_path", lambda name: str(tmp_path))
    assert fast.main(["stack"]) == 1
    said = capsys.readouterr().err
    assert said == (
        "fdwire: Python.h is missing: install python3-dev (Debian/Ubuntu: apt install python3-dev)\n"
    )


def test_a_compiler_that_refuses_is_one_message_and_leaves_nothing(
    sources: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compile_stack, "_SETUP", "raise SystemExit('no such option')\n")
    monkeypatch.setattr(compile_stack, "sources", list)
    assert fast.main(["stack"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("fdwire: no such option\nthe whole log: ")
    assert "no such option" in Path(said.split("the whole log: ")[1].strip()).read_text()
    assert not compiled.use()


def test_ctrl_c_is_one_word(
    sources: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compile_stack, "_compile", interrupted)
    assert fast.main(["stack"]) == 130
    assert capsys.readouterr().err == "fdwire: interrupted\n"
    assert not compiled.use()


def _classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


def test_classes_inherited_from_outside_of_what_is_compiled_allow_it() -> None:
    """mypyc refuses a subclass otherwise, when the program runs."""
    inside = compiled.sources()
    closed = {}
    for path in inside:
        for one in _classes(path):
            names = " ".join(map(ast.unparse, [*one.bases, *one.decorator_list]))
            if not any(
                word in names for word in ("allow_interpreted_subclasses", "Protocol", "Enum", "Flag")
            ):
                closed[one.name] = str(path.relative_to(toolchain.ROOT))
    assert "TcpConnection" in closed and "Scheduler" not in closed
    places = [toolchain.ROOT / name for name in ("pymodel", "tb", "examples")]
    outside = {path for place in places for path in place.rglob("*.py")} - set(inside)
    found = [
        f"{path.relative_to(toolchain.ROOT)}: {one.name} of {base} in {closed[base]}"
        for path in sorted(outside)
        for one in _classes(path)
        for base in (ast.unparse(node).split("[")[0].split(".")[-1] for node in one.bases)
        if base in closed
    ]
    assert found == []
