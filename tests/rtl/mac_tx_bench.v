// Test bench: fdw_tx_checksum and fdw_tx_fifo in front of fdw_mac_tx; with `direct` high the MAC is fed by d_*
// instead. s_tuser: from bit 0 the frame's length, where the checksum starts and where it goes (16 bits
// each), whether one is wanted, and whether the frame may leave before it is whole.
module mac_tx_bench #(
    parameter CUT_THROUGH = 2
) (
    input          clk,
    input          rst,
    input          flush,
    input          calm,
    input          direct,
    input          s_tvalid,
    output         s_tready,
    input  [127:0] s_tdata,
    input  [15:0]  s_tkeep,
    input          s_tlast,
    input  [49:0]  s_tuser,
    input          d_tvalid,
    output         d_tready,
    input  [63:0]  d_tdata,
    input  [7:0]   d_tkeep,
    input          d_tlast,
    output [63:0]  xgmii_txd,
    output [7:0]   xgmii_txc,
    output         stat_frame,
    output [15:0]  stat_bytes,
    output         stat_multicast,
    output         stat_broadcast,
    output         busy,
    output         underflow
);
    wire        f_tvalid, f_tlast, tready;
    wire [63:0] f_tdata;
    wire [7:0]  f_tkeep;
    wire        entry_valid, entry_patch;
    wire [15:0] entry_len, entry_field, entry_value;
    reg [127:0] data; // lanes beyond the frame's end are 0, by the contract of both
    integer i;
    always @* begin
        for (i = 0; i < 16; i = i + 1) data[8 * i +: 8] = s_tdata[8 * i +: 8] & {8{s_tkeep[i]}};
    end

    fdw_tx_checksum checksum (
        .clk(clk), .rst(rst), .clear(flush),
        .beat(s_tvalid && s_tready), .data(data), .last(s_tlast),
        .len(s_tuser[15:0]), .wanted(s_tuser[48]), .start(s_tuser[31:16]), .field(s_tuser[47:32]),
        .entry_valid(entry_valid), .entry_len(entry_len), .entry_patch(entry_patch),
        .entry_field(entry_field), .entry_value(entry_value)
    );

    fdw_tx_fifo #(.BYTES(4096), .CUT_THROUGH(CUT_THROUGH)) fifo (
        .clk(clk), .rst(rst), .flush(flush), .calm(calm), .busy(busy),
        .s_valid(s_tvalid), .s_ready(s_tready), .s_data(data), .s_last(s_tlast),
        .s_len(s_tuser[15:0]), .s_cut(s_tuser[49]),
        .entry_valid(entry_valid), .entry_len(entry_len), .entry_patch(entry_patch),
        .entry_field(entry_field), .entry_value(entry_value),
        .m_tdata(f_tdata), .m_tkeep(f_tkeep), .m_tlast(f_tlast), .m_tvalid(f_tvalid),
        .m_tready(tready && !direct)
    );

    assign d_tready = tready && direct;
    fdw_mac_tx mac (
        .clk(clk), .rst(rst),
        .s_tdata(direct ? d_tdata : f_tdata), .s_tkeep(direct ? d_tkeep : f_tkeep),
        .s_tlast(direct ? d_tlast : f_tlast), .s_tvalid(direct ? d_tvalid : f_tvalid), .s_tready(tready),
        .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc),
        .stat_frame(stat_frame), .stat_bytes(stat_bytes), .stat_multicast(stat_multicast),
        .stat_broadcast(stat_broadcast), .underflow(underflow)
    );
endmodule
