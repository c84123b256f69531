// Gathers the virtio_net_hdr (virtio 1.2 §5.1.6) of each transmit chain and says what is to be done.
//
// In: head_* of fdw_dma_read, 12 bytes a chain in pieces of any size; len_*, the length of each frame, of
// fdw_tx_engine; what was negotiated, and the longest frame allowed, which hold still while the queue runs.
// Out: job_*, valid/ready, one for each chain in order:
//   job_send     the frame is sent, with a checksum if job_csum;
//   job_segment  the frame is cut into segments, if its headers allow it (§5.1.6.2);
//   otherwise it is not sent, because it is too long (job_oversize) or its header asks the impossible.
// job_ipv6: it is to be cut as IPv6. job_start, job_field: where the checksum begins and where it goes; job_size: payload of a segment.
// What a header means without the feature is nothing.
`include "fdwire_regs.vh"
module fdw_tx_header (
    input         clk,
    input         rst,

    input         feat_csum,
    input         feat_tso4,
    input         feat_tso6,
    input  [15:0] max_frame,

    input         head_valid,
    output        head_ready,
    input [127:0] head_data,
    input  [3:0]  head_offset,
    input  [3:0]  head_count,

    input         len_valid,
    output        len_ready,
    input  [16:0] len_frame,
    input         len_steady,

    output        job_valid,
    input         job_ready,
    output        job_send,
    output        job_csum,
    output        job_segment,
    output        job_oversize,
    output        job_steady,
    output [16:0] job_len,
    output        job_ipv6,
    output [15:0] job_start,
    output [16:0] job_field,
    output [15:0] job_size
);
    localparam [3:0] HEADER = `FDW_NET_HDR_BYTES;
    localparam [16:0] LONGEST_IPV4 = 17'd65535 + 17'd18; // IPv4's longest, Ethernet header and VLAN tag
    localparam [16:0] LONGEST_IPV6 = 17'd40 + LONGEST_IPV4; // IPv6's, whose length does not count its header
    localparam [15:0] TCP_CSUM_OFFSET = 16'd16; // RFC 9293 §3.1

    // ---- gather
    reg  [95:0]  held;
    reg  [3:0]   have;
    wire [127:0] turned;
    fdw_byte_rotate rotate (.data(head_data), .by(have - head_offset), .rotated(turned));
    wire [3:0]   have_next = have + head_count; // at most HEADER
    reg  [95:0]  joined;
    integer i;
    always @* begin
        for (i = 0; i < 12; i = i + 1) joined[8*i +: 8] = i < have ? held[8*i +: 8] : turned[8*i +: 8];
    end
    wire gathers = head_valid && head_ready;
    wire whole = have_next == HEADER;

    always @(posedge clk) begin
        if (rst) begin
            held <= 96'd0;
            have <= 4'd0;
        end else if (gathers) begin
            held <= joined;
            have <= whole ? 4'd0 : have_next;
        end
    end

    wire        hdr_valid;
    wire        hdr_ready;
    wire [95:0] hdr;
    wire [2:0]  unused_hdr_level;
    fdw_fifo #(
        .WIDTH(96),
        .DEPTH(4)
    ) headers (
        .clk(clk),
        .rst(rst),
        .s_valid(gathers && whole),
        .s_ready(head_ready),
        .s_data(joined),
        .m_valid(hdr_valid),
        .m_ready(hdr_ready),
        .m_data(hdr),
        .level(unused_hdr_level)
    );

    // ---- judge
    wire [7:0]  flags = hdr[`FDW_NET_HDR_FLAGS_RANGE];
    wire [7:0]  gso_type = hdr[`FDW_NET_HDR_GSO_TYPE_RANGE] & ~`FDW_GSO_TYPE_ECN;
    wire [15:0] gso_size = hdr[`FDW_NET_HDR_GSO_SIZE_RANGE];
    wire [15:0] start = hdr[`FDW_NET_HDR_CSUM_START_RANGE];
    wire [15:0] offset = hdr[`FDW_NET_HDR_CSUM_OFFSET_RANGE];
    wire        needs = flags[`FDW_NET_HDR_FLAG_NEEDS_CSUM_BIT];
    wire [16:0] field = {1'b0, start} + {1'b0, offset};
    wire [17:0] field_end = {1'b0, field} + 18'd2;

    wire gso = (feat_tso4 || feat_tso6) && gso_type != `FDW_GSO_TYPE_NONE;
    wire ipv4 = feat_tso4 && gso_type == `FDW_GSO_TYPE_TCPV4;
    wire ipv6 = feat_tso6 && gso_type == `FDW_GSO_TYPE_TCPV6;
    wire csum = feat_csum && needs;
    wire beyond = csum && field_end > {1'b0, len_frame};
    wire unfit = !(ipv4 || ipv6) || !needs || gso_size == 16'd0 || offset != TCP_CSUM_OFFSET;
    wire too_long = len_frame > (!gso ? {1'b0, max_frame} : ipv6 ? LONGEST_IPV6 : LONGEST_IPV4);

    wire judge;
    wire judged;
    wire [1:0] unused_job_level;
    assign judge = hdr_valid && len_valid;
    assign hdr_ready = judge && judged;
    assign len_ready = judge && judged;

    fdw_fifo #(
        .WIDTH(5 + 17 + 1 + 16 + 17 + 16),
        .DEPTH(2)
    ) jobs (
        .clk(clk),
        .rst(rst),
        .s_valid(judge),
        .s_ready(judged),
        .s_data({
            !gso && !too_long && !beyond,
            csum,
            gso && !unfit && !too_long,
            too_long && !(gso && unfit),
            len_steady,
            len_frame,
            ipv6,
            start,
            field,
            gso_size
        }),
        .m_valid(job_valid),
        .m_ready(job_ready),
        .m_data({
            job_send, job_csum, job_segment, job_oversize, job_steady, job_len, job_ipv6, job_start, job_field, job_size
        }),
        .level(unused_job_level)
    );

    // Hints (§5.1.6.2 on hdr_len), flags of the other direction, what beats beyond byte 12 hold.
    wire unused = ^{hdr[`FDW_NET_HDR_HDR_LEN_RANGE], hdr[`FDW_NET_HDR_NUM_BUFFERS_RANGE], flags, turned[127:96]};
endmodule
