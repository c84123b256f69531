"""Illegal parameters of the DMA blocks die at elaboration, and the message names the rule."""

import pytest
from elaboration import elaborate, refused

SOURCES = [
    "lib/fdw_fifo.v",
    "lib/fdw_skid.v",
    "lib/fdw_arbiter.v",
    "lib/fdw_byte_rotate.v",
    "lib/fdw_byte_packer.v",
    "lib/fdw_byte_slicer.v",
]


def sources(block: str) -> list[str]:
    return [*SOURCES, f"dma/{block}.v"]


@pytest.mark.parametrize(
    ("block", "parameters", "rule"),
    [
        ("fdw_dma_read", {"MAX_BURST": 24}, "MAX_BURST_must_be_a_power_of_two_2_to_256"),
        ("fdw_dma_read", {"MAX_BURST": 512}, "MAX_BURST_must_be_a_power_of_two_2_to_256"),
        ("fdw_dma_read", {"BUFFER_BEATS": 15}, "BUFFER_BEATS_must_be_MAX_BURST_to_8192"),
        ("fdw_dma_read", {"OUTSTANDING": 0}, "OUTSTANDING_must_be_positive_and_REQUESTS_at_least_2"),
        ("fdw_dma_read", {"ADDR_WIDTH": 65}, "ADDR_WIDTH_must_be_19_to_64"),
        ("fdw_dma_write", {"MAX_BURST": 1}, "MAX_BURST_must_be_a_power_of_two_2_to_256"),
        ("fdw_dma_write", {"BUFFER_BEATS": 8}, "BUFFER_BEATS_must_be_at_least_MAX_BURST"),
        ("fdw_dma_write", {"OUTSTANDING": 1}, "OUTSTANDING_must_be_at_least_2"),
        ("fdw_dma_write", {"EARLY_BURST": 3}, "EARLY_BURST_must_be_a_power_of_two_1_to_MAX_BURST"),
        ("fdw_dma_write", {"ADDR_WIDTH": 12}, "ADDR_WIDTH_must_be_13_to_64"),
        ("fdw_axi_read_mux", {"N": 5, "AXI_ID_WIDTH": 2}, "N_must_be_1_to_2_to_the_AXI_ID_WIDTH"),
        ("fdw_axi_write_mux", {"N": 0}, "N_must_be_1_to_2_to_the_AXI_ID_WIDTH"),
        ("fdw_axi_write_mux", {"ORDER_DEPTH": 1}, "ORDER_DEPTH_must_be_at_least_2"),
    ],
)
def test_illegal_parameter_stops_elaboration_with_the_name_of_its_rule(
    block: str, parameters: dict[str, int], rule: str
) -> None:
    assert refused(block, sources(block), rule, **parameters)


@pytest.mark.parametrize(
    ("block", "parameters"),
    [
        ("fdw_dma_read", {}),
        ("fdw_dma_read", {"MAX_BURST": 256, "BUFFER_BEATS": 8192, "ADDR_WIDTH": 40}),
        ("fdw_dma_write", {}),
        ("fdw_dma_write", {"MAX_BURST": 256, "BUFFER_BEATS": 256, "ADDR_WIDTH": 40}),
        ("fdw_axi_read_mux", {"N": 1}),
        ("fdw_axi_read_mux", {"N": 16}),
        ("fdw_axi_write_mux", {"N": 1}),
        ("fdw_axi_write_mux", {"N": 16}),
    ],
)
def test_legal_parameters_elaborate_without_a_warning(block: str, parameters: dict[str, int]) -> None:
    result = elaborate(block, sources(block), **parameters)
    assert result.returncode == 0
    assert "%Warning" not in result.stderr, result.stderr
