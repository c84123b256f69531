// CRC-32 of IEEE 802.3 §3.2.9 over 0..8 bytes at a time, combinational.
//
// crc_out = crc_in advanced by the first `count` bytes of data; data[7:0] goes first, count 0 leaves
// crc_in as it is. The other bytes of data do not matter. The register is kept bit-reflected and not
// complemented: start with 32'hffffffff; the FCS on the wire is ~crc, crc[7:0] first; after a frame with
// its good FCS the register holds 32'hdebb20e3.
//
// The CRC is linear, and leading zeros do not change a zero register. So crc_in is added to the first
// bytes, what counts is moved up against the last byte, and one fixed matrix does the rest: one byte
// multiplexer and one layer of XOR trees, at most 37 inputs each.
module fdw_crc32 (
    input      [31:0] crc_in,
    input      [63:0] data,
    input      [3:0]  count,
    output reg [31:0] crc_out
);
    localparam [31:0] POLYNOMIAL = 32'hedb88320; // reflected 0x04c11db7

    // Row i, 64 bits wide: which of 64 message bits, first bit first, reach register bit i.
    function [2047:0] matrix(input [31:0] polynomial);
        integer step;
        integer row;
        reg [63:0] feedback;
        begin
            matrix = 2048'd0;
            for (step = 0; step < 64; step = step + 1) begin
                feedback = matrix[63:0] ^ (64'd1 << step);
                matrix = matrix >> 64;
                for (row = 0; row < 32; row = row + 1)
                    if (polynomial[row]) matrix[64 * row +: 64] = matrix[64 * row +: 64] ^ feedback;
            end
        end
    endfunction

    localparam [2047:0] MATRIX = matrix(POLYNOMIAL);

    wire [63:0] mixed = data ^ {32'd0, crc_in};
    reg  [63:0] moved;
    reg  [31:0] rest; // of crc_in when fewer than four bytes push it out

    always @* begin
        case (count)
            4'd1: begin moved = {mixed[7:0], 56'd0}; rest = {8'd0, crc_in[31:8]}; end
            4'd2: begin moved = {mixed[15:0], 48'd0}; rest = {16'd0, crc_in[31:16]}; end
            4'd3: begin moved = {mixed[23:0], 40'd0}; rest = {24'd0, crc_in[31:24]}; end
            4'd4: begin moved = {mixed[31:0], 32'd0}; rest = 32'd0; end
            4'd5: begin moved = {mixed[39:0], 24'd0}; rest = 32'd0; end
            4'd6: begin moved = {mixed[47:0], 16'd0}; rest = 32'd0; end
            4'd7: begin moved = {mixed[55:0], 8'd0}; rest = 32'd0; end
            4'd8: begin moved = mixed; rest = 32'd0; end
            default: begin moved = 64'd0; rest = crc_in; end
        endcase
    end

    // One block per bit: with a constant row it is one tree, for a simulator too.
    genvar i;
    generate
        for (i = 0; i < 32; i = i + 1) begin : bits
            localparam [63:0] ROW = MATRIX[64 * i +: 64];
            always @*
                if (count == 4'd0) crc_out[i] = rest[i]; // spares a simulator the trees in idle cycles
                else crc_out[i] = rest[i] ^ (^(moved & ROW));
        end
    endgenerate
endmodule
