// DMA read: (address, length) requests in, one packed byte stream per packet out, over AXI4.
//
// In: requests req_addr, req_len (1..131040 bytes, any alignment), req_head (so many first bytes of the
// request go to head_* and not to m_*), req_last (end of packet). Out: m_*, the bytes of
// all requests up to a req_last without gaps, 16 a beat, m_keep contiguous from bit 0 and all ones but
// on the beat with m_last. A packet that is all head, or whose last request adds
// nothing, ends with a beat of m_keep = 0: every req_last gives exactly one m_last. A request of length
// 0 reads nothing and is otherwise treated as any other.
// head_*: in each word that is taken, head_count (1..15) bytes of head from byte lane head_offset on, in order,
// and before what follows them comes on m_*. While head_ready is low that waits, too.
//
// Bytes are read as whole 16-byte beats in INCR bursts that end at the latest at a multiple of
// MAX_BURST beats, hence never cross 4 KiB (AXI4 A3.4.1). All bursts have one ID, so the data comes in
// order (A6.1). A burst is asked for only when the buffer has room for all of it: rready never falls.
//
// error: one pulse for each burst in which any beat had SLVERR or DECERR, before the first byte of the first such
// beat is at the output. The packet goes on with whatever came, so nothing hangs.
// busy: a request has been taken and not all of its data has come yet.
// abort (pulse or level): drops requests and output at once (m_valid may fall without m_ready), asks for
// nothing more (an AR already offered stays, as AXI demands), and discards what still comes, without
// error pulses. busy falls, and req_ready rises again, when that has come and abort is low.
module fdw_dma_read #(
    parameter ADDR_WIDTH = 64,
    parameter AXI_ID_WIDTH = 4,
    parameter AXI_ID = 0,
    parameter MAX_BURST = 16,     // beats
    parameter OUTSTANDING = 64,   // bursts in flight
    parameter BUFFER_BEATS = 256, // beats in flight or not yet taken from the output
    parameter REQUESTS = 64       // requests taken whose bytes have not all been packed
) (
    input                         clk,
    input                         rst,

    input                         req_valid,
    output                        req_ready,
    input      [ADDR_WIDTH-1:0]   req_addr,
    input      [16:0]             req_len,
    input      [3:0]              req_head,
    input                         req_last,

    output                        head_valid,
    input                         head_ready,
    output     [127:0]            head_data,
    output     [3:0]              head_offset,
    output     [3:0]              head_count,

    output                        m_valid,
    input                         m_ready,
    output     [127:0]            m_data,
    output     [15:0]             m_keep,
    output                        m_last,

    output reg                    error,
    output                        busy,
    // Waiver: abort is also a C function, which Verilator's C++ for this module never calls.
    // verilator lint_off SYMRSVDWORD
    input                         abort,
    // verilator lint_on SYMRSVDWORD

    output     [AXI_ID_WIDTH-1:0] m_axi_arid,
    output     [ADDR_WIDTH-1:0]   m_axi_araddr,
    output reg [7:0]              m_axi_arlen,
    output     [2:0]              m_axi_arsize,
    output     [1:0]              m_axi_arburst,
    output reg                    m_axi_arvalid,
    input                         m_axi_arready,
    input      [AXI_ID_WIDTH-1:0] m_axi_rid,
    input      [127:0]            m_axi_rdata,
    input      [1:0]              m_axi_rresp,
    input                         m_axi_rlast,
    input                         m_axi_rvalid,
    output                        m_axi_rready
);
    generate
        if (MAX_BURST < 2 || MAX_BURST > 256 || (MAX_BURST & (MAX_BURST - 1)) != 0) begin : g_check_burst
            fdw_rule_MAX_BURST_must_be_a_power_of_two_2_to_256 violated ();
        end
        if (BUFFER_BEATS < MAX_BURST || BUFFER_BEATS > 8192) begin : g_check_buffer
            fdw_rule_BUFFER_BEATS_must_be_MAX_BURST_to_8192 violated ();
        end
        if (OUTSTANDING < 1 || REQUESTS < 2) begin : g_check_depths
            fdw_rule_OUTSTANDING_must_be_positive_and_REQUESTS_at_least_2 violated ();
        end
        if (ADDR_WIDTH < 19 || ADDR_WIDTH > 64) begin : g_check_address
            fdw_rule_ADDR_WIDTH_must_be_19_to_64 violated ();
        end
    endgenerate

    localparam BURST_BITS = $clog2(MAX_BURST);
    localparam BEAT_ADDR_WIDTH = ADDR_WIDTH - 4;
    localparam COUNT_WIDTH = $clog2(OUTSTANDING + 1);
    localparam [13:0] BURST_MAX = MAX_BURST[13:0];
    localparam [13:0] ROOM_ALL = BUFFER_BEATS[13:0];
    localparam [COUNT_WIDTH-1:0] COUNT_MAX = OUTSTANDING[COUNT_WIDTH-1:0];

    reg                    draining;
    reg  [COUNT_WIDTH-1:0] outstanding;
    wire                   flush = abort || draining;

    always @(posedge clk) begin
        if (rst) draining <= 1'b0;
        else draining <= abort || (draining && outstanding != {COUNT_WIDTH{1'b0}});
    end

    // Requests: what to make of the answers waits for them; what to ask for begins at once.
    wire        info_valid;
    wire        info_ready;
    wire        info_space;
    wire [16:0] info_len;
    wire [3:0]  info_offset;
    wire [3:0]  info_head;
    wire        info_last;
    wire [$clog2(REQUESTS+1)-1:0] unused_info_level;

    fdw_fifo #(
        .WIDTH(26),
        .DEPTH(REQUESTS)
    ) info_fifo (
        .clk(clk),
        .rst(rst || flush),
        .s_valid(req_valid && req_ready),
        .s_ready(info_space),
        .s_data({req_len, req_addr[3:0], req_head, req_last}),
        .m_valid(info_valid),
        .m_ready(info_ready),
        .m_data({info_len, info_offset, info_head, info_last}),
        .level(unused_info_level)
    );

    // Splitter: one burst a cycle, as far as there is room for its data. Counts are of beats. The first
    // burst of a request is asked for in the cycle that takes the request, if it can be.
    reg  [BEAT_ADDR_WIDTH-1:0] left_addr;  // of the request taken last, what has not been asked for
    reg  [13:0]                left_beats;
    reg  [13:0]                room;
    reg  [BEAT_ADDR_WIDTH-1:0] araddr;
    wire [17:0]                req_span = {1'b0, req_len} + {14'd0, req_addr[3:0]} + 18'd15;
    wire [13:0]                req_beats = req_len == 17'd0 ? 14'd0 : req_span[17:4];
    wire                       active = left_beats != 14'd0;
    wire                       req_take = req_valid && req_ready;
    wire [BEAT_ADDR_WIDTH-1:0] addr = active ? left_addr : req_addr[ADDR_WIDTH-1:4];
    wire [13:0]                beats = active ? left_beats : req_take ? req_beats : 14'd0;
    wire [13:0]                to_boundary = BURST_MAX - {{14-BURST_BITS{1'b0}}, addr[BURST_BITS-1:0]};
    wire [13:0]                burst = beats <= to_boundary ? beats : to_boundary;
    wire                       issue = beats != 14'd0 && !flush && (!m_axi_arvalid || m_axi_arready)
                                       && room >= burst && outstanding != COUNT_MAX;
    wire                       raw_taken;
    wire                       burst_in = m_axi_rvalid && m_axi_rlast;

    assign req_ready = !active && info_space && !flush;
    assign m_axi_arid = AXI_ID[AXI_ID_WIDTH-1:0];
    assign m_axi_araddr = {araddr, 4'd0};
    assign m_axi_arsize = 3'd4;
    assign m_axi_arburst = 2'b01;
    assign m_axi_rready = 1'b1;
    assign busy = active || outstanding != {COUNT_WIDTH{1'b0}};

    always @(posedge clk) begin
        if (rst) begin
            outstanding <= {COUNT_WIDTH{1'b0}};
            m_axi_arvalid <= 1'b0;
            m_axi_arlen <= 8'd0;
            araddr <= {BEAT_ADDR_WIDTH{1'b0}};
        end else begin
            outstanding <= outstanding + {{COUNT_WIDTH-1{1'b0}}, issue} - {{COUNT_WIDTH-1{1'b0}}, burst_in};
            if (issue) begin
                m_axi_arvalid <= 1'b1;
                m_axi_arlen <= burst[7:0] - 8'd1;
                araddr <= addr;
            end else if (m_axi_arready) begin
                m_axi_arvalid <= 1'b0;
            end
        end
    end

    always @(posedge clk) begin
        if (rst || flush) begin
            left_addr <= {BEAT_ADDR_WIDTH{1'b0}};
            left_beats <= 14'd0;
            room <= ROOM_ALL;
        end else begin
            left_addr <= issue ? addr + {{BEAT_ADDR_WIDTH-14{1'b0}}, burst} : addr;
            left_beats <= issue ? beats - burst : beats;
            room <= room - (issue ? burst : 14'd0) + {13'd0, raw_taken};
        end
    end

    // Answers.
    reg  error_seen; // in the present burst, before this beat
    wire unused = &{1'b0, m_axi_rid, m_axi_rresp[0], req_span[3:0]};

    always @(posedge clk) begin
        if (rst) begin
            error <= 1'b0;
            error_seen <= 1'b0;
        end else begin
            error <= m_axi_rvalid && m_axi_rresp[1] && !error_seen && !flush;
            if (m_axi_rvalid) error_seen <= (error_seen || m_axi_rresp[1]) && !m_axi_rlast;
        end
    end

    wire         raw_valid;
    wire [127:0] raw_data;
    wire         unused_raw_space;
    wire [$clog2(BUFFER_BEATS+1)-1:0] unused_raw_level;

    fdw_fifo #(
        .WIDTH(128),
        .DEPTH(BUFFER_BEATS)
    ) raw_fifo (
        .clk(clk),
        .rst(rst || flush),
        .s_valid(m_axi_rvalid),
        .s_ready(unused_raw_space),
        .s_data(m_axi_rdata),
        .m_valid(raw_valid),
        .m_ready(raw_taken),
        .m_data(raw_data),
        .level(unused_raw_level)
    );

    // Aligner: which bytes of the beat belong to the request, and which of them to the head. The beats of a
    // request are consecutive in memory whatever bursts they came in.
    reg         first;
    reg  [16:0] left_q;
    reg  [3:0]  head_q;
    wire [16:0] left = first ? info_len : left_q;
    wire [3:0]  offset = first ? info_offset : 4'd0;
    wire [3:0]  head_left = first ? info_head : head_q;
    wire [4:0]  lanes = 5'd16 - {1'b0, offset};
    wire        ends = left <= {12'd0, lanes};
    wire [4:0]  count = ends ? left[4:0] : lanes;
    wire [4:0]  head = {1'b0, head_left} < count ? {1'b0, head_left} : count;
    wire        has_head = head != 5'd0;
    wire        no_beat = info_len == 17'd0;
    wire        there = info_valid && (raw_valid || no_beat);
    wire        step_ready;
    wire        step = there && step_ready && (head_ready || !has_head);

    assign info_ready = step && ends;
    assign raw_taken = step && !no_beat;
    assign head_valid = there && step_ready && has_head;
    assign head_data = raw_data;
    assign head_offset = offset;
    assign head_count = head[3:0];

    always @(posedge clk) begin
        if (rst || flush) begin
            first <= 1'b1;
            left_q <= 17'd0;
            head_q <= 4'd0;
        end else if (step) begin
            first <= ends;
            left_q <= left - {12'd0, count};
            head_q <= head_left - head[3:0];
        end
    end

    fdw_byte_packer packer (
        .clk(clk),
        .rst(rst || flush),
        .s_valid(there && (head_ready || !has_head)),
        .s_ready(step_ready),
        .s_data(raw_data),
        .s_offset(offset + head[3:0]),
        .s_count(count - head),
        .s_last(ends && info_last),
        .m_valid(m_valid),
        .m_ready(m_ready),
        .m_data(m_data),
        .m_keep(m_keep),
        .m_last(m_last)
    );
endmodule
