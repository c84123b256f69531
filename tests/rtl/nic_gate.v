// Test bench: the NIC, and gates in its memory port that hold a transfer at a chosen point.
//
// hold_*: one bit per AXI ID. A held AR, AW or B does not pass; of a held R burst `beats` pass, no more.
// hold_w: of each write burst of several beats so many pass. `held`: something stands before a closed gate.
module nic_gate (
    input  [15:0] hold_ar,
    input  [15:0] hold_r,
    input  [15:0] hold_aw,
    input         hold_w,
    input  [15:0] hold_b,
    input  [7:0]  beats,
    output        held,
    input           clk,
    input           rst,
    input  [12:0]   s_axil_awaddr,
    input  [2:0]    s_axil_awprot,
    input           s_axil_awvalid,
    output          s_axil_awready,
    input  [31:0]   s_axil_wdata,
    input  [3:0]    s_axil_wstrb,
    input           s_axil_wvalid,
    output          s_axil_wready,
    output [1:0]    s_axil_bresp,
    output          s_axil_bvalid,
    input           s_axil_bready,
    input  [12:0]   s_axil_araddr,
    input  [2:0]    s_axil_arprot,
    input           s_axil_arvalid,
    output          s_axil_arready,
    output [31:0]   s_axil_rdata,
    output [1:0]    s_axil_rresp,
    output          s_axil_rvalid,
    input           s_axil_rready,
    output [3:0]    m_axi_awid,
    output [63:0]   m_axi_awaddr,
    output [7:0]    m_axi_awlen,
    output [2:0]    m_axi_awsize,
    output [1:0]    m_axi_awburst,
    output          m_axi_awlock,
    output [3:0]    m_axi_awcache,
    output [2:0]    m_axi_awprot,
    output          m_axi_awvalid,
    input           m_axi_awready,
    output [127:0]  m_axi_wdata,
    output [15:0]   m_axi_wstrb,
    output          m_axi_wlast,
    output          m_axi_wvalid,
    input           m_axi_wready,
    input  [3:0]    m_axi_bid,
    input  [1:0]    m_axi_bresp,
    input           m_axi_bvalid,
    output          m_axi_bready,
    output [3:0]    m_axi_arid,
    output [63:0]   m_axi_araddr,
    output [7:0]    m_axi_arlen,
    output [2:0]    m_axi_arsize,
    output [1:0]    m_axi_arburst,
    output          m_axi_arlock,
    output [3:0]    m_axi_arcache,
    output [2:0]    m_axi_arprot,
    output          m_axi_arvalid,
    input           m_axi_arready,
    input  [3:0]    m_axi_rid,
    input  [127:0]  m_axi_rdata,
    input  [1:0]    m_axi_rresp,
    input           m_axi_rlast,
    input           m_axi_rvalid,
    output          m_axi_rready,
    output [63:0]   xgmii_txd,
    output [7:0]    xgmii_txc,
    input  [63:0]   xgmii_rxd,
    input  [7:0]    xgmii_rxc,
    input           link_up,
    output          irq,
    output          tap_rx_valid,
    output [3:0]    tap_rx_status
);
    wire       arvalid, awvalid, wvalid, rready, bready;
    reg  [7:0] r_beat; // of the burst that is being answered
    reg  [7:0] w_beat;
    // Nothing is held where nothing is offered: an ID or a count then means nothing, and may be X.
    wire       stop_ar = arvalid && hold_ar[m_axi_arid];
    wire       stop_aw = awvalid && hold_aw[m_axi_awid];
    wire       stop_r = m_axi_rvalid && hold_r[m_axi_rid] && r_beat == beats;
    wire       stop_w = wvalid && hold_w && w_beat == beats && !(w_beat == 8'd0 && m_axi_wlast);
    wire       stop_b = m_axi_bvalid && hold_b[m_axi_bid];

    assign m_axi_arvalid = arvalid && !stop_ar;
    assign m_axi_awvalid = awvalid && !stop_aw;
    assign m_axi_wvalid = wvalid && !stop_w;
    assign m_axi_rready = rready && !stop_r;
    assign m_axi_bready = bready && !stop_b;
    assign held = stop_ar || stop_aw || stop_r || stop_w || stop_b;

    always @(posedge clk) begin
        if (rst) begin
            r_beat <= 8'd0;
            w_beat <= 8'd0;
        end else begin
            if (m_axi_rvalid && m_axi_rready) r_beat <= m_axi_rlast ? 8'd0 : r_beat + 8'd1;
            if (m_axi_wvalid && m_axi_wready) w_beat <= m_axi_wlast ? 8'd0 : w_beat + 8'd1;
        end
    end

    fdw_nic nic (
        .clk(clk), .rst(rst), .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot),
        .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready), .s_axil_wdata(s_axil_wdata),
        .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
        .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready),
        .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot), .s_axil_arvalid(s_axil_arvalid),
        .s_axil_arready(s_axil_arready), .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
        .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready), .m_axi_awid(m_axi_awid),
        .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awlock(m_axi_awlock), .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot), .m_axi_awvalid(awvalid), .m_axi_awready(m_axi_awready && !stop_aw),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(wvalid),
        .m_axi_wready(m_axi_wready && !stop_w), .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid && !stop_b), .m_axi_bready(bready), .m_axi_arid(m_axi_arid),
        .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen), .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst), .m_axi_arlock(m_axi_arlock), .m_axi_arcache(m_axi_arcache),
        .m_axi_arprot(m_axi_arprot), .m_axi_arvalid(arvalid), .m_axi_arready(m_axi_arready && !stop_ar),
        .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid && !stop_r), .m_axi_rready(rready), .xgmii_txd(xgmii_txd),
        .xgmii_txc(xgmii_txc), .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc), .link_up(link_up), .irq(irq),
        .tap_rx_valid(tap_rx_valid), .tap_rx_status(tap_rx_status)
    );
endmodule
