// AXI4's rules for the write channels of one master with one ID: asserted of the master, assumed of the slave.
// Any one burst, number `which`, is looked at for WLAST; address and data may come in either order.
module axi_write_rules #(
    parameter ADDR_WIDTH = 16,
    parameter DATA_WIDTH = 128
) (
    input                    clk,
    input                    rst,
    input                    awvalid,
    input                    awready,
    input [ADDR_WIDTH-1:0]   awaddr,
    input [7:0]              awlen,
    input [2:0]              awsize,
    input [1:0]              awburst,
    input                    wvalid,
    input                    wready,
    input [DATA_WIDTH-1:0]   wdata,
    input [DATA_WIDTH/8-1:0] wstrb,
    input                    wlast,
    input                    bvalid,
    input                    bready
);
    (* anyconst *) reg [2:0] which;
    reg       started = 1'b0;
    reg [3:0] asked;    // AW taken
    reg [3:0] sent;     // bursts whose last W was taken
    reg [3:0] answered; // B taken
    reg [7:0] beats;    // of the present W burst
    reg       known_len, known_beats;
    reg [7:0] len, count;
    wire      w = wvalid && wready;
    wire [12:0] span = ({5'd0, awlen} + 13'd1) << awsize;

    always @* begin
        assume (!bvalid || (answered != asked && answered != sent));
        assume (asked != 4'd15 && sent != 4'd15);
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            asked <= 4'd0;
            sent <= 4'd0;
            answered <= 4'd0;
            beats <= 8'd0;
            known_len <= 1'b0;
            known_beats <= 1'b0;
            len <= 8'd0;
            count <= 8'd0;
        end else begin
            asked <= asked + {3'd0, awvalid && awready};
            sent <= sent + {3'd0, w && wlast};
            answered <= answered + {3'd0, bvalid && bready};
            if (w) beats <= wlast ? 8'd0 : beats + 8'd1;
            if (awvalid && awready && asked == {1'b0, which}) begin
                known_len <= 1'b1;
                len <= awlen;
            end
            if (w && wlast && sent == {1'b0, which}) begin
                known_beats <= 1'b1;
                count <= beats;
            end
        end
        if (started && !rst) begin
            if (known_len && known_beats) assert (len == count); // WLAST where AWLEN says
            if (known_len && sent == {1'b0, which} && wvalid) assert (beats < len || wlast);
            if (awvalid) begin
                assert (awburst == 2'b01 && awsize <= 3'd4);
                assert (awlen == 8'd0 || awsize == 3'd4);
                assert ({1'b0, awaddr[11:0]} + span <= 13'h1000); // A3.4.1: within 4 KiB
                assert (awsize < 3'd4 || awaddr[3:0] == 4'd0);
            end
            if (!$past(rst)) begin
                if ($past(awvalid && !awready)) // A3.2.1: holds until taken
                    assert (awvalid && awaddr == $past(awaddr) && awlen == $past(awlen)
                            && awsize == $past(awsize) && awburst == $past(awburst));
                if ($past(wvalid && !wready))
                    assert (wvalid && wdata == $past(wdata) && wstrb == $past(wstrb) && wlast == $past(wlast));
                if ($past(bvalid && !bready)) assume (bvalid);
            end
        end
    end
endmodule
