// The registers of one virtqueue (virtio 1.2 §4.2.2): geometry, QUEUE_READY, QUEUE_RESET, and the notify.
//
// In:  one register write a cycle: `write` (`act`: byte lane 0 is strobed, too) with `address`, `value` (0 in
//      lanes that are not strobed) and `mask`; `selected`: QUEUE_SEL names this queue; `notify`: QUEUE_NOTIFY is
//      written with this queue's index. `clear` is the start of a device reset. `running`: DRIVER_OK, no
//      DEVICE_NEEDS_RESET, no reset. `may_reset`: RING_RESET was negotiated.
// Out: `enable` as fdw_regs says of queue_enable, with `idle` for queue_idle; `kick` is a pulse, only while
//      `enable` is high. `notified` pulses for a notify that is not ignored. `ready` and `resetting` are what
//      QUEUE_READY and QUEUE_RESET read; the geometry does not change while `ready` is high.

`include "fdwire_regs.vh"

module fdw_regs_queue #(
    parameter QUEUE_NUM_MAX = 256,
    parameter [2:0] SETTLE = 3'd7
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        clear,
    input  wire        running,
    input  wire        may_reset,

    input  wire        selected,
    input  wire        write,
    input  wire        act,
    input  wire [12:0] address,
    input  wire [31:0] value,
    input  wire [31:0] mask,
    input  wire        notify,

    input  wire        idle,
    output wire        enable,
    output reg         ready,
    output reg         resetting,
    output reg  [15:0] num,
    output reg  [63:0] desc,
    output reg  [63:0] driver_area,
    output reg  [63:0] device_area,
    output wire        kick,
    output wire        notified
);
    reg       started;
    reg [2:0] settle;
    reg       kick_pending;

    wire configure = write && selected && !ready;
    wire [31:0] num_written = ({16'd0, num} & ~mask) | value;
    // virtio 1.2 §2.8.10.1: alignment of the three areas.
    wire legal = num != 16'd0 && desc[3:0] == 4'd0 && driver_area[1:0] == 2'd0 && device_area[1:0] == 2'd0;
    wire wanted = ready && running;
    wire quiet = idle && settle == 3'd0; // nothing of the last life is in flight
    wire start_reset = act && selected && address == `FDW_REG_QUEUE_RESET && value[0] && may_reset && ready;

    assign enable = wanted && started;
    assign notified = notify && wanted;
    assign kick = kick_pending && enable;

    always @(posedge clk) begin
        if (configure) begin
            case (address)
                `FDW_REG_QUEUE_NUM: num <= num_written > QUEUE_NUM_MAX ? 16'd0 : num_written[15:0];
                `FDW_REG_QUEUE_DESC_LOW: desc[31:0] <= (desc[31:0] & ~mask) | value;
                `FDW_REG_QUEUE_DESC_HIGH: desc[63:32] <= (desc[63:32] & ~mask) | value;
                `FDW_REG_QUEUE_DRIVER_LOW: driver_area[31:0] <= (driver_area[31:0] & ~mask) | value;
                `FDW_REG_QUEUE_DRIVER_HIGH: driver_area[63:32] <= (driver_area[63:32] & ~mask) | value;
                `FDW_REG_QUEUE_DEVICE_LOW: device_area[31:0] <= (device_area[31:0] & ~mask) | value;
                `FDW_REG_QUEUE_DEVICE_HIGH: device_area[63:32] <= (device_area[63:32] & ~mask) | value;
                default: ;
            endcase
        end
        if (start_reset)
            ready <= 1'b0;
        else if (act && selected && address == `FDW_REG_QUEUE_READY && !resetting)
            ready <= value[0] && legal;
        started <= wanted && (started || quiet);
        if (enable)
            settle <= SETTLE;
        else if (settle != 3'd0)
            settle <= settle - 3'd1;
        resetting <= start_reset || (resetting && (enable || !quiet));
        kick_pending <= wanted && (notified || (kick_pending && !kick));
        if (rst || clear) begin
            num <= 16'd0;
            desc <= 64'd0;
            driver_area <= 64'd0;
            device_area <= 64'd0;
            ready <= 1'b0;
            resetting <= 1'b0;
        end
        if (rst) begin
            started <= 1'b0;
            settle <= 3'd0;
            kick_pending <= 1'b0;
        end
    end
endmodule
