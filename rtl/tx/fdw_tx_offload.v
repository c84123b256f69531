// What happens to a transmit frame between DMA and FIFO: its virtio_net_hdr is obeyed.
//
// In: s_*, one packet per chain, and head_*, of fdw_dma_read; len_* of fdw_tx_engine; what was negotiated.
// Out: m_* into fdw_tx_fifo, with m_len (the frame's length) and m_cut (it may leave before it is whole)
// standing from its first beat to its last, and entry_* for each whole frame (fdw_tx_checksum).
// A frame without work passes in the cycle in which it comes. packet_done pulses when a chain is done
// with: all that it gives is in the FIFO, or it gives nothing. stat_*: pulses, one for a chain not sent.
//
// `clear`: everything is forgotten but the entries of frames that are whole in the FIFO.
//
// CSUM, TSO4, TSO6: 0 leaves the feature's circuits out; it then must not be negotiated.
module fdw_tx_offload #(
    parameter CSUM = 1,
    parameter TSO4 = 1,
    parameter TSO6 = 1
) (
    input          clk,
    input          rst,
    input          clear,

    input          feat_csum,
    input          feat_tso4,
    input          feat_tso6,
    input  [15:0]  max_frame,

    input          head_valid,
    output         head_ready,
    input  [127:0] head_data,
    input  [3:0]   head_offset,
    input  [3:0]   head_count,
    input          len_valid,
    output         len_ready,
    input  [16:0]  len_frame,
    input          len_steady,

    input          s_valid,
    output         s_ready,
    input  [127:0] s_data,
    input  [15:0]  s_keep,
    input          s_last,

    output         m_valid,
    input          m_ready,
    output [127:0] m_data,
    output         m_last,
    output [15:0]  m_len,
    output         m_cut,
    output         entry_valid,
    output [15:0]  entry_len,
    output         entry_patch,
    output [15:0]  entry_field,
    output [15:0]  entry_value,

    output         packet_done,
    output         stat_tso,
    output         stat_oversize,
    output         stat_bad_offload
);
    localparam TSO = TSO4 != 0 || TSO6 != 0;
    localparam SUMS = CSUM != 0 || TSO;

    wire        job_valid;
    wire        job_ready;
    wire        job_send;
    wire        job_csum;
    wire        job_segment;
    wire        job_oversize;
    wire        job_steady;
    wire [16:0] job_len;
    wire        job_ipv6;
    wire [15:0] job_start;
    wire [16:0] job_field;
    wire [15:0] job_size;

    fdw_tx_header header (
        .clk(clk),
        .rst(rst || clear),
        .feat_csum(feat_csum),
        .feat_tso4(feat_tso4),
        .feat_tso6(feat_tso6),
        .max_frame(max_frame),
        .head_valid(head_valid),
        .head_ready(head_ready),
        .head_data(head_data),
        .head_offset(head_offset),
        .head_count(head_count),
        .len_valid(len_valid),
        .len_ready(len_ready),
        .len_frame(len_frame),
        .len_steady(len_steady),
        .job_valid(job_valid),
        .job_ready(job_ready),
        .job_send(job_send),
        .job_csum(job_csum),
        .job_segment(job_segment),
        .job_oversize(job_oversize),
        .job_steady(job_steady),
        .job_len(job_len),
        .job_ipv6(job_ipv6),
        .job_start(job_start),
        .job_field(job_field),
        .job_size(job_size)
    );

    wire sends = job_valid && job_send;
    wire cuts = job_valid && job_segment && TSO;
    wire drops = job_valid && !job_send && !job_segment;
    wire s_end = s_valid && s_ready && s_last;

    wire         segment_ready;
    wire         segment_done;
    wire         segment_valid;
    wire [127:0] segment_data;
    wire         segment_last;
    wire [15:0]  segment_len;
    wire         segment_oversize;
    wire         segment_bad;

    generate
        if (TSO) begin : with_tso
            fdw_tx_segment segment (
                .clk(clk),
                .rst(rst || clear),
                .max_frame(max_frame),
                .go(cuts),
                .done(segment_done),
                .job_len(job_len),
                .job_ipv6(TSO6 != 0 && (TSO4 == 0 || job_ipv6)),
                .job_start(job_start),
                .job_size(job_size),
                .s_valid(s_valid),
                .s_ready(segment_ready),
                .s_data(s_data),
                .s_keep(s_keep),
                .s_last(s_last),
                .m_valid(segment_valid),
                .m_ready(m_ready),
                .m_data(segment_data),
                .m_last(segment_last),
                .m_len(segment_len),
                .stat_tso(stat_tso),
                .stat_oversize(segment_oversize),
                .stat_bad_offload(segment_bad)
            );
        end else begin : no_tso
            assign segment_ready = 1'b0;
            assign segment_done = 1'b0;
            assign segment_valid = 1'b0;
            assign segment_data = 128'd0;
            assign segment_last = 1'b0;
            assign segment_len = 16'd0;
            assign stat_tso = 1'b0;
            assign segment_oversize = 1'b0;
            assign segment_bad = 1'b0;
            wire unused_tso = &{1'b0, s_keep, job_len[16], job_ipv6, job_size};
        end
    endgenerate

    assign s_ready = sends ? m_ready : cuts ? segment_ready : drops;
    assign m_valid = cuts ? segment_valid : sends && s_valid;
    assign m_data = cuts ? segment_data : s_data;
    assign m_last = cuts ? segment_last : s_last;
    assign m_len = cuts ? segment_len : job_len[15:0];
    assign m_cut = sends && job_steady && !job_csum;
    assign job_ready = cuts ? segment_done : s_end;
    assign packet_done = job_valid && job_ready;
    assign stat_oversize = (drops && s_end && job_oversize) || segment_oversize;
    assign stat_bad_offload = (drops && s_end && !job_oversize) || segment_bad;
    wire unused = job_field[16];

    fdw_tx_checksum checksum (
        .clk(clk),
        .rst(rst),
        .clear(clear),
        .beat(m_valid && m_ready),
        .data(SUMS ? m_data : 128'd0),
        .last(m_last),
        .len(m_len),
        .wanted(SUMS && (job_csum || cuts)),
        .start(job_start),
        .field(job_field[15:0]),
        .entry_valid(entry_valid),
        .entry_len(entry_len),
        .entry_patch(entry_patch),
        .entry_field(entry_field),
        .entry_value(entry_value)
    );
endmodule
