// Joins plain_nic to the bench (tb/hdl/fdw_tb.sv), which names its ports as fdwire's own NIC does.
`default_nettype none

module fdw_nic #(
    parameter [47:0] MAC_ADDRESS = 48'h02_00_00_00_00_01,
    parameter MTU = 1500,
    parameter QUEUE_NUM_MAX = 256
) (
    input wire clk, input wire rst, input wire link_up, output wire irq,
    input wire [12:0] s_axil_awaddr, input wire [2:0] s_axil_awprot, input wire s_axil_awvalid, output wire s_axil_awready,
    input wire [31:0] s_axil_wdata, input wire [3:0] s_axil_wstrb, input wire s_axil_wvalid, output wire s_axil_wready,
    output wire [1:0] s_axil_bresp, output wire s_axil_bvalid, input wire s_axil_bready,
    input wire [12:0] s_axil_araddr, input wire [2:0] s_axil_arprot, input wire s_axil_arvalid, output wire s_axil_arready,
    output wire [31:0] s_axil_rdata, output wire [1:0] s_axil_rresp, output wire s_axil_rvalid, input wire s_axil_rready,
    output wire [3:0] m_axi_awid, output wire [63:0] m_axi_awaddr, output wire [7:0] m_axi_awlen,
    output wire [2:0] m_axi_awsize, output wire [1:0] m_axi_awburst, output wire m_axi_awlock,
    output wire [3:0] m_axi_awcache, output wire [2:0] m_axi_awprot, output wire m_axi_awvalid, input wire m_axi_awready,
    output wire [127:0] m_axi_wdata, output wire [15:0] m_axi_wstrb, output wire m_axi_wlast, output wire m_axi_wvalid,
    input wire m_axi_wready, input wire [3:0] m_axi_bid, input wire [1:0] m_axi_bresp, input wire m_axi_bvalid,
    output wire m_axi_bready,
    output wire [3:0] m_axi_arid, output wire [63:0] m_axi_araddr, output wire [7:0] m_axi_arlen,
    output wire [2:0] m_axi_arsize, output wire [1:0] m_axi_arburst, output wire m_axi_arlock,
    output wire [3:0] m_axi_arcache, output wire [2:0] m_axi_arprot, output wire m_axi_arvalid, input wire m_axi_arready,
    input wire [3:0] m_axi_rid, input wire [127:0] m_axi_rdata, input wire [1:0] m_axi_rresp, input wire m_axi_rlast,
    input wire m_axi_rvalid, output wire m_axi_rready,
    output wire [63:0] xgmii_txd, output wire [7:0] xgmii_txc, input wire [63:0] xgmii_rxd, input wire [7:0] xgmii_rxc,
    output wire tap_rx_valid, output wire [3:0] tap_rx_status
);

    assign s_axil_bresp = 2'd0, s_axil_rresp = 2'd0;
    assign m_axi_awlen = 8'd0, m_axi_awsize = 3'd4, m_axi_awburst = 2'd1, m_axi_wlast = 1'b1, m_axi_bready = 1'b1;
    assign m_axi_arlen = 8'd0, m_axi_arsize = 3'd4, m_axi_arburst = 2'd1, m_axi_rready = 1'b1;
    assign m_axi_awlock = 1'b0, m_axi_awcache = 4'd3, m_axi_awprot = 3'd0;
    assign m_axi_arlock = 1'b0, m_axi_arcache = 4'd3, m_axi_arprot = 3'd0;
    assign tap_rx_valid = 1'b0, tap_rx_status = 4'd0; // for the checker, which is off

    plain_nic #(.STATION(MAC_ADDRESS), .DEPTH(QUEUE_NUM_MAX)) nic (
        .clock(clk), .reset(rst), .interrupt(irq),
        .cfg_awaddr(s_axil_awaddr), .cfg_awvalid(s_axil_awvalid), .cfg_awready(s_axil_awready),
        .cfg_wdata(s_axil_wdata), .cfg_wstrb(s_axil_wstrb), .cfg_wvalid(s_axil_wvalid), .cfg_wready(s_axil_wready),
        .cfg_bvalid(s_axil_bvalid), .cfg_bready(s_axil_bready),
        .cfg_araddr(s_axil_araddr), .cfg_arvalid(s_axil_arvalid), .cfg_arready(s_axil_arready),
        .cfg_rdata(s_axil_rdata), .cfg_rvalid(s_axil_rvalid), .cfg_rready(s_axil_rready),
        .host_arid(m_axi_arid), .host_araddr(m_axi_araddr), .host_arvalid(m_axi_arvalid), .host_arready(m_axi_arready),
        .host_rdata(m_axi_rdata), .host_rvalid(m_axi_rvalid),
        .host_awid(m_axi_awid), .host_awaddr(m_axi_awaddr), .host_awvalid(m_axi_awvalid), .host_awready(m_axi_awready),
        .host_wdata(m_axi_wdata), .host_wstrb(m_axi_wstrb), .host_wvalid(m_axi_wvalid), .host_wready(m_axi_wready),
        .host_bvalid(m_axi_bvalid),
        .phy_txd(xgmii_txd), .phy_txc(xgmii_txc), .phy_rxd(xgmii_rxd), .phy_rxc(xgmii_rxc)
    );

endmodule
`default_nettype wire
