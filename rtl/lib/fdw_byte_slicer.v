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

`ifdef FDW_BYTE_SLICER_FORMAL
    // Proof (make formal). Any one byte is followed from input to output; `ahead` bytes go before it.
    (* anyseq *) reg       mark;
    (* anyseq *) reg [3:0] mark_lane;
    reg       started = 1'b0;
    reg       marked;
    reg [7:0] watched;
    reg [4:0] ahead;
    reg [4:0] inside;
    wire      push = s_valid && s_ready;
    wire [4:0] lane = {1'b0, take_offset} + ahead;

    // The eight bits of a byte take the same way, so it is enough to look at one of them.
    localparam [127:0] OTHERS = {16{8'hfe}};

    initial assume (rst);
    always @* begin
        assume ((s_data & OTHERS) == 128'd0);
        assume ((s_keep & (s_keep + 16'd1)) == 16'd0); // contiguous from bit 0
        assume (take_count <= level && {2'b00, take_offset} + {1'b0, take_count} <= 6'd16);
    end
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            marked <= 1'b0;
            watched <= 8'd0;
            ahead <= 5'd0;
            inside <= 5'd0;
        end else begin
            inside <= inside + (push ? s_count : 5'd0) - removed;
            if (!marked && mark && push && s_keep[mark_lane]) begin
                marked <= 1'b1;
                watched <= s_data[8*mark_lane +: 8];
                ahead <= inside - removed + {1'b0, mark_lane};
            end else if (marked && take) begin
                marked <= ahead >= take_count;
                ahead <= ahead - take_count;
                if (ahead < take_count) assert (data[8*lane[3:0] +: 8] == watched && strb[lane[3:0]]);
            end
        end
        cover (started && !rst && marked && take && ahead == 5'd20 && take_count == 5'd16);
    end

    always @* if (started) begin
        assert (inside == level); // nothing lost, nothing twice
        assert ((held & {120'd0, OTHERS}) == 248'd0 && (held[247:128] & OTHERS[119:0]) == 120'd0);
        assert ((held >> {level, 3'b000}) == 248'd0);
        assert (strb == ((16'd1 << take_count) - 16'd1) << take_offset);
        assert (!marked || (ahead < level && held[8*ahead +: 8] == watched));
    end
`endif
endmodule
