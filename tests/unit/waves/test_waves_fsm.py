"""State machines read from Verilog text. What Verilator makes of the same names: tests/e2e."""

import re

import pytest

from tb.cosim.build import rtl_sources
from tb.waves import fsm


def only(source: str) -> fsm.StateMachine:
    (machine,) = fsm.state_machines(source)
    return machine


def test_case_labels_in_three_bases_give_the_states() -> None:
    machine = only("""
        module m (input clk);
            localparam [2:0] IDLE = 3'd0; // 3'd7 is not it
            localparam [2:0] BUSY = 3'b1_01, DONE = 3'h3;
            reg [2:0] state, state_next;
            always @* case (state)
                IDLE: state_next = BUSY;
                BUSY, DONE: begin state_next = IDLE; end
            endcase
        endmodule""")
    assert machine == fsm.StateMachine("m", "state", 3, {0: "IDLE", 5: "BUSY", 3: "DONE"})


def test_state_that_is_only_assigned_in_a_ternary_is_a_state() -> None:
    machine = only("""
        module m (input clk);
            localparam [1:0] A = 2'd0, B = 2'd1, C = 2'd2;
            reg [1:0] mode;
            wire x = mode == A || mode != B;
            always @(posedge clk) mode <= x ? C : A;
        endmodule""")
    assert machine.states == {0: "A", 1: "B", 2: "C"}


def test_constant_that_another_register_is_compared_with_is_not_a_state() -> None:
    machine = only("""
        module m (input clk);
            localparam [1:0] A = 2'd0, B = 2'd1, LIMIT = 2'd3;
            reg [1:0] mode, count;
            always @(posedge clk) begin
                count <= count == LIMIT ? 2'd0 : count + 2'd1;
                case (mode)
                    A: mode <= count == LIMIT ? B : A;
                    B: mode <= A;
                endcase
            end
        endmodule""")
    assert machine.signal == "mode"
    assert machine.states == {0: "A", 1: "B"}


def test_commented_out_states_do_not_count() -> None:
    assert (
        fsm.state_machines("""
        module m (input clk);
            localparam [1:0] A = 2'd0;
            // localparam [1:0] B = 2'd1;
            /* localparam [1:0]
               C = 2'd2; */
            reg [1:0] mode;
            wire x = mode == A || mode == B || mode == C;
        endmodule""")
        == []
    )


def test_states_of_one_module_are_not_those_of_the_next() -> None:
    text = """
        module {0} (input clk);
            localparam [0:0] {0}_A = 1'd0, {0}_B = 1'd1;
            reg [0:0] state;
            always @(posedge clk) case (state) {0}_A: state <= {0}_B; {0}_B: state <= {0}_A; endcase
        endmodule
        """
    first, second = fsm.state_machines(text.format("p") + text.format("q"))
    assert (first.module, first.states) == ("p", {0: "p_A", 1: "p_B"})
    assert (second.module, second.states) == ("q", {0: "q_A", 1: "q_B"})


def test_two_states_of_one_value_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"m\.state: B and A are both 1|m\.state: A and B are both 1"):
        fsm.state_machines("""
            module m (input clk);
                localparam [1:0] A = 2'd1, B = 2'd1;
                reg [1:0] state;
                wire x = state == A || state == B;
            endmodule""")


def test_value_that_does_not_fit_its_width_is_refused() -> None:
    with pytest.raises(ValueError, match="A = 4 does not fit 2 bits"):
        fsm.state_machines("module m; localparam [1:0] A = 3'd4; endmodule")


def test_every_register_called_state_in_the_design_is_found() -> None:
    found = {(m.module, m.signal) for m in fsm.read(list(rtl_sources())).values()}
    for path in rtl_sources():
        text = path.read_text()
        if re.search(r"\breg\s+\[[^\]]*\]\s+state\b", text):
            assert (path.stem, "state") in found, path
    assert ("fdw_rx_frame", "state") in found
    assert ("fdw_rx_used", "state") in found
