// Test bench: fdw_mac_rx and fdw_rx_checksum in front of fdw_rx_fifo. The frame's length goes with its beats as
// m_tuser; it means something from m_whole on.
module mac_rx_bench #(
    parameter CUT_THROUGH = 0
) (
    input          clk,
    input          rst,
    input          flush,
    input          accept,
    input  [15:0]  max_frame,
    input  [63:0]  xgmii_rxd,
    input  [7:0]   xgmii_rxc,
    output         mac_valid, // a beat between the two
    output         m_tvalid,
    input          m_tready,
    output [127:0] m_tdata,
    output [15:0]  m_tkeep,
    output         m_tlast,
    output [15:0]  m_tuser,
    output         m_bad,
    output         m_whole,
    output         m_good,
    output         tap_valid,
    output [3:0]   tap_status,
    output [15:0]  tap_bytes,
    output         tap_multicast,
    output         tap_broadcast,
    output         tap_fcs_wrong
);
    wire        last;
    wire [63:0] data;
    wire [7:0]  keep;
    wire [3:0]  status;
    wire        fcs_wrong;
    wire        p_valid;
    wire [63:0] p_data;
    wire [3:0]  p_bytes;
    wire        p_last;
    wire        good;

    fdw_mac_rx mac (
        .clk(clk), .rst(rst), .max_frame(max_frame), .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc),
        .m_valid(mac_valid), .m_data(data), .m_keep(keep), .m_last(last), .m_status(status),
        .m_fcs_wrong(fcs_wrong), .p_valid(p_valid), .p_data(p_data), .p_bytes(p_bytes), .p_last(p_last)
    );

    fdw_rx_checksum checksum (
        .clk(clk), .rst(rst), .p_valid(p_valid), .p_data(p_data), .p_bytes(p_bytes), .p_last(p_last), .good(good)
    );

    fdw_rx_fifo #(.BYTES(4096), .CUT_THROUGH(CUT_THROUGH)) fifo (
        .clk(clk), .rst(rst), .flush(flush), .accept(accept),
        .s_valid(mac_valid), .s_data(data), .s_keep(keep), .s_last(last), .s_status(status),
        .s_fcs_wrong(fcs_wrong), .s_tag(good),
        .m_valid(m_tvalid), .m_ready(m_tready), .m_data(m_tdata), .m_keep(m_tkeep), .m_last(m_tlast),
        .m_bad(m_bad), .m_whole(m_whole), .m_len(m_tuser), .m_tag(m_good),
        .tap_valid(tap_valid), .tap_status(tap_status), .tap_bytes(tap_bytes),
        .tap_multicast(tap_multicast), .tap_broadcast(tap_broadcast), .tap_fcs_wrong(tap_fcs_wrong)
    );
endmodule
