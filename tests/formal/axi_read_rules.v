// AXI4's rules for the read channels of one master with one ID (so answers come in order): asserted of the
// master, assumed of the slave. At most three bursts are in flight; deeper slaves are not looked at.
module axi_read_rules #(
    parameter ADDR_WIDTH = 16
) (
    input                  clk,
    input                  rst,
    input                  arvalid,
    input                  arready,
    input [ADDR_WIDTH-1:0] araddr,
    input [7:0]            arlen,
    input [2:0]            arsize,
    input [1:0]            arburst,
    input                  rvalid,
    input                  rready,
    input                  rlast,
    output reg [1:0]       flying, // bursts accepted and not answered to their end
    output reg [ADDR_WIDTH-1:0] address // of the beat that is answered next
);
    reg                  started = 1'b0;
    reg [7:0]            left [0:2];
    reg [ADDR_WIDTH-1:0] next [0:2];
    reg [1:0]            spot;
    wire ask = arvalid && arready;
    wire answer = rvalid && rready;
    wire done = answer && rlast;
    wire [12:0] span = ({5'd0, arlen} + 13'd1) << arsize;

    always @* begin
        spot = flying - {1'b0, done};
        address = next[0];
        assume (!(arready && flying == 2'd3));
        assume (!rvalid || flying != 2'd0);
        assume (!rvalid || rlast == (left[0] == 8'd0));
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            flying <= 2'd0;
        end else begin
            flying <= flying + {1'b0, ask} - {1'b0, done};
            if (answer && !rlast) begin
                left[0] <= left[0] - 8'd1;
                next[0] <= next[0] + 16;
            end
            if (done) begin
                left[0] <= left[1];
                left[1] <= left[2];
                next[0] <= next[1];
                next[1] <= next[2];
            end
            if (ask) begin
                left[spot] <= arlen;
                next[spot] <= araddr;
            end
        end
        if (started && !$past(rst) && !rst) begin
            if ($past(arvalid && !arready)) // A3.2.1: holds until taken
                assert (arvalid && araddr == $past(araddr) && arlen == $past(arlen) && arsize == $past(arsize)
                        && arburst == $past(arburst));
            if ($past(rvalid && !rready)) assume (rvalid && rlast == $past(rlast));
        end
        if (!rst && started && arvalid) begin
            assert (arburst == 2'b01 && arsize <= 3'd4);
            assert (arlen == 8'd0 || arsize == 3'd4);
            assert ({1'b0, araddr[11:0]} + span <= 13'h1000); // A3.4.1: within 4 KiB
            assert (arsize < 3'd4 || araddr[3:0] == 4'd0);
        end
    end
endmodule
