// Receive: all between XGMII and the descriptors of the queue. Wires, and leaves out what is not built in.
//
//   xgmii -> MAC -> FIFO -> engine -> DMA write
//             `-> checksum -^  `-> used
//
// In: the wire, desc_* of fdw_ring, what was negotiated (`mergeable`: MRG_RXBUF, `checks`: GUEST_CSUM), max_frame
// (without FCS). Out: used_* for fdw_ring, writes of frames, and pulses: dma_error, that needs a reset,
// truncated (see fdw_rx_engine), and tap_* of each frame, in order (see fdw_rx_fifo).
// `enable` low aborts: no new access, bursts in flight end (dma_busy), frames in the FIFO are lost.
//
// CHECKSUM: 0 leaves out what GUEST_CSUM needs; `checks` must be low then.
module fdw_rx_path #(
    parameter ADDR_WIDTH = 64,
    parameter AXI_ID_WIDTH = 4,
    parameter AXI_ID = 0,
    parameter FRAME_CHAINS = 64,
    parameter DESCRIPTORS = 64,
    parameter MAX_BURST = 16,
    parameter FIFO_BYTES = 32768,
    parameter CUT_THROUGH = 1,
    parameter CHECKSUM = 1
) (
    input                     clk,
    input                     rst,
    input                     enable,
    input                     mergeable,
    input                     checks,
    input  [15:0]             ring_size,
    input  [15:0]             max_frame,
    output                    dma_busy,
    output                    dma_error,

    input  [63:0]             xgmii_rxd,
    input  [7:0]              xgmii_rxc,

    input                     desc_valid,
    output                    desc_ready,
    input  [63:0]             desc_addr,
    input  [31:0]             desc_len,
    input  [15:0]             desc_id,
    input  [15:0]             desc_slots,
    input                     desc_last,
    output                    used_valid,
    input                     used_ready,
    output [15:0]             used_id,
    output [31:0]             used_len,
    output                    used_write,
    output [15:0]             used_count,
    output                    used_hold,
    output                    used_release,

    output [AXI_ID_WIDTH-1:0] m_axi_awid,
    output [ADDR_WIDTH-1:0]   m_axi_awaddr,
    output [7:0]              m_axi_awlen,
    output [2:0]              m_axi_awsize,
    output [1:0]              m_axi_awburst,
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

    output                    truncated,
    output                    tap_valid,
    output [3:0]              tap_status,
    output [15:0]             tap_bytes,
    output                    tap_multicast,
    output                    tap_broadcast,
    output                    tap_fcs_wrong
);
    wire                  mac_valid;
    wire [63:0]           mac_data;
    wire [7:0]            mac_keep;
    wire                  mac_last;
    wire [3:0]            mac_status;
    wire                  mac_fcs_wrong;
    wire                  sum_valid;
    wire [63:0]           sum_data;
    wire [3:0]            sum_bytes;
    wire                  sum_last;
    wire                  sum_good;
    wire                  frame_valid;
    wire                  frame_ready;
    wire [127:0]          frame_data;
    wire [15:0]           frame_keep;
    wire                  frame_last;
    wire                  frame_bad;
    wire                  frame_whole;
    wire [15:0]           frame_len;
    wire                  frame_good;
    wire                  stream_valid;
    wire                  stream_ready;
    wire [127:0]          stream_data;
    wire [15:0]           stream_keep;
    wire                  stream_last;
    wire                  req_valid;
    wire                  req_ready;
    wire [ADDR_WIDTH-1:0] req_addr;
    wire [16:0]           req_len;
    wire                  more;
    wire                  cut;
    wire                  ended;
    wire                  done;

    fdw_mac_rx mac (
        .clk(clk),
        .rst(rst),
        .max_frame(max_frame),
        .xgmii_rxd(xgmii_rxd),
        .xgmii_rxc(xgmii_rxc),
        .m_valid(mac_valid),
        .m_data(mac_data),
        .m_keep(mac_keep),
        .m_last(mac_last),
        .m_status(mac_status),
        .m_fcs_wrong(mac_fcs_wrong),
        .p_valid(sum_valid),
        .p_data(sum_data),
        .p_bytes(sum_bytes),
        .p_last(sum_last)
    );

    generate
        if (CHECKSUM != 0) begin : with_checksum
            fdw_rx_checksum checksum (
                .clk(clk),
                .rst(rst),
                .p_valid(sum_valid),
                .p_data(sum_data),
                .p_bytes(sum_bytes),
                .p_last(sum_last),
                .good(sum_good)
            );
        end else begin : no_checksum
            assign sum_good = 1'b0;
            wire unused_sum = &{1'b0, sum_valid, sum_data, sum_bytes, sum_last};
        end
    endgenerate

    fdw_rx_fifo #(
        .BYTES(FIFO_BYTES),
        .CUT_THROUGH(CUT_THROUGH)
    ) fifo (
        .clk(clk),
        .rst(rst),
        .flush(!enable),
        .accept(enable),
        .s_valid(mac_valid),
        .s_data(mac_data),
        .s_keep(mac_keep),
        .s_last(mac_last),
        .s_status(mac_status),
        .s_fcs_wrong(mac_fcs_wrong),
        .s_tag(sum_good),
        .m_valid(frame_valid),
        .m_ready(frame_ready),
        .m_data(frame_data),
        .m_keep(frame_keep),
        .m_last(frame_last),
        .m_bad(frame_bad),
        .m_whole(frame_whole),
        .m_len(frame_len),
        .m_tag(frame_good),
        .tap_valid(tap_valid),
        .tap_status(tap_status),
        .tap_bytes(tap_bytes),
        .tap_multicast(tap_multicast),
        .tap_broadcast(tap_broadcast),
        .tap_fcs_wrong(tap_fcs_wrong)
    );

    fdw_rx_engine #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .FRAME_CHAINS(FRAME_CHAINS),
        .DESCRIPTORS(DESCRIPTORS)
    ) engine (
        .clk(clk),
        .rst(rst),
        .enable(enable),
        .mergeable(mergeable),
        .checks(checks),
        .ring_size(ring_size),
        .truncated(truncated),
        .s_valid(frame_valid),
        .s_ready(frame_ready),
        .s_data(frame_data),
        .s_keep(frame_keep),
        .s_last(frame_last),
        .s_bad(frame_bad),
        .s_whole(frame_whole),
        .s_len(frame_len),
        .s_good(frame_good),
        .desc_valid(desc_valid),
        .desc_ready(desc_ready),
        .desc_addr(desc_addr),
        .desc_len(desc_len),
        .desc_id(desc_id),
        .desc_slots(desc_slots),
        .desc_last(desc_last),
        .m_valid(stream_valid),
        .m_ready(stream_ready),
        .m_data(stream_data),
        .m_keep(stream_keep),
        .m_last(stream_last),
        .m_more(more),
        .m_cut(cut),
        .m_ended(ended),
        .req_valid(req_valid),
        .req_ready(req_ready),
        .req_addr(req_addr),
        .req_len(req_len),
        .done(done),
        .used_valid(used_valid),
        .used_ready(used_ready),
        .used_id(used_id),
        .used_len(used_len),
        .used_write(used_write),
        .used_count(used_count),
        .used_hold(used_hold),
        .used_release(used_release)
    );

    fdw_dma_write #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .AXI_ID_WIDTH(AXI_ID_WIDTH),
        .AXI_ID(AXI_ID),
        .MAX_BURST(MAX_BURST)
    ) dma (
        .clk(clk),
        .rst(rst),
        .s_valid(stream_valid),
        .s_ready(stream_ready),
        .s_data(stream_data),
        .s_keep(stream_keep),
        .s_last(stream_last),
        .s_more(more),
        .cut(cut),
        .ended(ended),
        .req_valid(req_valid),
        .req_ready(req_ready),
        .req_addr(req_addr),
        .req_len(req_len),
        .done(done),
        .error(dma_error),
        .busy(dma_busy),
        .abort(!enable),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
        .m_axi_awsize(m_axi_awsize), .m_axi_awburst(m_axi_awburst), .m_axi_awvalid(m_axi_awvalid),
        .m_axi_awready(m_axi_awready), .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb),
        .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready)
    );
endmodule
