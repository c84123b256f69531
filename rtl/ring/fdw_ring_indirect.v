// Puts the tables of indirect descriptors (virtio 1.2 §2.8.7) in their place in the descriptor stream of one queue.
//
// In: s_*, the stream of fdw_ring_fetch, which has checked what the ring says: an indirect descriptor stands
// alone, its length is 16·n with n = 1..32768, its address any. Out: m_*, the same stream, in the same order, with the
// entries of a table as an ordinary chain: each with the ring descriptor's id, m_slots 1. A direct
// descriptor passes in the same cycle if no table is before it. Tables are read ahead, several at a time, as
// long as what was asked for fits the store of DEPTH entries, so R is never blocked.
//
// `error` is a pulse, after which the block is silent until `enable` falls: an AXI error response at once; a bad
// entry (length 0, or with DEVICE_WRITES one without WRITE) only while `settled` is high, and `settled` must not be high
// before what m_* offers has been taken, if that matters. A bad entry and what follows it are never handed on.
// `pending`: a table is before whatever comes next. `enable`: with it low everything is forgotten; `busy`
// falls when the last read in flight has ended, and a new life begins after that (m_valid may fall without m_ready
// only when `enable` falls).
//
// AXI4: INCR bursts of at most BURST 16-byte beats, aligned, within 4 KiB; of the first and the last beat of
// a table that is not aligned to 16 bytes only a part is looked at.
`include "fdwire_regs.vh"
module fdw_ring_indirect #(
    parameter ADDR_WIDTH = 64,
    parameter DEVICE_WRITES = 0, // 1: the entries must have WRITE set (receiveq), 0: it is not looked at
    parameter BURST = 8,         // beats in a burst, 1..DEPTH
    parameter DEPTH = 64,        // entries stored or asked for, 2..256
    parameter TABLES = 32        // tables and descriptors behind them in the stream under way, >= 2
) (
    input                       clk,
    input                       rst,

    input                       enable,
    input                       settled,
    output reg                  error,
    output                      pending,
    output                      busy,

    input                       s_valid,
    output                      s_ready,
    input      [63:0]           s_addr,
    input      [31:0]           s_len,
    input      [15:0]           s_id,
    input                       s_indirect,
    input                       s_first,
    input                       s_last,
    input      [15:0]           s_slots,

    output                      m_valid,
    input                       m_ready,
    output     [63:0]           m_addr,
    output     [31:0]           m_len,
    output     [15:0]           m_id,
    output                      m_first,
    output                      m_last,
    output     [15:0]           m_slots,

    output reg                  m_axi_arvalid,
    input                       m_axi_arready,
    output reg [ADDR_WIDTH-1:0] m_axi_araddr,
    output reg [7:0]            m_axi_arlen,
    output     [2:0]            m_axi_arsize,
    output     [1:0]            m_axi_arburst,
    input                       m_axi_rvalid,
    output                      m_axi_rready,
    input      [127:0]          m_axi_rdata,
    input      [1:0]            m_axi_rresp
);
    localparam COUNT_WIDTH = $clog2(DEPTH + 1);
    localparam [31:0] DEPTH_BITS = DEPTH;
    localparam [31:0] BURST_BITS = BURST;

    generate
        if (DEPTH < 2 || DEPTH > 256 || BURST < 1 || BURST > DEPTH) begin : g_check_depth
            fdw_rule_DEPTH_must_be_2_to_256_and_not_below_BURST violated ();
        end
    endgenerate

    reg  alive;      // enabled, and nothing of an earlier life is in flight
    reg  bad;        // an entry was refused: waits for `settled`
    reg  dead;       // reported: waits for enable to fall
    wire run = alive && enable && !dead;

    // ---------------------------------------------------------------- what comes when
    wire        order_valid;
    wire        order_ready;
    wire        order_pop;
    wire        head_table;
    wire        head_first;
    wire        head_last;
    wire [15:0] head_slots;
    wire [15:0] head_id;
    wire [31:0] head_len;
    wire [63:0] head_addr;
    wire        shape_ready;
    wire        walk_start;
    wire        around = s_valid && !s_indirect && !order_valid; // nothing is before it
    wire        behind = s_valid && !s_indirect && order_valid && order_ready;
    wire [$clog2(TABLES+1)-1:0] unused_order_level;

    fdw_fifo #(
        .WIDTH(131),
        .DEPTH(TABLES)
    ) order (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(run && (walk_start || behind)),
        .s_ready(order_ready),
        .s_data({s_indirect, s_first, s_last, s_slots, s_id, s_len, s_addr}),
        .m_valid(order_valid),
        .m_ready(order_pop),
        .m_data({head_table, head_first, head_last, head_slots, head_id, head_len, head_addr}),
        .level(unused_order_level)
    );

    assign s_ready = run && (s_indirect ? walk_start : around ? m_ready : order_ready);
    assign pending = order_valid;

    // ---------------------------------------------------------------- asking for tables
    reg         walking;   // a table is not asked for to its end
    reg  [59:0] walk_unit; // the next beat's address
    reg  [16:0] walk_left; // beats
    reg  [COUNT_WIDTH-1:0]  beats; // asked for and not yet come
    wire [COUNT_WIDTH-1:0]  stored;

    wire        skewed = s_addr[3:0] != 4'd0;
    wire [16:0] table_beats = {1'b0, s_len[19:4]} + {16'd0, skewed};
    wire [59:0] unit = walking ? walk_unit : s_addr[63:4];
    wire [16:0] left = walking ? walk_left : table_beats;
    wire [8:0]  to_page = 9'd256 - {1'b0, unit[7:0]}; // AXI4 A3.4.1: no burst crosses 4 KiB
    wire [8:0]  limit = to_page < BURST_BITS[8:0] ? to_page : BURST_BITS[8:0];
    wire [8:0]  ask_count = left < {8'd0, limit} ? left[8:0] : limit;
    wire [7:0]  ask_len = ask_count[7:0] - 8'd1;
    wire [63:0] ask_addr = {unit, 4'd0};
    wire [16:0] left_next = left - {8'd0, ask_count};
    wire [9:0]  claimed = {{10-COUNT_WIDTH{1'b0}}, beats} + {{10-COUNT_WIDTH{1'b0}}, stored} + {1'b0, ask_count};
    wire        room = claimed <= DEPTH_BITS[9:0];
    wire        ask = run && (walking || walk_start) && room && (!m_axi_arvalid || m_axi_arready);

    assign walk_start = run && s_valid && s_indirect && !walking && order_ready && shape_ready;
    assign m_axi_arsize = 3'd4;
    assign m_axi_arburst = 2'b01;
    assign m_axi_rready = 1'b1;
    assign busy = beats != {COUNT_WIDTH{1'b0}};

    wire beat = m_axi_rvalid;

    always @(posedge clk) begin
        if (rst) begin
            walking <= 1'b0;
            walk_unit <= 60'd0;
            walk_left <= 17'd0;
            beats <= {COUNT_WIDTH{1'b0}};
            m_axi_arvalid <= 1'b0;
            m_axi_araddr <= {ADDR_WIDTH{1'b0}};
            m_axi_arlen <= 8'd0;
        end else begin
            if (ask) begin
                m_axi_arvalid <= 1'b1;
                m_axi_araddr <= ask_addr[ADDR_WIDTH-1:0];
                m_axi_arlen <= ask_len;
            end else if (m_axi_arready) begin
                m_axi_arvalid <= 1'b0;
            end
            walking <= run && (ask ? left_next != 17'd0 : walking || walk_start);
            walk_unit <= ask ? unit + {51'd0, ask_count} : unit;
            walk_left <= ask ? left_next : left;
            beats <= beats + (ask ? ask_count[COUNT_WIDTH-1:0] : {COUNT_WIDTH{1'b0}})
                - {{COUNT_WIDTH-1{1'b0}}, beat};
        end
    end

    // ---------------------------------------------------------------- entries out of beats
    wire         unused_shape_valid; // R answers a table that is in there
    wire [3:0]   lane;
    wire [16:0]  shape_beats;
    reg  [16:0]  come;  // beats of the present table that have come before
    reg  [127:0] carry; // the beat before
    wire         table_end = come + 17'd1 == shape_beats;
    wire         whole = lane == 4'd0 || come != 17'd0;
    // The bytes from `lane` on of the beat before, then those of this one.
    wire [127:0] found = lane == 4'd0 ? m_axi_rdata
        : (carry >> {lane, 3'b000}) | (m_axi_rdata << {~lane + 4'd1, 3'b000});
    wire [15:0]  flags = found[`FDW_DESC_FLAGS_RANGE];
    wire [31:0]  length = found[`FDW_DESC_LEN_RANGE];
    wire [63:0]  address = found[`FDW_DESC_ADDR_RANGE];
    // Where the device only reads, an entry marked WRITE is read all the same (virtio 1.2 §2.8: SHOULD NOT):
    // DPDK 22.11 marks all entries of its transmit tables so.
    wire         refused = length == 32'd0 || (DEVICE_WRITES != 0 && !flags[`FDW_DESC_FLAG_WRITE_BIT]);
    wire         entry = run && !bad && beat && !m_axi_rresp[1] && whole;
    wire         read_failed = run && beat && m_axi_rresp[1];
    wire [$clog2(TABLES+1)-1:0] unused_shape_level;

    fdw_fifo #(
        .WIDTH(21),
        .DEPTH(TABLES)
    ) shape (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(walk_start),
        .s_ready(shape_ready),
        .s_data({s_addr[3:0], table_beats}),
        .m_valid(unused_shape_valid),
        .m_ready(beat && table_end),
        .m_data({lane, shape_beats}),
        .level(unused_shape_level)
    );

    wire entry_valid;
    wire entry_pop;
    wire [31:0] entry_len;
    wire [63:0] entry_addr;
    wire unused_entry_ready; // room was set aside when the burst was asked for

    fdw_fifo #(
        .WIDTH(96),
        .DEPTH(DEPTH)
    ) entries (
        .clk(clk),
        .rst(rst || !enable),
        .s_valid(entry && !refused),
        .s_ready(unused_entry_ready),
        .s_data({length, address}),
        .m_valid(entry_valid),
        .m_ready(entry_pop),
        .m_data({entry_len, entry_addr}),
        .level(stored)
    );

    always @(posedge clk) begin
        if (beat) carry <= m_axi_rdata;
        if (rst || !(alive && enable)) begin
            alive <= !rst && enable && !busy;
            come <= 17'd0;
            bad <= 1'b0;
            dead <= 1'b0;
            error <= 1'b0;
        end else begin
            if (beat) come <= table_end ? 17'd0 : come + 17'd1;
            bad <= bad || (entry && refused);
            dead <= dead || read_failed || (bad && settled);
            error <= run && (read_failed || (bad && settled));
        end
        if (rst) carry <= 128'd0;
    end

    // ---------------------------------------------------------------- out
    reg  [15:0] entry_number;
    wire [15:0] entries_less_one = head_len[19:4] - 16'd1;
    wire        table_last = entry_number == entries_less_one;
    wire        given = m_valid && m_ready;

    assign m_valid = run && (around || (order_valid && (!head_table || entry_valid)));
    assign m_addr = around ? s_addr : head_table ? entry_addr : head_addr;
    assign m_len = around ? s_len : head_table ? entry_len : head_len;
    assign m_id = around ? s_id : head_id;
    assign m_first = around ? s_first : head_table ? entry_number == 16'd0 : head_first;
    assign m_last = around ? s_last : head_table ? table_last : head_last;
    assign m_slots = around ? s_slots : head_slots;
    assign entry_pop = given && !around && head_table;
    assign order_pop = given && !around && (!head_table || table_last);

    always @(posedge clk) begin
        if (rst || !enable) entry_number <= 16'd0;
        else if (entry_pop) entry_number <= table_last ? 16'd0 : entry_number + 16'd1;
    end

    // Lengths are multiples of 16 and at most 512 KiB; EXOKAY; flags of entries that mean nothing.
    wire unused_bits = ^{s_len[31:20], head_len[31:20], m_axi_rresp[0], flags, found};
endmodule
