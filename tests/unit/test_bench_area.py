"""Areas are summed over the hierarchy, from what Yosys says of each module."""

import pytest

from tb import toolchain
from tb.bench import area
from tb.bench.area import Area, read

STATISTICS = {
    "\\fdw_nic": {"num_cells_by_type": {"LUT6": 10, "FDRE": 4, "\\fdw_mac": 1, "$paramod$1\\fdw_fifo": 2}},
    "\\fdw_mac": {"num_cells_by_type": {"LUT2": 1, "SRL16E": 2, "FDSE": 3, "$paramod\\fdw_fifo\\WIDTH=8": 1}},
    "$paramod$1\\fdw_fifo": {"num_cells_by_type": {"RAMB36E1": 1, "RAMB18E1": 1, "CARRY4": 9}},
    "$paramod\\fdw_fifo\\WIDTH=8": {"num_cells_by_type": {"RAM32M": 5, "FDRE": 1}},
}


def test_whole_is_the_sum_of_all_instances() -> None:
    assert read(STATISTICS).whole == Area(lut=10 + 3 + 20, ff=4 + 3 + 1, bram=3.0)


def test_module_has_all_its_instances_of_any_parameters_with_what_is_in_them() -> None:
    report = read(STATISTICS)
    assert report.modules == {"fdw_mac": Area(23, 4, 0.0), "fdw_fifo": Area(20, 1, 3.0)}
    assert report.instances == {"fdw_mac": 1, "fdw_fifo": 3}


def test_plain_is_what_is_left_without_the_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "FEATURES", {"MAC": ("fdw_mac",)})
    assert read(STATISTICS).plain() == Area(10, 4, 3.0)


def test_feature_whose_module_is_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "FEATURES", {"gone": ("fdw_gone",)})
    with pytest.raises(KeyError):
        read(STATISTICS).plain()


def test_every_module_of_a_feature_is_one_of_the_rtl() -> None:
    modules = {path.stem for path in toolchain.RTL.rglob("*.v")}
    assert {module for group in area.FEATURES.values() for module in group} <= modules


def test_latch_and_second_driver_are_unsound_and_a_memory_of_registers_is_not() -> None:
    latch = "Warning: Latch inferred for signal `\\fdw_rx_checksum.\\i [2]'"
    driver = "Warning: Drivers conflicting with a constant 1'1 driver:"
    harmless = "Warning: Replacing memory \\count with list of registers."
    log = "\n".join(["Checking module fdw_mac_rx...", driver, harmless, latch, "No Latch inferred here"])
    assert area.unsound(log) == [driver, latch]
