// fdw_crc32 against the CRC as the standard defines it, bit by bit (IEEE 802.3 §3.2.9).
//
// For each count both are linear: sums (XOR) of input bits. Such functions are equal when they agree on zero and
// on every input with a single bit set; a SAT solver would take hours over all inputs at once.
module crc32_proof (
    input clk
);
    (* anyseq *) reg [31:0] crc_in;
    (* anyseq *) reg [63:0] data;
    (* anyseq *) reg [3:0]  count;
    wire [31:0] crc_out;

    fdw_crc32 dut (.crc_in(crc_in), .data(data), .count(count), .crc_out(crc_out));

    reg [31:0] serial;
    integer i;
    always @* begin
        serial = crc_in;
        for (i = 0; i < 64; i = i + 1)
            if (i < 8 * count) serial = (serial >> 1) ^ (serial[0] ^ data[i] ? 32'hedb88320 : 32'd0);
    end

    wire [95:0] all = {crc_in, data};
    always @* begin
        assume (count <= 4'd8);
        assume ((all & (all - 96'd1)) == 96'd0);
    end
    always @(posedge clk) begin
        assert (crc_out == serial);
        cover (count == 4'd8 && crc_in[31]);
        cover (count == 4'd3 && data[17]);
    end
endmodule
