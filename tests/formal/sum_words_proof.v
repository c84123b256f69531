// fdw_sum_words against the sum of its words in full width.
module sum_words_proof (
    input clk
);
    (* anyseq *) reg [127:0] data;
    (* anyseq *) reg [15:0]  mask;
    wire [18:0] sum;

    fdw_sum_words dut (.data(data), .mask(mask), .sum(sum));

    // The words as they stand in a frame, most significant byte first, in the circuit's order: a solver
    // would take hours for another one.
    reg [18:0] word [0:7];
    integer i;
    always @* begin
        for (i = 0; i < 8; i = i + 1)
            word[i] = {3'd0, mask[2 * i] ? data[16 * i +: 8] : 8'd0, mask[2 * i + 1] ? data[16 * i + 8 +: 8] : 8'd0};
    end
    wire [18:0] whole = ((word[0] + word[1]) + (word[2] + word[3])) + ((word[4] + word[5]) + (word[6] + word[7]));

    always @(posedge clk) begin
        assert (sum == whole);
        cover (sum == 19'h7fff8); // eight times 0xffff: no carry is lost
    end
endmodule
