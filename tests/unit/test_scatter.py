"""Registers of scattered Verilog begin with random bits, in Icarus, and nothing else changes."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tb import scatter, toolchain
from tb.cosim.build import rtl_sources

SOURCE = """
module inner #(parameter WIDTH = 4) (input clk, output reg [WIDTH-1:0] out, output plain);
    function [7:0] twice(input [7:0] x);
        reg [7:0] y;
        begin y = x; twice = y + y; end
    endfunction
    reg [39:0] wide; // reg of a comment;
    reg one, two;
    reg set = 1'b1;
    reg [7:0] memory [0:WIDTH-1];
    generate if (WIDTH > 1) begin : more
        reg [15:0] deep;
    end endgenerate
    assign plain = twice(8'd1) == 8'd2;
endmodule
module top;
    wire [3:0] x, y;
    inner a (.clk(1'b0), .out(x), .plain());
    inner b (.clk(1'b0), .out(y), .plain());
    integer i;
    initial begin
        #1 $display("%b %b %b %b %b %b", a.wide, b.wide, {a.one, a.two}, a.set, x, a.more.deep);
        for (i = 0; i < 4; i = i + 1) $display("%b", a.memory[i]);
    end
endmodule
"""


def run(source: str, where: Path) -> list[str]:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (apt install iverilog)")
    file, program = where / "top.v", where / "top.vvp"
    file.write_text(source)
    subprocess.run(["iverilog", "-g2005", "-s", "top", "-o", program, file], check=True)
    shown = subprocess.run(["vvp", "-n", program], check=True, capture_output=True, text=True)
    return shown.stdout.split()


def test_every_register_and_word_begins_with_bits_of_the_seed_that_differ_by_instance(tmp_path: Path) -> None:
    assert "x" in "".join(run(SOURCE, tmp_path))
    said = run(scatter.scatter(SOURCE, random.Random(1)), tmp_path)
    assert not set("".join(said)) - {"0", "1"}
    assert said[0] != said[1], "two instances begin alike"
    assert said[3] == "1", "a value from the beginning is gone"
    assert len(set(said[6:])) > 1, "all words begin alike"
    assert run(scatter.scatter(SOURCE, random.Random(1)), tmp_path) == said
    assert run(scatter.scatter(SOURCE, random.Random(2)), tmp_path) != said


def test_no_register_of_the_rtl_is_forgotten() -> None:
    for path in rtl_sources():
        text = scatter.scatter(path.read_text(), random.Random(1))
        declared = path.read_text().count("always @(posedge clk)")
        assert not declared or " initial " in text, path.relative_to(toolchain.ROOT)


def test_declaration_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(ValueError, match="not understood"):
        scatter.scatter("module m (input a);\nreg [1:0] b [0:1][0:1];\nendmodule", random.Random(1))
