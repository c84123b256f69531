// Receive: frames become DMA writes into the descriptor chains of the receive queue, and used entries.
//
// In: frames on s_* (fdw_rx_fifo) and descriptors on desc_* (fdw_ring_fetch). Out: m_*, req_* for fdw_dma_write
// and used_* for fdw_ring_used. Per frame struct virtio_net_hdr and the frame go over one chain or, with
// `mergeable` (MRG_RXBUF), as many as it needs; descriptors beyond its end are skipped. `done` says that its
// bytes are acknowledged: only then, and in order, are its chains offered on used_*.
//
//   desc -> replay -> frame (header) -> DMA
//                        `-> used -> used ring
//
// A frame may be written before its end has come. If it then is lost, what was taken for it is given back: the
// next frame goes to the same descriptors. At most DESCRIPTORS are taken in advance of a frame's end; it waits then.
// A frame that does not fit is counted by `truncated`; see fdw_rx_frame. Without descriptors a frame waits.
// With `enable` low everything is forgotten, and the DMA must be aborted and the frame FIFO flushed
// meanwhile (outputs may fall without their ready). `mergeable`, `checks`, ring_size hold still while it is high.
module fdw_rx_engine #(
    parameter ADDR_WIDTH = 64,
    parameter FRAME_CHAINS = 64, // the most a frame may take
    parameter DESCRIPTORS = 64,  // a power of two
    parameter CHAINS = 128       // not yet used; a power of two, at least FRAME_CHAINS + 2
) (
    input                   clk,
    input                   rst,
    input                   enable,
    input                   mergeable,
    input                   checks,
    input  [15:0]           ring_size,
    output                  truncated,

    input                   s_valid,
    output                  s_ready,
    input  [127:0]          s_data,
    input  [15:0]           s_keep,
    input                   s_last,
    input                   s_bad,
    input                   s_whole,
    input  [15:0]           s_len,
    input                   s_good,

    input                   desc_valid,
    output                  desc_ready,
    input  [63:0]           desc_addr,
    input  [31:0]           desc_len,
    input  [15:0]           desc_id,
    input  [15:0]           desc_slots,
    input                   desc_last,

    output                  m_valid,
    input                   m_ready,
    output [127:0]          m_data,
    output [15:0]           m_keep,
    output                  m_last,
    output                  m_more,
    output                  m_cut,
    input                   m_ended,

    output                  req_valid,
    input                   req_ready,
    output [ADDR_WIDTH-1:0] req_addr,
    output [16:0]           req_len,
    input                   done,

    output                  used_valid,
    input                   used_ready,
    output [15:0]           used_id,
    output [31:0]           used_len,
    output                  used_write,
    output [15:0]           used_count,
    output                  used_hold,
    output                  used_release
);
    generate
        if (FRAME_CHAINS < 1 || CHAINS < FRAME_CHAINS + 2) begin : g_check_chains
            fdw_rule_CHAINS_must_be_at_least_FRAME_CHAINS_plus_2 violated ();
        end
    endgenerate

    wire                  next_valid;
    wire                  next_ready;
    wire [ADDR_WIDTH-1:0] next_addr;
    wire [16:0]           next_len;
    wire [15:0]           next_id;
    wire [15:0]           next_slots;
    wire                  next_last;
    wire                  commit;
    wire                  rollback;
    wire                  room;
    wire                  chain_valid;
    wire [15:0]           chain_id;
    wire [15:0]           chain_slots;
    wire [15:0]           chain_len;
    wire                  frame_end;
    wire                  frame_lost;
    wire                  frame_drop;

    fdw_replay_fifo #(
        .WIDTH(ADDR_WIDTH + 50),
        .DEPTH(DESCRIPTORS)
    ) replay (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(desc_valid),
        .s_ready(desc_ready),
        .s_data({desc_addr[ADDR_WIDTH-1:0], |desc_len[31:16] ? 17'h10000 : desc_len[16:0], desc_id, desc_slots, desc_last}),
        .m_valid(next_valid),
        .m_ready(next_ready),
        .m_data({next_addr, next_len, next_id, next_slots, next_last}),
        .commit(commit),
        .rollback(rollback)
    );

    fdw_rx_frame #(
        .ADDR_WIDTH(ADDR_WIDTH),
        .FRAME_CHAINS(FRAME_CHAINS)
    ) frame (
        .clk(clk),
        .rst(rst),
        .enable(enable),
        .mergeable(mergeable),
        .checks(checks),
        .ring_size(ring_size),
        .truncated(truncated),
        .s_valid(s_valid),
        .s_ready(s_ready),
        .s_data(s_data),
        .s_keep(s_keep),
        .s_last(s_last),
        .s_bad(s_bad),
        .s_whole(s_whole),
        .s_len(s_len),
        .s_good(s_good),
        .desc_valid(next_valid),
        .desc_ready(next_ready),
        .desc_addr(next_addr),
        .desc_len(next_len),
        .desc_id(next_id),
        .desc_slots(next_slots),
        .desc_last(next_last),
        .desc_commit(commit),
        .desc_rollback(rollback),
        .m_valid(m_valid),
        .m_ready(m_ready),
        .m_data(m_data),
        .m_keep(m_keep),
        .m_last(m_last),
        .m_more(m_more),
        .m_cut(m_cut),
        .m_ended(m_ended),
        .req_valid(req_valid),
        .req_ready(req_ready),
        .req_addr(req_addr),
        .req_len(req_len),
        .room(room),
        .chain_valid(chain_valid),
        .chain_id(chain_id),
        .chain_slots(chain_slots),
        .chain_len(chain_len),
        .frame_end(frame_end),
        .frame_lost(frame_lost),
        .frame_drop(frame_drop)
    );

    fdw_rx_used #(
        .CHAINS(CHAINS)
    ) used (
        .clk(clk),
        .rst(rst || !enable),
        .chain_valid(chain_valid),
        .chain_id(chain_id),
        .chain_slots(chain_slots),
        .chain_len(chain_len),
        .room(room),
        .frame_end(frame_end),
        .frame_lost(frame_lost),
        .frame_drop(frame_drop),
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

endmodule
