// Cuts TCP super-frames into segments (virtio 1.2 §5.1.6.2, VIRTIO_NET_HDR_GSO_TCPV4 and _TCPV6).
//
// In: `go`, from before a super-frame's first beat until `done`, with job_*: its length, whether it is IPv6, where
// its header says that TCP begins, and the payload of a segment (at least 1); s_*, the frame. Out: m_*, the segments,
// m_len the length of each from its first beat to its last. Where TCP's checksum goes there is the sum of the
// pseudo-header: who sums a segment up from job_start on gets the checksum (RFC 9293 §3.1). It is the driver's
// own, of the super-frame, with the other length: only the driver knows the addresses where a routing header
// is on the way (RFC 8200 §8.1).
// `done` pulses when the last segment has left m_*, or, if there is none, when the frame has come to its end.
// stat_tso pulses for a frame that is cut, stat_oversize for one whose first segment would be longer than
// max_frame, stat_bad_offload for one whose headers do not allow it.
//
// The headers go into a memory of 192 bytes and come out in front of each segment, patched; the payload passes
// through a slicer. A segment takes a cycle for each 16 bytes, or part, of headers and of payload, and
// two or three more.
module fdw_tx_segment (
    input          clk,
    input          rst,
    input  [15:0]  max_frame,

    input          go,
    output         done,
    input  [16:0]  job_len,
    input          job_ipv6,
    input  [15:0]  job_start,
    input  [15:0]  job_size,

    input          s_valid,
    output         s_ready,
    input  [127:0] s_data,
    input  [15:0]  s_keep,
    input          s_last,

    output         m_valid,
    input          m_ready,
    output [127:0] m_data,
    output         m_last,
    output reg [15:0] m_len,

    output         stat_tso,
    output         stat_oversize,
    output         stat_bad_offload
);
    // Ethernet, tag and IPv4 with all its options, or IPv6 and 64 bytes of extension headers. A start that no such
    // headers have is refused.
    localparam [15:0] START_LEAST = 16'd14 + 16'd20;
    localparam [15:0] START_MOST_IPV4 = 16'd18 + 16'd60;
    localparam [15:0] START_MOST_IPV6 = 16'd18 + 16'd40 + 16'd64;
    localparam [7:0] TCP_LEAST = 8'd20;
    localparam [15:0] FIN_PSH = 16'h0009;
    localparam [15:0] CWR = 16'h0080;

    localparam [3:0] IDLE = 4'd0;    // waits for `go`
    localparam [3:0] CAPTURE = 4'd1; // waits for header bytes that are there whatever TCP's options are
    localparam [3:0] PARSE = 4'd2;   // waits for the fields
    localparam [3:0] JUDGE = 4'd3;
    localparam [3:0] SHED = 4'd4;    // waits to drop what is stored of the headers from the slicer
    localparam [3:0] STORE = 4'd5;   // waits for more header bytes
    localparam [3:0] MEASURE = 4'd6; // lengths of the next segment
    localparam [3:0] SUM = 4'd7;     // its sums; waits for the one before to be gone
    localparam [3:0] HEAD = 4'd8;    // waits for room, for the headers
    localparam [3:0] BODY = 4'd9;    // waits for payload, and for room
    localparam [3:0] FINISH = 4'd10; // waits for the last segment to be gone
    localparam [3:0] DROP = 4'd11;   // waits for the end of a frame that is not cut

    reg [3:0]  state;
    reg        came;       // the frame has come to its end
    reg [3:0]  index;      // 16 bytes of the headers
    reg [7:0]  headers;    // length of all headers
    reg [16:0] left;       // payload that is in no segment yet
    reg        first;
    reg        last;
    reg [15:0] body;       // payload of this segment still to be sent
    reg [15:0] part;       // payload of this segment
    reg [15:0] ip_counted; // headers that IP's length field counts: without Ethernet and tag, and IPv6's own
    reg [15:0] ip_length;
    reg [15:0] tcp_length;
    reg [15:0] ip_checksum;
    reg [15:0] tcp_field;
    reg [15:0] identification;
    reg [31:0] sequence_number;
    reg        sending;    // a segment has begun whose last beat has not left

    wire [7:0] start = job_start[7:0];

    // ---- in: bytes from the frame
    wire        drops = state == DROP;
    wire [4:0]  level;
    wire        slicer_ready;
    wire        take;
    wire [4:0]  take_count;
    wire [127:0] bytes;
    wire [15:0] unused_strb;
    fdw_byte_slicer slicer (
        .clk(clk),
        .rst(rst || state == IDLE || drops),
        .s_valid(s_valid && s_ready),
        .s_ready(slicer_ready),
        .s_data(s_data),
        .s_keep(s_keep),
        .level(level),
        .take(take),
        .take_count(take_count),
        .take_offset(4'd0),
        .data(bytes),
        .strb(unused_strb)
    );
    assign s_ready = state != IDLE && !came && (drops || slicer_ready);
    wire s_end = s_valid && s_ready && s_last;

    // ---- headers
    wire [8:0]  index_end = {1'b0, index, 4'd0} + 9'd16;
    wire [8:0]  certain = {1'b0, start} + {1'b0, TCP_LEAST}; // headers are at least so long
    wire        sure = index_end <= certain;
    wire        there = level >= 5'd16 || came;
    wire        stores = (state == CAPTURE || state == STORE) && there;

    reg [127:0] memory [0:11];
    always @(posedge clk) if (stores) memory[index] <= bytes;

    wire        fit;
    wire        has_tag;
    wire [15:0] first_identification;
    wire [31:0] first_sequence_number;
    wire [15:0] offset_flags;
    wire [15:0] first_tcp_field;
    wire [20:0] ip_sum;
    fdw_tx_segment_parse parse (
        .clk(clk),
        .rst(rst),
        .beat(stores && state == CAPTURE),
        .index(index),
        .data(bytes),
        .start(start),
        .ipv6(job_ipv6),
        .fit(fit),
        .has_tag(has_tag),
        .identification(first_identification),
        .sequence_number(first_sequence_number),
        .offset_flags(offset_flags),
        .tcp_field(first_tcp_field),
        .ip_sum(ip_sum)
    );

    wire [7:0]  headers_found = start + {2'd0, offset_flags[15:12], 2'd0};
    wire        too_short = {9'd0, headers_found} > job_len;
    wire [8:0]  shed_left = {1'b0, headers} - {1'b0, index, 4'd0};
    wire        shed_last = shed_left <= 9'd16;
    wire [4:0]  shed = shed_last ? shed_left[4:0] : 5'd16; // of these 16 bytes, those that are headers

    // ---- a segment's values
    wire        is_last = left <= {1'b0, job_size};
    wire [15:0] next_part = is_last ? left[15:0] : job_size;
    wire [17:0] first_length = {10'd0, headers} + {2'd0, next_part};
    wire        too_long = first_length > {2'd0, max_frame};

    wire [21:0] ip_total = {1'b0, ip_sum} + {6'd0, ip_length} + {6'd0, identification};
    // RFC 1624 §3: the sum without one length and with the other. The 17th bit is worth 1 modulo 65535.
    wire [16:0] tcp_whole = job_len - {1'b0, job_start};
    wire [21:0] tcp_total = {6'd0, first_tcp_field} + {6'd0, ~tcp_whole[15:0]} + {6'd0, {15{1'b1}}, ~tcp_whole[16]}
        + {6'd0, tcp_length};
    function [15:0] fold(input [21:0] sum);
        reg [16:0] once;
        begin
            once = {1'b0, sum[15:0]} + {11'd0, sum[21:16]};
            fold = once[15:0] + {15'd0, once[16]};
        end
    endfunction

    wire [127:0] patched;
    fdw_tx_segment_patch patch (
        .data(memory[index]),
        .index(index),
        .has_tag(has_tag),
        .start(start),
        .ipv6(job_ipv6),
        .ip_length(ip_length),
        .identification(identification),
        .ip_checksum(ip_checksum),
        .sequence_number(sequence_number),
        .offset_flags(offset_flags & ~(last ? 16'd0 : FIN_PSH) & ~(first ? 16'd0 : CWR)),
        .tcp_checksum(tcp_field),
        .patched(patched)
    );

    // ---- out: headers and payload
    wire       in_head = state == HEAD;
    wire       in_body = state == BODY;
    wire       body_last = body <= 16'd16;
    wire [4:0] body_count = body_last ? body[4:0] : 5'd16;
    wire       piece_valid = in_head || (in_body && level >= body_count);
    wire       piece_ready;
    wire       piece = piece_valid && piece_ready;
    wire       piece_last = in_head ? shed_last && part == 16'd0 : body_last;
    wire [15:0] unused_keep;

    assign take = (stores && state == CAPTURE && sure) || state == SHED || (in_body && piece);
    assign take_count = state == SHED ? shed : in_body ? body_count : 5'd16;

    fdw_byte_packer packer (
        .clk(clk),
        .rst(rst),
        .s_valid(piece_valid),
        .s_ready(piece_ready),
        .s_data(in_head ? patched : bytes),
        .s_offset(4'd0),
        .s_count(in_head ? shed : body_count),
        .s_last(piece_last),
        .m_valid(m_valid),
        .m_ready(m_ready),
        .m_data(m_data),
        .m_keep(unused_keep),
        .m_last(m_last)
    );

    wire refused_start = job_start < START_LEAST || job_start > (job_ipv6 ? START_MOST_IPV6 : START_MOST_IPV4)
        || job_start[0] || {1'b0, job_start} + {9'd0, TCP_LEAST} > job_len;

    assign stat_tso = state == MEASURE && first && !too_long;
    assign stat_oversize = state == MEASURE && first && too_long;
    assign stat_bad_offload = (state == IDLE && go && refused_start) || (state == JUDGE && (!fit || too_short));
    assign done = (drops && (came || s_end)) || (state == FINISH && !sending);

    always @(posedge clk) begin
        if (rst) begin
            state <= IDLE;
            came <= 1'b0;
            index <= 4'd0;
            headers <= 8'd0;
            left <= 17'd0;
            first <= 1'b0;
            last <= 1'b0;
            body <= 16'd0;
            part <= 16'd0;
            ip_counted <= 16'd0;
            ip_length <= 16'd0;
            tcp_length <= 16'd0;
            ip_checksum <= 16'd0;
            tcp_field <= 16'd0;
            identification <= 16'd0;
            sequence_number <= 32'd0;
            sending <= 1'b0;
            m_len <= 16'd0;
        end else begin
            came <= (came || s_end) && !done;
            if (m_valid && m_ready && m_last) sending <= 1'b0;

            case (state)
                IDLE: begin
                    index <= 4'd0;
                    first <= 1'b1;
                    if (go) state <= refused_start ? DROP : CAPTURE;
                end
                CAPTURE: if (there) begin
                    if (sure) index <= index + 4'd1;
                    else state <= PARSE;
                end
                PARSE: begin
                    headers <= headers_found;
                    ip_counted <= {8'd0, headers_found} - (has_tag ? 16'd18 : 16'd14) - (job_ipv6 ? 16'd40 : 16'd0);
                    identification <= first_identification;
                    sequence_number <= first_sequence_number;
                    state <= JUDGE;
                end
                JUDGE: begin
                    left <= job_len - {9'd0, headers};
                    state <= !fit || too_short ? DROP : SHED;
                end
                SHED: begin
                    if (!shed_last) index <= index + 4'd1;
                    state <= shed_last ? MEASURE : STORE;
                end
                STORE: if (there) state <= SHED;
                MEASURE: begin
                    part <= next_part;
                    body <= next_part;
                    last <= is_last;
                    ip_length <= ip_counted + next_part;
                    tcp_length <= {8'd0, headers - start} + next_part;
                    state <= first && too_long ? DROP : SUM;
                end
                SUM: begin
                    ip_checksum <= ~fold(ip_total);
                    tcp_field <= fold(tcp_total);
                    index <= 4'd0;
                    if (!sending) begin
                        m_len <= {8'd0, headers} + part;
                        left <= left - {1'b0, part};
                        sending <= 1'b1;
                        state <= HEAD;
                    end
                end
                HEAD: if (piece_ready) begin
                    index <= index + 4'd1;
                    if (shed_last) state <= part == 16'd0 ? FINISH : BODY;
                end
                BODY: if (piece) begin
                    body <= body - {11'd0, body_count};
                    if (body_last) begin
                        identification <= identification + 16'd1;
                        sequence_number <= sequence_number + {16'd0, job_size};
                        first <= 1'b0;
                        state <= last ? FINISH : MEASURE;
                    end
                end
                FINISH: if (!sending) state <= IDLE;
                DROP: if (came || s_end) state <= IDLE;
                default: state <= IDLE;
            endcase
        end
    end
endmodule
