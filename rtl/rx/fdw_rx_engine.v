// Receive: frames become DMA writes into the descriptor chains of the receive queue, and used entries.
//
// In: frames on s_* (packed stream; s_len, the bytes of the frame, is valid with its first beat) and
// descriptors on desc_*. Out: m_*, per frame one packed stream of struct virtio_net_hdr (12 bytes of
// zeros but num_buffers = 1, virtio 1.2 §5.1.6.4.1) and the frame; req_* for fdw_dma_write, which place that
// stream over the descriptors in order, the last one of a frame with req_last. A frame takes one whole
// chain: descriptors beyond its end are skipped. `done` is a pulse per req_last when its bytes are
// acknowledged: only then, and in order, is the chain offered on used_*. The requests of a frame follow
// those of the one before without waiting for `done`; up to CHAINS frames are under way.
//
// A chain too small for its frame is filled, the rest of the frame is consumed by a req_drop request, the
// chain is used with length 0, and `truncated` pulses. Without descriptors a frame waits.
// With `enable` low everything is forgotten, and the DMA must be aborted and the frame FIFO flushed
// meanwhile (outputs may fall without their ready).
`include "fdwire_regs.vh"
module fdw_rx_engine #(
    parameter ADDR_WIDTH = 64,
    parameter CHAINS = 64
) (
    input                   clk,
    input                   rst,
    input                   enable,
    output                  truncated,

    input                   s_valid,
    output                  s_ready,
    input  [127:0]          s_data,
    input  [15:0]           s_keep,
    input                   s_last,
    input  [15:0]           s_len,

    input                   desc_valid,
    output                  desc_ready,
    input  [63:0]           desc_addr,
    input  [31:0]           desc_len,
    input  [15:0]           desc_id,
    input                   desc_last,
    input  [15:0]           desc_slots,

    output                  m_valid,
    input                   m_ready,
    output [127:0]          m_data,
    output [15:0]           m_keep,
    output                  m_last,

    output                  req_valid,
    input                   req_ready,
    output [ADDR_WIDTH-1:0] req_addr,
    output [16:0]           req_len,
    output                  req_drop,
    output                  req_last,
    input                   done,

    output                  used_valid,
    input                   used_ready,
    output [15:0]           used_id,
    output [31:0]           used_len,
    output                  used_write,
    output [15:0]           used_count
);
    localparam [16:0] HEADER = `FDW_NET_HDR_BYTES;
    localparam [95:0] HEADER_BYTES = 96'd1 << 80; // num_buffers, little-endian at offset 10
    localparam LEVEL_WIDTH = $clog2(CHAINS + 1);

    // ---------------------------------------------------------------- stream: 12 bytes pushed in front
    localparam [1:0] STREAM_WAIT = 2'd0; // waits for a frame
    localparam [1:0] STREAM_COPY = 2'd1; // waits for the frame's beats
    localparam [1:0] STREAM_TAIL = 2'd2; // waits for room for the bytes pushed out behind the last beat

    reg [1:0]  stream;
    reg [95:0] carry;      // 12 bytes that go before the next beat's
    reg [11:0] tail_keep;
    wire       overhang = s_keep[4]; // the last beat has more than the 4 bytes that fit behind carry
    wire       begin_frame;

    assign m_valid = (stream == STREAM_COPY && s_valid) || stream == STREAM_TAIL;
    assign m_data = {stream == STREAM_TAIL ? 32'd0 : s_data[31:0], carry};
    assign m_last = stream == STREAM_TAIL || (s_last && !overhang);
    assign m_keep = stream == STREAM_TAIL ? {4'd0, tail_keep} : s_last ? {s_keep[3:0], 12'hfff} : 16'hffff;
    assign s_ready = stream == STREAM_COPY && m_ready;

    always @(posedge clk) begin
        if (rst || !enable) begin
            stream <= STREAM_WAIT;
            carry <= HEADER_BYTES;
            tail_keep <= 12'd0;
        end else begin
            case (stream)
                STREAM_WAIT: begin
                    carry <= HEADER_BYTES;
                    if (begin_frame) stream <= STREAM_COPY;
                end
                STREAM_COPY: if (s_valid && m_ready) begin
                    carry <= s_data[127:32];
                    tail_keep <= s_keep[15:4];
                    if (s_last) stream <= overhang ? STREAM_TAIL : STREAM_WAIT;
                end
                default: if (m_ready) stream <= STREAM_WAIT;
            endcase
        end
    end

    // ---------------------------------------------------------------- requests: one chain per frame
    localparam [1:0] CHAIN_WAIT = 2'd0; // waits for a frame
    localparam [1:0] CHAIN_FILL = 2'd1; // waits for descriptors to put the frame in
    localparam [1:0] CHAIN_SKIP = 2'd2; // waits for the end of a chain that was larger than the frame
    localparam [1:0] CHAIN_DROP = 2'd3; // waits to drop what did not fit in the chain

    reg [1:0]  chain, chain_next;
    reg [16:0] left;       // bytes of header and frame without a place yet
    reg [16:0] whole;      // bytes of header and frame
    reg [15:0] last_id;    // of the descriptor taken last
    reg [15:0] last_slots;
    reg        record;     // this cycle ends a chain
    reg        take;

    wire room;             // for one more chain
    wire fits = desc_len >= {15'd0, left};

    assign begin_frame = enable && stream == STREAM_WAIT && chain == CHAIN_WAIT && s_valid && room;
    assign req_valid = (chain == CHAIN_FILL && desc_valid) || chain == CHAIN_DROP;
    assign req_addr = desc_addr[ADDR_WIDTH-1:0];
    assign req_len = req_drop || fits ? left : desc_len[16:0];
    assign req_drop = chain == CHAIN_DROP;
    assign req_last = req_drop || fits;
    assign desc_ready = (chain == CHAIN_FILL && req_ready) || chain == CHAIN_SKIP;
    assign truncated = chain == CHAIN_DROP && req_ready;

    always @* begin
        chain_next = chain;
        record = 1'b0;
        take = desc_valid && desc_ready;
        case (chain)
            CHAIN_WAIT: if (begin_frame) chain_next = CHAIN_FILL;
            CHAIN_FILL: if (take) begin
                if (fits) begin
                    record = desc_last;
                    chain_next = desc_last ? CHAIN_WAIT : CHAIN_SKIP;
                end else if (desc_last) begin
                    chain_next = CHAIN_DROP;
                end
            end
            CHAIN_SKIP: if (take && desc_last) begin
                record = 1'b1;
                chain_next = CHAIN_WAIT;
            end
            default: if (req_ready) begin
                record = 1'b1;
                chain_next = CHAIN_WAIT;
            end
        endcase
    end

    always @(posedge clk) begin
        if (rst || !enable) begin
            chain <= CHAIN_WAIT;
            left <= 17'd0;
            whole <= 17'd0;
            last_id <= 16'd0;
            last_slots <= 16'd0;
        end else begin
            chain <= chain_next;
            if (begin_frame) begin
                left <= {1'b0, s_len} + HEADER;
                whole <= {1'b0, s_len} + HEADER;
            end else if (take) begin
                left <= left - req_len;
                last_id <= desc_id;
                last_slots <= desc_slots;
            end
        end
    end

    // ---------------------------------------------------------------- used entries
    wire [16:0]            record_len = chain == CHAIN_DROP ? 17'd0 : whole;
    wire [15:0]            record_id = chain == CHAIN_DROP ? last_id : desc_id;
    wire [15:0]            record_count = chain == CHAIN_DROP ? last_slots : desc_slots;
    wire [16:0]            chain_len;
    wire                   chain_valid;
    wire [LEVEL_WIDTH-1:0] unused_level;
    reg  [LEVEL_WIDTH:0]   acknowledged; // frames whose bytes are in memory and that are not used yet

    fdw_fifo #(
        .WIDTH(49),
        .DEPTH(CHAINS)
    ) chains (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(record),
        .s_ready(room),
        .s_data({record_id, record_count, record_len}),
        .m_valid(chain_valid),
        .m_ready(used_valid && used_ready),
        .m_data({used_id, used_count, chain_len}),
        .level(unused_level)
    );

    assign used_valid = enable && chain_valid && acknowledged != {LEVEL_WIDTH+1{1'b0}};
    assign used_len = {15'd0, chain_len};
    assign used_write = 1'b1;

    always @(posedge clk) begin
        if (rst || !enable) acknowledged <= {LEVEL_WIDTH+1{1'b0}};
        else acknowledged <= acknowledged + {{LEVEL_WIDTH{1'b0}}, done} - {{LEVEL_WIDTH{1'b0}}, used_valid && used_ready};
    end
endmodule
