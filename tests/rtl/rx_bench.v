// Test bench: all of receive between XGMII and the memory's write port, without ring.
module rx_bench #(
    parameter CUT_THROUGH = 1,
    parameter FRAME_CHAINS = 64,
    parameter DESCRIPTORS = 64,
    parameter MAX_BURST = 16
) (
    input          clk,
    input          rst,
    input          enable,
    input          mergeable,
    input          checks,
    input  [15:0]  ring_size,
    input  [15:0]  max_frame,
    input  [63:0]  xgmii_rxd,
    input  [7:0]   xgmii_rxc,

    input          desc_valid,
    output         desc_ready,
    input  [63:0]  desc_addr,
    input  [31:0]  desc_len,
    input  [15:0]  desc_id,
    input  [15:0]  desc_slots,
    input          desc_last,
    output         used_valid,
    input          used_ready,
    output [15:0]  used_id,
    output [31:0]  used_len,
    output         used_write,
    output [15:0]  used_count,
    output         used_hold,
    output         used_release,

    output [3:0]   m_axi_awid,
    output [63:0]  m_axi_awaddr,
    output [7:0]   m_axi_awlen,
    output [2:0]   m_axi_awsize,
    output [1:0]   m_axi_awburst,
    output         m_axi_awvalid,
    input          m_axi_awready,
    output [127:0] m_axi_wdata,
    output [15:0]  m_axi_wstrb,
    output         m_axi_wlast,
    output         m_axi_wvalid,
    input          m_axi_wready,
    input  [3:0]   m_axi_bid,
    input  [1:0]   m_axi_bresp,
    input          m_axi_bvalid,
    output         m_axi_bready,

    output         truncated,
    output         dma_busy,
    output         rolled_back,
    output         fixed,
    output         tap_valid,
    output [3:0]   tap_status
);
    wire         mac_valid, mac_last, mac_fcs_wrong, p_valid, p_last, right;
    wire [63:0]  mac_data, p_data;
    wire [7:0]   mac_keep;
    wire [3:0]   mac_status, p_bytes;
    wire         f_valid, f_ready, f_last, f_bad, f_whole, f_good;
    wire [127:0] f_data, s_data;
    wire [15:0]  f_keep, f_len, s_keep;
    wire         s_valid, s_ready, s_last, s_more, cut, ended, req_valid, req_ready, done, error;
    wire [63:0]  req_addr;
    wire [16:0]  req_len;
    wire [15:0]  tap_bytes;
    wire         tap_multicast, tap_broadcast, tap_fcs_wrong;

    assign rolled_back = engine.rollback;
    assign fixed = engine.frame.state_next == engine.frame.FIX && engine.frame.state != engine.frame.FIX;

    fdw_mac_rx mac (
        .clk(clk), .rst(rst), .max_frame(max_frame), .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc),
        .m_valid(mac_valid), .m_data(mac_data), .m_keep(mac_keep), .m_last(mac_last), .m_status(mac_status),
        .m_fcs_wrong(mac_fcs_wrong), .p_valid(p_valid), .p_data(p_data), .p_bytes(p_bytes), .p_last(p_last)
    );

    fdw_rx_checksum checksum (
        .clk(clk), .rst(rst), .p_valid(p_valid), .p_data(p_data), .p_bytes(p_bytes), .p_last(p_last), .good(right)
    );

    fdw_rx_fifo #(.BYTES(16384), .CUT_THROUGH(CUT_THROUGH)) fifo (
        .clk(clk), .rst(rst), .flush(!enable), .accept(enable),
        .s_valid(mac_valid), .s_data(mac_data), .s_keep(mac_keep), .s_last(mac_last), .s_status(mac_status),
        .s_fcs_wrong(mac_fcs_wrong), .s_tag(right),
        .m_valid(f_valid), .m_ready(f_ready), .m_data(f_data), .m_keep(f_keep), .m_last(f_last),
        .m_bad(f_bad), .m_whole(f_whole), .m_len(f_len), .m_tag(f_good),
        .tap_valid(tap_valid), .tap_status(tap_status), .tap_bytes(tap_bytes),
        .tap_multicast(tap_multicast), .tap_broadcast(tap_broadcast), .tap_fcs_wrong(tap_fcs_wrong)
    );

    fdw_rx_engine #(.FRAME_CHAINS(FRAME_CHAINS), .DESCRIPTORS(DESCRIPTORS)) engine (
        .clk(clk), .rst(rst), .enable(enable), .mergeable(mergeable), .checks(checks), .ring_size(ring_size),
        .truncated(truncated),
        .s_valid(f_valid), .s_ready(f_ready), .s_data(f_data), .s_keep(f_keep), .s_last(f_last),
        .s_bad(f_bad), .s_whole(f_whole), .s_len(f_len), .s_good(f_good),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_addr(desc_addr), .desc_len(desc_len),
        .desc_id(desc_id), .desc_slots(desc_slots), .desc_last(desc_last),
        .m_valid(s_valid), .m_ready(s_ready), .m_data(s_data), .m_keep(s_keep), .m_last(s_last),
        .m_more(s_more), .m_cut(cut), .m_ended(ended),
        .req_valid(req_valid), .req_ready(req_ready), .req_addr(req_addr), .req_len(req_len), .done(done),
        .used_valid(used_valid), .used_ready(used_ready), .used_id(used_id), .used_len(used_len),
        .used_write(used_write), .used_count(used_count), .used_hold(used_hold), .used_release(used_release)
    );

    fdw_dma_write #(.MAX_BURST(MAX_BURST)) dma (
        .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready), .s_data(s_data), .s_keep(s_keep),
        .s_last(s_last), .s_more(s_more), .cut(cut), .ended(ended),
        .req_valid(req_valid), .req_ready(req_ready), .req_addr(req_addr), .req_len(req_len),
        .done(done), .error(error), .busy(dma_busy), .abort(!enable),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
        .m_axi_awsize(m_axi_awsize), .m_axi_awburst(m_axi_awburst), .m_axi_awvalid(m_axi_awvalid),
        .m_axi_awready(m_axi_awready), .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb),
        .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready)
    );
endmodule
