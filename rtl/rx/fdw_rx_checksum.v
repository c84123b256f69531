// Is the TCP or UDP checksum of a received frame right (GUEST_CSUM: DATA_VALID, virtio 1.2 §5.1.6.4.1)?
//
// In: the bytes of a frame, eight a cycle (p_bytes of p_data, first byte in p_data[7:0], all eight but on the
// beat with p_last), the FCS at their end; no back pressure. `good` is the answer: in the cycle of p_last if that
// beat holds at most four bytes, hence nothing but FCS, else from the next cycle to the next frame's first beat.
// Of frames shorter than 64 bytes it means nothing.
//
// Right is: behind at most one VLAN tag (0x8100 or 0x88a8) an IPv4 packet (RFC 791: version 4, IHL at least 5, no
// fragment) or IPv6 packet (RFC 8200, no extension headers) that ends within the frame (before the FCS), and in it a
// whole TCP header of 20 or UDP header of 8 bytes at least; the ones' complement sum (RFC 1071) of
// pseudo-header and IP payload is all ones; of UDP also the length field is the IP payload's length and the
// checksum field is not 0 (RFC 768: not computed). The IPv4 header's own checksum does not matter.
//
// Everything is 16-bit lanes: a network layer at byte 14 or 18 begins in lane 7 or 9, and its 16-bit words are
// the frame's. `r` counts lanes from there. Every header field is known a beat before it is needed.
module fdw_rx_checksum (
    input         clk,
    input         rst,
    input         p_valid,
    input  [63:0] p_data,
    input  [3:0]  p_bytes,
    input         p_last,
    output        good
);
    localparam [15:0] TYPE_IPV4 = 16'h0800, TYPE_IPV6 = 16'h86dd, TYPE_VLAN = 16'h8100, TYPE_SERVICE_VLAN = 16'h88a8;
    localparam TCP = 8'd6, UDP = 8'd17;
    localparam [15:0] FCS_BYTES = 16'd4;
    localparam [15:0] IPV6_HEADER = 16'd40;

    reg         fresh;     // the next beat is the first of a frame
    reg  [13:0] beat;      // number of the present beat
    reg  [15:0] len;       // bytes in the beats before
    reg         has_tag;
    reg         type_ok;   // a network layer that is looked at
    reg         v6;
    reg         version_ok;
    reg  [3:0]  ihl;
    reg  [15:0] ip_len;    // IPv4: total length; IPv6: payload length
    reg         whole;     // no fragment
    reg  [7:0]  protocol;
    reg         udp_ok;    // length and checksum fields, if it is UDP
    reg  [18:0] sum;

    // What the fields make of the packet. Bytes and lanes from the start of the network layer.
    wire [15:0] base = has_tag ? 16'd9 : 16'd7; // its first lane
    wire [16:0] ip_end = {1'b0, ip_len} + (v6 ? {1'b0, IPV6_HEADER} : 17'd0);
    wire [15:0] header = v6 ? IPV6_HEADER : {10'd0, ihl, 2'd0};
    wire [16:0] payload = ip_end - {1'b0, header}; // meaningful if the header ends before the packet
    wire [15:0] l4_lane = {1'b0, header[15:1]};
    wire [15:0] first_address = v6 ? 16'd4 : 16'd6;
    wire [15:0] behind_addresses = v6 ? 16'd20 : 16'd10;

    // ---- the four lanes of the beat -------------------------------------------------------------------

    reg [63:0] bytes;   // in network order within each lane
    reg [63:0] summand; // what of it counts
    reg [15:0] r;
    reg [16:0] at;      // in bytes
    reg        has_tag_next, type_ok_next, v6_next, version_ok_next, whole_next, udp_ok_next;
    reg [3:0]  ihl_next;
    reg [15:0] ip_len_next;
    reg [7:0]  protocol_next;
    integer i;

    wire [15:0] lane_type = {p_data[39:32], p_data[47:40]}; // of beat 1: lane 6
    wire [15:0] lane_inner = {p_data[7:0], p_data[15:8]};   // of beat 2: lane 8
    wire [15:0] type_now = beat == 14'd1 ? lane_type : lane_inner;
    wire        reads_type = beat == 14'd1 || (beat == 14'd2 && has_tag);

    always @* begin
        has_tag_next = has_tag;
        type_ok_next = type_ok;
        v6_next = v6;
        version_ok_next = version_ok;
        ihl_next = ihl;
        ip_len_next = ip_len;
        whole_next = whole;
        protocol_next = protocol;
        udp_ok_next = udp_ok;
        bytes = 64'd0;
        i = 0; // no latch where the loop is left out
        summand = 64'd0;
        r = 16'd0;
        at = 17'd0;
        if (beat == 14'd1) has_tag_next = type_now == TYPE_VLAN || type_now == TYPE_SERVICE_VLAN;
        if (reads_type) begin
            type_ok_next = type_now == TYPE_IPV4 || type_now == TYPE_IPV6;
            v6_next = type_now == TYPE_IPV6;
        end
        if (p_valid) for (i = 0; i < 4; i = i + 1) begin // spares a simulator the work in idle cycles
            bytes[16*i +: 16] = {p_data[16*i +: 8], p_data[16*i + 8 +: 8]};
            r = {beat, 2'd0} + i[15:0] - (beat == 14'd1 ? 16'd7 : base);
            at = {r, 1'b0};
            if (beat != 14'd0 && !(beat == 14'd1 && (i != 3 || has_tag_next)) && !(beat == 14'd2 && i == 0 && has_tag)) begin
                if (r == 16'd0) begin
                    version_ok_next = bytes[16*i + 12 +: 4] == (v6_next ? 4'd6 : 4'd4)
                        && (v6_next || bytes[16*i + 8 +: 4] >= 4'd5);
                    ihl_next = bytes[16*i + 8 +: 4];
                end
                if (r == (v6_next ? 16'd2 : 16'd1)) ip_len_next = bytes[16*i +: 16];
                if (r == 16'd3) begin
                    whole_next = v6_next || bytes[16*i +: 14] == 14'd0; // MF and offset
                    if (v6_next) protocol_next = bytes[16*i + 8 +: 8];
                end
                if (r == 16'd4 && !v6_next) protocol_next = bytes[16*i +: 8];
                if (beat > 14'd2) begin
                    if (r == l4_lane + 16'd2 && {1'b0, bytes[16*i +: 16]} != payload) udp_ok_next = 1'b0;
                    if (r == l4_lane + 16'd3 && bytes[16*i +: 16] == 16'd0) udp_ok_next = 1'b0;
                end
                if (beat > 14'd1 && ((r >= first_address && r < behind_addresses)
                        || (beat > 14'd2 && r >= l4_lane && at < ip_end))) begin
                    summand[16*i + 8 +: 8] = bytes[16*i + 8 +: 8];
                    if (at + 17'd1 < ip_end || r < behind_addresses) summand[16*i +: 8] = bytes[16*i +: 8];
                end
            end
        end
    end

    // ---- the sum --------------------------------------------------------------------------------------

    // The rest of the pseudo-header comes in beat 4, which every frame has, when it is known.
    wire [15:0] pseudo = beat == 14'd4 ? payload[15:0] : beat == 14'd5 ? {8'd0, protocol} : 16'd0;
    wire [18:0] sum_next = {3'd0, sum[15:0]} + {16'd0, sum[18:16]} + {3'd0, summand[15:0]} + {3'd0, summand[31:16]}
        + {3'd0, summand[47:32]} + {3'd0, summand[63:48]} + {3'd0, pseudo};

    // ---- the answer -----------------------------------------------------------------------------------

    wire [15:0] total = len + (p_valid ? {12'd0, p_bytes} : 16'd0);
    wire [17:0] needed = {1'b0, ip_end} + (has_tag ? 18'd18 : 18'd14) + {2'd0, FCS_BYTES};
    wire [16:0] least = {1'b0, header} + (protocol == TCP ? 17'd20 : 17'd8);
    wire [16:0] folded = {1'b0, sum[15:0]} + {14'd0, sum[18:16]};

    assign good = type_ok && version_ok && whole && {2'd0, total} >= needed && ip_end >= least
        && (protocol == TCP || (protocol == UDP && udp_ok)) && folded == 17'h0ffff;

    always @(posedge clk) begin
        if (rst) begin
            fresh <= 1'b1;
            beat <= 14'd0;
            len <= 16'd0;
            has_tag <= 1'b0;
            type_ok <= 1'b0;
            v6 <= 1'b0;
            version_ok <= 1'b0;
            ihl <= 4'd0;
            ip_len <= 16'd0;
            whole <= 1'b0;
            protocol <= 8'd0;
            udp_ok <= 1'b1;
            sum <= 19'd0;
        end else if (p_valid) begin
            fresh <= p_last;
            beat <= p_last ? 14'd0 : beat + 14'd1;
            len <= (fresh ? 16'd0 : len) + {12'd0, p_bytes};
            has_tag <= has_tag_next;
            type_ok <= type_ok_next;
            v6 <= v6_next;
            version_ok <= version_ok_next;
            ihl <= ihl_next;
            ip_len <= ip_len_next;
            whole <= whole_next;
            protocol <= protocol_next;
            udp_ok <= fresh || udp_ok_next;
            sum <= fresh ? 19'd0 : sum_next;
        end
    end
endmodule
