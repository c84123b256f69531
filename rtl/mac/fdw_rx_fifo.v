// Frame FIFO behind the receive MAC: 64-bit stream with status in, 128-bit packet stream out.
//
// In (fdw_mac_rx; no back pressure): s_status counts with s_last, GOOD frames have at least 17 bytes; s_tag, a bit
// of the caller's, counts with s_last, too. A frame that is not good, that ends while accept is low, or for which
// there is no room is lost whole. Room is judged word by word as the frame comes in, so what the output gives
// away meanwhile helps.
//
// Out: m_valid/m_ready/m_data/m_keep/m_last, first byte in m_data[7:0]. m_whole: the frame at the output has ended
// and is good; m_len, its length without FCS, and m_tag, its s_tag, are valid with it and stay for as long as its
// beats are at the output. One beat a cycle, frames without a pause between them; a word shows at the output one cycle
// after its last byte came in.
// With CUT_THROUGH 0 m_valid rises when m_whole does. With 1 a frame may be read while it is still coming in, and
// m_last is never high without m_whole, but: if a frame of which a beat has been taken is lost, what was not
// taken of it vanishes, and one beat with m_bad and m_last (m_data, m_keep mean nothing) ends it. If none has been
// taken it vanishes without that; m_valid may fall then, and m_data change, though m_ready was low.
//
// flush: every stored frame vanishes, m_valid is low from the next cycle on, be it in the middle of a
// frame, whose remaining beats and m_last then never come: reset the consumer by the same signal. The
// frame that is just coming in lives on unless a beat of it has been taken; one that ends while flush is high is
// reported and then vanishes.
//
// tap_valid pulses one cycle after each frame's end; tap_status is the MAC's status for a bad one, else 5
// (accept was low, or a flush took its beginning), 6 (no room) or 7 (stored). For status 5 to 7 tap_bytes is the length
// with FCS, and tap_broadcast, tap_multicast say whether the destination is one (never both, RFC 2819
// etherStatsMulticastPkts). tap_fcs_wrong: of an undersize or oversize one, the FCS is wrong.
//
// BYTES: a power of two, at least 4096. Each frame takes whole 16-byte words; at most BYTES / 64 frames.
module fdw_rx_fifo #(
    parameter BYTES = 16384,
    parameter CUT_THROUGH = 1
) (
    input          clk,
    input          rst,
    input          flush,
    input          accept,
    input          s_valid,
    input  [63:0]  s_data,
    input  [7:0]   s_keep,
    input          s_last,
    input  [3:0]   s_status,
    input          s_fcs_wrong,
    input          s_tag,
    output         m_valid,
    input          m_ready,
    output [127:0] m_data,
    output [15:0]  m_keep,
    output         m_last,
    output         m_bad,
    output         m_whole,
    output [15:0]  m_len,
    output         m_tag,
    output reg        tap_valid,
    output reg [3:0]  tap_status,
    output reg [15:0] tap_bytes,
    output reg        tap_multicast,
    output reg        tap_broadcast,
    output reg        tap_fcs_wrong
);
    localparam [3:0] UNDERSIZE = 4'd2, OVERSIZE = 4'd3, DISABLED = 4'd5, OVERFLOW = 4'd6, GOOD = 4'd7;
    localparam [15:0] FCS_BYTES = 16'd4;
    localparam WORDS = BYTES / 16;
    localparam PTR_WIDTH = $clog2(WORDS);

    initial if (BYTES < 4096 || (BYTES & (BYTES - 1)) != 0) begin
        $display("%m: BYTES must be a power of two and at least 4096, got %0d", BYTES);
        $finish;
    end

    reg  [PTR_WIDTH:0] rd_ptr; // one bit more than an address: equal pointers mean empty
    reg  [PTR_WIDTH:0] wr_ptr;
    reg  [PTR_WIDTH:0] frame_ptr; // where the frame that is coming in began, if none of it has been taken
    reg  [15:0] done;             // bytes of the frame at the output already given away
    wire        ended;            // the frame at the output has its end in here
    wire        gives;            // a word of a frame leaves
    wire        begun = !ended && (done != 16'd0 || gives); // some of the frame that is coming in has been taken
    wire [PTR_WIDTH:0] rd_after = rd_ptr + {{PTR_WIDTH{1'b0}}, gives};

    // ---- write side: two beats make a word; the length goes in when the frame is whole -----------------

    reg  [12:0]        beats;     // of the present frame, before this one
    reg                overflow;  // a word of the present frame found no room
    reg                beheaded;  // a flush took words of the present frame that had been read
    reg  [63:0]        lower;     // the first beat of a word
    reg                group;     // the destination address is a group address
    reg                everybody; // it is ff:ff:ff:ff:ff:ff
    wire               full = wr_ptr == {~rd_ptr[PTR_WIDTH], rd_ptr[PTR_WIDTH-1:0]};
    wire               len_ready;

    wire upper = beats[0];
    wire ends = s_valid && s_last;
    wire wants = s_valid && (upper || s_last);
    wire writes = wants && !full && !overflow && !beheaded;
    wire lost = overflow || (wants && full) || !len_ready;

    reg [3:0] last_bytes;
    integer i;
    always @* begin
        last_bytes = 4'd0;
        for (i = 0; i < 8; i = i + 1) last_bytes = last_bytes + {3'd0, s_keep[i]};
    end
    wire [15:0] new_len = {beats, 3'd0} + {12'd0, last_bytes};
    wire [3:0]  verdict = s_status != GOOD ? s_status : !accept || beheaded ? DISABLED : lost ? OVERFLOW : GOOD;
    wire        stores = ends && verdict == GOOD;
    wire        breaks = ends && !stores && begun; // the reader must hear of it
    wire [PTR_WIDTH:0] wr_after = wr_ptr + {{PTR_WIDTH{1'b0}}, writes};
    wire [PTR_WIDTH:0] wr_end = stores ? wr_after : begun ? rd_after : frame_ptr; // when the frame ends

    always @(posedge clk) begin
        if (rst) begin
            wr_ptr <= {PTR_WIDTH + 1{1'b0}};
            frame_ptr <= {PTR_WIDTH + 1{1'b0}};
            beats <= 13'd0;
            overflow <= 1'b0;
            beheaded <= 1'b0;
            lower <= 64'd0;
            group <= 1'b0;
            everybody <= 1'b0;
            tap_valid <= 1'b0;
            tap_status <= 4'd0;
            tap_bytes <= 16'd0;
            tap_multicast <= 1'b0;
            tap_broadcast <= 1'b0;
            tap_fcs_wrong <= 1'b0;
        end else begin
            wr_ptr <= ends ? wr_end : wr_after;
            if (ends) frame_ptr <= wr_end;
            else if (flush && begun) frame_ptr <= wr_after;
            beheaded <= !ends && (beheaded || (flush && begun));
            if (s_valid) begin
                beats <= s_last ? 13'd0 : beats + 13'd1;
                overflow <= !s_last && (overflow || (wants && full));
                lower <= s_data;
                if (beats == 13'd0) begin
                    group <= s_data[0];
                    everybody <= &s_data[47:0];
                end
            end
            tap_valid <= ends;
            tap_status <= verdict;
            tap_bytes <= new_len + FCS_BYTES;
            tap_multicast <= ends && verdict >= DISABLED && group && !everybody;
            tap_broadcast <= ends && verdict >= DISABLED && everybody;
            tap_fcs_wrong <= ends && (verdict == UNDERSIZE || verdict == OVERSIZE) && s_fcs_wrong;
        end
    end

    // ---- read side ------------------------------------------------------------------------------------

    reg         broken; // the frame that was being read is lost: says so in one beat
    wire [15:0] left = m_len - done;
    wire        stored = rd_ptr != wr_ptr;
    // A flush leaves at the output what is just coming in, and that cannot be a whole frame yet.
    wire [PTR_WIDTH:0] rd_flushed = ends ? wr_end : begun ? wr_after : frame_ptr;
    wire [PTR_WIDTH:0] rd_next = flush ? rd_flushed : rd_after;

    localparam FRAMES = BYTES / 64;
    localparam LEVEL_WIDTH = $clog2(FRAMES + 1);
    wire [LEVEL_WIDTH-1:0] unused_frames;
    fdw_fifo #(.WIDTH(17), .DEPTH(FRAMES)) lengths (
        .clk(clk), .rst(rst || flush),
        .s_valid(stores), .s_ready(len_ready), .s_data({s_tag, new_len}),
        .m_valid(ended), .m_ready(gives && m_last), .m_data({m_tag, m_len}),
        .level(unused_frames)
    );

    reg [127:0] mem [0:WORDS-1];
    reg [127:0] mem_q;
    reg [127:0] around_q;
    reg         around; // the word at the output was written in the cycle before: it goes around the RAM
    initial for (i = 0; i < WORDS; i = i + 1) mem[i] = 128'd0; // else X at the output until the first frame

    wire [127:0] word = upper ? {s_data, lower} : {64'd0, s_data};
    always @(posedge clk) begin
        if (writes) mem[wr_ptr[PTR_WIDTH-1:0]] <= word;
        mem_q <= mem[rd_next[PTR_WIDTH-1:0]];
        if (writes) around_q <= word;
    end

    always @(posedge clk) begin
        if (rst) begin
            rd_ptr <= {PTR_WIDTH + 1{1'b0}};
            done <= 16'd0;
            broken <= 1'b0;
            around <= 1'b0;
        end else begin
            rd_ptr <= rd_next;
            around <= writes && wr_ptr == rd_next;
            broken <= !flush && (breaks || (broken && !m_ready));
            if (flush || breaks) done <= 16'd0;
            else if (gives) done <= m_last ? 16'd0 : done + 16'd16;
        end
    end

    assign gives = m_valid && m_ready && !broken;
    assign m_valid = broken || (stored && (ended || CUT_THROUGH != 0));
    assign m_bad = broken;
    assign m_data = around ? around_q : mem_q;
    assign m_whole = ended && !broken;
    assign m_last = broken || (ended && left <= 16'd16);
    assign m_keep = m_last ? ~(16'hffff << left[4:0]) : 16'hffff;
endmodule
