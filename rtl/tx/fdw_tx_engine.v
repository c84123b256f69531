// Transmit: descriptor chains become DMA read requests, one packet each, and then used entries.
//
// In: desc_* of fdw_ring_fetch. Out: req_* to fdw_dma_read, one request per descriptor at most; the first
// 12 bytes of a chain, struct virtio_net_hdr (virtio 1.2 §5.1.6), are skipped wherever descriptors split
// it. packet_done is a pulse per packet that has left the DMA whole: only then, and in order, is the chain
// offered on used_* (len 0: the device wrote nothing). Up to CHAINS chains are under way.
//
// A chain longer than the longest frame is read only until that is known, MAX_FRAME + 1 bytes of frame,
// and used as any other; the frame FIFO behind the DMA drops and counts what exceeds MAX_FRAME.
// A chain shorter than header and Ethernet header (12 + 14) gives one pulse on `error` and is never used;
// it comes when the chains before it are used and their entries written (`used_busy` low), and after it
// the engine takes nothing until `enable` falls. With `enable` low everything is forgotten; the DMA must
// be aborted meanwhile (req_valid may fall without req_ready).
// `busy` is high while a whole chain has been taken that fdw_ring_used has not.
`include "fdwire_regs.vh"
module fdw_tx_engine #(
    parameter ADDR_WIDTH = 64,
    parameter MAX_FRAME = 1518, // bytes without FCS
    parameter CHAINS = 64
) (
    input                   clk,
    input                   rst,
    input                   enable,
    output reg              error,
    output                  busy,

    input                   desc_valid,
    output                  desc_ready,
    input  [63:0]           desc_addr,
    input  [31:0]           desc_len,
    input  [15:0]           desc_id,
    input                   desc_last,

    output                  req_valid,
    input                   req_ready,
    output [ADDR_WIDTH-1:0] req_addr,
    output [16:0]           req_len,
    output [3:0]            req_skip,
    output                  req_last,
    input                   packet_done,

    output                  used_valid,
    input                   used_ready,
    output [15:0]           used_id,
    output [31:0]           used_len,
    output                  used_write,
    output [15:0]           used_count,
    input                   used_busy
);
    localparam [16:0] HEADER = `FDW_NET_HDR_BYTES;
    localparam [16:0] SHORTEST = HEADER + 17'd14; // IEEE 802.3 §3.1.1: two addresses and a type
    localparam [31:0] FRAME_BITS = MAX_FRAME;
    localparam [16:0] ENOUGH = HEADER + FRAME_BITS[16:0] + 17'd1;
    localparam LEVEL_WIDTH = $clog2(CHAINS + 1);

    generate
        if (MAX_FRAME < 14 || MAX_FRAME > 65500) begin : g_check_frame
            fdw_rule_MAX_FRAME_must_be_14_to_65500 violated ();
        end
    endgenerate

    reg        refused;       // a short chain came: waits for the chains before it, then for enable to fall
    reg        reported;
    reg [16:0] total;         // bytes of the present chain asked for, header included, at most ENOUGH
    reg [15:0] count;         // descriptors of the present chain taken
    reg [LEVEL_WIDTH:0] done; // packets that have left the DMA and are not used yet

    wire        room;         // for one more chain
    wire [16:0] wanted = ENOUGH - total;
    wire        enough = total == ENOUGH;
    wire        fills = desc_len >= {15'd0, wanted};
    wire [16:0] length = fills ? wanted : desc_len[16:0];
    wire [16:0] total_next = total + length;
    wire        short_chain = desc_last && total_next < SHORTEST;
    wire [16:0] header_left = total < HEADER ? HEADER - total : 17'd0;
    wire [16:0] skip = length < header_left ? length : header_left;
    wire        open = enable && !refused && room;
    wire        ask = !enough && !short_chain;
    wire        take = desc_valid && desc_ready;

    assign req_valid = desc_valid && open && ask;
    assign req_addr = desc_addr[ADDR_WIDTH-1:0];
    assign req_len = length;
    assign req_skip = skip[3:0];
    assign req_last = desc_last || fills;
    assign desc_ready = open && (req_ready || !ask);

    wire                   chain_valid;
    wire [LEVEL_WIDTH-1:0] unused_level;
    fdw_fifo #(
        .WIDTH(32),
        .DEPTH(CHAINS)
    ) chains (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(take && desc_last && !short_chain),
        .s_ready(room),
        .s_data({desc_id, count + 16'd1}),
        .m_valid(chain_valid),
        .m_ready(used_valid && used_ready),
        .m_data({used_id, used_count}),
        .level(unused_level)
    );

    assign used_valid = enable && chain_valid && done != {LEVEL_WIDTH+1{1'b0}};
    assign used_len = 32'd0;
    assign used_write = 1'b0;
    assign busy = chain_valid;

    wire unused_skip = ^skip[16:4];

    always @(posedge clk) begin
        if (rst || !enable) begin
            refused <= 1'b0;
            reported <= 1'b0;
            error <= 1'b0;
            total <= 17'd0;
            count <= 16'd0;
            done <= {LEVEL_WIDTH+1{1'b0}};
        end else begin
            if (take) begin
                total <= desc_last ? 17'd0 : total_next;
                count <= desc_last ? 16'd0 : count + 16'd1;
                refused <= short_chain;
            end
            error <= refused && !reported && !busy && !used_busy;
            reported <= reported || (refused && !busy && !used_busy);
            done <= done + {{LEVEL_WIDTH{1'b0}}, packet_done} - {{LEVEL_WIDTH{1'b0}}, used_valid && used_ready};
        end
    end
endmodule
