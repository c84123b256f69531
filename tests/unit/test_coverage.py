"""Verilator's coverage records: read, merged, and sorted into covered, waived and holes."""

import re
from pathlib import Path

import pytest

from tb import coverage, toolchain
from tb.coverage import Point, Waiver, judge, read

SOURCE = "module m;\n  if (a)\n    b <= c;\nendmodule\n"


def record(rtl: Path, line: int, page: str, what: str, count: int) -> str:
    fields = {"f": str(rtl / "m.v"), "l": str(line), "n": "3", "page": f"{page}/m", "o": what}
    return f"C '{''.join(f'{chr(1)}{k}{chr(2)}{v}' for k, v in fields.items())}' {count}\n"


@pytest.fixture
def rtl(tmp_path: Path) -> Path:
    directory = tmp_path / "rtl"
    directory.mkdir()
    (directory / "m.v").write_text(SOURCE)
    return directory


def test_counts_of_several_runs_are_summed(rtl: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.dat", tmp_path / "2.dat"
    first.write_text("# SystemC::Coverage-3\n" + record(rtl, 2, "v_branch", "if", 0))
    second.write_text(record(rtl, 2, "v_branch", "if", 3) + record(rtl, 2, "v_user", "x", 9))
    assert read([first, second], rtl) == {Point("m.v", 2, "branch", "if at 3"): 3}


def test_files_outside_the_rtl_do_not_count(rtl: Path, tmp_path: Path) -> None:
    file = tmp_path / "1.dat"
    file.write_text(record(tmp_path, 2, "v_line", "block", 0))
    assert not read([file], rtl)


def test_hole_is_reported_unless_a_waiver_names_its_line_and_kind(rtl: Path) -> None:
    counts = {
        Point("m.v", 2, "branch", "if"): 1,
        Point("m.v", 2, "branch", "else"): 0,
        Point("m.v", 3, "line", "block"): 0,
    }
    plain = judge(counts, rtl, [])
    assert [hole.what for hole in plain.holes] == ["else", "block"]
    assert plain.total("branch").ratio == 0.5
    waiver = Waiver("m.v", "if (a)", ("branch",), "because")
    waived = judge(counts, rtl, [waiver])
    assert [hole.what for hole in waived.holes] == ["block"]
    assert waived.total("branch").ratio == 1.0 and not waived.stale


def test_waiver_that_waives_nothing_is_stale(rtl: Path) -> None:
    waiver = Waiver("m.v", "if (a)", ("branch",), "because")
    assert judge({Point("m.v", 2, "branch", "if"): 1}, rtl, [waiver]).stale == [waiver]


def test_runs_ask_for_counts_only_when_the_environment_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(coverage.VARIABLE, raising=False)
    assert coverage.plusargs() == [] and coverage.build_arguments() == ()
    monkeypatch.setenv(coverage.VARIABLE, str(tmp_path))
    assert coverage.build_arguments()
    assert coverage.plusargs()[0].startswith(f"+verilator+coverage+file+{tmp_path}")


def test_every_measured_test_is_there() -> None:
    """Nothing else in `make test` notices that a file moved away from under `make coverage`."""
    text = (toolchain.ROOT / "tests/coverage/measure.py").read_text()
    named = re.findall(r'"(tests/[^":]+)[^"]*"', text)
    assert len(named) >= 3
    assert [name for name in named if not (toolchain.ROOT / name).exists()] == []
