"""Builds are found by content, made once however many ask, and say what is wrong when they fail."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tb import verilate
from tb.verilate import BuildFailed, Spec


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """A small design with one of everything."""
    (tmp_path / "include").mkdir()
    for name in (
        "a.v",
        "b.v",
        "c.cpp",
        "main.cpp",
        "include/names.vh",
        "include/share.h",
        "include/notes.md",
    ):
        (tmp_path / name).write_text(f"// {name}\n")
    return Spec(
        top="a",
        sources=(tmp_path / "a.v", tmp_path / "b.v"),
        includes=(tmp_path / "include",),
        parameters={"WIDTH": 8},
        args=("-O3",),
        make_args=("OPT_FAST=-O3",),
        cpp=(tmp_path / "c.cpp",),
        main=tmp_path / "main.cpp",
    )


@pytest.mark.parametrize("end", [RuntimeError("return code: -6"), SystemExit(1)])
def test_regression_simulator_that_died_leaves_no_results_and_its_log_says_so(
    end: BaseException, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying:
        def test(self, **_: object) -> None:
            raise end

    monkeypatch.setattr(verilate, "build", lambda *_, **__: (Dying(), tmp_path))
    results = verilate.run(spec, "m", built=tmp_path, where=tmp_path / "run", seed=1, environment={})
    assert not results.exists()
    assert f"the simulator ended early: {end}" in (tmp_path / "run" / verilate.LOG).read_text()


def test_key_of_the_same_content_is_the_same_and_fits_a_file_name(spec: Spec) -> None:
    key = spec.key()
    assert key == replace(spec, parameters=dict(spec.parameters)).key()
    assert len(key) == 12 and key.isalnum()


@pytest.mark.parametrize(
    "name", ["a.v", "b.v", "c.cpp", "main.cpp", "include/names.vh", "include/share.h", "include/new.svh"]
)
def test_key_changes_with_the_content_of_every_source_and_header(
    spec: Spec, tmp_path: Path, name: str
) -> None:
    before = spec.key()
    with (tmp_path / name).open("a") as file:
        file.write("// changed\n")
    assert spec.key() != before


def test_key_does_not_change_with_what_no_compiler_reads(spec: Spec, tmp_path: Path) -> None:
    before = spec.key()
    (tmp_path / "include" / "notes.md").write_text("changed")
    os.utime(tmp_path / "a.v", (0, 0))
    assert spec.key() == before


@pytest.mark.parametrize(
    "change",
    [
        {"top": "b"},
        {"parameters": {"WIDTH": 9}},
        {"parameters": {"DEPTH": 8}},
        {"parameters": {}},
        {"args": ("-O0",)},
        {"args": ()},
        {"make_args": ()},
        {"includes": ()},
        {"cpp": ()},
        {"main": None},
    ],
)
def test_key_changes_with_every_option(spec: Spec, change: dict[str, object]) -> None:
    assert replace(spec, **change).key() != spec.key()  # type: ignore[arg-type]


def test_key_knows_the_order_of_sources_but_not_of_parameters(spec: Spec) -> None:
    assert replace(spec, sources=spec.sources[::-1]).key() != spec.key()
    one, other = {"A": 1, "B": 2}, {"B": 2, "A": 1}
    assert replace(spec, parameters=one).key() == replace(spec, parameters=other).key()


def test_regression_key_tells_a_program_without_python_from_one_with(spec: Spec) -> None:
    assert replace(spec, cocotb=False).key() != spec.key()


def test_regression_key_tells_what_a_file_is_for(spec: Spec) -> None:
    assert spec.main is not None
    assert replace(spec, main=None, cpp=(*spec.cpp, spec.main)).key() != spec.key()


@pytest.mark.parametrize("what", ["verilator", "environment"])
def test_regression_key_changes_with_the_verilator_and_the_environment_linked(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = spec.key()
    if what == "verilator":
        monkeypatch.setattr(verilate.metadata, "version", lambda name: f"another {name}")
    else:
        monkeypatch.setattr(verilate.sys, "prefix", "/elsewhere/.venv")
    assert spec.key() != before


def fake_compiler(monkeypatch: pytest.MonkeyPatch, compile_: Callable[[Path], None]) -> None:
    """Let builds call `compile_(directory)` instead of Verilator."""
    monkeypatch.setattr(verilate.toolchain, "check_build_tools", lambda: None)

    def build(self: object, *, build_dir: Path, **_: object) -> None:
        compile_(build_dir)

    monkeypatch.setattr(verilate._Runner, "build", build)


def test_build_that_is_there_is_not_made_again_and_not_announced(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    said: list[str] = []
    fake_compiler(monkeypatch, made.append)
    for _ in range(2):
        runner, directory = verilate.build(spec, where=tmp_path / "out", announce=said.append)
    assert made == [directory] == [tmp_path / "out" / f"a-{spec.key()}"]
    assert said == ["building a in Verilator (once for these sources)"]
    assert runner.build_dir == directory


def test_processes_that_ask_at_once_get_one_build_and_wait_until_it_is_whole(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(directory: Path) -> None:
        with (tmp_path / "builds").open("a") as file:
            file.write("built\n")
        time.sleep(0.3)
        (directory / "executable").write_text("whole")

    fake_compiler(monkeypatch, slow)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def ask() -> None:
        _, directory = verilate.build(spec, where=tmp_path / "out")
        results.put((directory / "executable").read_text())

    processes = [context.Process(target=ask) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
        assert process.exitcode == 0
    assert [results.get() for _ in processes] == ["whole"] * 3
    assert (tmp_path / "builds").read_text() == "built\n"


def test_interrupted_build_is_begun_anew_in_an_empty_directory(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(directory: Path) -> None:
        (directory / "half.o").write_text("half")
        raise KeyboardInterrupt

    fake_compiler(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        verilate.build(spec, where=tmp_path / "out")
    found: list[list[str]] = []
    fake_compiler(monkeypatch, lambda directory: found.append([p.name for p in directory.iterdir()]))
    verilate.build(spec, where=tmp_path / "out")
    assert found == [[]]


def test_refused_source_is_build_failed_with_the_compiler_s_words_and_the_log(tmp_path: Path) -> None:
    source = tmp_path / "broken.v"
    source.write_text("module broken;\n  assign nothing = ;\nendmodule\n")
    path = os.environ["PATH"]
    for _ in range(2):  # the second time it is tried again: a failure is not remembered as a build
        with pytest.raises(BuildFailed, match="building broken failed") as caught:
            verilate.build(Spec("broken", (source,)), where=tmp_path / "out")
        text = str(caught.value)
        assert "broken.v:2:" in text and "syntax error" in text
        log = next((tmp_path / "out").glob("broken-*/build.log"))
        assert str(log) in text
    assert os.environ["PATH"] == path


def test_missing_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "there.v").touch()
    assert verilate.paths(tmp_path, ["there.v"]) == (tmp_path / "there.v",)
    with pytest.raises(FileNotFoundError, match=r"no such source: .*gone\.v"):
        verilate.paths(tmp_path, ["there.v", "gone.v"])


@pytest.mark.slow  # compiles the run-time library
def test_second_design_takes_the_run_time_library_from_the_compiler_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "wire.v"
    source.write_text("module wire_ #(parameter WIDTH = 1) (input [WIDTH-1:0] a);\nendmodule\n")
    for width in (1, 2):
        statistics = tmp_path / f"{width}.log"
        monkeypatch.setenv("CCACHE_STATSLOG", str(statistics))
        spec = Spec("wire_", (source,), parameters={"WIDTH": width}, args=("-Wno-fatal",))
        verilate.build(spec, where=tmp_path / "out")
    # The log names each compiled file ("# …") and then what the cache did for it.
    done = dict(part.split("\n", 1) for part in statistics.read_text().split("# ")[1:])
    for name in ("verilated.cpp", "verilated_vpi.cpp", "verilator.cpp"):
        (found,) = (done[file].split() for file in done if file.endswith(f"/{name}"))
        assert {"direct_cache_hit", "preprocessed_cache_hit"} & set(found), done
