// Transmit: all between the descriptors of the queue and XGMII. Wires, and leaves out what is not built in.
//
//   desc -> engine -> DMA read -> offload -> FIFO -> MAC -> xgmii
//              `-> used
//
// In: desc_* of fdw_ring, what was negotiated, max_frame (without FCS). Out: used_* for fdw_ring, reads of frames,
// the wire, and pulses: errors that need a reset (chain_error, dma_error) and what is counted (stat_*).
// `enable` low aborts: no new access, bursts in flight end (dma_busy), the engine forgets. Frames whole in
// the FIFO still go out (fifo_busy). `calm`: device reset (fdw_tx_fifo). `busy`: see fdw_tx_engine.
//
// CSUM, TSO4, TSO6: 0 leaves the feature's circuits out; it then must not be negotiated.
module fdw_tx_path #(
    parameter ADDR_WIDTH = 64,
    parameter AXI_ID_WIDTH = 4,
    parameter AXI_ID = 0,
    parameter DESCRIPTORS = 256, // longest chain, >= 2
    parameter MAX_BURST = 16,
    parameter OUTSTANDING = 64,
    parameter FIFO_BYTES = 32768,
    parameter CUT_THROUGH = 4,
    parameter FORGIVE = 1024,
    parameter CSUM = 1,
    parameter TSO4 = 1,
    parameter TSO6 = 1
) (
    input                     clk,
    input                     rst,
    input                     enable,
    input                     calm,
    input                     feat_csum,
    input                     feat_tso4,
    input                     feat_tso6,
    input  [15:0]             max_frame,
    output                    busy,
    output                    dma_busy,
    output                    fifo_busy,
    output                    chain_error,
    output                    dma_error,

    input                     desc_valid,
    output                    desc_ready,
    input  [63:0]             desc_addr,
    input  [31:0]             desc_len,
    input  [15:0]             desc_id,
    input                     desc_last,
    input  [15:0]             desc_slots,
    output                    used_valid,
    input                     used_ready,
    output [15:0]             used_id,
    output [31:0]             used_len,
    output                    used_write,
    output [15:0]             used_count,
    input                     used_busy,

    output [AXI_ID_WIDTH-1:0] m_axi_arid,
    output [ADDR_WIDTH-1:0]   m_axi_araddr,
    output [7:0]              m_axi_arlen,
    output [2:0]              m_axi_arsize,
    output [1:0]              m_axi_arburst,
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

    output                    stat_frame,
    output [15:0]             stat_bytes,
    output                    stat_multicast,
    output                    stat_broadcast,
    output                    stat_tso,
    output                    stat_oversize,
    output                    stat_bad_offload,
    output                    stat_underflow
);
    localparam [16:0] LONGEST_IPV4 = 17'd65535 + 17'd18; // IPv4's longest, Ethernet header and VLAN tag
    localparam [16:0] LONGEST_IPV6 = 17'd40 + LONGEST_IPV4; // IPv6's, whose length does not count its header

    wire                  req_valid;
    wire                  req_ready;
    wire [ADDR_WIDTH-1:0] req_addr;
    wire [16:0]           req_len;
    wire [3:0]            req_head;
    wire                  req_last;
    wire                  head_valid;
    wire                  head_ready;
    wire [127:0]          head_data;
    wire [3:0]            head_offset;
    wire [3:0]            head_count;
    wire                  len_valid;
    wire                  len_ready;
    wire [16:0]           len_frame;
    wire                  len_steady;
    wire                  packet_done;
    wire                  stream_valid;
    wire                  stream_ready;
    wire [127:0]          stream_data;
    wire [15:0]           stream_keep;
    wire                  stream_last;
    wire                  frame_valid;
    wire                  frame_ready;
    wire [127:0]          frame_data;
    wire                  frame_last;
    wire [15:0]           frame_len;
    wire                  frame_cut;
    wire                  entry_valid;
    wire [15:0]           entry_len;
    wire                  entry_patch;
    wire [15:0]           entry_field;
    wire [15:0]           entry_value;
    wire [63:0]           tdata;
    wire [7:0]            tkeep;
    wire                  tlast;
    wire                  tvalid;
    wire                  tready;

    fdw_tx_engine #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .DESCRIPTORS(DESCRIPTORS)
    ) engine (
        .clk(clk),
        .rst(rst),
        .enable(enable),
        .longest(feat_tso6 ? LONGEST_IPV6 : feat_tso4 ? LONGEST_IPV4 : {1'b0, max_frame}),
        .error(chain_error),
        .busy(busy),
        .desc_valid(desc_valid),
        .desc_ready(desc_ready),
        .desc_addr(desc_addr),
        .desc_len(desc_len),
        .desc_id(desc_id),
        .desc_last(desc_last),
        .desc_slots(desc_slots),
        .req_valid(req_valid),
        .req_ready(req_ready),
        .req_addr(req_addr),
        .req_len(req_len),
        .req_head(req_head),
        .req_last(req_last),
        .len_valid(len_valid),
        .len_ready(len_ready),
        .len_frame(len_frame),
        .len_steady(len_steady),
        .packet_done(packet_done),
        .used_valid(used_valid),
        .used_ready(used_ready),
        .used_id(used_id),
        .used_len(used_len),
        .used_write(used_write),
        .used_count(used_count),
        .used_busy(used_busy)
    );

    fdw_dma_read #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .AXI_ID_WIDTH(AXI_ID_WIDTH),
        .AXI_ID(AXI_ID),
        .MAX_BURST(MAX_BURST),
        .OUTSTANDING(OUTSTANDING)
    ) dma (
        .clk(clk),
        .rst(rst),
        .req_valid(req_valid),
        .req_ready(req_ready),
        .req_addr(req_addr),
        .req_len(req_len),
        .req_head(req_head),
        .req_last(req_last),
        .head_valid(head_valid),
        .head_ready(head_ready),
        .head_data(head_data),
        .head_offset(head_offset),
        .head_count(head_count),
        .m_valid(stream_valid),
        .m_ready(stream_ready),
        .m_data(stream_data),
        .m_keep(stream_keep),
        .m_last(stream_last),
        .error(dma_error),
        .busy(dma_busy),
        .abort(!enable),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready)
    );

    fdw_tx_offload #(
        .CSUM(CSUM),
        .TSO4(TSO4),
        .TSO6(TSO6)
    ) offload (
        .clk(clk),
        .rst(rst),
        .clear(!enable),
        .feat_csum(feat_csum),
        .feat_tso4(feat_tso4),
        .feat_tso6(feat_tso6),
        .max_frame(max_frame),
        .head_valid(head_valid),
        .head_ready(head_ready),
        .head_data(head_data),
        .head_offset(head_offset),
        .head_count(head_count),
        .len_valid(len_valid),
        .len_ready(len_ready),
        .len_frame(len_frame),
        .len_steady(len_steady),
        .s_valid(stream_valid),
        .s_ready(stream_ready),
        .s_data(stream_data),
        .s_keep(stream_keep),
        .s_last(stream_last),
        .m_valid(frame_valid),
        .m_ready(frame_ready),
        .m_data(frame_data),
        .m_last(frame_last),
        .m_len(frame_len),
        .m_cut(frame_cut),
        .entry_valid(entry_valid),
        .entry_len(entry_len),
        .entry_patch(entry_patch),
        .entry_field(entry_field),
        .entry_value(entry_value),
        .packet_done(packet_done),
        .stat_tso(stat_tso),
        .stat_oversize(stat_oversize),
        .stat_bad_offload(stat_bad_offload)
    );

    fdw_tx_fifo #(
        .BYTES(FIFO_BYTES),
        .CUT_THROUGH(CUT_THROUGH),
        .FORGIVE(FORGIVE)
    ) fifo (
        .clk(clk),
        .rst(rst),
        .flush(!enable),
        .calm(calm),
        .busy(fifo_busy),
        .s_valid(frame_valid),
        .s_ready(frame_ready),
        .s_data(frame_data),
        .s_last(frame_last),
        .s_len(frame_len),
        .s_cut(frame_cut),
        .entry_valid(entry_valid),
        .entry_len(entry_len),
        .entry_patch(entry_patch),
        .entry_field(entry_field),
        .entry_value(entry_value),
        .m_tdata(tdata),
        .m_tkeep(tkeep),
        .m_tlast(tlast),
        .m_tvalid(tvalid),
        .m_tready(tready)
    );

    fdw_mac_tx mac (
        .clk(clk),
        .rst(rst),
        .s_tdata(tdata),
        .s_tkeep(tkeep),
        .s_tlast(tlast),
        .s_tvalid(tvalid),
        .s_tready(tready),
        .xgmii_txd(xgmii_txd),
        .xgmii_txc(xgmii_txc),
        .stat_frame(stat_frame),
        .stat_bytes(stat_bytes),
        .stat_multicast(stat_multicast),
        .stat_broadcast(stat_broadcast),
        .underflow(stat_underflow)
    );
endmodule
