// Receive: one frame after the other goes, behind its struct virtio_net_hdr, over the descriptors of its chains.
//
// In: frames on s_* (fdw_rx_fifo: one may be read before its end has come, and may end with s_bad) and descriptors on
// desc_*, which are taken for good by desc_commit only: desc_rollback gives back those taken since (fdw_replay_fifo).
// desc_slots is valid with desc_last: ring slots of the chain. Out: m_*, req_* for fdw_dma_write: one packet per frame,
// header and frame; the header, which tells what is known at the end only, is a guess unless the frame is whole when it
// begins. A second packet, written over it, corrects a wrong guess.
// A frame takes one chain, or with `mergeable` as many as it needs, the last one whole even if it ends in its middle.
// `checks`: DATA_VALID says what s_good does. chain_*, frame_* tell fdw_rx_used of the chains.
//
// One that needs more than its one chain, or than FRAME_CHAINS chains or ring_size slots with `mergeable`, is given up:
// what fits is written, the rest thrown away, `truncated` pulses. One that ends with s_bad leaves no trace but
// bytes in buffers that nobody was told of. A frame waits for descriptors as long as it must.
// With `enable` low everything is forgotten, and the DMA must be aborted and the frame FIFO flushed
// meanwhile (outputs may fall without their ready).
`include "fdwire_regs.vh"
module fdw_rx_frame #(
    parameter ADDR_WIDTH = 64,
    parameter FRAME_CHAINS = 64 // 1..65535
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
    input  [ADDR_WIDTH-1:0] desc_addr,
    input  [16:0]           desc_len, // 65536 stands for more, too
    input  [15:0]           desc_id,
    input  [15:0]           desc_slots,
    input                   desc_last,
    output                  desc_commit,
    output                  desc_rollback,

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

    input                   room,
    output                  chain_valid,
    output [15:0]           chain_id,
    output [15:0]           chain_slots,
    output [15:0]           chain_len,
    output                  frame_end,
    output                  frame_lost,
    output                  frame_drop
);
    localparam [15:0] HEADER = `FDW_NET_HDR_BYTES;
    localparam [31:0] CHAIN_LIMIT = FRAME_CHAINS;

    localparam [3:0] WAIT = 4'd0;    // for a frame and a descriptor
    localparam [3:0] COPY = 4'd1;    // for the frame's bytes
    localparam [3:0] DRAIN = 4'd2;   // for places for the last of them
    localparam [3:0] LOST = 4'd3;    // given up: waits for the end of the packet that was cut
    localparam [3:0] DISCARD = 4'd4; // given up: waits for the end of the frame
    localparam [3:0] FIX = 4'd5;     // waits to give the right header
    localparam [3:0] FIXING = 4'd6;  // waits for the end of that
    localparam [3:0] SKIP = 4'd7;    // waits for the end of a chain that was larger than the frame
    localparam [3:0] BAD = 4'd8;     // waits for the end of the packet of a frame that was none

    reg [3:0]  state, state_next;
    reg        complete;     // the frame has come to its good end
    reg        good;         // then: its checksum is right
    reg [15:0] total;        // then: bytes with header

    // ---------------------------------------------------------------- chains
    reg        first;        // nothing has been taken for this frame
    reg        chain_over;   // the descriptor taken last ended its chain
    reg [15:0] chains;       // begun
    reg [15:0] slots;        // of those that are over
    reg [15:0] last_id;      // of the descriptor taken last
    reg [15:0] last_slots;   // of the chain over last
    reg [16:0] capacity;     // bytes of the present chain as far as it has been taken
    reg [15:0] earlier;       // bytes of the chains before

    wire filling = state == COPY || state == DRAIN;
    wire breaks = (state == COPY || state == DISCARD) && s_valid && s_bad;
    wire hopeless = !mergeable || chains >= CHAIN_LIMIT[15:0] || slots >= ring_size;
    wire give_up = filling && req_ready && chain_over && hopeless && !breaks;
    wire opens = first || chain_over; // the next descriptor begins a chain
    wire offers = filling && desc_valid && !breaks && !(chain_over && hopeless) && (!opens || room);
    wire takes = offers && req_ready;
    wire skips = state == SKIP && desc_valid;
    wire begins = enable && state == WAIT && s_valid && desc_valid && room;

    assign desc_ready = takes || state == SKIP;
    assign desc_commit = complete || (s_whole && (filling || state == LOST || state == DISCARD));
    assign desc_rollback = breaks;

    // ---------------------------------------------------------------- header
    reg         guess_good, last_good;
    reg  [15:0] guess_chains, last_chains;
    wire [15:0] right_chains = mergeable ? chains : 16'd1;
    wire        right_good = checks && good;
    wire        wrong = guess_good != right_good || guess_chains != right_chains;
    wire        fits = s_whole && {1'b0, s_len} + {1'b0, HEADER} <= desc_len; // in the first descriptor
    wire        first_good = checks && (s_whole ? s_good : last_good);
    wire [15:0] first_chains = !mergeable || fits ? 16'd1 : last_chains;
    wire [3:0]  placed;
    wire        piece_valid;
    wire [3:0]  piece_len;
    wire [ADDR_WIDTH-1:0] piece_addr;
    wire [95:0] header;

    assign header[95:8] = {state == FIX ? right_chains : first_chains, 72'd0};
    assign header[7:0] = (state == FIX ? right_good : first_good) ? `FDW_NET_HDR_FLAG_DATA_VALID : 8'd0;

    fdw_rx_header #(
        .ADDR_WIDTH(ADDR_WIDTH)
    ) places (
        .clk(clk),
        .rst(rst),
        .clear(state == WAIT),
        .note(takes),
        .note_addr(desc_addr),
        .note_len(desc_len),
        .placed(placed),
        .rewind(state == FIX),
        .piece_valid(piece_valid),
        .piece_ready(state == FIXING && req_ready),
        .piece_addr(piece_addr),
        .piece_len(piece_len)
    );

    // ---------------------------------------------------------------- bytes and places
    assign m_valid = begins || (state == COPY && s_valid && !s_bad) || state == FIX;
    assign m_data = state == COPY ? s_data : {32'd0, header};
    assign m_keep = state == COPY ? s_keep : state == FIX ? ~(16'hffff << placed) : 16'h0fff;
    assign m_last = state == COPY ? s_last : state == FIX;
    assign m_more = state != FIXING && (state != DRAIN || wrong);
    assign m_cut = give_up || (breaks && state == COPY);
    assign s_ready = (state == COPY && (m_ready || s_bad)) || state == DISCARD;
    assign req_valid = state == FIXING ? piece_valid : offers;
    assign req_addr = state == FIXING ? piece_addr : desc_addr;
    assign req_len = state == FIXING ? {13'd0, piece_len} : desc_len;

    wire ends = s_valid && s_ready && s_last && !s_bad;
    wire settled = (state == DRAIN && m_ended && !wrong) || (state == FIXING && m_ended); // all is written
    wire closes = (settled && chain_over) || (skips && desc_last);

    always @* begin
        state_next = state;
        case (state)
            WAIT: if (begins && m_ready) state_next = COPY;
            COPY: if (breaks) state_next = BAD;
                else if (give_up) state_next = LOST;
                else if (ends) state_next = DRAIN;
            DRAIN: if (give_up) state_next = LOST;
                else if (m_ended) state_next = wrong ? FIX : chain_over ? WAIT : SKIP;
            LOST: if (m_ended) state_next = complete ? FIX : DISCARD;
            DISCARD: if (breaks) state_next = WAIT;
                else if (ends) state_next = FIX;
            FIX: if (m_ready) state_next = FIXING;
            FIXING: if (m_ended) state_next = chain_over ? WAIT : SKIP;
            SKIP: if (skips && desc_last) state_next = WAIT;
            default: if (m_ended) state_next = WAIT;
        endcase
    end

    // ---------------------------------------------------------------- for the used entries
    reg lost;

    assign chain_valid = (takes && chain_over) || closes;
    assign chain_id = state == SKIP ? desc_id : last_id;
    assign chain_slots = state == SKIP ? desc_slots : last_slots;
    assign chain_len = closes ? total - earlier : capacity[15:0];
    assign frame_end = closes;
    assign frame_lost = lost;
    assign frame_drop = breaks;
    assign truncated = closes && lost;

    always @(posedge clk) begin
        if (rst || !enable) begin
            state <= WAIT;
            complete <= 1'b0;
            good <= 1'b0;
            total <= 16'd0;
            lost <= 1'b0;
            first <= 1'b1;
            chain_over <= 1'b0;
            chains <= 16'd0;
            slots <= 16'd0;
            last_id <= 16'd0;
            last_slots <= 16'd0;
            capacity <= 17'd0;
            earlier <= 16'd0;
            guess_good <= 1'b0;
            guess_chains <= 16'd0;
            last_good <= 1'b0;
            last_chains <= 16'd1;
        end else begin
            state <= state_next;
            if (begins) begin
                guess_good <= first_good;
                guess_chains <= first_chains;
            end
            if (ends) begin
                complete <= 1'b1;
                good <= s_good;
                total <= s_len + HEADER;
            end
            if (give_up) lost <= 1'b1;
            if (takes) begin
                first <= 1'b0;
                capacity <= opens ? desc_len : capacity + desc_len;
                if (opens) chains <= chains + 16'd1;
                if (chain_over) earlier <= earlier + capacity[15:0];
                if (desc_last) slots <= slots + desc_slots;
                last_slots <= desc_slots;
                last_id <= desc_id;
                chain_over <= desc_last;
            end
            if (closes) begin
                last_good <= right_good;
                last_chains <= right_chains;
            end
            if (closes || breaks) begin // the next frame begins afresh
                complete <= 1'b0;
                lost <= 1'b0;
                first <= 1'b1;
                chain_over <= 1'b0;
                chains <= 16'd0;
                slots <= 16'd0;
                earlier <= 16'd0;
            end
        end
    end
endmodule
