// Byte slicer: a packed stream in, pieces of 1..16 bytes at any lane out.
//
// In: s_valid/s_ready, s_data, s_keep contiguous from bit 0 (keep may be 0; where packets end does not
// matter here: a byte follows the one before). Out: level, the number of bytes held (0..31), and take,
// which removes take_count (0..16) bytes; take_count must not exceed level. data and strb show the
// bytes to be taken in this cycle, from byte lane take_offset on (take_offset + take_count <= 16), the
// other lanes 0. s_ready depends on registers, take and take_count, never on s_valid.
// Sixteen bytes a cycle go through, whatever the alignment.
module fdw_byte_slicer (
    input              clk,
    input              rst,
    input              s_valid,
    output             s_ready,
    input      [127:0] s_data,
    input      [15:0]  s_keep,
    output reg [4:0]   level,
    input              take,
    input      [4:0]   take_count,
    input      [3:0]   take_offset,
    output     [127:0] data,
    output     [15:0]  strb
);
    reg  [247:0] held; // the oldest byte in lane 0; 0 above level
    wire [4:0]   removed = take ? take_count : 5'd0;
    wire [4:0]   kept = level - removed;
    wire [15:0]  wanted = ~(16'hffff << take_count);
    wire [247:0] rest = held >> {removed, 3'b000};

    reg [4:0] s_count;
    reg [127:0] s_bytes;
    integer i;
    always @* begin
        s_count = 5'd0;
        for (i = 0; i < 16; i = i + 1) begin
            s_count = s_count + {4'd0, s_keep[i]};
            s_bytes[8*i +: 8] = s_data[8*i +: 8] & {8{s_keep[i]}};
        end
    end

    reg [127:0] wanted_bytes;
    integer j;
    always @* begin
        for (j = 0; j < 16; j = j + 1) wanted_bytes[8*j +: 8] = held[8*j +: 8] & {8{wanted[j]}};
    end

    assign s_ready = !kept[4];
    assign strb = wanted << take_offset;
    assign data = wanted_bytes << {take_offset, 3'b000};

    always @(posedge clk) begin
        if (rst) begin
            held <= 248'd0;
            level <= 5'd0;
        end else if (s_valid && s_ready) begin
            held <= rest | ({120'd0, s_bytes} << {kept[3:0], 3'b000});
            level <= kept + s_count;
        end else begin
            held <= rest;
            level <= kept;
        end
    end
endmodule
