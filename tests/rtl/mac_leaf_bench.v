// Test bench: fdw_crc32, and fdw_fifo in three depths, side by side.
module mac_leaf_bench (
    input         clk,
    input         rst,
    input  [31:0] crc_in,
    input  [63:0] crc_data,
    input  [3:0]  crc_count,
    output [31:0] crc_out,
    input  [2:0]  s_valid,
    output [2:0]  s_ready,
    input  [15:0] s_data, // the same for all
    output [2:0]  m_valid,
    input  [2:0]  m_ready,
    output [47:0] m_data,
    output [11:0] level   // four bits each
);
    fdw_crc32 crc32 (.crc_in(crc_in), .data(crc_data), .count(crc_count), .crc_out(crc_out));

    wire [1:0] level_2;
    wire [2:0] level_5;
    wire [3:0] level_8;
    assign level = {level_8, 1'b0, level_5, 2'b00, level_2};

    fdw_fifo #(.WIDTH(16), .DEPTH(2)) fifo_2 (
        .clk(clk), .rst(rst), .s_valid(s_valid[0]), .s_ready(s_ready[0]), .s_data(s_data),
        .m_valid(m_valid[0]), .m_ready(m_ready[0]), .m_data(m_data[15:0]), .level(level_2)
    );
    fdw_fifo #(.WIDTH(16), .DEPTH(5)) fifo_5 (
        .clk(clk), .rst(rst), .s_valid(s_valid[1]), .s_ready(s_ready[1]), .s_data(s_data),
        .m_valid(m_valid[1]), .m_ready(m_ready[1]), .m_data(m_data[31:16]), .level(level_5)
    );
    fdw_fifo #(.WIDTH(16), .DEPTH(8)) fifo_8 (
        .clk(clk), .rst(rst), .s_valid(s_valid[2]), .s_ready(s_ready[2]), .s_data(s_data),
        .m_valid(m_valid[2]), .m_ready(m_ready[2]), .m_data(m_data[47:32]), .level(level_8)
    );
endmodule
