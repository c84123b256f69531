// Receive half of a 10 Gb/s MAC: XGMII (IEEE 802.3 clause 46, 64 bits) to packet stream.
//
// Out: per frame zero or more full beats and one with m_last, first byte in m_data[7:0], FCS stripped; no
// back pressure. With m_last comes m_status:
//   0 bad preamble   no SFD in the eighth byte
//   1 code error     a control character other than /T/, be it idle or a new /S/, inside the frame
//   2 undersize      less than 64 bytes with FCS (minFrameSize, §4.4.2)
//   3 oversize       more than max_frame + 4 bytes with FCS
//   4 FCS error      (§3.2.9)
//   7 good           at least 60 bytes have been given
// The lowest number that is true counts. Of a bad frame the beats mean nothing, there may be fewer than
// it had, and m_keep of its last may be 0; an endless one gives no beats beyond max_frame. With m_last comes
// m_fcs_wrong, which means something if m_status is undersize or oversize.
//
// p_*: the same bytes earlier and with the FCS, for whoever sums them up: p_bytes (0..8) of p_data from lane
// 0 on. All but the FCS have been on p_* before the cycle of m_last.
//
// max_frame: the longest frame without FCS, 60..65000, constant while frames come in.
//
// A frame may begin in lane 0 or lane 4, after any gap, also in the middle of another one. Its end is
// what comes first of /T/ and a wrong control character; after it everything up to the next /S/ is
// ignored. An /S/ that is followed by another four bytes later begins nothing.
//
// From a word on xgmii_rxd to its beat it takes four cycles, to the m_last beat three or four.
module fdw_mac_rx (
    input             clk,
    input             rst,
    input      [15:0] max_frame,
    input      [63:0] xgmii_rxd,
    input      [7:0]  xgmii_rxc,
    output            m_valid,
    output     [63:0] m_data,
    output     [7:0]  m_keep,
    output            m_last,
    output     [3:0]  m_status,
    output            m_fcs_wrong,
    output            p_valid,
    output     [63:0] p_data,
    output     [3:0]  p_bytes,
    output            p_last
);
    localparam [3:0] BAD_PREAMBLE = 4'd0, CODE_ERROR = 4'd1, UNDERSIZE = 4'd2, OVERSIZE = 4'd3,
                     FCS_ERROR = 4'd4, GOOD = 4'd7;
    localparam [7:0] START = 8'hfb, TERMINATE = 8'hfd, SFD = 8'hd5;
    localparam [31:0] RESIDUE = 32'hdebb20e3; // §3.2.9: what a good FCS leaves in the register
    localparam [15:0] MIN_FRAME = 16'd64;
    localparam [15:0] FCS_BYTES = 16'd4;
    localparam [15:0] ENDLESS = 16'hfff0; // longer than any limit, and far enough from wrapping

    integer i; // in the clocked block
    integer k; // in the other: a variable of both would be a register with two drivers

    // ---- what came in -------------------------------------------------------------------------------

    reg [63:0] rx;
    reg [7:0]  rx_c;
    reg [7:0]  rx_t;    // /T/
    reg        start0;  // /S/ in lane 0
    reg        start4;  // /S/ in lane 4
    reg [31:0] late;    // upper half of the word before
    reg [3:0]  late_c;
    reg [3:0]  late_t;
    reg        late_s;  // start4 of the word before

    always @(posedge clk) begin
        rx <= xgmii_rxd;
        late <= rx[63:32];
        if (rst) begin
            rx_c <= 8'd0;
            rx_t <= 8'd0;
            start0 <= 1'b0;
            start4 <= 1'b0;
            late_c <= 4'd0;
            late_t <= 4'd0;
            late_s <= 1'b0;
        end else begin
            rx_c <= xgmii_rxc;
            for (i = 0; i < 8; i = i + 1) rx_t[i] <= xgmii_rxc[i] && xgmii_rxd[8 * i +: 8] == TERMINATE;
            start0 <= xgmii_rxc[0] && xgmii_rxd[7:0] == START;
            start4 <= xgmii_rxc[4] && xgmii_rxd[39:32] == START;
            late_c <= rx_c[7:4];
            late_t <= rx_t[7:4];
            late_s <= start4;
        end
    end

    // ---- find beginning and end -----------------------------------------------------------------------

    localparam [1:0] WAIT_START = 2'd0; // for /S/
    localparam [1:0] WAIT_END = 2'd1;   // for a control character
    localparam [1:0] REPORT = 2'd2;     // the preamble was wrong: says so one cycle later, since
                                        // the end of the frame before may need the present one

    reg  [1:0] state;
    reg        lane4; // the present frame began in lane 4
    reg  [3:0] report;

    wire begins0 = start0 && !start4;
    wire begins4 = late_s && !start0;
    wire begins = begins0 || begins4;
    wire preamble_sfd = begins4 ? !rx_c[3] && rx[31:24] == SFD : !rx_c[7] && rx[63:56] == SFD;
    wire preamble_c = begins4 ? |{rx_c[2:0], late_c[3:1]} : |rx_c[6:1];

    // The next eight bytes of the present frame.
    wire [63:0] lanes = lane4 ? {rx[31:0], late} : rx;
    wire [7:0]  lanes_c = lane4 ? {rx_c[3:0], late_c} : rx_c;
    wire [7:0]  lanes_t = lane4 ? {rx_t[3:0], late_t} : rx_t;
    reg  [3:0]  lanes_bytes; // before the first control character
    always @* begin
        lanes_bytes = 4'd8;
        for (k = 7; k >= 0; k = k - 1) if (lanes_c[k]) lanes_bytes = k[3:0];
    end
    wire lanes_end = |lanes_c;
    wire lanes_good = |(lanes_t & lanes_c & (~lanes_c + 8'd1));

    reg        word_valid;
    reg [63:0] word;
    reg [3:0]  word_bytes;
    reg        word_last;
    reg [3:0]  word_status; // GOOD as far as it is known here

    always @(posedge clk) begin
        word <= lanes;
        if (rst) begin
            state <= WAIT_START;
            lane4 <= 1'b0;
            report <= BAD_PREAMBLE;
            word_valid <= 1'b0;
            word_bytes <= 4'd0;
            word_last <= 1'b0;
            word_status <= GOOD;
        end else begin
            if (begins) begin
                state <= preamble_sfd && !preamble_c ? WAIT_END : REPORT;
                report <= preamble_sfd ? CODE_ERROR : BAD_PREAMBLE;
                lane4 <= begins4;
            end else if (state == REPORT || lanes_end) begin
                state <= WAIT_START;
            end
            word_valid <= state != WAIT_START;
            word_bytes <= state == WAIT_END ? lanes_bytes : 4'd0;
            word_last <= state == REPORT || lanes_end;
            word_status <= state == REPORT ? report : lanes_good || !lanes_end ? GOOD : CODE_ERROR;
        end
    end

    // ---- count and check ------------------------------------------------------------------------------

    reg  [31:0] crc;
    wire [31:0] next_crc;
    fdw_crc32 crc32 (.crc_in(crc), .data(word), .count(word_valid ? word_bytes : 4'd0), .crc_out(next_crc));

    reg  [15:0] len;
    wire [15:0] next_len = len + {12'd0, word_bytes};
    wire        too_long = next_len > max_frame + FCS_BYTES;

    reg        part_valid;
    reg [63:0] part;
    reg [3:0]  part_bytes;
    reg        part_last;
    reg [3:0]  part_status; // without the FCS
    reg [31:0] part_crc;

    always @(posedge clk) begin
        part <= word;
        part_crc <= next_crc;
        if (rst) begin
            crc <= 32'hffffffff;
            len <= 16'd0;
            part_valid <= 1'b0;
            part_bytes <= 4'd0;
            part_last <= 1'b0;
            part_status <= GOOD;
        end else begin
            if (word_valid) begin
                crc <= word_last ? 32'hffffffff : next_crc;
                len <= word_last ? 16'd0 : too_long ? ENDLESS : next_len;
            end
            part_valid <= word_valid && (word_last || !too_long);
            part_bytes <= word_bytes;
            part_last <= word_last;
            part_status <= word_status != GOOD ? word_status :
                           next_len < MIN_FRAME ? UNDERSIZE : too_long ? OVERSIZE : GOOD;
        end
    end

    // ---- strip the FCS: a word waits until the next one tells how much of it is data -------------------

    reg        held_valid;
    reg [63:0] held;
    reg        tail_valid; // `held` is the last of its frame, whatever comes next
    reg [3:0]  tail_bytes;
    reg [3:0]  tail_status;
    reg        tail_fcs_wrong;

    wire       fcs_wrong = part_crc != RESIDUE;
    wire [3:0] status = part_status == GOOD && fcs_wrong ? FCS_ERROR : part_status;
    wire       spills = part_bytes > 4'd4; // the last word holds data beside the FCS
    wire       closes = part_valid && part_last && !spills;
    wire [3:0] last_bytes = tail_valid ? tail_bytes : held_valid ? part_bytes + 4'd4 : 4'd0;

    assign m_valid = tail_valid || closes || (part_valid && held_valid);
    assign m_data = held;
    assign m_last = tail_valid || closes;
    assign m_keep = m_last ? ~(8'hff << last_bytes) : 8'hff;
    assign m_status = tail_valid ? tail_status : status;
    assign m_fcs_wrong = tail_valid ? tail_fcs_wrong : fcs_wrong;

    assign p_valid = part_valid;
    assign p_data = part;
    assign p_bytes = part_bytes;
    assign p_last = part_last;

    always @(posedge clk) begin
        if (rst) begin
            held <= 64'd0;
            held_valid <= 1'b0;
            tail_valid <= 1'b0;
            tail_bytes <= 4'd0;
            tail_status <= GOOD;
            tail_fcs_wrong <= 1'b0;
        end else begin
            tail_valid <= part_valid && part_last && spills;
            tail_bytes <= part_bytes - 4'd4;
            tail_status <= status;
            tail_fcs_wrong <= fcs_wrong;
            if (part_valid) begin
                held <= part;
                held_valid <= !part_last;
            end
        end
    end
endmodule
