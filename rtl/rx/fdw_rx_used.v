// Receive: which chains each frame took, kept until its bytes are in memory, then offered as used entries.
//
// In: chain_valid pulses with the id, ring slots and written bytes of each chain of a frame, in order; frame_end, with
// the last chain's, makes the frame's chains final; frame_lost, valid with it: all of them are used with length
// 0. frame_drop: the chains given since the last frame_end are forgotten. `room`: a frame's chain may be begun (one
// more than it fits). done: a pulse for each final frame, in order, when its bytes are acknowledged (before or after its
// frame_end).
// Out: used_* (fdw_ring_used), frame by frame, one or more cycles after `done` at the earliest when frame_end came in
// the same cycle, else in the same. Of a frame in several chains (virtio 1.2 §5.1.6.4: the driver must see all or none)
// the first chain is held, the others are offered in order, and the first is released at last.
module fdw_rx_used #(
    parameter CHAINS = 128 // stored; a power of two, at least 2 more than a frame may have
) (
    input             clk,
    input             rst,
    input             chain_valid,
    input      [15:0] chain_id,
    input      [15:0] chain_slots,
    input      [15:0] chain_len,
    output            room,
    input             frame_end,
    input             frame_lost,
    input             frame_drop,
    input             done,

    output            used_valid,
    input             used_ready,
    output     [15:0] used_id,
    output     [31:0] used_len,
    output            used_write,
    output     [15:0] used_count,
    output            used_hold,
    output            used_release
);
    localparam PTR_WIDTH = $clog2(CHAINS);
    localparam [PTR_WIDTH:0] ALMOST_ALL = CHAINS - 1;

    generate
        if (CHAINS < 4 || (CHAINS & (CHAINS - 1)) != 0) begin : g_check_chains
            fdw_rule_CHAINS_must_be_a_power_of_two_and_at_least_4 violated ();
        end
    endgenerate

    // ---- chains: stored as they come, final at the frame's end ------------------------------------------

    reg  [PTR_WIDTH:0] wr_ptr; // one bit more than an address: equal pointers mean empty
    reg  [PTR_WIDTH:0] final_ptr;
    reg  [PTR_WIDTH:0] rd_ptr;
    wire [PTR_WIDTH:0] wr_after = wr_ptr + {{PTR_WIDTH{1'b0}}, chain_valid};
    wire [PTR_WIDTH:0] stored = wr_ptr - rd_ptr;
    reg  [48:0]        mem [0:CHAINS-1];
    wire               pop;
    wire               lost;
    wire               last;
    wire [15:0]        id;
    wire [15:0]        slots;
    wire [15:0]        len;

    integer i;
    initial for (i = 0; i < CHAINS; i = i + 1) mem[i] = 49'd0;

    assign room = stored < ALMOST_ALL;
    assign {last, id, slots, len} = mem[rd_ptr[PTR_WIDTH-1:0]];

    always @(posedge clk) if (chain_valid) mem[wr_ptr[PTR_WIDTH-1:0]] <= {frame_end, chain_id, chain_slots, chain_len};

    always @(posedge clk) begin
        if (rst) begin
            wr_ptr <= {PTR_WIDTH + 1{1'b0}};
            final_ptr <= {PTR_WIDTH + 1{1'b0}};
            rd_ptr <= {PTR_WIDTH + 1{1'b0}};
        end else begin
            wr_ptr <= frame_drop ? final_ptr : wr_after;
            if (frame_end) final_ptr <= wr_after;
            if (pop) rd_ptr <= rd_ptr + 1'b1;
        end
    end

    // ---- frames ---------------------------------------------------------------------------------------

    wire                 frame_valid;
    wire                 frame_over;
    wire                 unused_space; // a frame has one chain at least
    wire [PTR_WIDTH:0]   unused_level;
    reg  [PTR_WIDTH:0]   acknowledged; // frames whose bytes are in memory and that are not used yet

    fdw_fifo #(.WIDTH(1), .DEPTH(CHAINS)) frames (
        .clk(clk), .rst(rst),
        .s_valid(frame_end), .s_ready(unused_space), .s_data(frame_lost),
        .m_valid(frame_valid), .m_ready(frame_over), .m_data(lost), .level(unused_level)
    );

    always @(posedge clk) begin
        if (rst) acknowledged <= {PTR_WIDTH + 1{1'b0}};
        else acknowledged <= acknowledged + {{PTR_WIDTH{1'b0}}, done} - {{PTR_WIDTH{1'b0}}, frame_over};
    end

    // ---- used entries ---------------------------------------------------------------------------------

    localparam [1:0] FIRST = 2'd0;   // waits for a frame in memory
    localparam [1:0] OTHERS = 2'd1;  // waits until the chains behind the first are taken
    localparam [1:0] RELEASE = 2'd2; // waits until the first is taken

    reg [1:0]  state;
    reg [15:0] first_id;
    reg [15:0] first_len;
    wire       taken = used_valid && used_ready;

    assign used_valid = state != FIRST || (frame_valid && (done || acknowledged != {PTR_WIDTH + 1{1'b0}}));
    assign used_hold = state == FIRST && !last;
    assign used_release = state == RELEASE;
    assign used_id = used_release ? first_id : id;
    assign used_len = {16'd0, lost ? 16'd0 : used_release ? first_len : len};
    assign used_write = 1'b1;
    assign used_count = used_release ? 16'd0 : slots;
    assign pop = taken && state != RELEASE;
    assign frame_over = taken && (state == RELEASE || (state == FIRST && last));

    always @(posedge clk) begin
        if (rst) begin
            state <= FIRST;
            first_id <= 16'd0;
            first_len <= 16'd0;
        end else if (taken) begin
            case (state)
                FIRST: begin
                    first_id <= id;
                    first_len <= len;
                    if (!last) state <= OTHERS;
                end
                OTHERS: if (last) state <= RELEASE;
                default: state <= FIRST;
            endcase
        end
    end
endmodule
