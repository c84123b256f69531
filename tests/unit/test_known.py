"""The watcher of unknown outputs: which outputs it finds, what it lets pass, and that it sees an X."""

import shutil
from pathlib import Path

import pytest

from tb import known, toolchain

SOURCE = """
module other (input a, output b); endmodule
module block #(parameter W = $clog2(8)) (
    input clk, input rst,     // output nothing
    output reg m_valid, input m_ready, output [7:0] m_data,
    output reg [W-1:0] m_axi_araddr, output m_axi_arvalid,
    output irq
);
"""


def test_outputs_are_found_and_qualified_by_the_valid_of_their_channel() -> None:
    names = known.outputs(SOURCE, "block")
    assert names == ["m_valid", "m_data", "m_axi_araddr", "m_axi_arvalid", "irq"]
    assert known.valid_of("m_data", names) == "m_valid"
    assert known.valid_of("m_axi_araddr", names) == "m_axi_arvalid"
    assert known.valid_of("irq", names) is None
    assert known.valid_of("m_axi_arvalid", names) is None


def test_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no module absent"):
        known.outputs(SOURCE, "absent")


def test_every_output_of_the_nic_is_watched() -> None:
    source = toolchain.RTL / "fdw_nic.v"
    text = known.monitor(source, "fdw_nic")
    for name in ("xgmii_txd", "irq", "tap_rx_status", "m_axi_wdata", "s_axil_rdata"):
        assert f"^fdw_nic.{name} === 1'bx" in text
    assert "fdw_nic.m_axi_wvalid === 1'b1 && ^fdw_nic.m_axi_wdata" in text


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize(("reset", "found"), [("q <= 1'b0;", False), ("", True)], ids=["reset", "unreset"])
def test_register_without_a_reset_is_noticed(tmp_path: Path, reset: str, found: bool) -> None:
    import subprocess

    block = tmp_path / "block.v"
    block.write_text(
        "module block (input clk, input rst, output reg q);\n"
        f"always @(posedge clk) if (rst) begin {reset} end\nendmodule\n"
    )
    bench = tmp_path / "bench.v"
    bench.write_text(
        "module bench; reg clk = 0, rst = 1; wire q; block block (.clk(clk), .rst(rst), .q(q));\n"
        "always #1 clk = !clk; initial begin #5 rst = 0; #9 $finish; end endmodule\n"
    )
    watcher = tmp_path / "known.v"
    watcher.write_text(known.monitor(block, "block").replace("block.", "bench.block."))
    program = tmp_path / "program"
    subprocess.run(
        ["iverilog", "-g2005", "-o", program, "-s", "bench", "-s", known.MODULE, block, bench, watcher],
        check=True,
    )
    said = subprocess.run(["vvp", program], capture_output=True, text=True, check=True).stdout
    assert (known.FOUND + "q is x" in said) is found
