// virtio-net NIC: packed virtqueues over AXI4, 10G Ethernet over XGMII. This module only wires.
//
//   s_axil --> regs --- rings' control --> fetch[RX], fetch[TX], used[RX], used[TX]
//   host memory <-- read mux, write mux <-- fetch, tables, used, DMA read (TX frames), DMA write (RX frames)
//   TX: fetch -> tables of indirect descriptors -> tx engine -> DMA read -> tx FIFO -> tx MAC -> xgmii_tx;  tx engine -> used
//   RX: xgmii_rx -> rx MAC -> rx FIFO -> rx engine -> DMA write;  fetch -> tables -> rx engine -> used
//
// AXI4 IDs, both directions: 0 frames (read: TX, written: RX), 1 and 2 descriptors read and device event
// suppression written (RX, TX), 3 and 4 used entries written and driver event suppression read (RX, TX),
// 5 and 6 tables of indirect descriptors read (RX, TX).
//
// A queue that stops (QueueReady 0, DEVICE_NEEDS_RESET, device reset) aborts its direction at once: no new
// access to its ring, bursts in flight end, its engine forgets. Received frames still in the RX FIFO are
// lost; frames whole in the TX FIFO, whose chains may be used already, still go out, and a device
// reset is not over before the last of them is in the MAC. A bad TX descriptor is reported when the chains
// before it are used, a bad RX descriptor when it is seen.
//
// irq is a level. tap_rx_* (for a checker) says of each received frame, in order, what became of it.
`include "fdwire_regs.vh"
module fdw_nic #(
    parameter [47:0] MAC_ADDRESS = 48'h02_00_00_00_00_01, // first byte on the wire is bits 47:40
    parameter MTU = 1500,          // after rst; the MTU register takes others up to
    parameter MTU_MAX = 9000,      // so many
    parameter QUEUE_NUM_MAX = 256, // 1..32768
    parameter ADDR_WIDTH = 64,
    parameter AXI_ID_WIDTH = 4,
    parameter TX_FIFO_BYTES = 32768, // power of two, >= 4096
    // Beats of 16 bytes that are there when a frame begins on the wire, at the least (fdw_tx_fifo); 0: all. Four last
    // until a burst of eight descriptors that was asked for before the frame has passed.
    parameter TX_CUT_THROUGH = 4,
    parameter RX_FIFO_BYTES = 32768, // power of two, >= 4096
    parameter RX_CUT_THROUGH = 1,    // 1: a received frame may be written to memory before its end has come
    // Virtio features that are built in and offered: what is required and any of the others. Circuits that only
    // serve what is missing are left out.
    parameter [63:0] FEATURES = `FDW_FEATURES_OFFERED,
    parameter STATISTICS = 1         // 0: no counters; all of them read 0
) (
    input                     clk,
    input                     rst,

    input  [12:0]             s_axil_awaddr,
    input  [2:0]              s_axil_awprot,
    input                     s_axil_awvalid,
    output                    s_axil_awready,
    input  [31:0]             s_axil_wdata,
    input  [3:0]              s_axil_wstrb,
    input                     s_axil_wvalid,
    output                    s_axil_wready,
    output [1:0]              s_axil_bresp,
    output                    s_axil_bvalid,
    input                     s_axil_bready,
    input  [12:0]             s_axil_araddr,
    input  [2:0]              s_axil_arprot,
    input                     s_axil_arvalid,
    output                    s_axil_arready,
    output [31:0]             s_axil_rdata,
    output [1:0]              s_axil_rresp,
    output                    s_axil_rvalid,
    input                     s_axil_rready,

    output [AXI_ID_WIDTH-1:0] m_axi_awid,
    output [ADDR_WIDTH-1:0]   m_axi_awaddr,
    output [7:0]              m_axi_awlen,
    output [2:0]              m_axi_awsize,
    output [1:0]              m_axi_awburst,
    output                    m_axi_awlock,
    output [3:0]              m_axi_awcache,
    output [2:0]              m_axi_awprot,
    output                    m_axi_awvalid,
    input                     m_axi_awready,
    output [127:0]            m_axi_wdata,
    output [15:0]             m_axi_wstrb,
    output                    m_axi_wlast,
    output                    m_axi_wvalid,
    input                     m_axi_wready,
    input  [AXI_ID_WIDTH-1:0] m_axi_bid,
    input  [1:0]              m_axi_bresp,
    input                     m_axi_bvalid,
    output                    m_axi_bready,
    output [AXI_ID_WIDTH-1:0] m_axi_arid,
    output [ADDR_WIDTH-1:0]   m_axi_araddr,
    output [7:0]              m_axi_arlen,
    output [2:0]              m_axi_arsize,
    output [1:0]              m_axi_arburst,
    output                    m_axi_arlock,
    output [3:0]              m_axi_arcache,
    output [2:0]              m_axi_arprot,
    output                    m_axi_arvalid,
    input                     m_axi_arready,
    input  [AXI_ID_WIDTH-1:0] m_axi_rid,
    input  [127:0]            m_axi_rdata,
    input  [1:0]              m_axi_rresp,
    input                     m_axi_rlast,
    input                     m_axi_rvalid,
    output                    m_axi_rready,

    output [63:0]             xgmii_txd,
    output [7:0]              xgmii_txc,
    input  [63:0]             xgmii_rxd,
    input  [7:0]              xgmii_rxc,

    input                     link_up,
    output                    irq,
    output                    tap_rx_valid,
    output [3:0]              tap_rx_status
);
    localparam HAS_CSUM = FEATURES[`FDW_FEATURE_CSUM];
    localparam HAS_TSO4 = FEATURES[`FDW_FEATURE_HOST_TSO4];
    localparam HAS_TSO6 = FEATURES[`FDW_FEATURE_HOST_TSO6];
    localparam HAS_GUEST_CSUM = FEATURES[`FDW_FEATURE_GUEST_CSUM];
    localparam HAS_INDIRECT = FEATURES[`FDW_FEATURE_INDIRECT_DESC];
    localparam RX = `FDW_QUEUE_RX;
    localparam TX = `FDW_QUEUE_TX;
    localparam LONGEST = MTU_MAX + 14 + 4; // without FCS; 4 bytes for a VLAN tag

    // Masters on the AXI4 port; the index is the ID.
    localparam READERS = 7;
    localparam WRITERS = 5;
    localparam FRAMES = 0;
    localparam FETCH = 1; // + queue
    localparam USED = 3;  // + queue
    localparam TABLE = 5; // + queue
    localparam FRAMES_IN_A_ROW = 8; // bursts of frames go before other reads: a frame on the wire must not run dry

    generate
        if (ADDR_WIDTH < 32 || ADDR_WIDTH > 64) begin : g_check_addr_width
            fdw_rule_ADDR_WIDTH_must_be_32_to_64 violated ();
        end
        if (AXI_ID_WIDTH < 3) begin : g_check_axi_id_width
            fdw_rule_AXI_ID_WIDTH_must_be_at_least_3 violated ();
        end
        if (TX_FIFO_BYTES < 4096 || (TX_FIFO_BYTES & (TX_FIFO_BYTES - 1)) != 0) begin : g_check_tx_fifo
            fdw_rule_TX_FIFO_BYTES_must_be_a_power_of_two_and_at_least_4096 violated ();
        end
        if (RX_FIFO_BYTES < 4096 || (RX_FIFO_BYTES & (RX_FIFO_BYTES - 1)) != 0) begin : g_check_rx_fifo
            fdw_rule_RX_FIFO_BYTES_must_be_a_power_of_two_and_at_least_4096 violated ();
        end
        if (LONGEST + 16 > TX_FIFO_BYTES || LONGEST + 16 > RX_FIFO_BYTES) begin : g_check_mtu
            fdw_rule_a_FIFO_must_hold_a_frame_of_MTU_MAX violated ();
        end
    endgenerate

    // ---------------------------------------------------------------- registers
    wire [1:0]   queue_enable;
    wire [1:0]   queue_idle;
    wire [31:0]  queue_size;
    wire [127:0] desc_area;
    wire [127:0] driver_area;
    wire [127:0] device_area;
    wire [1:0]   kick;
    wire [1:0]   used_interrupt;
    wire [1:0]   fetch_error;
    wire [1:0]   used_error;
    wire [1:0]   table_error;
    wire         tx_chain_error;
    wire         dma_read_error;
    wire         dma_write_error;
    wire         tx_fifo_busy;
    wire [15:0]  tap_rx_bytes;
    wire         rx_truncated;
    wire         tx_sent;
    wire [15:0]  tx_sent_bytes;
    wire         tx_oversize;
    wire         tx_bad_offload;
    wire         tx_tso;
    wire         tx_underflow;
    wire         tx_sent_multicast;
    wire         tx_sent_broadcast;
    wire         feat_csum;
    wire         feat_guest_csum;
    wire         feat_tso4;
    wire         feat_tso6;
    wire         feat_mrg_rxbuf;
    wire         feat_indirect;
    wire         feat_event_idx;
    wire [15:0]  max_frame;
    wire         stat_rx_multicast;
    wire         stat_rx_broadcast;
    wire         stat_rx_fcs_wrong;
    wire         device_reset;

    fdw_regs #(
        .MAC_ADDRESS(MAC_ADDRESS),
        .MTU(MTU),
        .MTU_MAX(MTU_MAX),
        .QUEUE_NUM_MAX(QUEUE_NUM_MAX),
        .QUEUES(2),
        .FEATURES(FEATURES),
        .STATISTICS(STATISTICS)
    ) regs (
        .clk(clk),
        .rst(rst),
        .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot), .s_axil_awvalid(s_axil_awvalid),
        .s_axil_awready(s_axil_awready), .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb),
        .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready), .s_axil_bresp(s_axil_bresp),
        .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready), .s_axil_araddr(s_axil_araddr),
        .s_axil_arprot(s_axil_arprot), .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
        .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp), .s_axil_rvalid(s_axil_rvalid),
        .s_axil_rready(s_axil_rready),
        .device_reset(device_reset),
        .device_idle(&queue_idle && !tx_fifo_busy),
        .queue_enable(queue_enable),
        .queue_idle(queue_idle),
        .queue_size(queue_size),
        .desc_addr(desc_area),
        .driver_addr(driver_area),
        .device_addr(device_area),
        .kick(kick),
        .feat_csum(feat_csum),
        .feat_guest_csum(feat_guest_csum),
        .feat_tso4(feat_tso4),
        .feat_tso6(feat_tso6),
        .feat_mrg_rxbuf(feat_mrg_rxbuf),
        .feat_indirect(feat_indirect),
        .feat_event_idx(feat_event_idx),
        .max_frame(max_frame),
        .used_interrupt(used_interrupt),
        .fatal(|fetch_error || |table_error || |used_error || tx_chain_error || dma_read_error || dma_write_error),
        .link_up(link_up),
        .irq(irq),
        .stat_rx_valid(tap_rx_valid),
        .stat_rx_status(tap_rx_status),
        .stat_rx_bytes(tap_rx_bytes),
        .stat_rx_multicast(stat_rx_multicast),
        .stat_rx_broadcast(stat_rx_broadcast),
        .stat_rx_fcs_wrong(stat_rx_fcs_wrong),
        .stat_rx_truncated(rx_truncated),
        .stat_tx_valid(tx_sent),
        .stat_tx_bytes(tx_sent_bytes),
        .stat_tx_multicast(tx_sent_multicast),
        .stat_tx_broadcast(tx_sent_broadcast),
        .stat_tx_oversize(tx_oversize),
        .stat_tx_bad_offload(tx_bad_offload),
        .stat_tx_tso(tx_tso),
        .stat_tx_underflow(tx_underflow)
    );

    // ---------------------------------------------------------------- AXI4: all masters on one port
    wire [READERS*ADDR_WIDTH-1:0] araddr;
    wire [READERS*8-1:0]          arlen;
    wire [READERS*3-1:0]          arsize;
    wire [READERS*2-1:0]          arburst;
    wire [READERS-1:0]            arvalid;
    wire [READERS-1:0]            arready;
    wire [127:0]                  rdata;
    wire [1:0]                    rresp;
    wire                          rlast;
    wire [READERS-1:0]            rvalid;
    wire [READERS-1:0]            rready;
    wire [WRITERS*ADDR_WIDTH-1:0] awaddr;
    wire [WRITERS*8-1:0]          awlen;
    wire [WRITERS*3-1:0]          awsize;
    wire [WRITERS*2-1:0]          awburst;
    wire [WRITERS-1:0]            awvalid;
    wire [WRITERS-1:0]            awready;
    wire [WRITERS*128-1:0]        wdata;
    wire [WRITERS*16-1:0]         wstrb;
    wire [WRITERS-1:0]            wlast;
    wire [WRITERS-1:0]            wvalid;
    wire [WRITERS-1:0]            wready;
    wire [1:0]                    bresp;
    wire [WRITERS-1:0]            bvalid;
    wire [WRITERS-1:0]            bready;

    assign m_axi_arlock = 1'b0;
    assign m_axi_arcache = 4'b0011; // normal, non-cacheable, bufferable
    assign m_axi_arprot = 3'b000;
    assign m_axi_awlock = 1'b0;
    assign m_axi_awcache = 4'b0011;
    assign m_axi_awprot = 3'b000;

    fdw_axi_read_mux #(
        .N(READERS),
        .ADDR_WIDTH(ADDR_WIDTH),
        .AXI_ID_WIDTH(AXI_ID_WIDTH),
        .PREFERRED(FRAMES_IN_A_ROW)
    ) read_mux (
        .clk(clk),
        .rst(rst),
        .s_axi_araddr(araddr), .s_axi_arlen(arlen), .s_axi_arsize(arsize), .s_axi_arburst(arburst),
        .s_axi_arvalid(arvalid), .s_axi_arready(arready), .s_axi_rdata(rdata), .s_axi_rresp(rresp),
        .s_axi_rlast(rlast), .s_axi_rvalid(rvalid), .s_axi_rready(rready), .m_axi_arid(m_axi_arid),
        .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen), .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst), .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp),
        .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready)
    );

    fdw_axi_write_mux #(
        .N(WRITERS),
        .ADDR_WIDTH(ADDR_WIDTH),
        .AXI_ID_WIDTH(AXI_ID_WIDTH)
    ) write_mux (
        .clk(clk),
        .rst(rst),
        .s_axi_awaddr(awaddr), .s_axi_awlen(awlen), .s_axi_awsize(awsize), .s_axi_awburst(awburst),
        .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_wdata(wdata), .s_axi_wstrb(wstrb),
        .s_axi_wlast(wlast), .s_axi_wvalid(wvalid), .s_axi_wready(wready), .s_axi_bresp(bresp),
        .s_axi_bvalid(bvalid), .s_axi_bready(bready), .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr),
        .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize), .m_axi_awburst(m_axi_awburst),
        .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready), .m_axi_wdata(m_axi_wdata),
        .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready)
    );

    // ---------------------------------------------------------------- rings
    wire [1:0]   fetch_busy;
    wire [1:0]   used_busy;
    wire [1:0]   desc_valid;
    wire [1:0]   desc_ready;
    wire [127:0] desc_addr;
    wire [63:0]  desc_len;
    wire [31:0]  desc_id;
    wire [1:0]   unused_desc_first;
    wire [1:0]   desc_last;
    wire [31:0]  desc_slots;
    wire [1:0]   used_valid;
    wire [1:0]   used_ready;
    wire [31:0]  used_id;
    wire [63:0]  used_len;
    wire [1:0]   used_write;
    wire [31:0]  used_count;
    wire [1:0]   used_hold;
    wire [1:0]   used_release;
    assign used_hold[TX] = 1'b0;
    assign used_release[TX] = 1'b0;
    wire         tx_busy;
    // Of the transmit queue: everything handed on is used. RX chains wait for frames: no use in waiting for them.
    wire [1:0]   settled = {!desc_valid[TX] && !tx_busy && !used_busy[TX], 1'b1};
    wire [1:0]   table_pending;
    wire [1:0]   table_busy;

    genvar q;
    generate
        for (q = 0; q < 2; q = q + 1) begin : ring
            localparam F = FETCH + q;
            localparam U = USED + q;
            localparam T = TABLE + q;

            wire        ring_valid;
            wire        ring_ready;
            wire [63:0] ring_addr;
            wire [31:0] ring_len;
            wire [15:0] ring_id;
            wire        ring_indirect;
            wire        ring_first;
            wire        ring_last;
            wire [15:0] ring_slots;

            fdw_ring_fetch #(
                .ADDR_WIDTH(ADDR_WIDTH),
                .DEVICE_WRITES(q == RX)
            ) fetch (
                .clk(clk),
                .rst(rst),
                .enable(queue_enable[q]),
                .ring_addr(desc_area[q*64 +: 64]),
                .ring_size(queue_size[q*16 +: 16]),
                .device_event_addr(device_area[q*64 +: 64]),
                .indirect(feat_indirect),
                .event_idx(feat_event_idx),
                .kick(kick[q]),
                .settled(settled[q] && (q == RX || !table_pending[q])),
                .error(fetch_error[q]),
                .busy(fetch_busy[q]),
                .desc_valid(ring_valid),
                .desc_ready(ring_ready),
                .desc_addr(ring_addr),
                .desc_len(ring_len),
                .desc_id(ring_id),
                .desc_indirect(ring_indirect),
                .desc_first(ring_first),
                .desc_last(ring_last),
                .desc_slots(ring_slots),
                .m_axi_araddr(araddr[F*ADDR_WIDTH +: ADDR_WIDTH]), .m_axi_arlen(arlen[F*8 +: 8]),
                .m_axi_arsize(arsize[F*3 +: 3]), .m_axi_arburst(arburst[F*2 +: 2]),
                .m_axi_arvalid(arvalid[F]), .m_axi_arready(arready[F]), .m_axi_rdata(rdata),
                .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid[F]),
                .m_axi_rready(rready[F]), .m_axi_awaddr(awaddr[F*ADDR_WIDTH +: ADDR_WIDTH]),
                .m_axi_awlen(awlen[F*8 +: 8]), .m_axi_awsize(awsize[F*3 +: 3]),
                .m_axi_awburst(awburst[F*2 +: 2]), .m_axi_awvalid(awvalid[F]), .m_axi_awready(awready[F]),
                .m_axi_wdata(wdata[F*128 +: 128]), .m_axi_wstrb(wstrb[F*16 +: 16]), .m_axi_wlast(wlast[F]),
                .m_axi_wvalid(wvalid[F]), .m_axi_wready(wready[F]), .m_axi_bresp(bresp),
                .m_axi_bvalid(bvalid[F]), .m_axi_bready(bready[F])
            );

            if (HAS_INDIRECT) begin : indirect
                fdw_ring_indirect #(
                    .ADDR_WIDTH(ADDR_WIDTH),
                    .DEVICE_WRITES(q == RX)
                ) tables (
                    .clk(clk),
                    .rst(rst),
                    .enable(queue_enable[q]),
                    .settled(settled[q]),
                    .error(table_error[q]),
                    .pending(table_pending[q]),
                    .busy(table_busy[q]),
                    .s_valid(ring_valid),
                    .s_ready(ring_ready),
                    .s_addr(ring_addr),
                    .s_len(ring_len),
                    .s_id(ring_id),
                    .s_indirect(ring_indirect),
                    .s_first(ring_first),
                    .s_last(ring_last),
                    .s_slots(ring_slots),
                    .m_valid(desc_valid[q]),
                    .m_ready(desc_ready[q]),
                    .m_addr(desc_addr[q*64 +: 64]),
                    .m_len(desc_len[q*32 +: 32]),
                    .m_id(desc_id[q*16 +: 16]),
                    .m_first(unused_desc_first[q]),
                    .m_last(desc_last[q]),
                    .m_slots(desc_slots[q*16 +: 16]),
                    .m_axi_araddr(araddr[T*ADDR_WIDTH +: ADDR_WIDTH]), .m_axi_arlen(arlen[T*8 +: 8]),
                    .m_axi_arsize(arsize[T*3 +: 3]), .m_axi_arburst(arburst[T*2 +: 2]),
                    .m_axi_arvalid(arvalid[T]), .m_axi_arready(arready[T]), .m_axi_rdata(rdata),
                    .m_axi_rresp(rresp), .m_axi_rvalid(rvalid[T]), .m_axi_rready(rready[T])
                );
            end else begin : direct
                // Without tables the stream of the ring is that of the engine.
                assign table_error[q] = 1'b0;
                assign table_pending[q] = 1'b0;
                assign table_busy[q] = 1'b0;
                assign desc_valid[q] = ring_valid;
                assign ring_ready = desc_ready[q];
                assign desc_addr[q*64 +: 64] = ring_addr;
                assign desc_len[q*32 +: 32] = ring_len;
                assign desc_id[q*16 +: 16] = ring_id;
                assign unused_desc_first[q] = ring_first;
                assign desc_last[q] = ring_last;
                assign desc_slots[q*16 +: 16] = ring_slots;
                assign araddr[T*ADDR_WIDTH +: ADDR_WIDTH] = {ADDR_WIDTH{1'b0}};
                assign arlen[T*8 +: 8] = 8'd0;
                assign arsize[T*3 +: 3] = 3'd0;
                assign arburst[T*2 +: 2] = 2'd0;
                assign arvalid[T] = 1'b0;
                assign rready[T] = 1'b0;
                wire unused_table = &{1'b0, ring_indirect, arready[T], rvalid[T]};
            end

            fdw_ring_used #(
                .ADDR_WIDTH(ADDR_WIDTH)
            ) used (
                .clk(clk),
                .rst(rst),
                .enable(queue_enable[q]),
                .ring_addr(desc_area[q*64 +: 64]),
                .ring_size(queue_size[q*16 +: 16]),
                .driver_event_addr(driver_area[q*64 +: 64]),
                .event_idx(feat_event_idx),
                .interrupt(used_interrupt[q]),
                .error(used_error[q]),
                .busy(used_busy[q]),
                .used_valid(used_valid[q]),
                .used_ready(used_ready[q]),
                .used_id(used_id[q*16 +: 16]),
                .used_len(used_len[q*32 +: 32]),
                .used_write(used_write[q]),
                .used_count(used_count[q*16 +: 16]),
                .used_hold(used_hold[q]),
                .used_release(used_release[q]),
                .m_axi_awaddr(awaddr[U*ADDR_WIDTH +: ADDR_WIDTH]), .m_axi_awlen(awlen[U*8 +: 8]),
                .m_axi_awsize(awsize[U*3 +: 3]), .m_axi_awburst(awburst[U*2 +: 2]),
                .m_axi_awvalid(awvalid[U]), .m_axi_awready(awready[U]), .m_axi_wdata(wdata[U*128 +: 128]),
                .m_axi_wstrb(wstrb[U*16 +: 16]), .m_axi_wlast(wlast[U]), .m_axi_wvalid(wvalid[U]),
                .m_axi_wready(wready[U]), .m_axi_bresp(bresp), .m_axi_bvalid(bvalid[U]),
                .m_axi_bready(bready[U]), .m_axi_araddr(araddr[U*ADDR_WIDTH +: ADDR_WIDTH]),
                .m_axi_arlen(arlen[U*8 +: 8]), .m_axi_arsize(arsize[U*3 +: 3]),
                .m_axi_arburst(arburst[U*2 +: 2]), .m_axi_arvalid(arvalid[U]), .m_axi_arready(arready[U]),
                .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rvalid(rvalid[U]), .m_axi_rready(rready[U])
            );
        end
    endgenerate

    // ---------------------------------------------------------------- transmit, receive
    wire                    tx_dma_busy;
    wire                    rx_dma_busy;
    wire [AXI_ID_WIDTH-1:0] unused_arid; // the multiplexers give the IDs
    wire [AXI_ID_WIDTH-1:0] unused_awid;

    assign queue_idle[TX] = !fetch_busy[TX] && !table_busy[TX] && !used_busy[TX] && !tx_dma_busy;
    assign queue_idle[RX] = !fetch_busy[RX] && !table_busy[RX] && !used_busy[RX] && !rx_dma_busy;

    fdw_tx_path #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .AXI_ID_WIDTH(AXI_ID_WIDTH),
        .AXI_ID(FRAMES),
        .DESCRIPTORS(QUEUE_NUM_MAX < 2 ? 2 : QUEUE_NUM_MAX),
        .FIFO_BYTES(TX_FIFO_BYTES),
        .CUT_THROUGH(TX_CUT_THROUGH),
        .CSUM(HAS_CSUM),
        .TSO4(HAS_TSO4),
        .TSO6(HAS_TSO6)
    ) tx (
        .clk(clk),
        .rst(rst),
        .enable(queue_enable[TX]),
        .calm(device_reset),
        .feat_csum(feat_csum),
        .feat_tso4(feat_tso4),
        .feat_tso6(feat_tso6),
        .max_frame(max_frame),
        .busy(tx_busy),
        .dma_busy(tx_dma_busy),
        .fifo_busy(tx_fifo_busy),
        .chain_error(tx_chain_error),
        .dma_error(dma_read_error),
        .desc_valid(desc_valid[TX]),
        .desc_ready(desc_ready[TX]),
        .desc_addr(desc_addr[TX*64 +: 64]),
        .desc_len(desc_len[TX*32 +: 32]),
        .desc_id(desc_id[TX*16 +: 16]),
        .desc_last(desc_last[TX]),
        .desc_slots(desc_slots[TX*16 +: 16]),
        .used_valid(used_valid[TX]),
        .used_ready(used_ready[TX]),
        .used_id(used_id[TX*16 +: 16]),
        .used_len(used_len[TX*32 +: 32]),
        .used_write(used_write[TX]),
        .used_count(used_count[TX*16 +: 16]),
        .used_busy(used_busy[TX]),
        .m_axi_arid(unused_arid), .m_axi_araddr(araddr[FRAMES*ADDR_WIDTH +: ADDR_WIDTH]),
        .m_axi_arlen(arlen[FRAMES*8 +: 8]), .m_axi_arsize(arsize[FRAMES*3 +: 3]),
        .m_axi_arburst(arburst[FRAMES*2 +: 2]), .m_axi_arvalid(arvalid[FRAMES]),
        .m_axi_arready(arready[FRAMES]), .m_axi_rid({AXI_ID_WIDTH{1'b0}}), .m_axi_rdata(rdata),
        .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid[FRAMES]),
        .m_axi_rready(rready[FRAMES]),
        .xgmii_txd(xgmii_txd),
        .xgmii_txc(xgmii_txc),
        .stat_frame(tx_sent),
        .stat_bytes(tx_sent_bytes),
        .stat_multicast(tx_sent_multicast),
        .stat_broadcast(tx_sent_broadcast),
        .stat_tso(tx_tso),
        .stat_oversize(tx_oversize),
        .stat_bad_offload(tx_bad_offload),
        .stat_underflow(tx_underflow)
    );

    fdw_rx_path #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .AXI_ID_WIDTH(AXI_ID_WIDTH),
        .AXI_ID(FRAMES),
        .FIFO_BYTES(RX_FIFO_BYTES),
        .CUT_THROUGH(RX_CUT_THROUGH),
        .CHECKSUM(HAS_GUEST_CSUM)
    ) rx (
        .clk(clk),
        .rst(rst),
        .enable(queue_enable[RX]),
        .mergeable(feat_mrg_rxbuf),
        .checks(feat_guest_csum),
        .ring_size(queue_size[RX*16 +: 16]),
        .max_frame(max_frame),
        .dma_busy(rx_dma_busy),
        .dma_error(dma_write_error),
        .xgmii_rxd(xgmii_rxd),
        .xgmii_rxc(xgmii_rxc),
        .desc_valid(desc_valid[RX]),
        .desc_ready(desc_ready[RX]),
        .desc_addr(desc_addr[RX*64 +: 64]),
        .desc_len(desc_len[RX*32 +: 32]),
        .desc_id(desc_id[RX*16 +: 16]),
        .desc_slots(desc_slots[RX*16 +: 16]),
        .desc_last(desc_last[RX]),
        .used_valid(used_valid[RX]),
        .used_ready(used_ready[RX]),
        .used_id(used_id[RX*16 +: 16]),
        .used_len(used_len[RX*32 +: 32]),
        .used_write(used_write[RX]),
        .used_count(used_count[RX*16 +: 16]),
        .used_hold(used_hold[RX]),
        .used_release(used_release[RX]),
        .m_axi_awid(unused_awid), .m_axi_awaddr(awaddr[FRAMES*ADDR_WIDTH +: ADDR_WIDTH]),
        .m_axi_awlen(awlen[FRAMES*8 +: 8]), .m_axi_awsize(awsize[FRAMES*3 +: 3]),
        .m_axi_awburst(awburst[FRAMES*2 +: 2]), .m_axi_awvalid(awvalid[FRAMES]),
        .m_axi_awready(awready[FRAMES]), .m_axi_wdata(wdata[FRAMES*128 +: 128]),
        .m_axi_wstrb(wstrb[FRAMES*16 +: 16]), .m_axi_wlast(wlast[FRAMES]), .m_axi_wvalid(wvalid[FRAMES]),
        .m_axi_wready(wready[FRAMES]), .m_axi_bid({AXI_ID_WIDTH{1'b0}}), .m_axi_bresp(bresp),
        .m_axi_bvalid(bvalid[FRAMES]), .m_axi_bready(bready[FRAMES]),
        .truncated(rx_truncated),
        .tap_valid(tap_rx_valid),
        .tap_status(tap_rx_status),
        .tap_bytes(tap_rx_bytes),
        .tap_multicast(stat_rx_multicast),
        .tap_broadcast(stat_rx_broadcast),
        .tap_fcs_wrong(stat_rx_fcs_wrong)
    );
endmodule
