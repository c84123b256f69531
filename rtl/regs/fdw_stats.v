// Statistics: 64-bit counters, read 32 bits at a time.
//
// In:  one-cycle events. `rx_valid` reports one received frame: `rx_status` (`FDW_RX_STATUS_*`) says what
//      became of it; of a good one (DISABLED, OVERFLOW, STORED) `rx_bytes` is DA..FCS, and rx_multicast or
//      rx_broadcast tells a group destination; of one too short or too long rx_fcs_wrong tells a wrong FCS.
//      `tx_valid` reports one frame sent whole, likewise. The others count one each.
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
    input  wire        rx_multicast,
    input  wire        rx_broadcast,
    input  wire        rx_fcs_wrong,
    input  wire        rx_truncated,
    input  wire        rx_kick,
    input  wire        tx_valid,
    input  wire [15:0] tx_bytes,
    input  wire        tx_multicast,
    input  wire        tx_broadcast,
    input  wire        tx_oversize,
    input  wire        tx_bad_offload,
    input  wire        tx_tso,
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
    localparam TX_BAD_OFFLOAD  = 16;
    localparam TX_TSO          = 17;
    localparam RX_64           = 18;
    localparam RX_65_127       = 19;
    localparam RX_128_255      = 20;
    localparam RX_256_511      = 21;
    localparam RX_512_1023     = 22;
    localparam RX_1024_1518    = 23;
    localparam RX_1519_MAX     = 24;
    localparam RX_BROADCAST    = 25;
    localparam RX_MULTICAST    = 26;
    localparam RX_FRAGMENTS    = 27;
    localparam RX_JABBERS      = 28;
    localparam TX_64           = 29;
    localparam TX_65_127       = 30;
    localparam TX_128_255      = 31;
    localparam TX_256_511      = 32;
    localparam TX_512_1023     = 33;
    localparam TX_1024_1518    = 34;
    localparam TX_1519_MAX     = 35;
    localparam TX_BROADCAST    = 36;
    localparam TX_MULTICAST    = 37;
    localparam COUNTERS        = 38;

    reg [63:0] count [0:COUNTERS-1];
    reg [31:0] high [0:COUNTERS-1];

    // RFC 2819 §5, etherStatsPkts64Octets and those after it: one bit for each class, from 64 bytes up.
    function [6:0] size_of(input [15:0] bytes);
        size_of = {
            bytes >= 16'd1519,
            bytes >= 16'd1024 && bytes < 16'd1519,
            bytes >= 16'd512 && bytes < 16'd1024,
            bytes >= 16'd256 && bytes < 16'd512,
            bytes >= 16'd128 && bytes < 16'd256,
            bytes >= 16'd65 && bytes < 16'd128,
            bytes == 16'd64
        };
    endfunction

    wire       stored = rx_valid && rx_status == `FDW_RX_STATUS_STORED;
    wire       good = stored || (rx_valid
        && (rx_status == `FDW_RX_STATUS_DISABLED || rx_status == `FDW_RX_STATUS_OVERFLOW));
    wire [6:0] rx_size = size_of(rx_bytes);
    wire [6:0] tx_size = size_of(tx_bytes);

    wire [COUNTERS-1:0] event_now;
    assign event_now[RX_FRAMES]       = stored;
    assign event_now[RX_BYTES]        = stored;
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
    assign event_now[TX_BAD_OFFLOAD]  = tx_bad_offload;
    assign event_now[TX_TSO]          = tx_tso;
    assign event_now[RX_64]           = good && rx_size[0];
    assign event_now[RX_65_127]       = good && rx_size[1];
    assign event_now[RX_128_255]      = good && rx_size[2];
    assign event_now[RX_256_511]      = good && rx_size[3];
    assign event_now[RX_512_1023]     = good && rx_size[4];
    assign event_now[RX_1024_1518]    = good && rx_size[5];
    assign event_now[RX_1519_MAX]     = good && rx_size[6];
    assign event_now[RX_BROADCAST]    = good && rx_broadcast;
    assign event_now[RX_MULTICAST]    = good && rx_multicast;
    assign event_now[RX_FRAGMENTS]    = rx_valid && rx_status == `FDW_RX_STATUS_UNDERSIZE && rx_fcs_wrong;
    assign event_now[RX_JABBERS]      = rx_valid && rx_status == `FDW_RX_STATUS_OVERSIZE && rx_fcs_wrong;
    assign event_now[TX_64]           = tx_valid && tx_size[0];
    assign event_now[TX_65_127]       = tx_valid && tx_size[1];
    assign event_now[TX_128_255]      = tx_valid && tx_size[2];
    assign event_now[TX_256_511]      = tx_valid && tx_size[3];
    assign event_now[TX_512_1023]     = tx_valid && tx_size[4];
    assign event_now[TX_1024_1518]    = tx_valid && tx_size[5];
    assign event_now[TX_1519_MAX]     = tx_valid && tx_size[6];
    assign event_now[TX_BROADCAST]    = tx_valid && tx_broadcast;
    assign event_now[TX_MULTICAST]    = tx_valid && tx_multicast;

    // Which counter `address` lies in.
    reg       found;
    reg [5:0] index;
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
            `FDW_STAT_TX_BAD_OFFLOAD:  index = TX_BAD_OFFLOAD;
            `FDW_STAT_TX_TSO:          index = TX_TSO;
            `FDW_STAT_RX_64:           index = RX_64;
            `FDW_STAT_RX_65_127:       index = RX_65_127;
            `FDW_STAT_RX_128_255:      index = RX_128_255;
            `FDW_STAT_RX_256_511:      index = RX_256_511;
            `FDW_STAT_RX_512_1023:     index = RX_512_1023;
            `FDW_STAT_RX_1024_1518:    index = RX_1024_1518;
            `FDW_STAT_RX_1519_MAX:     index = RX_1519_MAX;
            `FDW_STAT_RX_BROADCAST:    index = RX_BROADCAST;
            `FDW_STAT_RX_MULTICAST:    index = RX_MULTICAST;
            `FDW_STAT_RX_FRAGMENTS:    index = RX_FRAGMENTS;
            `FDW_STAT_RX_JABBERS:      index = RX_JABBERS;
            `FDW_STAT_TX_64:           index = TX_64;
            `FDW_STAT_TX_65_127:       index = TX_65_127;
            `FDW_STAT_TX_128_255:      index = TX_128_255;
            `FDW_STAT_TX_256_511:      index = TX_256_511;
            `FDW_STAT_TX_512_1023:     index = TX_512_1023;
            `FDW_STAT_TX_1024_1518:    index = TX_1024_1518;
            `FDW_STAT_TX_1519_MAX:     index = TX_1519_MAX;
            `FDW_STAT_TX_BROADCAST:    index = TX_BROADCAST;
            `FDW_STAT_TX_MULTICAST:    index = TX_MULTICAST;
            default: begin
                found = 1'b0;
                index = 6'd0;
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
