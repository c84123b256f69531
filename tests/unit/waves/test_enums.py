"""SystemVerilog for the names of values. What Verilator and wellen make of it: tests/e2e."""

from pathlib import Path

from tb.waves import enums


def test_state_machine_gets_an_enumeration_that_is_bound_to_its_module(tmp_path: Path) -> None:
    source = tmp_path / "m.v"
    source.write_text(
        "// a module that waits\n"
        "module m; localparam [1:0] A = 2'd0, B = 2'd2; reg [1:0] s; wire x = s == A || s == B; endmodule"
    )
    text = enums.source([source])
    assert text.count("module fdw_names_") == 1, "of nothing that the sources do not have"
    assert "    input [1:0] bits\n" in text
    assert "        \\A = 2'h0,\n        \\B = 2'h2\n" in text
    assert text.endswith("bind m fdw_names_m_s s_name (.bits(s));\n")


def test_registers_names_are_bound_to_signals_that_are_there_with_blanks_made_lines(tmp_path: Path) -> None:
    source = tmp_path / "fdw_nic.v"
    source.write_text(
        "module fdw_nic; // no s_axil_awaddr here\n wire [3:0] m_axi_arid, m_axi_rid; endmodule"
    )
    text = enums.source([source])
    bound = [line for line in text.splitlines() if line.startswith("bind")]
    assert bound == [
        "bind fdw_nic fdw_names_axi_id m_axi_arid_name (.bits(m_axi_arid));",
        "bind fdw_nic fdw_names_axi_id m_axi_rid_name (.bits(m_axi_rid));",
    ]
    assert text.count("module fdw_names_axi_id") == 1
    assert "        \\fetch_RX = 4'h1,\n" in text
