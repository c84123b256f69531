// fdw_byte_rotate: any byte of any word comes out `by` lanes further up.
module byte_rotate_proof (
    input clk
);
    (* anyseq *) reg [127:0] data;
    (* anyseq *) reg [3:0]   by;
    (* anyseq *) reg [3:0]   lane;
    wire [127:0] rotated;

    fdw_byte_rotate dut (.data(data), .by(by), .rotated(rotated));

    wire [3:0] place = lane + by; // modulo 16
    always @(posedge clk) begin
        assert (rotated[8 * place +: 8] == data[8 * lane +: 8]);
        cover (by == 4'd11 && place < lane);
    end
endmodule
