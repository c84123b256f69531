// FIFO whose words can be read again until they are committed.
//
// In:  s_valid/s_ready/s_data. Out: m_valid/m_ready/m_data, as fdw_fifo (first-word fall-through; one word
// a cycle; s_ready and m_valid come from registers). What has been read stays stored until it is committed.
// commit: everything read so far, the word read in this cycle included, is gone for good. rollback: the
// word to be read next is the oldest that was not committed; a word read in this cycle is read again, too;
// m_valid and m_data then fall or change without m_ready. Not both in one cycle.
// WIDTH >= 1; DEPTH a power of two, at least 2: so many words, read and not committed ones included.
module fdw_replay_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 16
) (
    input              clk,
    input              rst,
    input              s_valid,
    output             s_ready,
    input  [WIDTH-1:0] s_data,
    output             m_valid,
    input              m_ready,
    output [WIDTH-1:0] m_data,
    input              commit,
    input              rollback
);
    localparam PTR_WIDTH = $clog2(DEPTH);

    generate
        if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0) begin : g_check_depth
            fdw_rule_DEPTH_must_be_a_power_of_two_and_at_least_2 violated ();
        end
    endgenerate

    // One bit more than an address: equal pointers mean empty.
    reg [PTR_WIDTH:0] wr_ptr;
    reg [PTR_WIDTH:0] rd_ptr;
    reg [PTR_WIDTH:0] kept_ptr; // the oldest word that may be read again

    assign s_ready = wr_ptr != {~kept_ptr[PTR_WIDTH], kept_ptr[PTR_WIDTH-1:0]};
    assign m_valid = rd_ptr != wr_ptr;

    wire push = s_valid && s_ready;
    wire pop = m_valid && m_ready;
    wire [PTR_WIDTH:0] rd_after = rd_ptr + {{PTR_WIDTH{1'b0}}, pop};
    wire [PTR_WIDTH:0] rd_next = rollback ? kept_ptr : rd_after;

    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [WIDTH-1:0] mem_q;
    reg [WIDTH-1:0] around_q;
    reg             around; // the word at the output was written in the cycle before: it goes around the RAM

    assign m_data = around ? around_q : mem_q;

    integer i;
    initial for (i = 0; i < DEPTH; i = i + 1) mem[i] = {WIDTH{1'b0}}; // else X at the output before the first word

    always @(posedge clk) begin
        if (push) mem[wr_ptr[PTR_WIDTH-1:0]] <= s_data;
        mem_q <= mem[rd_next[PTR_WIDTH-1:0]];
        around_q <= s_data;
    end

    always @(posedge clk) begin
        if (rst) begin
            wr_ptr <= {PTR_WIDTH + 1{1'b0}};
            rd_ptr <= {PTR_WIDTH + 1{1'b0}};
            kept_ptr <= {PTR_WIDTH + 1{1'b0}};
            around <= 1'b0;
        end else begin
            if (push) wr_ptr <= wr_ptr + 1'b1;
            rd_ptr <= rd_next;
            if (commit) kept_ptr <= rd_after;
            around <= push && wr_ptr == rd_next;
        end
    end
endmodule
