// Test wrapper: one fdw_ring_fetch (ID 0), one fdw_ring_used (ID 1) and one fdw_ring_indirect (ID 2) on one AXI4 port.
module ring_wrap #(
    parameter DEVICE_WRITES = 0,
    parameter ADDR_WIDTH = 64
) (
    input                   clk,
    input                   rst,
    input                   enable,
    input  [63:0]           ring_addr,
    input  [15:0]           ring_size,
    input  [63:0]           device_event_addr,
    input  [63:0]           driver_event_addr,
    input                   indirect,
    input                   event_idx,
    input                   kick,
    input                   settled,
    output                  fetch_error,
    output                  fetch_busy,
    output                  table_error,
    output                  table_busy,
    output                  desc_valid,
    input                   desc_ready,
    output [63:0]           desc_addr,
    output [31:0]           desc_len,
    output [15:0]           desc_id,
    output                  desc_first,
    output                  desc_last,
    output [15:0]           desc_slots,
    output                  interrupt_pulse,
    output                  used_error,
    output                  used_busy,
    input                   used_valid,
    output                  used_ready,
    input  [15:0]           used_id,
    input  [31:0]           used_len,
    input                   used_write,
    input  [15:0]           used_count,
    input                   used_hold,
    input                   used_release,
    output [3:0]            m_axi_arid,
    output [ADDR_WIDTH-1:0] m_axi_araddr,
    output [7:0]            m_axi_arlen,
    output [2:0]            m_axi_arsize,
    output [1:0]            m_axi_arburst,
    output                  m_axi_arvalid,
    input                   m_axi_arready,
    input  [3:0]            m_axi_rid,
    input  [127:0]          m_axi_rdata,
    input  [1:0]            m_axi_rresp,
    input                   m_axi_rlast,
    input                   m_axi_rvalid,
    output                  m_axi_rready,
    output [3:0]            m_axi_awid,
    output [ADDR_WIDTH-1:0] m_axi_awaddr,
    output [7:0]            m_axi_awlen,
    output [2:0]            m_axi_awsize,
    output [1:0]            m_axi_awburst,
    output                  m_axi_awvalid,
    input                   m_axi_awready,
    output [127:0]          m_axi_wdata,
    output [15:0]           m_axi_wstrb,
    output                  m_axi_wlast,
    output                  m_axi_wvalid,
    input                   m_axi_wready,
    input  [3:0]            m_axi_bid,
    input  [1:0]            m_axi_bresp,
    input                   m_axi_bvalid,
    output                  m_axi_bready
);
    wire [3*ADDR_WIDTH-1:0] araddr;
    wire [23:0]             arlen;
    wire [8:0]              arsize;
    wire [5:0]              arburst;
    wire [2:0]              arvalid, arready, rvalid, rready;
    wire [2*ADDR_WIDTH-1:0] awaddr;
    wire [15:0]             awlen;
    wire [5:0]              awsize;
    wire [3:0]              awburst;
    wire [1:0]              awvalid, awready, wlast, wvalid, wready, bvalid, bready;
    wire [127:0]            rdata;
    wire [1:0]              rresp, bresp;
    wire                    rlast;
    wire [255:0]            wdata;
    wire [31:0]             wstrb;
    wire                    ring_valid, ring_ready, ring_indirect, ring_first, ring_last, pending;
    wire [63:0]             ring_desc_addr;
    wire [31:0]             ring_len;
    wire [15:0]             ring_id, ring_slots;

    fdw_ring_fetch #(
        .ADDR_WIDTH(ADDR_WIDTH), .DEVICE_WRITES(DEVICE_WRITES)
    ) fetch (
        .clk(clk), .rst(rst), .enable(enable), .ring_addr(ring_addr), .ring_size(ring_size),
        .device_event_addr(device_event_addr), .indirect(indirect), .event_idx(event_idx), .kick(kick),
        .settled(settled && !pending), .error(fetch_error), .busy(fetch_busy),
        .desc_valid(ring_valid), .desc_ready(ring_ready), .desc_addr(ring_desc_addr), .desc_len(ring_len),
        .desc_id(ring_id), .desc_indirect(ring_indirect), .desc_first(ring_first), .desc_last(ring_last),
        .desc_slots(ring_slots),
        .m_axi_arvalid(arvalid[0]), .m_axi_arready(arready[0]), .m_axi_araddr(araddr[ADDR_WIDTH-1:0]),
        .m_axi_arlen(arlen[7:0]), .m_axi_arsize(arsize[2:0]), .m_axi_arburst(arburst[1:0]),
        .m_axi_rvalid(rvalid[0]), .m_axi_rready(rready[0]), .m_axi_rdata(rdata), .m_axi_rresp(rresp),
        .m_axi_rlast(rlast),
        .m_axi_awvalid(awvalid[0]), .m_axi_awready(awready[0]), .m_axi_awaddr(awaddr[ADDR_WIDTH-1:0]),
        .m_axi_awlen(awlen[7:0]), .m_axi_awsize(awsize[2:0]), .m_axi_awburst(awburst[1:0]),
        .m_axi_wvalid(wvalid[0]), .m_axi_wready(wready[0]), .m_axi_wdata(wdata[127:0]), .m_axi_wstrb(wstrb[15:0]),
        .m_axi_wlast(wlast[0]), .m_axi_bvalid(bvalid[0]), .m_axi_bready(bready[0]), .m_axi_bresp(bresp)
    );

    fdw_ring_indirect #(
        .ADDR_WIDTH(ADDR_WIDTH), .DEVICE_WRITES(DEVICE_WRITES)
    ) tables (
        .clk(clk), .rst(rst), .enable(enable), .settled(settled), .error(table_error), .pending(pending),
        .busy(table_busy), .s_valid(ring_valid), .s_ready(ring_ready), .s_addr(ring_desc_addr), .s_len(ring_len),
        .s_id(ring_id), .s_indirect(ring_indirect), .s_first(ring_first), .s_last(ring_last), .s_slots(ring_slots),
        .m_valid(desc_valid), .m_ready(desc_ready), .m_addr(desc_addr), .m_len(desc_len), .m_id(desc_id),
        .m_first(desc_first), .m_last(desc_last), .m_slots(desc_slots),
        .m_axi_arvalid(arvalid[2]), .m_axi_arready(arready[2]), .m_axi_araddr(araddr[3*ADDR_WIDTH-1:2*ADDR_WIDTH]),
        .m_axi_arlen(arlen[23:16]), .m_axi_arsize(arsize[8:6]), .m_axi_arburst(arburst[5:4]),
        .m_axi_rvalid(rvalid[2]), .m_axi_rready(rready[2]), .m_axi_rdata(rdata), .m_axi_rresp(rresp)
    );

    fdw_ring_used #(
        .ADDR_WIDTH(ADDR_WIDTH)
    ) used (
        .clk(clk), .rst(rst), .enable(enable), .ring_addr(ring_addr), .ring_size(ring_size),
        .driver_event_addr(driver_event_addr), .interrupt(interrupt_pulse), .error(used_error), .busy(used_busy),
        .used_valid(used_valid), .used_ready(used_ready), .used_id(used_id), .used_len(used_len),
        .used_write(used_write), .used_count(used_count), .used_hold(used_hold), .used_release(used_release),
        .event_idx(event_idx),
        .m_axi_awvalid(awvalid[1]), .m_axi_awready(awready[1]), .m_axi_awaddr(awaddr[2*ADDR_WIDTH-1:ADDR_WIDTH]),
        .m_axi_awlen(awlen[15:8]), .m_axi_awsize(awsize[5:3]), .m_axi_awburst(awburst[3:2]),
        .m_axi_wvalid(wvalid[1]), .m_axi_wready(wready[1]), .m_axi_wdata(wdata[255:128]), .m_axi_wstrb(wstrb[31:16]),
        .m_axi_wlast(wlast[1]), .m_axi_bvalid(bvalid[1]), .m_axi_bready(bready[1]), .m_axi_bresp(bresp),
        .m_axi_arvalid(arvalid[1]), .m_axi_arready(arready[1]), .m_axi_araddr(araddr[2*ADDR_WIDTH-1:ADDR_WIDTH]),
        .m_axi_arlen(arlen[15:8]), .m_axi_arsize(arsize[5:3]), .m_axi_arburst(arburst[3:2]),
        .m_axi_rvalid(rvalid[1]), .m_axi_rready(rready[1]), .m_axi_rdata(rdata), .m_axi_rresp(rresp)
    );

    fdw_axi_read_mux #(
        .N(3), .ADDR_WIDTH(ADDR_WIDTH)
    ) read_mux (
        .clk(clk), .rst(rst), .s_axi_araddr(araddr), .s_axi_arlen(arlen), .s_axi_arsize(arsize),
        .s_axi_arburst(arburst), .s_axi_arvalid(arvalid), .s_axi_arready(arready), .s_axi_rdata(rdata),
        .s_axi_rresp(rresp), .s_axi_rlast(rlast), .s_axi_rvalid(rvalid), .s_axi_rready(rready),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen), .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst), .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready)
    );

    fdw_axi_write_mux #(
        .N(2), .ADDR_WIDTH(ADDR_WIDTH)
    ) write_mux (
        .clk(clk), .rst(rst), .s_axi_awaddr(awaddr), .s_axi_awlen(awlen), .s_axi_awsize(awsize),
        .s_axi_awburst(awburst), .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_wdata(wdata),
        .s_axi_wstrb(wstrb), .s_axi_wlast(wlast), .s_axi_wvalid(wvalid), .s_axi_wready(wready), .s_axi_bresp(bresp),
        .s_axi_bvalid(bvalid), .s_axi_bready(bready),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready)
    );
endmodule
