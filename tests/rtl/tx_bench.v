// Test bench: all of transmit between the descriptor stream and XGMII.
module tx_bench #(
    parameter CUT_THROUGH = 2,
    parameter FORGIVE = 1024,
    parameter MAX_BURST = 16,
    parameter OUTSTANDING = 64,
    parameter DESCRIPTORS = 64
) (
    input          clk,
    input          rst,
    input          enable,
    input          calm,
    input          feat_csum,
    input          feat_tso4,
    input  [15:0]  max_frame,

    input          desc_valid,
    output         desc_ready,
    input  [63:0]  desc_addr,
    input  [31:0]  desc_len,
    input  [15:0]  desc_id,
    input          desc_last,
    input  [15:0]  desc_slots,
    output         used_valid,
    input          used_ready,
    output [15:0]  used_id,
    output [31:0]  used_len,
    output [15:0]  used_count,

    output [3:0]   m_axi_arid,
    output [63:0]  m_axi_araddr,
    output [7:0]   m_axi_arlen,
    output [2:0]   m_axi_arsize,
    output [1:0]   m_axi_arburst,
    output         m_axi_arvalid,
    input          m_axi_arready,
    input  [3:0]   m_axi_rid,
    input  [127:0] m_axi_rdata,
    input  [1:0]   m_axi_rresp,
    input          m_axi_rlast,
    input          m_axi_rvalid,
    output         m_axi_rready,

    output [63:0]  xgmii_txd,
    output [7:0]   xgmii_txc,
    output         chain_error,
    output         dma_error,
    output         dma_busy,
    output         chain_busy,
    output         fifo_busy,
    output         stat_frame,
    output [15:0]  stat_bytes,
    output         stat_tso,
    output         stat_oversize,
    output         stat_bad_offload,
    output         stat_underflow
);
    wire         req_valid, req_ready, req_last;
    wire [63:0]  req_addr;
    wire [16:0]  req_len, len_frame;
    wire [3:0]   req_head, head_offset, head_count;
    wire         head_valid, head_ready, len_valid, len_ready, len_steady, packet_done;
    wire [127:0] head_data, data, frame_data;
    wire [15:0]  keep;
    wire         valid, ready, last, frame_valid, frame_ready, frame_last, frame_cut;
    wire [15:0]  frame_len, entry_len, entry_field, entry_value;
    wire         entry_valid, entry_patch;
    wire [63:0]  tdata;
    wire [7:0]   tkeep;
    wire         tlast, tvalid, tready;
    wire         used_write, multicast, broadcast;

    fdw_tx_engine #(.DESCRIPTORS(DESCRIPTORS)) engine (
        .clk(clk), .rst(rst), .enable(enable), .longest(feat_tso4 ? 17'd65553 : {1'b0, max_frame}),
        .error(chain_error), .busy(chain_busy),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_addr(desc_addr), .desc_len(desc_len),
        .desc_id(desc_id), .desc_last(desc_last), .desc_slots(desc_slots),
        .req_valid(req_valid), .req_ready(req_ready), .req_addr(req_addr), .req_len(req_len),
        .req_head(req_head), .req_last(req_last),
        .len_valid(len_valid), .len_ready(len_ready), .len_frame(len_frame), .len_steady(len_steady),
        .packet_done(packet_done),
        .used_valid(used_valid), .used_ready(used_ready), .used_id(used_id), .used_len(used_len),
        .used_write(used_write), .used_count(used_count), .used_busy(1'b0)
    );

    fdw_dma_read #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) dma_read (
        .clk(clk), .rst(rst),
        .req_valid(req_valid), .req_ready(req_ready), .req_addr(req_addr), .req_len(req_len),
        .req_head(req_head), .req_last(req_last),
        .head_valid(head_valid), .head_ready(head_ready), .head_data(head_data),
        .head_offset(head_offset), .head_count(head_count),
        .m_valid(valid), .m_ready(ready), .m_data(data), .m_keep(keep), .m_last(last),
        .error(dma_error), .busy(dma_busy), .abort(!enable),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready)
    );

    fdw_tx_offload offload (
        .clk(clk), .rst(rst), .clear(!enable),
        .feat_csum(feat_csum), .feat_tso4(feat_tso4), .max_frame(max_frame),
        .head_valid(head_valid), .head_ready(head_ready), .head_data(head_data),
        .head_offset(head_offset), .head_count(head_count),
        .len_valid(len_valid), .len_ready(len_ready), .len_frame(len_frame), .len_steady(len_steady),
        .s_valid(valid), .s_ready(ready), .s_data(data), .s_keep(keep), .s_last(last),
        .m_valid(frame_valid), .m_ready(frame_ready), .m_data(frame_data), .m_last(frame_last),
        .m_len(frame_len), .m_cut(frame_cut),
        .entry_valid(entry_valid), .entry_len(entry_len), .entry_patch(entry_patch),
        .entry_field(entry_field), .entry_value(entry_value), .packet_done(packet_done),
        .stat_tso(stat_tso), .stat_oversize(stat_oversize), .stat_bad_offload(stat_bad_offload)
    );

    fdw_tx_fifo #(.CUT_THROUGH(CUT_THROUGH), .FORGIVE(FORGIVE)) fifo (
        .clk(clk), .rst(rst), .flush(!enable), .calm(calm), .busy(fifo_busy),
        .s_valid(frame_valid), .s_ready(frame_ready), .s_data(frame_data), .s_last(frame_last),
        .s_len(frame_len), .s_cut(frame_cut),
        .entry_valid(entry_valid), .entry_len(entry_len), .entry_patch(entry_patch),
        .entry_field(entry_field), .entry_value(entry_value),
        .m_tdata(tdata), .m_tkeep(tkeep), .m_tlast(tlast), .m_tvalid(tvalid), .m_tready(tready)
    );

    fdw_mac_tx mac (
        .clk(clk), .rst(rst),
        .s_tdata(tdata), .s_tkeep(tkeep), .s_tlast(tlast), .s_tvalid(tvalid), .s_tready(tready),
        .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc),
        .stat_frame(stat_frame), .stat_bytes(stat_bytes), .stat_multicast(multicast),
        .stat_broadcast(broadcast), .underflow(stat_underflow)
    );
endmodule
