"""What `tb.block` keeps apart."""

import shutil
from pathlib import Path

import pytest

from tb import block, toolchain


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_regression_workers_do_not_build_in_icarus_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One's simulator was written anew while the other's ran, and one's results were read by the other."""
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    sources = (toolchain.RTL / "lib" / "fdw_skid.v",)
    where = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        _, directory = block.in_icarus("fdw_skid", sources, {}, scattered=False)
        assert (directory / "sim.vvp").exists()
        where.append(directory.name)
    assert len({*where}) == 2
