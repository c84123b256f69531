// Puts a segment's own values into 16 bytes of a super-frame's headers. Combinational.
//
// In: bytes 16 * index ... of the headers in `data`, first byte in data[7:0]; where the IP header begins
// (14, or 18 if `has_tag`) and where TCP does (`start`, even); the values. Out: the same bytes, with IPv4's
// total length, identification and checksum, or IPv6's payload length, and TCP's sequence number, flags and
// checksum field replaced.
module fdw_tx_segment_patch (
    input      [127:0] data,
    input      [3:0]   index,
    input              has_tag,
    input      [7:0]   start,
    input              ipv6,
    input      [15:0]  ip_length,
    input      [15:0]  identification,
    input      [15:0]  ip_checksum,
    input      [31:0]  sequence_number,
    input      [15:0]  offset_flags,
    input      [15:0]  tcp_checksum,
    output reg [127:0] patched
);
    // Positions are counted in words of 16 bits.
    wire [6:0] ip = has_tag ? 7'd9 : 7'd7;
    wire [6:0] tcp = start[7:1];

    integer i;
    reg [6:0]  from_ip;
    reg [6:0]  from_tcp;
    reg [15:0] word;
    always @* begin
        for (i = 0; i < 8; i = i + 1) begin
            from_ip = {index, i[2:0]} - ip;
            from_tcp = {index, i[2:0]} - tcp;
            word = {data[16*i +: 8], data[16*i+8 +: 8]};
            if (from_ip == 7'd1 && !ipv6) word = ip_length;
            if (from_ip == 7'd2) word = ipv6 ? ip_length : identification;
            if (from_ip == 7'd5 && !ipv6) word = ip_checksum;
            if (from_tcp == 7'd2) word = sequence_number[31:16];
            if (from_tcp == 7'd3) word = sequence_number[15:0];
            if (from_tcp == 7'd6) word = offset_flags;
            if (from_tcp == 7'd8) word = tcp_checksum;
            patched[16*i +: 16] = {word[7:0], word[15:8]};
        end
    end

    wire unused = start[0];
endmodule
