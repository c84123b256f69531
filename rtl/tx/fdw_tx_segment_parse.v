// Reads the headers of a TCP super-frame as they pass, 16 bytes at a time.
//
// In: `beat` with the frame's bytes 16 * index ... in `data`, first byte in data[7:0], index from 0 up, and the
// byte `start` at which the virtio_net_hdr says that TCP begins (even), and whether it says IPv6; both stand.
// Out, one cycle after the beat that holds byte start + 17: `fit`: an Ethernet header, at most one VLAN tag
// (0x8100 or 0x88a8), then, by EtherType, what `ipv6` asks for:
//   IPv4 (RFC 791: version 4, IHL at least 5, protocol TCP, not a fragment), a header that ends at `start`;
//   IPv6 (RFC 8200: version 6), behind it nothing or whole hop-by-hop, routing and destination options headers
//   (§4.3, §4.4, §4.6), the last of which ends at `start` and names TCP;
// and a TCP data offset of at least 5 (RFC 9293 §3.1). If so, the others: ip_sum is the sum of the IPv4 header's
// words but total length, identification and checksum, tcp_field the word where TCP's checksum is to be.
// Index 0 begins a new frame.
module fdw_tx_segment_parse (
    input              clk,
    input              rst,
    input              beat,
    input      [3:0]   index,
    input      [127:0] data,
    input      [7:0]   start,
    input              ipv6,

    output             fit,
    output reg         has_tag,
    output reg [15:0]  identification,
    output reg [31:0]  sequence_number,
    output reg [15:0]  offset_flags, // TCP's word of data offset and flags
    output reg [15:0]  tcp_field,
    output reg [20:0]  ip_sum
);
    localparam [7:0] HOP_BY_HOP = 8'd0;
    localparam [7:0] TCP = 8'd6;
    localparam [7:0] ROUTING = 8'd43;
    localparam [7:0] NOTHING = 8'd59;
    localparam [7:0] DESTINATION = 8'd60;

    reg [127:0] words; // most significant byte first
    integer w;
    always @* begin
        for (w = 0; w < 16; w = w + 1) words[8 * (w ^ 1) +: 8] = data[8 * w +: 8];
    end

    // Positions are counted in words of 16 bits. Of the first beat it is known at once whether a tag is there.
    wire       first = index == 4'd0;
    wire       tag_now = words[96 +: 16] == 16'h8100 || words[96 +: 16] == 16'h88a8;
    wire       tag = first ? tag_now : has_tag;
    wire [6:0] ip = tag ? 7'd9 : 7'd7;
    wire [6:0] tcp = start[7:1];
    wire [6:0] base = {index, 3'd0};

    wire [15:0] type_wanted = ipv6 ? 16'h86dd : 16'h0800;

    reg         type_good;
    reg  [7:0]  version_length;
    reg  [13:0] fragment; // more fragments, and offset
    reg  [7:0]  protocol;

    // The word of this beat that is at `place`, if it is in this beat.
    wire [6:0] at_fragment = ip + 7'd3;
    wire [6:0] at_protocol = ip + 7'd4;
    wire [6:0] at_id = ip + 7'd2;
    wire [6:0] at_sequence = tcp + 7'd2;
    wire [6:0] at_sequence_low = tcp + 7'd3;
    wire [6:0] at_flags = tcp + 7'd6;
    wire [6:0] at_field = tcp + 7'd8;
    wire [6:0] at_next = ip + 7'd3; // IPv6's next header

    reg [15:0] ip_mask;
    integer i;
    always @* begin
        for (i = 0; i < 8; i = i + 1) begin
            ip_mask[2*i +: 2] = {2{base + i[6:0] >= ip && base + i[6:0] < tcp && base + i[6:0] != ip + 7'd1
                && base + i[6:0] != at_id && base + i[6:0] != ip + 7'd5}};
        end
    end
    wire [18:0] ip_part;
    fdw_sum_words ip_adder (.data(data), .mask(ip_mask), .sum(ip_part));

    // IPv6's headers one after the other. They are a multiple of 8 bytes long, so two may begin in a beat.
    reg  [7:0]  place; // where the next header begins, `kind` its type
    reg  [7:0]  kind;
    reg  [7:0]  place_between;
    reg  [7:0]  kind_between;
    reg  [7:0]  place_next;
    reg  [7:0]  kind_next;

    function stands(input [4:0] beat_of, input [7:0] what); // an extension header that begins in this beat
        stands = beat_of == {1'b0, index} && (what == HOP_BY_HOP || what == ROUTING || what == DESTINATION);
    endfunction

    // Header extension length counts 8 bytes beyond the first 8 (RFC 8200 §4.3); what is longer than all that may
    // be before `start` ends the chain, with a type that is not TCP's.
    function [15:0] follow(input [7:0] at, input [15:0] word);
        follow = word[7:5] != 3'd0 ? {NOTHING, at} : {word[15:8], at + 8'd4 + {1'b0, word[4:0], 2'd0}};
    endfunction

    always @* begin
        {kind_between, place_between} = stands(place[7:3], kind) ? follow(place, words[{place[2:0], 4'd0} +: 16])
            : {kind, place};
        {kind_next, place_next} = stands(place_between[7:3], kind_between)
            ? follow(place_between, words[{place_between[2:0], 4'd0} +: 16]) : {kind_between, place_between};
    end

    wire [5:0] ip_words = {1'b0, version_length[3:0], 1'b0};
    wire [6:0] ip_end = (has_tag ? 7'd9 : 7'd7) + {1'b0, ip_words};
    wire       fit_ipv4 = version_length[7:4] == 4'd4 && version_length[3:0] >= 4'd5 && ip_end == tcp
        && fragment == 14'd0 && protocol == TCP;
    wire       fit_ipv6 = version_length[7:4] == 4'd6 && kind == TCP && place == {1'b0, tcp};
    assign fit = type_good && (ipv6 ? fit_ipv6 : fit_ipv4) && offset_flags[15:12] >= 4'd5;

    always @(posedge clk) begin
        if (rst) begin
            has_tag <= 1'b0;
            type_good <= 1'b0;
            version_length <= 8'd0;
            identification <= 16'd0;
            fragment <= 14'd0;
            protocol <= 8'd0;
            sequence_number <= 32'd0;
            offset_flags <= 16'd0;
            tcp_field <= 16'd0;
            ip_sum <= 21'd0;
            place <= 8'd0;
            kind <= NOTHING;
        end else if (beat) begin
            has_tag <= tag;
            if (first) type_good <= words[96 +: 16] == type_wanted;
            else if (index == 4'd1 && has_tag) type_good <= words[15:0] == type_wanted;
            if (ip[6:3] == index) version_length <= words[{ip[2:0], 4'd8} +: 8];
            if (at_id[6:3] == index) identification <= words[{at_id[2:0], 4'd0} +: 16];
            if (at_fragment[6:3] == index) fragment <= words[{at_fragment[2:0], 4'd0} +: 14];
            if (at_protocol[6:3] == index) protocol <= words[{at_protocol[2:0], 4'd0} +: 8];
            if (at_sequence[6:3] == index) sequence_number[31:16] <= words[{at_sequence[2:0], 4'd0} +: 16];
            if (at_sequence_low[6:3] == index) sequence_number[15:0] <= words[{at_sequence_low[2:0], 4'd0} +: 16];
            if (at_flags[6:3] == index) offset_flags <= words[{at_flags[2:0], 4'd0} +: 16];
            if (at_field[6:3] == index) tcp_field <= words[{at_field[2:0], 4'd0} +: 16];
            ip_sum <= (first ? 21'd0 : ip_sum) + {2'd0, ip_part};
            place <= first ? 8'd0 : place_next;
            kind <= first ? NOTHING : kind_next;
            if (at_next[6:3] == index) begin
                place <= {1'b0, ip + 7'd20};
                kind <= words[{at_next[2:0], 4'd8} +: 8];
            end
        end
    end

    wire unused = start[0];
endmodule
