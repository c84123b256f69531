// The sum of the eight 16-bit words, each most significant byte first, in 16 bytes. Combinational.
//
// data[7:0] is the first byte: the upper half of the first word. Words may be left out: mask bit i is
// for byte i; a byte without its bit counts as 0.
module fdw_sum_words (
    input  [127:0] data,
    input  [15:0]  mask,
    output [18:0]  sum
);
    reg [127:0] words; // most significant byte first
    integer i;
    always @* begin
        for (i = 0; i < 16; i = i + 1) words[8 * (i ^ 1) +: 8] = data[8 * i +: 8] & {8{mask[i]}};
    end

    wire [16:0] sum_0 = {1'b0, words[15:0]} + {1'b0, words[31:16]};
    wire [16:0] sum_1 = {1'b0, words[47:32]} + {1'b0, words[63:48]};
    wire [16:0] sum_2 = {1'b0, words[79:64]} + {1'b0, words[95:80]};
    wire [16:0] sum_3 = {1'b0, words[111:96]} + {1'b0, words[127:112]};
    wire [17:0] sum_01 = {1'b0, sum_0} + {1'b0, sum_1};
    wire [17:0] sum_23 = {1'b0, sum_2} + {1'b0, sum_3};
    assign sum = {1'b0, sum_01} + {1'b0, sum_23};
endmodule
