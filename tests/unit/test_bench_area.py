"""Areas are summed over the hierarchy, from what Yosys says of each module."""

from pymodel import regs
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


def test_cost_of_a_feature_is_the_difference_of_the_builds_with_and_without() -> None:
    areas = {name: Area(lut=1000) for name in area.BUILDS} | {
        "no TSO": Area(lut=700, ff=5),
        "no CSUM": Area(lut=650, ff=1),
    }
    assert area.cost("HOST_TSO4", areas).lut == 300
    assert area.cost("CSUM", areas) == Area(lut=50, ff=4)


def test_every_build_has_legal_features_and_the_plain_one_only_those_required() -> None:
    for build in area.BUILDS.values():
        features = int(build.parameters["FEATURES"].removeprefix("64'h"), 16)
        assert features & regs.FEATURES_REQUIRED == regs.FEATURES_REQUIRED
        assert not features & ~regs.FEATURES_OFFERED
        for one, others in regs.FEATURE_NEEDS.items():
            assert not features >> one & 1 or any(features >> other & 1 for other in others)
    plain = area.BUILDS[area.PLAIN].parameters
    assert plain == {"FEATURES": f"64'h{regs.FEATURES_REQUIRED:016x}", "STATISTICS": "0"}


def test_costs_are_of_builds_that_there_are() -> None:
    assert {name for pair in area.COSTS.values() for name in pair} <= area.BUILDS.keys()


def test_latch_and_second_driver_are_unsound_and_a_memory_of_registers_is_not() -> None:
    latch = "Warning: Latch inferred for signal `\\fdw_rx_checksum.\\i [2]'"
    driver = "Warning: Drivers conflicting with a constant 1'1 driver:"
    harmless = "Warning: Replacing memory \\count with list of registers."
    log = "\n".join(["Checking module fdw_mac_rx...", driver, harmless, latch, "No Latch inferred here"])
    assert area.unsound(log) == [driver, latch]
