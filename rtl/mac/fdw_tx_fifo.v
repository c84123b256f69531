// Whole-frame FIFO in front of the transmit MAC: 128-bit packet stream in, 64-bit packet stream out.
//
// A frame shows at the output only when all of it is inside; from then on m_tvalid stays high up to
// m_tlast, so the MAC never starves. Input and output: first byte in bits 7:0, keep contiguous from bit 0
// and all ones but on the last beat. s_ready is low while there is no room.
//
// Frames longer than MAX_FRAME bytes (without FCS) are dropped whole: stat_oversize pulses.
// flush: the frame that is partly written is forgotten and the next beat begins a new one (the
// packet stream's source is reset); whole frames still go out. s_ready is low meanwhile.
//
// BYTES: a power of two, at least 4096. Each frame takes whole 16-byte words; at most BYTES / 64 frames.
module fdw_tx_fifo #(
    parameter BYTES = 16384,
    parameter MAX_FRAME = 1518
) (
    input          clk,
    input          rst,
    input          flush,
    input          s_valid,
    output         s_ready,
    input  [127:0] s_data,
    input  [15:0]  s_keep,
    input          s_last,
    output [63:0]  m_tdata,
    output [7:0]   m_tkeep,
    output         m_tlast,
    output         m_tvalid,
    input          m_tready,
    output reg     stat_oversize
);
    localparam WORDS = BYTES / 16;
    localparam PTR_WIDTH = $clog2(WORDS);
    localparam [31:0] FRAME_LIMIT = MAX_FRAME;

    initial if (BYTES < 4096 || (BYTES & (BYTES - 1)) != 0 || MAX_FRAME > BYTES - 16 || MAX_FRAME > 65000) begin
        $display("%m: BYTES must be a power of two >= 4096 that holds MAX_FRAME, got %0d and %0d", BYTES, MAX_FRAME);
        $finish;
    end

    // ---- write side: words go in at once, the frame's length when it is whole ------------------------

    reg  [PTR_WIDTH:0] rd_ptr; // one bit more than an address: equal pointers mean empty
    reg  [PTR_WIDTH:0] wr_ptr;
    reg  [PTR_WIDTH:0] frame_ptr; // where the present frame began
    reg  [15:0]        len;       // of what came of it
    reg                too_long;  // only meant while it goes on
    wire               full = wr_ptr == {~rd_ptr[PTR_WIDTH], rd_ptr[PTR_WIDTH-1:0]};
    wire               len_room;

    assign s_ready = !flush && (too_long || (!full && len_room));
    wire takes = s_valid && s_ready;

    reg [4:0] beat_bytes;
    integer i;
    always @* begin
        beat_bytes = 5'd0;
        for (i = 0; i < 16; i = i + 1) beat_bytes = beat_bytes + {4'd0, s_keep[i]};
    end
    wire [15:0] new_len = len + {11'd0, beat_bytes};
    wire        drops = too_long || new_len > FRAME_LIMIT[15:0];

    // A word is read no earlier than the cycle after its write: the length goes in one cycle later.
    reg        whole;
    reg [15:0] whole_len;

    always @(posedge clk) begin
        if (rst) begin
            wr_ptr <= {PTR_WIDTH + 1{1'b0}};
            frame_ptr <= {PTR_WIDTH + 1{1'b0}};
            len <= 16'd0;
            too_long <= 1'b0;
            whole <= 1'b0;
            whole_len <= 16'd0;
            stat_oversize <= 1'b0;
        end else begin
            whole <= takes && s_last && !drops;
            whole_len <= new_len;
            stat_oversize <= takes && s_last && drops;
            if (flush) begin
                wr_ptr <= frame_ptr;
                len <= 16'd0;
                too_long <= 1'b0;
            end else if (takes && s_last) begin
                wr_ptr <= drops ? frame_ptr : wr_ptr + 1'b1;
                frame_ptr <= drops ? frame_ptr : wr_ptr + 1'b1;
                len <= 16'd0;
                too_long <= 1'b0;
            end else if (takes) begin
                if (!drops) wr_ptr <= wr_ptr + 1'b1;
                len <= new_len;
                too_long <= drops;
            end
        end
    end

    // ---- read side ------------------------------------------------------------------------------------

    wire [15:0] frame_len;
    reg  [15:0] done;  // bytes of the frame already given away
    wire [15:0] left = frame_len - done;
    wire        gives = m_tvalid && m_tready;
    wire        upper = done[3];
    wire        next_word = gives && (upper || m_tlast);
    wire [PTR_WIDTH:0] rd_next = rd_ptr + {{PTR_WIDTH{1'b0}}, next_word};

    // `whole` takes one of the places that level does not yet count.
    localparam FRAMES = BYTES / 64;
    localparam [31:0] FRAMES_USABLE = FRAMES - 1;
    localparam LEVEL_WIDTH = $clog2(FRAMES + 1);
    wire [LEVEL_WIDTH-1:0] frames;
    assign len_room = frames < FRAMES_USABLE[LEVEL_WIDTH-1:0];

    wire unused_len_ready;
    fdw_fifo #(.WIDTH(16), .DEPTH(FRAMES)) lengths (
        .clk(clk), .rst(rst),
        .s_valid(whole), .s_ready(unused_len_ready), .s_data(whole_len),
        .m_valid(m_tvalid), .m_ready(m_tready && m_tlast), .m_data(frame_len),
        .level(frames)
    );

    reg [127:0] mem [0:WORDS-1];
    reg [127:0] mem_q;
    initial for (i = 0; i < WORDS; i = i + 1) mem[i] = 128'd0; // else X at the output until the first frame

    always @(posedge clk) begin
        if (takes) mem[wr_ptr[PTR_WIDTH-1:0]] <= s_data;
        mem_q <= mem[rd_next[PTR_WIDTH-1:0]];
    end

    always @(posedge clk) begin
        if (rst) begin
            rd_ptr <= {PTR_WIDTH + 1{1'b0}};
            done <= 16'd0;
        end else begin
            rd_ptr <= rd_next;
            if (gives) done <= m_tlast ? 16'd0 : done + 16'd8;
        end
    end

    assign m_tdata = upper ? mem_q[127:64] : mem_q[63:0];
    assign m_tlast = left <= 16'd8;
    assign m_tkeep = m_tlast ? ~(8'hff << left[3:0]) : 8'hff;
endmodule
