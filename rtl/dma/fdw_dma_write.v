// DMA write: packed byte streams and (address, length) pieces in, AXI4 writes out.
//
// In: s_*, packets as packed streams (s_keep all ones but on the beat with s_last, where it may be 0), and
// req_*, the places where they go: the next req_len bytes (1..65536, any alignment) of the present packet, or as
// many as it still has, go to req_addr. req_ready is high only while bytes of the present packet are here that have no
// place: so a place is never asked for in vain, and with the packet's end the rest of the last one is forgotten.
// cut (pulse, between a packet's first beat and its s_last's, or later if not ended yet): what has no place
// yet is thrown away, and the packet ends here. What has one may be thrown away or written.
//
// ended: pulse, all of the packet has been put on its way and its places are over; the next one may have begun.
// s_more counts in that cycle: high if another packet belongs to this one. Out: done, one pulse for each
// packet that ended with s_more low, when the B responses of everything up to its end have come, in order;
// error, one pulse for each burst answered with SLVERR or DECERR; no done comes from then on until an abort.
//
// INCR bursts of 16-byte beats with WSTRB for exactly the requested bytes, ending at the latest at a
// multiple of MAX_BURST beats, hence never crossing 4 KiB (AXI4 A3.4.1), all with one ID, so B comes in
// order. A burst's AW is issued only when all its data is in the buffer: W never waits for the stream. If the stream
// is slower than the bus a burst ends earlier, at multiples of EARLY_BURST beats, so that little is left
// to be written when the packet's end comes.
//
// busy: something has been taken that is not written and answered yet.
// abort (pulse or level): forgets places, stream bytes held, and bursts whose AW has not been offered.
// A burst whose AW has been offered goes on as AXI demands, its remaining beats with WSTRB 0 (but the
// one offered already). No done or error comes of anything before the abort. busy falls, and req_ready
// and s_ready rise again, when all B responses have come and abort is low.
module fdw_dma_write #(
    parameter ADDR_WIDTH = 64,
    parameter AXI_ID_WIDTH = 4,
    parameter AXI_ID = 0,
    parameter MAX_BURST = 16,    // beats
    parameter EARLY_BURST = 4,   // beats, at most MAX_BURST
    parameter OUTSTANDING = 128, // bursts whose B has not come
    parameter BUFFER_BEATS = 64  // beats collected or not yet taken by W; at least twice MAX_BURST keeps W busy
) (
    input                         clk,
    input                         rst,

    input                         s_valid,
    output                        s_ready,
    input      [127:0]            s_data,
    input      [15:0]             s_keep,
    input                         s_last,
    input                         s_more,
    input                         cut,
    output                        ended,

    input                         req_valid,
    output                        req_ready,
    input      [ADDR_WIDTH-1:0]   req_addr,
    input      [16:0]             req_len,

    output                        done,
    output reg                    error,
    output                        busy,
    // Waiver: abort is also a C function, which Verilator's C++ for this module never calls.
    // verilator lint_off SYMRSVDWORD
    input                         abort,
    // verilator lint_on SYMRSVDWORD

    output     [AXI_ID_WIDTH-1:0] m_axi_awid,
    output     [ADDR_WIDTH-1:0]   m_axi_awaddr,
    output reg [7:0]              m_axi_awlen,
    output     [2:0]              m_axi_awsize,
    output     [1:0]              m_axi_awburst,
    output reg                    m_axi_awvalid,
    input                         m_axi_awready,
    output reg [127:0]            m_axi_wdata,
    output reg [15:0]             m_axi_wstrb,
    output reg                    m_axi_wlast,
    output reg                    m_axi_wvalid,
    input                         m_axi_wready,
    input      [AXI_ID_WIDTH-1:0] m_axi_bid,
    input      [1:0]              m_axi_bresp,
    input                         m_axi_bvalid,
    output                        m_axi_bready
);
    generate
        if (MAX_BURST < 2 || MAX_BURST > 256 || (MAX_BURST & (MAX_BURST - 1)) != 0) begin : g_check_burst
            fdw_rule_MAX_BURST_must_be_a_power_of_two_2_to_256 violated ();
        end
        if (BUFFER_BEATS < MAX_BURST) begin : g_check_buffer
            fdw_rule_BUFFER_BEATS_must_be_at_least_MAX_BURST violated ();
        end
        if (EARLY_BURST < 1 || EARLY_BURST > MAX_BURST || (EARLY_BURST & (EARLY_BURST - 1)) != 0) begin : g_check_early
            fdw_rule_EARLY_BURST_must_be_a_power_of_two_1_to_MAX_BURST violated ();
        end
        if (OUTSTANDING < 2) begin : g_check_outstanding
            fdw_rule_OUTSTANDING_must_be_at_least_2 violated ();
        end
        if (ADDR_WIDTH < 13 || ADDR_WIDTH > 64) begin : g_check_address
            fdw_rule_ADDR_WIDTH_must_be_13_to_64 violated ();
        end
    endgenerate

    localparam BURST_BITS = $clog2(MAX_BURST);
    localparam BEAT_ADDR_WIDTH = ADDR_WIDTH - 4;
    localparam [BEAT_ADDR_WIDTH-1:0] EARLY_MASK = EARLY_BURST - 1;
    localparam PLANNED = 16; // bursts collected and not yet offered
    localparam OWED = 8;     // bursts offered whose data has not all been offered

    wire clear_to_end; // nothing is in flight
    reg  draining;
    wire flush = abort || draining;

    always @(posedge clk) begin
        if (rst) draining <= 1'b0;
        else draining <= abort || (draining && !clear_to_end);
    end

    // Collector: one beat a cycle from the stream into the data buffer; at the end of a burst its address
    // and length become a plan.
    reg                        active;     // there is a place
    reg  [BEAT_ADDR_WIDTH-1:0] addr;
    reg  [3:0]                 offset;
    reg  [16:0]                left;       // bytes of the place
    reg                        closed;     // the packet's last byte is in the slicer, or has left it
    reg                        in_burst;
    reg  [BEAT_ADDR_WIDTH-1:0] burst_addr;
    reg  [7:0]                 burst_len;  // beats so far
    wire [4:0]                 level;
    wire [127:0]               slice_data;
    wire [15:0]                slice_strb;
    wire                       slicer_ready;
    wire                       data_space;
    wire                       plan_space;

    wire [4:0]                 lanes = 5'd16 - {1'b0, offset};
    wire [4:0]                 wanted = left <= {12'd0, lanes} ? left[4:0] : lanes;
    wire [4:0]                 count = level < wanted ? level : wanted;
    wire                       step = active && (level >= wanted || (closed && level != 5'd0)) && data_space && plan_space;
    wire [4:0]                 kept = step ? level - count : level;
    wire                       filled = step && left == {12'd0, count};
    assign                     ended = closed && kept == 5'd0 && plan_space && !flush;
    wire                       starved = !closed && !kept[4] && !s_valid;
    wire [BEAT_ADDR_WIDTH-1:0] early = addr | ~EARLY_MASK;
    wire                       burst_ends = filled || ended || &addr[BURST_BITS-1:0] || (starved && &early);
    wire                       trails = ended && !step; // the end came behind the last beat
    wire [7:0]                 burst_len_now = in_burst ? burst_len : 8'd0;
    wire [BEAT_ADDR_WIDTH-1:0] burst_addr_now = in_burst ? burst_addr : addr;

    assign s_ready = slicer_ready && !flush && !cut && (!closed || ended);
    assign req_ready = (!active || filled) && kept != 5'd0 && !flush;

    always @(posedge clk) begin
        if (rst || flush) begin
            active <= 1'b0;
            addr <= {BEAT_ADDR_WIDTH{1'b0}};
            offset <= 4'd0;
            left <= 17'd0;
            closed <= 1'b0;
            in_burst <= 1'b0;
            burst_addr <= {BEAT_ADDR_WIDTH{1'b0}};
            burst_len <= 8'd0;
        end else begin
            if (req_valid && req_ready) begin
                active <= 1'b1;
                addr <= req_addr[ADDR_WIDTH-1:4];
                offset <= req_addr[3:0];
                left <= req_len;
            end else begin
                if (filled || ended) active <= 1'b0;
                if (step) begin
                    addr <= addr + 1'b1;
                    offset <= 4'd0;
                    left <= left - {12'd0, count};
                end
            end
            closed <= cut || (s_valid && s_ready ? s_last : closed && !ended);
            if (step) begin
                in_burst <= !burst_ends;
                burst_addr <= burst_addr_now;
                burst_len <= burst_len_now + 8'd1;
            end else if (trails) begin
                in_burst <= 1'b0;
            end
        end
    end

    fdw_byte_slicer slicer (
        .clk(clk),
        .rst(rst || flush || cut),
        .s_valid(s_valid && s_ready),
        .s_ready(slicer_ready),
        .s_data(s_data),
        .s_keep(s_keep),
        .level(level),
        .take(step),
        .take_count(count),
        .take_offset(offset),
        .data(slice_data),
        .strb(slice_strb)
    );

    wire         data_valid;
    wire         data_taken;
    wire [127:0] data;
    wire [15:0]  strb;
    wire [$clog2(BUFFER_BEATS+1)-1:0] unused_data_level;

    fdw_fifo #(
        .WIDTH(144),
        .DEPTH(BUFFER_BEATS)
    ) data_fifo (
        .clk(clk),
        .rst(rst || flush),
        .s_valid(step),
        .s_ready(data_space),
        .s_data({slice_data, slice_strb}),
        .m_valid(data_valid),
        .m_ready(data_taken),
        .m_data({data, strb}),
        .level(unused_data_level)
    );

    // Plans: bursts whose data is all there, and the ends of packets that end without a burst. One goes
    // around the FIFO while that is empty.
    wire                       new_valid = (step && burst_ends) || (trails && (in_burst || !s_more));
    wire                       new_write = step || in_burst;
    wire                       new_last = ended && !s_more;
    wire [7:0]                 new_len = step ? burst_len_now : burst_len - 8'd1;
    wire                       queue_valid;
    wire [BEAT_ADDR_WIDTH-1:0] queue_addr;
    wire [7:0]                 queue_len;
    wire                       queue_write;
    wire                       queue_last;
    wire                       plan_taken;
    wire                       plan_valid = queue_valid || new_valid;
    wire [BEAT_ADDR_WIDTH-1:0] plan_addr = queue_valid ? queue_addr : burst_addr_now;
    wire [7:0]                 plan_len = queue_valid ? queue_len : new_len;
    wire                       plan_write = queue_valid ? queue_write : new_write;
    wire                       plan_last = queue_valid ? queue_last : new_last;
    wire [$clog2(PLANNED+1)-1:0] unused_plan_level;

    fdw_fifo #(
        .WIDTH(BEAT_ADDR_WIDTH + 10),
        .DEPTH(PLANNED)
    ) plan_fifo (
        .clk(clk),
        .rst(rst || flush),
        .s_valid(new_valid && (queue_valid || !plan_taken)),
        .s_ready(plan_space),
        .s_data({burst_addr_now, new_len, new_write, new_last}),
        .m_valid(queue_valid),
        .m_ready(plan_taken),
        .m_data({queue_addr, queue_len, queue_write, queue_last}),
        .level(unused_plan_level)
    );

    // AW. From here on a burst cannot be taken back: it is owed to W, and its B is awaited.
    reg  [BEAT_ADDR_WIDTH-1:0] awaddr;
    wire                       owed_space;
    wire                       await_space;
    wire                       can_issue = owed_space && (!m_axi_awvalid || m_axi_awready);

    assign plan_taken = await_space && !flush && (!plan_write || can_issue);
    wire issue = plan_valid && plan_taken && plan_write;

    assign m_axi_awid = AXI_ID[AXI_ID_WIDTH-1:0];
    assign m_axi_awaddr = {awaddr, 4'd0};
    assign m_axi_awsize = 3'd4;
    assign m_axi_awburst = 2'b01;

    always @(posedge clk) begin
        if (rst) begin
            m_axi_awvalid <= 1'b0;
            m_axi_awlen <= 8'd0;
            awaddr <= {BEAT_ADDR_WIDTH{1'b0}};
        end else if (issue) begin
            m_axi_awvalid <= 1'b1;
            m_axi_awlen <= plan_len;
            awaddr <= plan_addr;
        end else if (m_axi_awready) begin
            m_axi_awvalid <= 1'b0;
        end
    end

    // W. While draining the buffer is empty and what is owed goes out without strobes.
    wire       owed_valid;
    wire [7:0] owed_len;
    reg  [7:0] beat;
    wire       w_last = beat == owed_len;
    wire       w_step = owed_valid && (!m_axi_wvalid || m_axi_wready);
    wire [$clog2(OWED+1)-1:0] unused_owed_level;

    assign data_taken = w_step;

    fdw_fifo #(
        .WIDTH(8),
        .DEPTH(OWED)
    ) owed_fifo (
        .clk(clk),
        .rst(rst),
        .s_valid(issue),
        .s_ready(owed_space),
        .s_data(plan_len),
        .m_valid(owed_valid),
        .m_ready(w_step && w_last),
        .m_data(owed_len),
        .level(unused_owed_level)
    );

    always @(posedge clk) begin
        if (rst) begin
            m_axi_wvalid <= 1'b0;
            m_axi_wdata <= 128'd0;
            m_axi_wstrb <= 16'd0;
            m_axi_wlast <= 1'b0;
            beat <= 8'd0;
        end else if (w_step) begin
            m_axi_wvalid <= 1'b1;
            m_axi_wdata <= flush ? 128'd0 : data;
            m_axi_wstrb <= flush ? 16'd0 : strb;
            m_axi_wlast <= w_last;
            beat <= w_last ? 8'd0 : beat + 8'd1;
        end else if (m_axi_wready) begin
            m_axi_wvalid <= 1'b0;
        end
    end

    // B. Awaited, in order: responses (await_write), and packets that end without one.
    wire await_valid;
    wire await_write;
    wire await_last;
    wire await_taken = await_valid && (!await_write || m_axi_bvalid);
    wire [$clog2(OUTSTANDING+1)-1:0] unused_await_level;

    assign m_axi_bready = await_valid && await_write;

    fdw_fifo #(
        .WIDTH(2),
        .DEPTH(OUTSTANDING)
    ) await_fifo (
        .clk(clk),
        .rst(rst),
        .s_valid(plan_valid && plan_taken),
        .s_ready(await_space),
        .s_data({plan_write, plan_last}),
        .m_valid(await_valid),
        .m_ready(await_taken),
        .m_data({await_write, await_last}),
        .level(unused_await_level)
    );

    assign clear_to_end = !await_valid;
    assign busy = active || closed || in_burst || level != 5'd0 || queue_valid || await_valid;

    // From an error to the next abort no packet is done: its bytes may not be where they should be.
    reg  failed;
    wire fails = await_taken && await_write && m_axi_bresp[1] && !flush;

    assign done = await_taken && await_last && !flush && !fails && !failed;

    always @(posedge clk) begin
        if (rst) begin
            error <= 1'b0;
            failed <= 1'b0;
        end else begin
            error <= fails;
            failed <= !flush && (failed || fails);
        end
    end

    wire unused = &{1'b0, data_valid, m_axi_bid, m_axi_bresp[0]};
endmodule
