// In fdw_byte_packer's place in a proof of what feeds it: shows each piece as it is, at once. What the packer makes of
// pieces is proven in its own file; what it demands of them is asserted here.
module fdw_byte_packer (
    input          clk,
    input          rst,
    input          s_valid,
    output         s_ready,
    input  [127:0] s_data,
    input  [3:0]   s_offset,
    input  [4:0]   s_count,
    input          s_last,
    output         m_valid,
    input          m_ready,
    output [127:0] m_data,
    output [15:0]  m_keep, // the lanes of the piece
    output         m_last
);
    assign s_ready = m_ready;
    assign m_valid = s_valid;
    assign m_data = s_data;
    assign m_keep = ~(16'hffff << s_count) << s_offset;
    assign m_last = s_last;
    always @(posedge clk) if (s_valid && !rst) assert ({2'b00, s_offset} + {1'b0, s_count} <= 6'd16);
endmodule
