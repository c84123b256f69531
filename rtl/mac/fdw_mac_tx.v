// Transmit half of a 10 Gb/s MAC: packet stream to XGMII (IEEE 802.3 clause 46, 64 bits).
//
// In: one frame from destination address to payload, s_tdata[7:0] first, s_tkeep contiguous from bit 0
// and all ones but on the s_tlast beat. Adds preamble and SFD (§46.2.2), pads to 60 bytes with zeros
// (§3.2.8), appends the FCS, and keeps a gap of 12 bytes on average and never under 9 by the deficit idle
// count (§46.3.1.4); /S/ goes to lane 0 or lane 4. Back-to-back frames go out at line rate: 64 bytes with
// FCS every 10.5 cycles. The word with /S/ is at xgmii_txd one cycle after s_tvalid.
//
// Within a frame s_tready is high. If s_tvalid falls before s_tlast the frame is broken off by /E/ and /T/
// (IEEE 802.3 §46.3.3.1), underflow pulses instead of stat_frame, and the next word begins a new frame.
//
// stat_frame pulses when a frame has been sent whole; stat_bytes is its length with pad and FCS (modulo
// 65536), stat_broadcast says that it went to all, stat_multicast to some other group (RFC 2819 §5).
// s_tready depends on registers only, all other outputs are registers.
module fdw_mac_tx (
    input             clk,
    input             rst,
    input      [63:0] s_tdata,
    input      [7:0]  s_tkeep,
    input             s_tlast,
    input             s_tvalid,
    output            s_tready,
    output reg [63:0] xgmii_txd,
    output reg [7:0]  xgmii_txc,
    output reg        stat_frame,
    output reg [15:0] stat_bytes,
    output reg        stat_multicast,
    output reg        stat_broadcast,
    output reg        underflow
);
    localparam [7:0] IDLE = 8'h07, TERMINATE = 8'hfd, ERROR = 8'hfe;
    localparam [63:0] IDLES = {8{IDLE}};
    localparam [63:0] PREAMBLE = 64'hd5_55_55_55_55_55_55_fb; // /S/ stands for the first byte
    localparam [63:0] CUT = {{3{IDLE}}, TERMINATE, {4{ERROR}}};
    localparam [2:0] CUT_LANE = 3'd4; // of /T/ in CUT

    localparam [1:0] WAIT_FRAME = 2'd0; // for the gap to pass, then for a first word
    localparam [1:0] WAIT_LAST = 2'd1;  // for the rest of the frame
    localparam [1:0] PAD = 2'd2;        // adds zero words up to byte 60
    localparam [1:0] WAIT_END = 2'd3;   // for /T/

    // The word in which byte 60 lies, and how many bytes of it a padded frame fills.
    localparam [12:0] PAD_WORD = 13'd7;
    localparam [3:0] PAD_BYTES = 4'd4;

    reg [1:0]  state;
    reg [12:0] words; // of the present frame, before the one being taken
    reg [31:0] crc;   // over everything up to and with `word`

    // One word of the frame; bytes from word_bytes on are zero.
    reg        word_valid;
    reg        word_last;
    reg [63:0] word;
    reg [3:0]  word_bytes;
    reg        tail_valid; // what follows the last word did not fit behind it
    reg        cuts;       // the next word did not come

    reg        group;      // the present frame goes to a group
    reg        everyone;   // and that is everyone
    reg        lane4;      // the present frame began in lane 4
    reg [31:0] late;       // upper half of the word before, which such a frame sends now
    reg [3:0]  late_c;

    reg [1:0]  gap;        // cycles before the next /S/ may be sent
    reg        next_lane4; // and its lane, if it is sent as soon as that
    reg [1:0]  deficit;    // bytes by which gaps were too short and that are still owed

    integer i;

    // ---- take, or make, a word ---------------------------------------------------------------------

    assign s_tready = state == WAIT_FRAME ? gap == 2'd0 : state == WAIT_LAST;
    wire begins = state == WAIT_FRAME && gap == 2'd0 && s_tvalid;
    wire takes = begins || (state == WAIT_LAST && s_tvalid);
    wire starves = state == WAIT_LAST && !s_tvalid;
    wire makes = takes || state == PAD;
    wire given_last = s_tlast || state == PAD;

    reg [63:0] given;
    reg [3:0]  given_bytes;
    always @* begin
        given_bytes = 4'd0;
        for (i = 0; i < 8; i = i + 1) begin
            given[8 * i +: 8] = takes && s_tkeep[i] ? s_tdata[8 * i +: 8] : 8'd0;
            given_bytes = given_bytes + {3'd0, s_tkeep[i]};
        end
    end

    reg [3:0] made_bytes;
    always @* begin
        if (!given_last || words < PAD_WORD) made_bytes = 4'd8;
        else if (words == PAD_WORD && (state == PAD || given_bytes < PAD_BYTES)) made_bytes = PAD_BYTES;
        else made_bytes = given_bytes;
    end
    wire made_last = given_last && words >= PAD_WORD;

    wire [31:0] made_crc;
    fdw_crc32 crc32 (.crc_in(crc), .data(given), .count(makes ? made_bytes : 4'd0), .crc_out(made_crc));

    // ---- lay it out as if the frame had begun in lane 0 --------------------------------------------

    // FCS, /T/ and idle, pushed up by the bytes of the last word: the low half goes out with that word.
    wire [127:0] sealed = {{11{IDLE}}, TERMINATE, ~crc} << {word_bytes, 3'd0} | {64'd0, word};
    wire [15:0]  sealed_c = 16'hfff0 << word_bytes;
    wire         seals = word_valid && word_last;
    wire         overflows = word_bytes >= 4'd4;

    reg [63:0] lanes;
    reg [7:0]  lanes_c;
    always @* begin
        if (begins) {lanes_c, lanes} = {8'h01, PREAMBLE};
        else if (seals) {lanes_c, lanes} = {sealed_c[7:0], sealed[63:0]};
        else if (tail_valid) {lanes_c, lanes} = {sealed_c[15:8], sealed[127:64]};
        else if (word_valid) {lanes_c, lanes} = {8'h00, word};
        else if (cuts) {lanes_c, lanes} = {8'hff, CUT};
        else {lanes_c, lanes} = {8'hff, IDLES};
    end

    // ---- the gap behind it --------------------------------------------------------------------------

    wire       finishes = (seals && !overflows) || tail_valid;
    wire       terminates = finishes || cuts;
    wire [2:0] terminate_lane = cuts ? CUT_LANE : word_bytes[2:0] + 3'd4;

    // /T/ counts as the first byte of the gap. With /T/ in lane 0 of four, 12 bytes end right before a
    // lane that may carry /S/; else 9 to 11 do, and the rest is owed until the sum reaches four bytes.
    wire [2:0] owed = {1'b0, deficit} + {1'b0, terminate_lane[1:0]};
    // Where /S/ may be, in half words from the word with /T/.
    wire [2:0] start = 3'd3 + {2'd0, terminate_lane[2]} + {2'd0, lane4} + {2'd0, owed[2]};

    wire shifts = begins ? next_lane4 : lane4;

    always @(posedge clk) begin
        if (rst) begin
            state <= WAIT_FRAME;
            words <= 13'd0;
            crc <= 32'hffffffff;
            word_valid <= 1'b0;
            word_last <= 1'b0;
            word <= 64'd0;
            word_bytes <= 4'd0;
            tail_valid <= 1'b0;
            cuts <= 1'b0;
            lane4 <= 1'b0;
            late <= {4{IDLE}};
            late_c <= 4'hf;
            gap <= 2'd0;
            next_lane4 <= 1'b0;
            deficit <= 2'd0;
            xgmii_txd <= IDLES;
            xgmii_txc <= 8'hff;
            stat_frame <= 1'b0;
            stat_bytes <= 16'd0;
            stat_multicast <= 1'b0;
            stat_broadcast <= 1'b0;
            group <= 1'b0;
            everyone <= 1'b0;
            underflow <= 1'b0;
        end else begin
            case (state)
                WAIT_FRAME: if (begins) state <= s_tlast ? PAD : WAIT_LAST;
                WAIT_LAST: if (starves) state <= WAIT_END;
                           else if (s_tlast) state <= made_last ? WAIT_END : PAD;
                PAD: if (made_last) state <= WAIT_END;
                WAIT_END: if (terminates) state <= WAIT_FRAME;
            endcase

            word_valid <= makes;
            tail_valid <= seals && overflows;
            cuts <= starves;
            if (makes) begin
                word <= given;
                word_last <= made_last;
                word_bytes <= made_bytes;
                crc <= made_crc;
                words <= words + 13'd1;
            end
            if (terminates) begin
                crc <= 32'hffffffff;
                words <= 13'd0;
            end

            if (begins) begin
                lane4 <= next_lane4;
                group <= s_tdata[0]; // IEEE 802.3 §3.2.3: the first bit sent of the destination address
                everyone <= &s_tdata[47:0];
            end
            if (terminates) begin
                gap <= start[2:1] - 2'd1;
                next_lane4 <= start[0];
                deficit <= owed[1:0];
            end else if (gap != 2'd0) begin
                gap <= gap - 2'd1;
            end else if (!begins && state == WAIT_FRAME) begin
                // The first place passed unused: the gap is now longer than anything owed.
                next_lane4 <= 1'b0;
                deficit <= 2'd0;
            end

            {late_c, late} <= {lanes_c[7:4], lanes[63:32]};
            xgmii_txd <= shifts ? {lanes[31:0], late} : lanes;
            xgmii_txc <= shifts ? {lanes_c[3:0], late_c} : lanes_c;

            stat_frame <= finishes;
            stat_multicast <= group && !everyone;
            stat_broadcast <= everyone;
            stat_bytes <= {words, 3'd0} - 16'd8 + {12'd0, word_bytes} + 16'd4;
            underflow <= cuts;
        end
    end
endmodule
