// Transmit: descriptor chains become DMA read requests, one packet each, and then used entries.
//
// In: desc_* of fdw_ring_fetch. Out: req_* to fdw_dma_read, one request per descriptor at most; the first
// 12 bytes of a chain, struct virtio_net_hdr (virtio 1.2 §5.1.6), are marked by req_head wherever descriptors
// split it. len_*: of each chain, in order and as soon as it is known, the length of its frame, and
// whether it is in pieces large enough to be read at the wire's speed (len_steady: none but the first
// and the last is under 64 bytes). To know the length of any chain before its data have gone anywhere
// there is room for DESCRIPTORS requests, as many as a chain may have.
//
// packet_done is a pulse per packet that the device has done with: only then, and in order, is the chain
// offered on used_* (len 0: the device wrote nothing). Up to CHAINS chains are under way.
//
// A chain whose frame is longer than `longest` is read only until that is known, longest + 1 bytes of
// frame, its length is given as longest + 1, and it is used as any other.
// A chain shorter than header and Ethernet header (12 + 14) gives one pulse on `error` and is never used;
// it comes when the chains before it are used and their entries written (`used_busy` low), and after it
// the engine takes nothing until `enable` falls. With `enable` low everything is forgotten; the DMA must
// be aborted meanwhile (req_valid may fall without req_ready).
// `busy` is high while a whole chain has been taken that fdw_ring_used has not.
`include "fdwire_regs.vh"
module fdw_tx_engine #(
    parameter ADDR_WIDTH = 64,
    parameter DESCRIPTORS = 256, // longest chain, >= 2
    parameter CHAINS = 64
) (
    input                   clk,
    input                   rst,
    input                   enable,
    input  [16:0]           longest, // frame, 14..65553; holds still while `enable` is high
    output reg              error,
    output                  busy,

    input                   desc_valid,
    output                  desc_ready,
    input  [63:0]           desc_addr,
    input  [31:0]           desc_len,
    input  [15:0]           desc_id,
    input                   desc_last,
    input  [15:0]           desc_slots,

    output                  req_valid,
    input                   req_ready,
    output [ADDR_WIDTH-1:0] req_addr,
    output [16:0]           req_len,
    output [3:0]            req_head,
    output                  req_last,

    output                  len_valid,
    input                   len_ready,
    output [16:0]           len_frame,
    output                  len_steady,

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
    localparam [16:0] STEADY = 17'd64;
    localparam LEVEL_WIDTH = $clog2(CHAINS + 1);

    reg        refused;       // a short chain came: waits for the chains before it, then for enable to fall
    reg        reported;
    reg [16:0] enough;        // bytes of a chain that tell that it is too long
    reg [16:0] total;         // bytes of the present chain asked for, header included, at most `enough`
    reg        sated;         // total is `enough`
    reg        ragged;        // a descriptor of the present chain, not its first, was short
    reg        begun;         // a descriptor of the present chain has been taken
    reg [LEVEL_WIDTH:0] done; // packets that are done with and not used yet

    wire        room;         // for one more chain
    wire        req_room;
    wire [16:0] wanted = enough - total;
    wire        fills = desc_len >= {15'd0, wanted};
    wire [16:0] length = fills ? wanted : desc_len[16:0];
    wire [16:0] total_next = total + length;
    wire        short_chain = desc_last && total_next < SHORTEST;
    wire [16:0] header_left = total < HEADER ? HEADER - total : 17'd0;
    wire [16:0] head = length < header_left ? length : header_left;
    wire        ask = !sated && !short_chain;
    wire        take = desc_valid && desc_ready;
    wire        ends = take && ask && (desc_last || fills); // the frame's length is known

    assign desc_ready = enable && !refused && room && req_room;

    wire [$clog2(DESCRIPTORS+1)-1:0] unused_req_level;
    fdw_fifo #(
        .WIDTH(ADDR_WIDTH + 17 + 4 + 1),
        .DEPTH(DESCRIPTORS)
    ) requests (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(take && ask),
        .s_ready(req_room),
        .s_data({desc_addr[ADDR_WIDTH-1:0], length, head[3:0], desc_last || fills}),
        .m_valid(req_valid),
        .m_ready(req_ready),
        .m_data({req_addr, req_len, req_head, req_last}),
        .level(unused_req_level)
    );

    // One place more than chains: the length may be known before the last descriptor has come.
    wire                          unused_len_room;
    wire [$clog2(CHAINS+2)-1:0]   unused_len_level;
    fdw_fifo #(
        .WIDTH(18),
        .DEPTH(CHAINS + 1)
    ) lengths (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(ends),
        .s_ready(unused_len_room),
        .s_data({total_next - HEADER, !ragged}),
        .m_valid(len_valid),
        .m_ready(len_ready),
        .m_data({len_frame, len_steady}),
        .level(unused_len_level)
    );

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
        .s_data({desc_id, desc_slots}),
        .m_valid(chain_valid),
        .m_ready(used_valid && used_ready),
        .m_data({used_id, used_count}),
        .level(unused_level)
    );

    assign used_valid = enable && chain_valid && done != {LEVEL_WIDTH+1{1'b0}};
    assign used_len = 32'd0;
    assign used_write = 1'b0;
    assign busy = chain_valid;

    wire unused_head = ^head[16:4];

    always @(posedge clk) begin
        if (rst || !enable) begin
            refused <= 1'b0;
            reported <= 1'b0;
            error <= 1'b0;
            enough <= HEADER + longest + 17'd1;
            total <= 17'd0;
            sated <= 1'b0;
            ragged <= 1'b0;
            begun <= 1'b0;
            done <= {LEVEL_WIDTH+1{1'b0}};
        end else begin
            if (take) begin
                total <= desc_last ? 17'd0 : total_next;
                sated <= !desc_last && (sated || fills);
                ragged <= !desc_last && (ragged || (begun && length < STEADY));
                begun <= !desc_last;
                refused <= short_chain;
            end
            error <= refused && !reported && !busy && !used_busy;
            reported <= reported || (refused && !busy && !used_busy);
            done <= done + {{LEVEL_WIDTH{1'b0}}, packet_done} - {{LEVEL_WIDTH{1'b0}}, used_valid && used_ready};
        end
    end
endmodule
