// Test bench: fdw_tx_fifo in front of fdw_mac_tx; with `direct` high the MAC is fed by d_* instead.
module mac_tx_bench (
    input          clk,
    input          rst,
    input          flush,
    input          direct,
    input          s_tvalid,
    output         s_tready,
    input  [127:0] s_tdata,
    input  [15:0]  s_tkeep,
    input          s_tlast,
    input          d_tvalid,
    output         d_tready,
    input  [63:0]  d_tdata,
    input  [7:0]   d_tkeep,
    input          d_tlast,
    output [63:0]  xgmii_txd,
    output [7:0]   xgmii_txc,
    output         stat_frame,
    output [15:0]  stat_bytes,
    output         stat_oversize,
    output         underflow
);
    wire        f_tvalid, f_tlast, tready;
    wire [63:0] f_tdata;
    wire [7:0]  f_tkeep;

    fdw_tx_fifo #(.BYTES(4096)) fifo (
        .clk(clk), .rst(rst), .flush(flush),
        .s_valid(s_tvalid), .s_ready(s_tready), .s_data(s_tdata), .s_keep(s_tkeep), .s_last(s_tlast),
        .m_tdata(f_tdata), .m_tkeep(f_tkeep), .m_tlast(f_tlast), .m_tvalid(f_tvalid),
        .m_tready(tready && !direct),
        .stat_oversize(stat_oversize)
    );

    assign d_tready = tready && direct;
    fdw_mac_tx mac (
        .clk(clk), .rst(rst),
        .s_tdata(direct ? d_tdata : f_tdata), .s_tkeep(direct ? d_tkeep : f_tkeep),
        .s_tlast(direct ? d_tlast : f_tlast), .s_tvalid(direct ? d_tvalid : f_tvalid), .s_tready(tready),
        .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc),
        .stat_frame(stat_frame), .stat_bytes(stat_bytes), .underflow(underflow)
    );
endmodule
