// Statistics: 64-bit counters, read 32 bits at a time.
//
// In:  one-cycle events. `rx_valid` reports one received frame: `rx_status` (`FDW_RX_STATUS_*`) says what
//      became of it, `rx_bytes` is DA..FCS and matters for stored frames only. `tx_valid` reports one frame
//      sent whole, of `tx_bytes` DA..FCS. The others count one each.
//      `address` is an offset in the register window; `read` says that `data` is taken in this cycle.
// Out: `data`, in the same cycle: the addressed half of a counter, 0 where there is none.
//
// Reading a low word keeps the high word of that moment, per counter: reading low, then high, gives one
// consistent number whatever is counted or read in between. Only `rst` clears.

`include "fdwire_regs.vh"

module fdw_stats (
    input  wire        clk,
    input  wire        rst,

    input  wire        rx_valid,
    input  wire [3:0]  rx_status,
    input  wire [15:0] rx_bytes,
    input  wire        rx_truncated,
    input  wire        rx_kick,
    input  wire        tx_valid,
    input  wire [15:0] tx_bytes,
    input  wire        tx_oversize,
    input  wire        tx_underflow,
    input  wire        tx_kick,

    input  wire        read,
    input  wire [12:0] address,
    output wire [31:0] data
);
    localparam RX_FRAMES       = 0;
    localparam RX_BYTES        = 1;
    localparam RX_BAD_PREAMBLE = 2;
    localparam RX_CODE_ERROR   = 3;
    localparam RX_UNDERSIZE    = 4;
    localparam RX_OVERSIZE     = 5;
    localparam RX_FCS_ERROR    = 6;
    localparam RX_DISABLED     = 7;
    localparam RX_OVERFLOW     = 8;
    localparam RX_TRUNCATED    = 9;
    localparam RX_KICKS        = 10;
    localparam TX_FRAMES       = 11;
    localparam TX_BYTES        = 12;
    localparam TX_OVERSIZE     = 13;
    localparam TX_UNDERFLOW    = 14;
    localparam TX_KICKS        = 15;
    localparam COUNTERS        = 16;

    reg [63:0] count [0:COUNTERS-1];
    reg [31:0] high [0:COUNTERS-1];

    wire [COUNTERS-1:0] event_now;
    assign event_now[RX_FRAMES]       = rx_valid && rx_status == `FDW_RX_STATUS_STORED;
    assign event_now[RX_BYTES]        = rx_valid && rx_status == `FDW_RX_STATUS_STORED;
    assign event_now[RX_BAD_PREAMBLE] = rx_valid && rx_status == `FDW_RX_STATUS_BAD_PREAMBLE;
    assign event_now[RX_CODE_ERROR]   = rx_valid && rx_status == `FDW_RX_STATUS_CODE_ERROR;
    assign event_now[RX_UNDERSIZE]    = rx_valid && rx_status == `FDW_RX_STATUS_UNDERSIZE;
    assign event_now[RX_OVERSIZE]     = rx_valid && rx_status == `FDW_RX_STATUS_OVERSIZE;
    assign event_now[RX_FCS_ERROR]    = rx_valid && rx_status == `FDW_RX_STATUS_FCS_ERROR;
    assign event_now[RX_DISABLED]     = rx_valid && rx_status == `FDW_RX_STATUS_DISABLED;
    assign event_now[RX_OVERFLOW]     = rx_valid && rx_status == `FDW_RX_STATUS_OVERFLOW;
    assign event_now[RX_TRUNCATED]    = rx_truncated;
    assign event_now[RX_KICKS]        = rx_kick;
    assign event_now[TX_FRAMES]       = tx_valid;
    assign event_now[TX_BYTES]        = tx_valid;
    assign event_now[TX_OVERSIZE]     = tx_oversize;
    assign event_now[TX_UNDERFLOW]    = tx_underflow;
    assign event_now[TX_KICKS]        = tx_kick;

    // Which counter `address` lies in.
    reg       found;
    reg [3:0] index;
    always @* begin
        found = 1'b1;
        case ({address[12:3], 3'b000})
            `FDW_STAT_RX_FRAMES:       index = RX_FRAMES;
            `FDW_STAT_RX_BYTES:        index = RX_BYTES;
            `FDW_STAT_RX_BAD_PREAMBLE: index = RX_BAD_PREAMBLE;
            `FDW_STAT_RX_CODE_ERROR:   index = RX_CODE_ERROR;
            `FDW_STAT_RX_UNDERSIZE:    index = RX_UNDERSIZE;
            `FDW_STAT_RX_OVERSIZE:     index = RX_OVERSIZE;
            `FDW_STAT_RX_FCS_ERROR:    index = RX_FCS_ERROR;
            `FDW_STAT_RX_DISABLED:     index = RX_DISABLED;
            `FDW_STAT_RX_OVERFLOW:     index = RX_OVERFLOW;
            `FDW_STAT_RX_TRUNCATED:    index = RX_TRUNCATED;
            `FDW_STAT_RX_KICKS:        index = RX_KICKS;
            `FDW_STAT_TX_FRAMES:       index = TX_FRAMES;
            `FDW_STAT_TX_BYTES:        index = TX_BYTES;
            `FDW_STAT_TX_OVERSIZE:     index = TX_OVERSIZE;
            `FDW_STAT_TX_UNDERFLOW:    index = TX_UNDERFLOW;
            `FDW_STAT_TX_KICKS:        index = TX_KICKS;
            default: begin
                found = 1'b0;
                index = 4'd0;
            end
        endcase
    end

    wire [63:0] selected = count[index];
    assign data = !found ? 32'd0 : address[2] ? high[index] : selected[31:0];

    genvar i;
    generate
        for (i = 0; i < COUNTERS; i = i + 1) begin : counter
            wire [15:0] amount = (i == RX_BYTES) ? rx_bytes : (i == TX_BYTES) ? tx_bytes : 16'd1;
            always @(posedge clk) begin
                if (event_now[i])
                    count[i] <= count[i] + {48'd0, amount};
                if (read && found && !address[2] && index == i)
                    high[i] <= selected[63:32];
                if (rst) begin
                    count[i] <= 64'd0;
                    high[i] <= 32'd0;
                end
            end
        end
    endgenerate

    wire unused = &{1'b0, address[1:0]};
endmodule
