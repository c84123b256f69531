// Receive: where the 12 bytes of a frame's struct virtio_net_hdr lie, so that they can be written again.
//
// clear: a new frame begins. note: a place for the next note_len bytes (1..65536) at note_addr has been taken; what
// falls on the header is remembered (up to 12 pieces of one byte). `placed` is how many bytes of the header have a
// place. rewind, then piece_*: valid/ready, the places once more, in order.
`include "fdwire_regs.vh"
module fdw_rx_header #(
    parameter ADDR_WIDTH = 64
) (
    input                   clk,
    input                   rst,
    input                   clear,
    input                   note,
    input  [ADDR_WIDTH-1:0] note_addr,
    input  [16:0]           note_len,
    output reg [3:0]        placed,
    input                   rewind,
    output                  piece_valid,
    input                   piece_ready,
    output [ADDR_WIDTH-1:0] piece_addr,
    output [3:0]            piece_len
);
    localparam [3:0] HEADER = `FDW_NET_HDR_BYTES;

    reg [ADDR_WIDTH+3:0] mem [0:15];
    reg [3:0]            pieces;
    reg [3:0]            next;
    wire [3:0]           missing = HEADER - placed;
    wire [3:0]           len = note_len < {13'd0, missing} ? note_len[3:0] : missing;
    wire                 keep = note && missing != 4'd0;

    integer i;
    initial for (i = 0; i < 16; i = i + 1) mem[i] = {ADDR_WIDTH + 4{1'b0}};

    assign piece_valid = next != pieces;
    assign {piece_len, piece_addr} = mem[next];

    always @(posedge clk) if (keep) mem[pieces] <= {len, note_addr};

    always @(posedge clk) begin
        if (rst || clear) begin
            placed <= 4'd0;
            pieces <= 4'd0;
            next <= 4'd0;
        end else begin
            if (keep) begin
                placed <= placed + len;
                pieces <= pieces + 4'd1;
            end
            if (rewind) next <= 4'd0;
            else if (piece_valid && piece_ready) next <= next + 4'd1;
        end
    end
endmodule
