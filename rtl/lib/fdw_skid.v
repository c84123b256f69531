// Skid buffer: cuts every combinational path of a valid/ready channel, at full throughput.
//
// In: s_valid/s_ready/s_data. Out: m_valid/m_ready/m_data, both valid/ready as AXI4-Stream.
// All outputs come from registers: s_ready does not depend on m_ready or s_valid of the same cycle.
// A word written in one cycle is at the output in the next; holds two words.
module fdw_skid #(
    parameter WIDTH = 8
) (
    input                  clk,
    input                  rst,
    input                  s_valid,
    output                 s_ready,
    input      [WIDTH-1:0] s_data,
    output reg             m_valid,
    input                  m_ready,
    output reg [WIDTH-1:0] m_data
);
    // The word that arrived in the cycle in which the receiver first said no.
    reg             spare_valid;
    reg [WIDTH-1:0] spare;

    assign s_ready = !spare_valid;

    always @(posedge clk) begin
        if (rst) begin
            m_valid <= 1'b0;
            m_data <= {WIDTH{1'b0}};
            spare_valid <= 1'b0;
            spare <= {WIDTH{1'b0}};
        end else if (!m_valid || m_ready) begin
            m_valid <= s_valid || spare_valid;
            m_data <= spare_valid ? spare : s_data;
            spare_valid <= 1'b0;
        end else if (s_valid && s_ready) begin
            spare_valid <= 1'b1;
            spare <= s_data;
        end
    end

`ifdef FDW_SKID_FORMAL
    // Proof (make formal). Any one word is followed from input to output; `ahead` words go before it.
    (* anyseq *) reg mark;
    reg              started = 1'b0;
    reg              marked;
    reg [WIDTH-1:0]  word;
    reg [1:0]        ahead;
    reg [1:0]        inside;
    wire             push = s_valid && s_ready;
    wire             pop = m_valid && m_ready;

    initial assume (rst);
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            marked <= 1'b0;
            word <= {WIDTH{1'b0}};
            ahead <= 2'd0;
            inside <= 2'd0;
        end else begin
            inside <= inside + {1'b0, push} - {1'b0, pop};
            if (!marked && mark && push) begin
                marked <= 1'b1;
                word <= s_data;
                ahead <= inside - {1'b0, pop};
            end else if (marked && pop) begin
                marked <= ahead != 2'd0;
                ahead <= ahead - 2'd1;
                if (ahead == 2'd0) assert (m_data == word); // in order, unchanged
            end
        end
        if (started && !$past(rst) && !rst) begin
            if ($past(m_valid && !m_ready)) assert (m_valid && m_data == $past(m_data)); // holds still
            if ($past(push)) assert (m_valid); // a word is at the output, or behind another, one cycle later
        end
        cover (started && !rst && marked && pop && ahead == 2'd1);
    end

    always @* if (started) begin
        assert (inside == {1'b0, m_valid} + {1'b0, spare_valid}); // nothing lost, nothing twice
        assert (m_valid || !spare_valid);
        assert (!marked || ahead < inside);
        assert (!marked || (ahead == 2'd0 ? m_data == word : spare == word));
    end
`endif
endmodule
