// Decides, for one packed virtqueue, whether the driver wants to hear of used buffers (virtio 1.2 §2.8.10).
//
// In: `passed` is a pulse when `passed_count` (0..ring_size) more slots of the ring have become used where the
// driver can see it. A read of the driver event suppression structure begins then, or as soon as the one under
// way has ended: one read may serve several. With the answer `interrupt` may pulse, in the cycle of the R beat:
// never if the flags are DISABLE; if they are DESC and `event_idx` is high, when off_wrap names one of the
// slots that were passed between the beginning of the read before and that of this one; otherwise always.
//
// `enable` and ring_size, driver_event_addr (4-byte aligned) as in fdw_ring_used; `event_idx` (the feature
// EVENT_IDX) holds still while `enable` is high. With `enable` low nothing was passed and the ring is at slot
// 0, wrap counter 1; `passed` comes only with `enable`. `busy` is high while a read is due or under way; `enable`
// must not rise before it has fallen. `error` is a pulse: the read was answered with an error.
`include "fdwire_regs.vh"
module fdw_ring_event #(
    parameter ADDR_WIDTH = 64
) (
    input                       clk,
    input                       rst,

    input                       enable,
    input                       event_idx,
    input      [15:0]           ring_size,
    input      [63:0]           driver_event_addr,
    input                       passed,
    input      [15:0]           passed_count,
    // Waiver: the name is the contract's; in Verilator's C++ it clashes with nothing that is used.
    // verilator lint_off SYMRSVDWORD
    output                      interrupt,
    // verilator lint_on SYMRSVDWORD
    output                      error,
    output                      busy,

    output reg                  m_axi_arvalid,
    input                       m_axi_arready,
    output reg [ADDR_WIDTH-1:0] m_axi_araddr,
    output     [7:0]            m_axi_arlen,
    output     [2:0]            m_axi_arsize,
    output     [1:0]            m_axi_arburst,
    input                       m_axi_rvalid,
    output                      m_axi_rready,
    input      [127:0]          m_axi_rdata,
    input      [1:0]            m_axi_rresp
);
    reg        look;    // slots were passed that no read has been begun for
    reg        reading;
    reg [1:0]  lane;    // of 32 bits

    wire        ask = enable && (look || passed) && !reading;
    wire [63:0] event_addr = {driver_event_addr[63:2], 2'd0};

    assign m_axi_arlen = 8'd0;
    assign m_axi_arsize = 3'd2;
    assign m_axi_arburst = 2'b01;
    assign m_axi_rready = 1'b1;
    assign busy = look || reading;

    // ---------------------------------------------------------------- slots passed
    // A place in the ring is slot + (wrap counter ? 0 : ring_size), so it comes back after two laps.
    reg  [16:0] place;   // the first slot that was not passed yet
    reg  [16:0] count;   // slots passed since the last read began, at most two laps: each place was there then
    wire [16:0] laps = {ring_size, 1'b0};
    wire [17:0] place_sum = {1'b0, place} + {2'd0, passed_count};
    wire [17:0] place_less = place_sum - {1'b0, laps};
    wire [16:0] place_next = !passed ? place : place_less[17] ? place_sum[16:0] : place_less[16:0];
    wire [17:0] count_sum = {1'b0, count} + {2'd0, passed_count};
    wire [16:0] count_next = !passed ? count : count_sum > {1'b0, laps} ? laps : count_sum[16:0];

    // ---------------------------------------------------------------- the answer
    // off_wrap's place less that where the last read began, modulo two laps, must be below the slots passed.
    // All but the place itself is known when the read begins; in two's complement:
    reg signed [18:0] back_1;     // to add to off_wrap's slot if its wrap counter is 1,
    reg signed [18:0] back_0;     // if it is 0; a negative result is a lap ahead:
    reg signed [18:0] limit;      // the slots passed
    reg signed [18:0] limit_less; // and that less two laps
    reg        [16:0] from;       // where the last read began

    wire [31:0] word = m_axi_rdata[{lane, 5'd0} +: 32];
    wire [15:0] off_wrap = word[`FDW_EVENT_OFF_WRAP_RANGE];
    wire [15:0] flags_field = word[`FDW_EVENT_FLAGS_RANGE];
    wire [1:0]  flags = flags_field[1:0];
    wire signed [18:0] ahead = $signed({4'd0, off_wrap[14:0]}) + (off_wrap[15] ? back_1 : back_0);
    wire named = ahead < (ahead[18] ? limit_less : limit) && {1'b0, off_wrap[14:0]} < ring_size;
    wire wanted = flags == `FDW_EVENT_FLAG_DESC && event_idx ? named : flags != `FDW_EVENT_FLAG_DISABLE;

    assign interrupt = enable && reading && m_axi_rvalid && !m_axi_rresp[1] && wanted;
    assign error = enable && reading && m_axi_rvalid && m_axi_rresp[1];

    // Alignment bits (zero by contract), EXOKAY, and the reserved flags.
    wire unused_bits = ^{driver_event_addr[1:0], m_axi_rresp[0], flags_field};

    always @(posedge clk) begin
        if (rst) begin
            look <= 1'b0;
            reading <= 1'b0;
            lane <= 2'd0;
            place <= 17'd0;
            count <= 17'd0;
            from <= 17'd0;
            back_1 <= 19'sd0;
            back_0 <= 19'sd0;
            limit <= 19'sd0;
            limit_less <= 19'sd0;
            m_axi_arvalid <= 1'b0;
            m_axi_araddr <= {ADDR_WIDTH{1'b0}};
        end else begin
            look <= enable && (look || passed) && !ask;
            if (ask) begin
                reading <= 1'b1;
                lane <= event_addr[3:2];
                m_axi_arvalid <= 1'b1;
                m_axi_araddr <= event_addr[ADDR_WIDTH-1:0];
                back_1 <= -$signed({2'd0, from});
                back_0 <= $signed({3'd0, ring_size}) - $signed({2'd0, from});
                limit <= $signed({2'd0, count_next});
                limit_less <= $signed({2'd0, count_next}) - $signed({2'd0, laps});
            end else begin
                if (m_axi_rvalid) reading <= 1'b0;
                if (m_axi_arready) m_axi_arvalid <= 1'b0;
            end
            place <= enable ? place_next : 17'd0;
            from <= !enable ? 17'd0 : ask ? place_next : from;
            count <= enable && !ask ? count_next : 17'd0;
        end
    end
endmodule
