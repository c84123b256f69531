"""The simulator compiled by a profile of itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tb import toolchain, verilate
from tb.bench import bare
from tb.cosim import guided
from tb.cosim.build import profile_of, spec


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty build directory, and where a profile of this RTL would be."""
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    return profile_of(spec())


def test_profile_guides_what_runs_without_waves_and_nothing_else(profile: Path) -> None:
    kinds = (
        {"waves": "vcd"},
        {"signals": True},
        {"parameters": {"STATISTICS": 0}},
        {"counting": True, "bare": True},
    )
    before = [spec(), spec(bare=True), *(spec(**kind) for kind in kinds)]  # type: ignore[arg-type]
    profile.mkdir(parents=True)
    after = [spec(), spec(bare=True), *(spec(**kind) for kind in kinds)]  # type: ignore[arg-type]
    assert [spec.profile for spec in after] == [profile] * 2 + [None] * len(kinds)
    for old, new in zip(before[:2], after[:2], strict=True):
        assert old.key() != new.key(), "another executable"
        assert any("-fprofile-use" in word for word in new.make_args)
    assert before[2:] == after[2:]
    assert profile_of(after[0]) == profile_of(after[1]) == profile


def test_profile_of_other_rtl_is_another_one(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fdw_other.v"
    file.write_text("module fdw_other; endmodule\n")
    monkeypatch.setattr("tb.cosim.build.rtl_sources", lambda: (file,))
    assert profile_of(spec()) != profile


@pytest.mark.slow
def test_guided_simulator_does_the_same_in_the_same_cycles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCACHE_DIR", str(toolchain.BUILD / "ccache"))
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    setup = bare.Setup(300, features=1, offload=True)
    plain = bare.rate(setup, 20_000)
    said: list[str] = []
    directory = guided.build(said.append)
    profile = profile_of(spec())
    assert list(profile.glob("Vtop*.gcda")) and list(directory.glob("Vtop*.gcda"))
    assert verilate.is_built(spec(), where=tmp_path / "nic") and spec().profile == profile
    guidance = bare.rate(setup, 20_000)
    assert {**plain, "seconds": 0} == {**guidance, "seconds": 0}
    assert len(said) == 2 + len(guided._RUNS)
    guided.build(said.append)
    assert len(said) == 3 + len(guided._RUNS), "only once"
