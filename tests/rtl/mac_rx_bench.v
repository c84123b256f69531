// Test bench: fdw_mac_rx in front of fdw_rx_fifo. The frame's length goes with its beats as m_tuser.
module mac_rx_bench (
    input          clk,
    input          rst,
    input          flush,
    input          accept,
    input  [63:0]  xgmii_rxd,
    input  [7:0]   xgmii_rxc,
    output         mac_valid, // a beat between the two
    output         m_tvalid,
    input          m_tready,
    output [127:0] m_tdata,
    output [15:0]  m_tkeep,
    output         m_tlast,
    output [15:0]  m_tuser,
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

    fdw_mac_rx mac (
        .clk(clk), .rst(rst), .max_frame(16'd1518), .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc),
        .m_valid(mac_valid), .m_data(data), .m_keep(keep), .m_last(last), .m_status(status), .m_fcs_wrong(fcs_wrong)
    );

    fdw_rx_fifo #(.BYTES(4096)) fifo (
        .clk(clk), .rst(rst), .flush(flush), .accept(accept),
        .s_valid(mac_valid), .s_data(data), .s_keep(keep), .s_last(last), .s_status(status),
        .s_fcs_wrong(fcs_wrong),
        .m_valid(m_tvalid), .m_ready(m_tready), .m_data(m_tdata), .m_keep(m_tkeep), .m_last(m_tlast),
        .m_len(m_tuser),
        .tap_valid(tap_valid), .tap_status(tap_status), .tap_bytes(tap_bytes),
        .tap_multicast(tap_multicast), .tap_broadcast(tap_broadcast), .tap_fcs_wrong(tap_fcs_wrong)
    );
endmodule
