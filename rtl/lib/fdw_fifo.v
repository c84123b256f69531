// Synchronous FIFO, first-word fall-through.
//
// In:  s_valid/s_ready/s_data. Out: m_valid/m_ready/m_data, both valid/ready as AXI4-Stream.
// A word written in one cycle is at the output in the next; one word a cycle goes in and out, also
// while the FIFO is full or empty. s_ready depends on the fill level only, never on m_ready, and
// m_data holds the head for as long as m_valid is high and m_ready low.
// level is the number of words inside, 0..DEPTH, the head included.
// WIDTH >= 1, DEPTH >= 2 and not necessarily a power of two.
//
// The memory has one write port and one registered read port, so it becomes block RAM where that is
// large enough to pay. It never reads a location in the cycle that writes it: that word goes around.
module fdw_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter LEVEL_WIDTH = $clog2(DEPTH + 1) // derived: leave it alone
) (
    input                        clk,
    input                        rst,
    input                        s_valid,
    output                       s_ready,
    input      [WIDTH-1:0]       s_data,
    output                       m_valid,
    input                        m_ready,
    output     [WIDTH-1:0]       m_data,
    output reg [LEVEL_WIDTH-1:0] level
);
    localparam PTR_WIDTH = $clog2(DEPTH);
    localparam [31:0] LAST = DEPTH - 1;
    localparam [31:0] FULL = DEPTH;

    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [WIDTH-1:0] mem_q;
    reg [WIDTH-1:0] around_q;
    reg             around;
    reg [PTR_WIDTH-1:0] wr_ptr;
    reg [PTR_WIDTH-1:0] rd_ptr;

    assign s_ready = level != FULL[LEVEL_WIDTH-1:0];
    assign m_valid = level != 0;
    assign m_data = around ? around_q : mem_q;

    wire push = s_valid && s_ready;
    wire pop = m_valid && m_ready;
    wire [PTR_WIDTH-1:0] rd_next = !pop ? rd_ptr : rd_ptr == LAST[PTR_WIDTH-1:0] ? {PTR_WIDTH{1'b0}} : rd_ptr + 1'b1;

    integer i;
    initial begin
        if (DEPTH < 2 || WIDTH < 1) begin
            $display("%m: DEPTH must be at least 2 and WIDTH at least 1, got %0d and %0d", DEPTH, WIDTH);
            $finish;
        end
        // No reset reaches a RAM: without this m_data would be X until the first word.
        for (i = 0; i < DEPTH; i = i + 1) mem[i] = {WIDTH{1'b0}};
    end

    always @(posedge clk) begin
        if (push) mem[wr_ptr] <= s_data;
        mem_q <= mem[rd_next];
        around_q <= s_data;
    end

    always @(posedge clk) begin
        if (rst) begin
            wr_ptr <= {PTR_WIDTH{1'b0}};
            rd_ptr <= {PTR_WIDTH{1'b0}};
            level <= {LEVEL_WIDTH{1'b0}};
            around <= 1'b0;
        end else begin
            if (push) wr_ptr <= wr_ptr == LAST[PTR_WIDTH-1:0] ? {PTR_WIDTH{1'b0}} : wr_ptr + 1'b1;
            rd_ptr <= rd_next;
            level <= level + {{LEVEL_WIDTH-1{1'b0}}, push} - {{LEVEL_WIDTH-1{1'b0}}, pop};
            around <= push && wr_ptr == rd_next;
        end
    end

`ifdef FDW_FIFO_FORMAL
    // Proof (make formal). Any one word is followed from input to output; `ahead` words go before it.
    (* anyseq *) reg      mark;
    reg                   started = 1'b0;
    reg                   marked;
    reg [WIDTH-1:0]       word;
    reg [LEVEL_WIDTH-1:0] ahead;
    reg [LEVEL_WIDTH-1:0] inside;
    wire [LEVEL_WIDTH:0]  sum = {{LEVEL_WIDTH+1-PTR_WIDTH{1'b0}}, rd_ptr} + {1'b0, ahead};
    wire [LEVEL_WIDTH:0]  end_sum = {{LEVEL_WIDTH+1-PTR_WIDTH{1'b0}}, rd_ptr} + {1'b0, level};
    wire [LEVEL_WIDTH:0]  place = sum >= FULL[LEVEL_WIDTH:0] ? sum - FULL[LEVEL_WIDTH:0] : sum;
    wire [LEVEL_WIDTH:0]  end_place = end_sum >= FULL[LEVEL_WIDTH:0] ? end_sum - FULL[LEVEL_WIDTH:0] : end_sum;

    initial assume (rst);
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            marked <= 1'b0;
            word <= {WIDTH{1'b0}};
            ahead <= {LEVEL_WIDTH{1'b0}};
            inside <= {LEVEL_WIDTH{1'b0}};
        end else begin
            inside <= inside + {{LEVEL_WIDTH-1{1'b0}}, push} - {{LEVEL_WIDTH-1{1'b0}}, pop};
            if (!marked && mark && push) begin
                marked <= 1'b1;
                word <= s_data;
                ahead <= inside - {{LEVEL_WIDTH-1{1'b0}}, pop};
            end else if (marked && pop) begin
                marked <= ahead != {LEVEL_WIDTH{1'b0}};
                ahead <= ahead - 1'b1;
                if (ahead == {LEVEL_WIDTH{1'b0}}) assert (m_data == word); // in order, unchanged
            end
        end
        if (started && !$past(rst) && !rst) begin
            if ($past(m_valid && !m_ready)) assert (m_valid && m_data == $past(m_data)); // holds still
            if ($past(push)) assert (m_valid); // at the output, or behind another word, one cycle later
        end
        cover (started && !rst && marked && pop && ahead == FULL[LEVEL_WIDTH-1:0] - 1'b1);
        cover (started && !rst && level == FULL[LEVEL_WIDTH-1:0]);
    end

    always @* if (started) begin
        assert (inside == level); // nothing lost, nothing twice
        assert (level <= FULL[LEVEL_WIDTH-1:0]);
        assert (rd_ptr <= LAST[PTR_WIDTH-1:0] && wr_ptr <= LAST[PTR_WIDTH-1:0]);
        assert (end_place == {{LEVEL_WIDTH+1-PTR_WIDTH{1'b0}}, wr_ptr});
        assert (!m_valid || m_data == mem[rd_ptr]);
        assert (!marked || (ahead < level && mem[place[PTR_WIDTH-1:0]] == word));
    end
`endif
endmodule
