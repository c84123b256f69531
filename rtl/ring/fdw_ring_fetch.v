// Prefetches the descriptors of one packed virtqueue (virtio 1.2 §2.8), in ring order.
//
// Ring control: `enable` is a level; while it is high ring_addr (16-byte aligned: the low four bits are
// ignored, §2.8.10.1), ring_size (1..32768) and device_event_addr (4-byte aligned) hold still. When it
// is low the ring is at index 0 with wrap counter 1 (§2.8.1) and the prefetched descriptors are gone;
// `busy` is high until the last transfer has ended, and a new start waits for that. `kick` is a pulse.
// Out: one beat per available descriptor on desc_*, valid/ready; desc_first opens a chain, desc_last
// (no NEXT) ends it and has desc_slots, by how many slots of the ring the chain advances. desc_valid may
// fall without desc_ready only when `enable` falls.
//
// A descriptor counts only when all before it were available, and when it is read after they were: a
// burst may show entries 2..n of a chain whose head, published last (§2.8.21), it missed, or a stale later
// one. So the first unavailable entry voids everything read or asked for behind it; that is read again.
// With nothing available the block writes ENABLE to the device event suppression structure (§2.8.10), waits
// for the response, looks at the ring once more, and sleeps until a kick; it then writes DISABLE. With `event_idx`
// (the feature EVENT_IDX) it writes DESC and the slot and wrap counter of the next descriptor instead of
// ENABLE, and nothing when it wakes.
//
// `error` is a pulse, after which the block is silent until `enable` falls: an AXI error response at
// once; a bad descriptor (length 0, wrong direction, chain longer than the ring, INDIRECT without `indirect`
// or in a chain of several or with a table of odd length or longer than the ring) only while `settled` is
// high, so that the top can let what was published before it finish. Never handed on. desc_indirect: the buffer is a
// table of desc_len / 16 descriptors, whose direction is not looked at here.
//
// AXI4: INCR bursts of 16-byte beats that cross neither 4 KiB nor the ring's end, at most DEPTH descriptors
// asked for or stored, so R is never blocked, and no more than the ring has; the number of bursts in flight
// grows from two with success, so that a lone packet costs little and a full ring is read at the memory's
// speed. After a kick the first burst is of at most FIRST descriptors, and the second is asked for only when the data of
// a whole one could have passed: near memory has then answered that there is no more, and the lone packet's own data
// need not queue behind it. The last look before sleep reads a single descriptor.
`include "fdwire_regs.vh"
module fdw_ring_fetch #(
    parameter ADDR_WIDTH = 64,
    parameter DEVICE_WRITES = 0, // 1: the descriptors must have WRITE set (receiveq), 0: must not
    parameter BURST = 8,         // descriptors in a burst, >= 1
    parameter FIRST = 4,         // in the first one of a look, 1..BURST
    parameter DEPTH = 64         // descriptors stored or asked for, BURST..256
) (
    input                       clk,
    input                       rst,

    input                       enable,
    input      [63:0]           ring_addr,
    input      [15:0]           ring_size,
    input      [63:0]           device_event_addr,
    input                       indirect,   // the feature INDIRECT_DESC; this and the next
    input                       event_idx,  // hold still while enable is high
    input                       kick,
    input                       settled,
    output reg                  error,
    output                      busy,

    output                      desc_valid,
    input                       desc_ready,
    output     [63:0]           desc_addr,
    output     [31:0]           desc_len,
    output     [15:0]           desc_id,
    output                      desc_indirect,
    output                      desc_first,
    output                      desc_last,
    output     [15:0]           desc_slots,

    output reg                  m_axi_arvalid,
    input                       m_axi_arready,
    output reg [ADDR_WIDTH-1:0] m_axi_araddr,
    output reg [7:0]            m_axi_arlen,
    output     [2:0]            m_axi_arsize,
    output     [1:0]            m_axi_arburst,
    input                       m_axi_rvalid,
    output                      m_axi_rready,
    input      [127:0]          m_axi_rdata,
    input      [1:0]            m_axi_rresp,
    input                       m_axi_rlast,

    output reg                  m_axi_awvalid,
    input                       m_axi_awready,
    output     [ADDR_WIDTH-1:0] m_axi_awaddr,
    output     [7:0]            m_axi_awlen,
    output     [2:0]            m_axi_awsize,
    output     [1:0]            m_axi_awburst,
    output reg                  m_axi_wvalid,
    input                       m_axi_wready,
    output     [127:0]          m_axi_wdata,
    output     [15:0]           m_axi_wstrb,
    output                      m_axi_wlast,
    input                       m_axi_bvalid,
    output                      m_axi_bready,
    input      [1:0]            m_axi_bresp
);
    localparam COUNT_WIDTH = $clog2(DEPTH + 1);
    localparam WINDOW_WIDTH = $clog2(DEPTH / BURST + 1) + 1;
    localparam [31:0] DEPTH_BITS = DEPTH;
    localparam [31:0] BURST_BITS = BURST;
    localparam [31:0] FIRST_BITS = FIRST;
    localparam [31:0] MAX_BURSTS = DEPTH / BURST;
    localparam [WINDOW_WIDTH-1:0] WINDOW_MAX = MAX_BURSTS[WINDOW_WIDTH-1:0];
    localparam [WINDOW_WIDTH-1:0] WINDOW_LOOK = 1; // bursts for the last look before sleep
    localparam [WINDOW_WIDTH-1:0] WINDOW_FIRST = MAX_BURSTS > 1 ? 2 : 1; // and after a kick

    generate
        if (BURST < 1 || DEPTH < BURST || DEPTH < 2 || DEPTH > 256) begin : g_check_depth
            fdw_rule_DEPTH_must_be_2_to_256_and_not_below_BURST violated ();
        end
        if (FIRST < 1 || FIRST > BURST) begin : g_check_first
            fdw_rule_FIRST_must_be_1_to_BURST violated ();
        end
    endgenerate

    localparam [2:0] OFF = 3'd0;   // waits for enable, and for the transfers of the last life
    localparam [2:0] RUN = 3'd1;   // waits for descriptors, asking for more while there is room
    localparam [2:0] STOP = 3'd2;  // waits for the bursts behind an unavailable one, and for ENABLE's response
    localparam [2:0] SLEEP = 3'd3; // waits for a kick
    localparam [2:0] BAD = 3'd4;   // waits for `settled`, to report a bad descriptor
    localparam [2:0] DEAD = 3'd5;  // waits for enable to fall

    reg [2:0]  state, state_next;
    reg        armed, armed_next;       // ENABLE, or DESC for this place, is in memory: the driver will kick
    reg        recheck, recheck_next;   // ENABLE was written and the ring not looked at since
    reg        kicked;                  // a kick came after the present look at the ring began
    reg        start;                   // this cycle begins a new look at the ring
    reg        fresh;                   // it began, and nothing has been asked for yet
    reg        ev_start;                // this cycle begins the write of ev_next
    reg [31:0] ev_value, ev_next;       // of the whole structure
    reg        ev_waiting;              // for B
    reg [61:0] ev_word;                 // holds while the write is in flight, whatever the registers do
    reg        error_next;

    // Where the next burst begins, and what the next descriptor to come must be.
    reg [15:0] ask_idx;
    reg [15:0] take_idx;
    reg        take_wrap;
    reg [15:0] chain_count;             // descriptors of the present chain already taken

    reg [COUNT_WIDTH-1:0]  beats;       // asked for and not yet come
    reg [COUNT_WIDTH-1:0]  bursts;
    reg [WINDOW_WIDTH-1:0] window;      // bursts that may be in flight
    reg [COUNT_WIDTH-1:0]  pause;       // cycles until the second burst
    wire [COUNT_WIDTH-1:0] stored;

    // ---------------------------------------------------------------- asking
    wire [59:0] ask_unit = ring_addr[63:4] + {44'd0, ask_idx};
    wire [16:0] to_end = {1'b0, ring_size} - {1'b0, ask_idx};
    wire [8:0]  to_page = 9'd256 - {1'b0, ask_unit[7:0]}; // AXI4 A3.4.1: no burst crosses 4 KiB
    wire [8:0]  most = start || fresh ? FIRST_BITS[8:0] : BURST_BITS[8:0];
    wire [8:0]  limit = to_page < most ? to_page : most;
    wire [8:0]  ask_whole = to_end < {8'd0, limit} ? to_end[8:0] : limit;
    wire [8:0]  ask_count = recheck ? 9'd1 : ask_whole;
    wire [7:0]  ask_len = ask_count[7:0] - 8'd1;
    wire [63:0] ask_addr = {ask_unit, 4'd0};

    wire [COUNT_WIDTH+1:0] claimed = {2'd0, beats} + {2'd0, stored} + BURST_BITS[COUNT_WIDTH+1:0];
    wire room = claimed <= DEPTH_BITS[COUNT_WIDTH+1:0];
    wire [31:0] bursts_now = {{32-COUNT_WIDTH{1'b0}}, bursts};
    wire lap = {{17-COUNT_WIDTH{1'b0}}, beats} + {8'd0, ask_count} > {1'b0, ring_size}; // more than there can be
    // A look begins with its first burst: nothing is in flight then, and ask_idx is take_idx already.
    wire more = state == RUN && !lap && pause == {COUNT_WIDTH{1'b0}} && bursts_now < {{32-WINDOW_WIDTH{1'b0}}, window};
    wire ask = enable && (start || more) && room && (!m_axi_arvalid || m_axi_arready);

    assign m_axi_arsize = 3'd4;
    assign m_axi_arburst = 2'b01;

    // ---------------------------------------------------------------- taking
    wire [15:0] r_flags = m_axi_rdata[`FDW_DESC_FLAGS_RANGE];
    wire [63:0] r_addr = m_axi_rdata[`FDW_DESC_ADDR_RANGE];
    wire [15:0] r_id = m_axi_rdata[`FDW_DESC_ID_RANGE];
    wire [31:0] r_len = m_axi_rdata[`FDW_DESC_LEN_RANGE];
    wire        r_next = r_flags[`FDW_DESC_FLAG_NEXT_BIT];
    wire        r_write = r_flags[`FDW_DESC_FLAG_WRITE_BIT];
    wire        r_indirect = r_flags[`FDW_DESC_FLAG_INDIRECT_BIT];
    wire        r_avail = r_flags[`FDW_DESC_FLAG_AVAIL_BIT];
    wire        r_used = r_flags[`FDW_DESC_FLAG_USED_BIT];

    assign m_axi_rready = 1'b1;
    wire beat = m_axi_rvalid;
    wire burst_end = beat && m_axi_rlast;
    wire read_failed = beat && m_axi_rresp[1];
    // §2.8.1: available when AVAIL equals the wrap counter and USED does not (zeroed memory: neither).
    wire available = r_avail == take_wrap && r_used != take_wrap;
    wire bad_table = !indirect || r_next || chain_count != 16'd0 || r_len[3:0] != 4'd0
        || r_len[31:4] > {12'd0, ring_size};
    wire bad = r_len == 32'd0 || (r_indirect ? bad_table : r_write != (DEVICE_WRITES != 0))
        || (r_next && {1'b0, chain_count} + 17'd1 >= {1'b0, ring_size});
    wire looked = beat && !m_axi_rresp[1] && enable && state == RUN;
    wire take = looked && available && !bad;
    wire ring_end = {1'b0, take_idx} + 17'd1 == {1'b0, ring_size};

    wire unused_fifo_ready; // room was set aside when the burst was asked for
    fdw_fifo #(
        .WIDTH(131),
        .DEPTH(DEPTH)
    ) fifo (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(take),
        .s_ready(unused_fifo_ready),
        .s_data({chain_count == 16'd0, !r_next, chain_count + 16'd1, r_indirect, r_id, r_len, r_addr}),
        .m_valid(desc_valid),
        .m_ready(desc_ready),
        .m_data({desc_first, desc_last, desc_slots, desc_indirect, desc_id, desc_len, desc_addr}),
        .level(stored)
    );

    // Alignment bits (zero by contract), EXOKAY, and descriptor flags that virtio reserves.
    wire unused_bits = ^{ring_addr[3:0], device_event_addr[1:0], m_axi_rresp[0], m_axi_bresp[0], r_flags};

    // ---------------------------------------------------------------- device event suppression
    wire ev_idle = !m_axi_awvalid && !m_axi_wvalid && !ev_waiting;
    wire write_failed = m_axi_bvalid && m_axi_bresp[1];
    localparam [31:0] EV_ENABLE = {14'd0, `FDW_EVENT_FLAG_ENABLE, 16'd0};
    localparam [31:0] EV_DISABLE = {14'd0, `FDW_EVENT_FLAG_DISABLE, 16'd0};
    wire [31:0] ev_here = {14'd0, `FDW_EVENT_FLAG_DESC, take_wrap, take_idx[14:0]};
    wire [63:0] ev_addr = {ev_word, 2'd0};

    assign m_axi_awaddr = ev_addr[ADDR_WIDTH-1:0];
    assign m_axi_awlen = 8'd0;
    assign m_axi_awsize = 3'd2;
    assign m_axi_awburst = 2'b01;
    assign m_axi_wdata = {4{ev_value}};
    assign m_axi_wstrb = 16'h000f << {ev_addr[3:2], 2'd0};
    assign m_axi_wlast = 1'b1;
    assign m_axi_bready = 1'b1;

    assign busy = bursts != {COUNT_WIDTH{1'b0}} || !ev_idle;

    always @* begin
        state_next = state;
        armed_next = armed;
        recheck_next = recheck;
        start = 1'b0;
        ev_start = 1'b0;
        ev_next = EV_DISABLE;
        error_next = 1'b0;
        if (!enable) begin
            state_next = OFF;
            armed_next = 1'b0;
            recheck_next = 1'b0;
        end else if ((read_failed || write_failed) && state != OFF && state != DEAD) begin
            // state OFF: a late answer to a transfer of the last life, which nobody waits for
            error_next = 1'b1;
            state_next = DEAD;
        end else begin
            case (state)
                OFF: if (!busy) begin
                    start = 1'b1;
                    state_next = RUN;
                end
                RUN: if (looked && !available) begin
                    state_next = STOP;
                end else if (looked) begin
                    if (bad) state_next = BAD;
                    if (armed) begin
                        ev_start = !event_idx;
                        armed_next = 1'b0;
                    end
                end
                STOP: if (!armed && ev_idle) begin
                    ev_start = 1'b1;
                    ev_next = event_idx ? ev_here : EV_ENABLE;
                    armed_next = 1'b1;
                    recheck_next = 1'b1;
                end else if (armed && !busy) begin
                    recheck_next = 1'b0;
                    if (recheck) begin
                        start = 1'b1;
                        state_next = RUN;
                    end else begin
                        state_next = SLEEP;
                    end
                end
                SLEEP: if (kicked || kick) begin
                    start = 1'b1;
                    ev_start = !event_idx;
                    armed_next = event_idx; // what was written still holds
                    state_next = RUN;
                end
                BAD: if (settled) begin
                    error_next = 1'b1;
                    state_next = DEAD;
                end
                default: ; // DEAD
            endcase
        end
    end

    always @(posedge clk) begin
        if (rst) begin
            state <= OFF;
            armed <= 1'b0;
            recheck <= 1'b0;
            kicked <= 1'b0;
            fresh <= 1'b0;
            error <= 1'b0;
            ask_idx <= 16'd0;
            take_idx <= 16'd0;
            take_wrap <= 1'b1;
            chain_count <= 16'd0;
            beats <= {COUNT_WIDTH{1'b0}};
            bursts <= {COUNT_WIDTH{1'b0}};
            window <= WINDOW_LOOK;
            pause <= {COUNT_WIDTH{1'b0}};
            m_axi_arvalid <= 1'b0;
            m_axi_araddr <= {ADDR_WIDTH{1'b0}};
            m_axi_arlen <= 8'd0;
        end else begin
            state <= state_next;
            armed <= armed_next;
            recheck <= recheck_next;
            error <= error_next;
            // A look that begins now reads after this kick's descriptor was written: the kick is served.
            kicked <= enable && (kick || kicked) && !start;
            fresh <= enable && (start || fresh) && !ask;

            if (ask) begin
                m_axi_arvalid <= 1'b1;
                m_axi_araddr <= ask_addr[ADDR_WIDTH-1:0];
                m_axi_arlen <= ask_len;
            end else if (m_axi_arready) begin
                m_axi_arvalid <= 1'b0;
            end
            bursts <= bursts + {{COUNT_WIDTH-1{1'b0}}, ask} - {{COUNT_WIDTH-1{1'b0}}, burst_end};
            beats <= beats + (ask ? ask_count[COUNT_WIDTH-1:0] : {COUNT_WIDTH{1'b0}})
                - {{COUNT_WIDTH-1{1'b0}}, beat};

            if (!enable) ask_idx <= 16'd0;
            else if (ask) ask_idx <= to_end == {8'd0, ask_count} ? 16'd0 : ask_idx + {7'd0, ask_count};
            else if (state == STOP || state == SLEEP) ask_idx <= take_idx;

            if (!enable) begin
                take_idx <= 16'd0;
                take_wrap <= 1'b1;
                chain_count <= 16'd0;
            end else if (take) begin
                take_idx <= ring_end ? 16'd0 : take_idx + 16'd1;
                take_wrap <= take_wrap ^ ring_end;
                chain_count <= r_next ? chain_count + 16'd1 : 16'd0;
            end

            if (start) pause <= recheck ? {COUNT_WIDTH{1'b0}} : BURST_BITS[COUNT_WIDTH-1:0];
            else if (pause != {COUNT_WIDTH{1'b0}}) pause <= pause - 1'b1;

            if (start) window <= recheck ? WINDOW_LOOK : WINDOW_FIRST;
            else if (take && m_axi_rlast && window != WINDOW_MAX) window <= window + 1'b1;
        end
    end

    always @(posedge clk) begin
        if (rst) begin
            m_axi_awvalid <= 1'b0;
            m_axi_wvalid <= 1'b0;
            ev_waiting <= 1'b0;
            ev_value <= 32'd0;
            ev_word <= 62'd0;
        end else if (ev_start) begin
            m_axi_awvalid <= 1'b1;
            m_axi_wvalid <= 1'b1;
            ev_waiting <= 1'b1;
            ev_value <= ev_next;
            ev_word <= device_event_addr[63:2];
        end else begin
            if (m_axi_awready) m_axi_awvalid <= 1'b0;
            if (m_axi_wready) m_axi_wvalid <= 1'b0;
            if (m_axi_bvalid) ev_waiting <= 1'b0;
        end
    end
endmodule
