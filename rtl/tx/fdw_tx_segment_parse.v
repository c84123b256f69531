// Reads the headers of a TCP super-frame as they pass, 16 bytes at a time.
//
// In: `beat` with the frame's bytes 16 * index ... in `data`, first byte in data[7:0], index from 0 up, and the
// byte `start` at which the virtio_net_hdr says that TCP begins (even, and stands).
// Out, one cycle after the beat that holds byte start + 13: `fit`: an Ethernet header, at most one VLAN tag
// (0x8100 or 0x88a8), EtherType IPv4, an IPv4 header (RFC 791: version 4, IHL at least 5, protocol TCP, not
// a fragment) that ends at `start`, a TCP data offset of at least 5 (RFC 9293 §3.1). If so, the
// others: ip_sum is the sum of the IPv4 header's words but total length, identification and checksum,
// address_sum that of the two addresses; complete when `start` + 0 has come.
// Index 0 begins a new frame.
module fdw_tx_segment_parse (
    input              clk,
    input              rst,
    input              beat,
    input      [3:0]   index,
    input      [127:0] data,
    input      [7:0]   start,

    output             fit,
    output reg         has_tag,
    output reg [15:0]  identification,
    output reg [31:0]  sequence_number,
    output reg [15:0]  offset_flags, // TCP's word of data offset and flags
    output reg [20:0]  ip_sum,
    output reg [20:0]  address_sum
);
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

    reg [15:0] ip_mask;
    reg [15:0] address_mask;
    integer i;
    always @* begin
        for (i = 0; i < 8; i = i + 1) begin
            ip_mask[2*i +: 2] = {2{base + i[6:0] >= ip && base + i[6:0] < tcp && base + i[6:0] != ip + 7'd1
                && base + i[6:0] != at_id && base + i[6:0] != ip + 7'd5}};
            address_mask[2*i +: 2] = {2{base + i[6:0] >= ip + 7'd6 && base + i[6:0] < ip + 7'd10}};
        end
    end
    wire [18:0] ip_part;
    wire [18:0] address_part;
    fdw_sum_words ip_adder (.data(data), .mask(ip_mask), .sum(ip_part));
    fdw_sum_words address_adder (.data(data), .mask(address_mask), .sum(address_part));

    wire [5:0] ip_words = {1'b0, version_length[3:0], 1'b0};
    wire [6:0] ip_end = (has_tag ? 7'd9 : 7'd7) + {1'b0, ip_words};
    assign fit = type_good && version_length[7:4] == 4'd4 && version_length[3:0] >= 4'd5 && ip_end == tcp
        && fragment == 14'd0 && protocol == 8'd6 && offset_flags[15:12] >= 4'd5;

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
            ip_sum <= 21'd0;
            address_sum <= 21'd0;
        end else if (beat) begin
            has_tag <= tag;
            if (first) type_good <= words[96 +: 16] == 16'h0800;
            else if (index == 4'd1 && has_tag) type_good <= words[15:0] == 16'h0800;
            if (ip[6:3] == index) version_length <= words[{ip[2:0], 4'd8} +: 8];
            if (at_id[6:3] == index) identification <= words[{at_id[2:0], 4'd0} +: 16];
            if (at_fragment[6:3] == index) fragment <= words[{at_fragment[2:0], 4'd0} +: 14];
            if (at_protocol[6:3] == index) protocol <= words[{at_protocol[2:0], 4'd0} +: 8];
            if (at_sequence[6:3] == index) sequence_number[31:16] <= words[{at_sequence[2:0], 4'd0} +: 16];
            if (at_sequence_low[6:3] == index) sequence_number[15:0] <= words[{at_sequence_low[2:0], 4'd0} +: 16];
            if (at_flags[6:3] == index) offset_flags <= words[{at_flags[2:0], 4'd0} +: 16];
            ip_sum <= (first ? 21'd0 : ip_sum) + {2'd0, ip_part};
            address_sum <= (first ? 21'd0 : address_sum) + {2'd0, address_part};
        end
    end

    wire unused = start[0];
endmodule
