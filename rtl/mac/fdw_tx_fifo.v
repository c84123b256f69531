// Frame FIFO in front of the transmit MAC: 128-bit packet stream in, 64-bit packet stream out.
//
// In: s_*, first byte in bits 7:0, 16 bytes a beat; s_len, the frame's length, and s_cut stand from its
// first beat to its last. s_ready is low while there is no room. entry_*: one pulse for each frame that is
// whole, in order, at most ENTRY_DELAY cycles after its last beat was taken (fdw_tx_checksum): its length,
// and what is to be put in its place as it leaves: with entry_patch the 16 bits at byte entry_field
// become entry_value, most significant byte first.
// Out: m_*, m_tkeep contiguous from bit 0 and all ones but with m_tlast.
//
// A frame shows at the output when it is whole and known by its entry. A frame with s_cut shows already
// when `threshold` beats of it, or all, are there and none before it is left (cut-through). If it then runs
// dry m_tvalid falls before m_tlast: the frame is broken off and shows again, once, from its first byte when it is whole.
// A frame's place is free only when all of it has left.
//
// The threshold begins at CUT_THROUGH beats (0: frames show only when whole). It doubles with each frame that ran
// dry, up to where a frame must be whole, and halves, down to CUT_THROUGH, after FORGIVE frames in a row that did
// not; `calm` puts it back at once.
//
// flush: the frame that is partly written is forgotten and the next beat begins a new one (the
// packet stream's source is reset); whole frames still go out; if the forgotten one has begun to leave it
// is broken off. s_ready is low meanwhile. `busy`: there is something that still has to leave.
//
// BYTES: a power of two, at least 4096. No frame may be longer than BYTES - 16. Each takes whole 16-byte
// words; at most about BYTES / 64 frames are inside.
module fdw_tx_fifo #(
    parameter BYTES = 32768,
    parameter CUT_THROUGH = 2, // 0..15
    parameter FORGIVE = 1024   // a power of two, at least 2
) (
    input          clk,
    input          rst,
    input          flush,
    input          calm,
    output         busy,
    input          s_valid,
    output         s_ready,
    input  [127:0] s_data,
    input          s_last,
    input  [15:0]  s_len,
    input          s_cut,
    input          entry_valid,
    input  [15:0]  entry_len,
    input          entry_patch,
    input  [15:0]  entry_field,
    input  [15:0]  entry_value,
    output [63:0]  m_tdata,
    output [7:0]   m_tkeep,
    output         m_tlast,
    output         m_tvalid,
    input          m_tready
);
    localparam WORDS = BYTES / 16;
    localparam PTR_WIDTH = $clog2(WORDS);
    localparam FRAMES = BYTES / 64;
    localparam ENTRY_DELAY = 4;
    localparam [31:0] FRAMES_USABLE = FRAMES - ENTRY_DELAY;
    localparam LEVEL_WIDTH = $clog2(FRAMES + 1);
    localparam [31:0] ENOUGH_BITS = CUT_THROUGH;
    localparam [8:0] ENOUGH = ENOUGH_BITS[8:0];
    localparam [8:0] ALL = 9'd256; // beats, or more: frames must be whole
    localparam FORGIVE_WIDTH = $clog2(FORGIVE);

    generate
        if (BYTES < 4096 || (BYTES & (BYTES - 1)) != 0) begin : g_check_bytes
            fdw_rule_BYTES_must_be_a_power_of_two_and_at_least_4096 violated ();
        end
        if (CUT_THROUGH > 15) begin : g_check_cut_through
            fdw_rule_CUT_THROUGH_must_be_0_to_15_beats violated ();
        end
        if (FORGIVE < 2 || (FORGIVE & (FORGIVE - 1)) != 0) begin : g_check_forgive
            fdw_rule_FORGIVE_must_be_a_power_of_two_and_at_least_2 violated ();
        end
    endgenerate

    // ---- write side -----------------------------------------------------------------------------------

    // One bit more than an address: equal pointers mean empty.
    reg  [PTR_WIDTH:0] wr_ptr;
    reg  [PTR_WIDTH:0] frame_ptr; // where the frame begins that is being written
    reg  [PTR_WIDTH:0] base_ptr;  // where the frame begins that leaves, or will leave, next
    reg                midway;    // some beats of the frame are written
    wire               full = wr_ptr == {~base_ptr[PTR_WIDTH], base_ptr[PTR_WIDTH-1:0]};
    wire [LEVEL_WIDTH-1:0] frames;

    assign s_ready = !flush && !full && frames < FRAMES_USABLE[LEVEL_WIDTH-1:0];
    wire takes = s_valid && s_ready;

    // The frame begun last: what may leave before it is whole.
    reg  [PTR_WIDTH:0] young_ptr;
    reg  [15:0]        young_len;
    reg                young_cut;
    reg  [7:0]         young_beats; // written, up to 255
    reg                young_whole;

    always @(posedge clk) begin
        if (rst) begin
            wr_ptr <= {PTR_WIDTH + 1{1'b0}};
            frame_ptr <= {PTR_WIDTH + 1{1'b0}};
            midway <= 1'b0;
            young_ptr <= {PTR_WIDTH + 1{1'b0}};
            young_len <= 16'd0;
            young_cut <= 1'b0;
            young_beats <= 8'd0;
            young_whole <= 1'b0;
        end else if (flush) begin
            wr_ptr <= frame_ptr;
            midway <= 1'b0;
            young_cut <= young_cut && young_whole;
        end else if (takes) begin
            wr_ptr <= wr_ptr + 1'b1;
            midway <= !s_last;
            if (s_last) frame_ptr <= wr_ptr + 1'b1;
            if (!midway) begin
                young_ptr <= wr_ptr;
                young_len <= s_len;
                young_cut <= s_cut && CUT_THROUGH != 0;
                young_beats <= 8'd1;
            end else if (young_beats != 8'hff) begin
                young_beats <= young_beats + 8'd1;
            end
            young_whole <= s_last;
        end
    end

    wire [15:0] old_len;
    wire        old_patch;
    wire [15:0] old_field;
    wire [15:0] old_value;
    wire        old_valid;
    wire        old_ready;
    wire        unused_entry_ready;
    fdw_fifo #(.WIDTH(16 + 1 + 16 + 16), .DEPTH(FRAMES)) entries (
        .clk(clk), .rst(rst),
        .s_valid(entry_valid), .s_ready(unused_entry_ready),
        .s_data({entry_len, entry_patch, entry_field, entry_value}),
        .m_valid(old_valid), .m_ready(old_ready), .m_data({old_len, old_patch, old_field, old_value}),
        .level(frames)
    );

    // ---- read side ------------------------------------------------------------------------------------

    reg  [PTR_WIDTH:0] rd_ptr;
    reg  [15:0]        done;      // bytes of the frame already given away
    reg                begun;     // its first word has been taken
    reg                early;     // it left, or will, before its entry came
    reg  [15:0]        early_len;
    reg                owed;      // it has left, and its entry has still to come
    reg                again;     // it ran dry, and leaves again when it is whole
    reg  [8:0]         threshold;
    reg  [FORGIVE_WIDTH-1:0] good; // frames since the threshold changed

    wire young_next = young_cut && young_ptr == base_ptr;
    wire lost = flush && young_ptr == base_ptr && !young_whole;
    wire known = old_valid && !owed;
    wire offers = !known && !early && young_next && !again && !owed && !lost
        && ({1'b0, young_beats} >= threshold || young_whole);
    wire is_early = early || offers;

    wire [15:0] len = early ? early_len : known ? old_len : young_len;
    wire [15:0] left = len - done;
    wire        gives = m_tvalid && m_tready;
    wire        ends = gives && m_tlast;
    wire        dries = begun && m_tready && !m_tvalid;
    wire        starves = dries && !lost;
    wire        forgives = ends && &good && threshold != ENOUGH;
    wire        upper = done[3];
    wire        next_word = gives && (upper || m_tlast);
    wire [PTR_WIDTH:0] rd_next = dries ? base_ptr : rd_ptr + {{PTR_WIDTH{1'b0}}, next_word};

    assign m_tvalid = early ? rd_ptr != wr_ptr && !lost : known || offers;
    assign m_tlast = left <= 16'd8;
    assign m_tkeep = m_tlast ? ~(8'hff << left[3:0]) : 8'hff;
    assign old_ready = owed || ends;
    assign busy = base_ptr != frame_ptr || begun;

    // A word is read in the cycle after its write at the earliest; one that is written as it is read goes around.
    reg [127:0] mem [0:WORDS-1];
    reg [127:0] mem_q;
    reg [127:0] around_q;
    reg         around;
    integer i;
    initial for (i = 0; i < WORDS; i = i + 1) mem[i] = 128'd0; // else X at the output until the first frame

    always @(posedge clk) begin
        if (takes) mem[wr_ptr[PTR_WIDTH-1:0]] <= s_data;
        mem_q <= mem[rd_next[PTR_WIDTH-1:0]];
        around_q <= s_data;
    end

    always @(posedge clk) begin
        if (rst) begin
            rd_ptr <= {PTR_WIDTH + 1{1'b0}};
            base_ptr <= {PTR_WIDTH + 1{1'b0}};
            done <= 16'd0;
            begun <= 1'b0;
            early <= 1'b0;
            early_len <= 16'd0;
            owed <= 1'b0;
            again <= 1'b0;
            threshold <= ENOUGH;
            good <= {FORGIVE_WIDTH{1'b0}};
            around <= 1'b0;
        end else begin
            around <= takes && wr_ptr == rd_next;
            rd_ptr <= rd_next;
            if (ends) base_ptr <= rd_next;
            if (ends || dries) done <= 16'd0;
            else if (gives) done <= done + 16'd8;
            begun <= (begun || gives) && !ends && !dries;
            early <= is_early && !ends && !dries && !(lost && !begun);
            if (offers) early_len <= young_len;
            owed <= ends ? is_early && !known : owed && !old_valid;
            again <= starves || (again && !ends && !lost);
            if (calm) threshold <= ENOUGH;
            else if (starves && threshold < ALL) threshold <= threshold << 1;
            else if (forgives) threshold <= threshold >> 1;
            if (calm || starves) good <= {FORGIVE_WIDTH{1'b0}};
            else if (ends) good <= good + 1'b1;
        end
    end

    wire [127:0] word = around ? around_q : mem_q;
    wire [63:0]  half = upper ? word[127:64] : word[63:0];

    // The patch: its two bytes may lie in different words.
    wire        patch = old_patch && !is_early;
    wire [15:0] field_1 = old_field + 16'd1;
    wire        has_0 = patch && old_field[15:3] == done[15:3];
    wire        has_1 = patch && field_1[15:3] == done[15:3];
    reg  [63:0] patched;
    integer j;
    always @* begin
        for (j = 0; j < 8; j = j + 1)
            patched[8 * j +: 8] = has_0 && old_field[2:0] == j[2:0] ? old_value[15:8]
                : has_1 && field_1[2:0] == j[2:0] ? old_value[7:0] : half[8 * j +: 8];
    end
    assign m_tdata = patched;
endmodule
