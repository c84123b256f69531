// The NIC with everything beside it in C++ (tb/cpp) through DPI-C: one call a clock, others only on a
// handshake. `clk` is driven by the main loop (tb/cpp/main.cpp); `evt` toggles when Python is wanted.
`default_nettype none

module fdw_tb #(
    parameter [47:0] MAC_ADDRESS = 48'h02_00_00_00_00_01,
    parameter MTU = 1500,
    parameter QUEUE_NUM_MAX = 256
) (
    input wire clk
);

    import "DPI-C" function void fdw_ar(input int id, input longint address, input int len, input int size, input int burst);
    import "DPI-C" function void fdw_aw(input int id, input longint address, input int len, input int size, input int burst);
    import "DPI-C" function void fdw_w(input bit [127:0] data, input int strobes, input int last);
    import "DPI-C" function void fdw_tx_word(input longint data, input int control);
    import "DPI-C" function void fdw_rx_word(output longint data, output int control);
    import "DPI-C" function void fdw_r_beat(output int id, output bit [127:0] data, output int resp, output int last);
    import "DPI-C" function void fdw_axil(output int offset, output int value, output int strobes);
    import "DPI-C" function int fdw_clock(input int flags, input int rdata);

    localparam IDLE = 64'h0707070707070707;

    reg evt = 1'b0;
    reg rst = 1'b1;
    reg link_up = 1'b1;

    // AXI-Lite
    reg [12:0] axil_addr = 13'd0;
    reg [31:0] axil_wdata = 32'd0;
    reg [3:0] axil_wstrb = 4'd0;
    reg awvalid = 1'b0, wvalid = 1'b0, arvalid = 1'b0;
    wire awready, wready, arready, bvalid, rvalid;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    // AXI4
    wire [3:0] m_awid, m_arid;
    wire [63:0] m_awaddr, m_araddr;
    wire [7:0] m_awlen, m_arlen;
    wire [2:0] m_awsize, m_arsize;
    wire [1:0] m_awburst, m_arburst;
    wire m_awvalid, m_arvalid, m_wvalid, m_wlast, m_bready, m_rready;
    wire [127:0] m_wdata;
    wire [15:0] m_wstrb;
    reg m_awready = 1'b0, m_arready = 1'b0, m_wready = 1'b0;
    reg m_bvalid = 1'b0, m_rvalid = 1'b0, m_rlast = 1'b0;
    reg [3:0] m_bid = 4'd0, m_rid = 4'd0;
    reg [1:0] m_bresp = 2'd0, m_rresp = 2'd0;
    reg [127:0] m_rdata = 128'd0;

    // Wire
    wire [63:0] txd;
    wire [7:0] txc;
    reg [63:0] rxd = IDLE;
    reg [7:0] rxc = 8'hff;

    wire irq, tap_rx_valid;
    wire [3:0] tap_rx_status;

    fdw_nic #(
        .MAC_ADDRESS(MAC_ADDRESS),
        .MTU(MTU),
        .QUEUE_NUM_MAX(QUEUE_NUM_MAX)
    ) nic (
        .clk(clk),
        .rst(rst),
        .s_axil_awaddr(axil_addr),
        .s_axil_awprot(3'd0),
        .s_axil_awvalid(awvalid),
        .s_axil_awready(awready),
        .s_axil_wdata(axil_wdata),
        .s_axil_wstrb(axil_wstrb),
        .s_axil_wvalid(wvalid),
        .s_axil_wready(wready),
        .s_axil_bresp(bresp),
        .s_axil_bvalid(bvalid),
        .s_axil_bready(1'b1),
        .s_axil_araddr(axil_addr),
        .s_axil_arprot(3'd0),
        .s_axil_arvalid(arvalid),
        .s_axil_arready(arready),
        .s_axil_rdata(rdata),
        .s_axil_rresp(rresp),
        .s_axil_rvalid(rvalid),
        .s_axil_rready(1'b1),
        .m_axi_awid(m_awid),
        .m_axi_awaddr(m_awaddr),
        .m_axi_awlen(m_awlen),
        .m_axi_awsize(m_awsize),
        .m_axi_awburst(m_awburst),
        .m_axi_awlock(),
        .m_axi_awcache(),
        .m_axi_awprot(),
        .m_axi_awvalid(m_awvalid),
        .m_axi_awready(m_awready),
        .m_axi_wdata(m_wdata),
        .m_axi_wstrb(m_wstrb),
        .m_axi_wlast(m_wlast),
        .m_axi_wvalid(m_wvalid),
        .m_axi_wready(m_wready),
        .m_axi_bid(m_bid),
        .m_axi_bresp(m_bresp),
        .m_axi_bvalid(m_bvalid),
        .m_axi_bready(m_bready),
        .m_axi_arid(m_arid),
        .m_axi_araddr(m_araddr),
        .m_axi_arlen(m_arlen),
        .m_axi_arsize(m_arsize),
        .m_axi_arburst(m_arburst),
        .m_axi_arlock(),
        .m_axi_arcache(),
        .m_axi_arprot(),
        .m_axi_arvalid(m_arvalid),
        .m_axi_arready(m_arready),
        .m_axi_rid(m_rid),
        .m_axi_rdata(m_rdata),
        .m_axi_rresp(m_rresp),
        .m_axi_rlast(m_rlast),
        .m_axi_rvalid(m_rvalid),
        .m_axi_rready(m_rready),
        .xgmii_txd(txd),
        .xgmii_txc(txc),
        .xgmii_rxd(rxd),
        .xgmii_rxc(rxc),
        .link_up(link_up),
        .irq(irq),
        .tap_rx_valid(tap_rx_valid),
        .tap_rx_status(tap_rx_status)
    );

    // Same bits as enum In and enum Out of tb/cpp/cosim.cpp.
    wire [31:0] in_flags = {
        18'd0, m_arvalid && !m_arready || m_awvalid && !m_awready || m_wvalid && !m_wready,
        tap_rx_status, tap_rx_valid, irq,
        m_bvalid && m_bready, m_rvalid && m_rready,
        rvalid, bvalid, wvalid && wready, awvalid && awready, arvalid && arready
    };

    reg [31:0] out;
    int offset, value, strobes, id, resp, last, control;
    longint word;
    bit [127:0] beat;

    always @(posedge clk) begin
        if (!rst) begin
            if (m_arvalid && m_arready)
                fdw_ar(32'(m_arid), m_araddr, 32'(m_arlen), 32'(m_arsize), 32'(m_arburst));
            if (m_awvalid && m_awready)
                fdw_aw(32'(m_awid), m_awaddr, 32'(m_awlen), 32'(m_awsize), 32'(m_awburst));
            if (m_wvalid && m_wready) fdw_w(m_wdata, 32'(m_wstrb), 32'(m_wlast));
            if (txc != 8'hff || txd != IDLE) fdw_tx_word(txd, 32'(txc));
        end
        out = fdw_clock(in_flags, rdata);
        rst <= out[0];
        link_up <= out[1];
        arvalid <= out[2];
        awvalid <= out[3];
        wvalid <= out[4];
        if (out[2] || out[3]) begin
            fdw_axil(offset, value, strobes);
            axil_addr <= offset[12:0];
            axil_wdata <= value;
            axil_wstrb <= strobes[3:0];
        end
        m_arready <= out[5];
        m_awready <= out[6];
        m_wready <= out[7];
        m_rvalid <= out[8];
        if (out[9]) begin
            fdw_r_beat(id, beat, resp, last);
            m_rid <= id[3:0];
            m_rdata <= beat;
            m_rresp <= resp[1:0];
            m_rlast <= last[0];
        end
        m_bvalid <= out[10];
        m_bid <= out[14:11];
        m_bresp <= out[16:15];
        if (out[17]) begin
            fdw_rx_word(word, control);
            rxd <= word;
            rxc <= control[7:0];
        end else begin
            rxd <= IDLE;
            rxc <= 8'hff;
        end
        if (out[18]) evt <= !evt;
    end

endmodule

`default_nettype wire
