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
endmodule
