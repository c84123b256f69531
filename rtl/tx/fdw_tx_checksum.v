// The Internet checksum (RFC 1071) of frames that pass by on their way into the transmit FIFO.
//
// In: `beat` high for each beat that is taken, 16 bytes, lanes beyond the frame's end 0, `last` on its last.
// len, wanted, start and field say, from a frame's first beat to its last, how long it is and, if a checksum
// is wanted, where what it covers begins (any byte) and where it goes.
// Out: one pulse on entry_valid for each whole frame, in order, three cycles after its last beat:
// what must be known of it to send it. If entry_patch, the 16 bits at entry_field become entry_value, the
// complement of the sum of the bytes from `start` to the end, 0xffff instead of 0.
// `clear` forgets a frame of which only some beats have come; whole ones come out.
//
// The sum is taken over words at even places of the frame. For an odd `start` that is the sum of the same
// words with their bytes exchanged, and so is its result (RFC 1071 §2 (B)).
module fdw_tx_checksum (
    input              clk,
    input              rst,
    input              clear,

    input              beat,
    input      [127:0] data,
    input              last,
    input      [15:0]  len,
    input              wanted,
    input      [15:0]  start,
    input      [15:0]  field,

    output reg         entry_valid,
    output reg [15:0]  entry_len,
    output reg         entry_patch,
    output reg [15:0]  entry_field,
    output reg [15:0]  entry_value
);
    // ---- mask and add up a beat
    reg         midway;   // some beats of the present frame have come
    reg  [15:0] skip_q;   // bytes still to come that are not covered
    wire [15:0] skip = midway ? skip_q : start;
    wire        far = skip[15:4] != 12'd0;
    wire [15:0] mask = far ? 16'd0 : 16'hffff << skip[3:0];
    wire [18:0] beat_sum;
    fdw_sum_words adder (.data(data), .mask(mask), .sum(beat_sum));

    reg        sum_valid;
    reg        sum_first;
    reg        sum_last;
    reg [18:0] sum;
    reg [15:0] sum_len;
    reg        sum_patch;
    reg        sum_odd;
    reg [15:0] sum_field;

    // ---- add up the beats of a frame
    reg        all_valid;
    reg [31:0] all;
    reg [15:0] all_len;
    reg        all_patch;
    reg        all_odd;
    reg [15:0] all_field;

    // ---- fold the carries in, complement
    wire [16:0] folded_once = {1'b0, all[31:16]} + {1'b0, all[15:0]};
    wire [15:0] folded = folded_once[15:0] + {15'd0, folded_once[16]};
    wire [15:0] value = ~folded;
    wire [15:0] placed = all_odd ? {value[7:0], value[15:8]} : value;

    always @(posedge clk) begin
        if (rst) begin
            midway <= 1'b0;
            skip_q <= 16'd0;
            sum_valid <= 1'b0;
            sum_first <= 1'b0;
            sum_last <= 1'b0;
            sum <= 19'd0;
            sum_len <= 16'd0;
            sum_patch <= 1'b0;
            sum_odd <= 1'b0;
            sum_field <= 16'd0;
            all_valid <= 1'b0;
            all <= 32'd0;
            all_len <= 16'd0;
            all_patch <= 1'b0;
            all_odd <= 1'b0;
            all_field <= 16'd0;
            entry_valid <= 1'b0;
            entry_len <= 16'd0;
            entry_patch <= 1'b0;
            entry_field <= 16'd0;
            entry_value <= 16'd0;
        end else begin
            if (clear) midway <= 1'b0;
            else if (beat) midway <= !last;
            if (beat) skip_q <= far ? skip - 16'd16 : 16'd0;

            sum_valid <= beat && !clear;
            sum_first <= !midway;
            sum_last <= last;
            sum <= beat_sum;
            sum_len <= len;
            sum_patch <= wanted;
            sum_odd <= start[0];
            sum_field <= field;

            all_valid <= sum_valid && sum_last;
            if (sum_valid) all <= (sum_first ? 32'd0 : all) + {13'd0, sum};
            all_len <= sum_len;
            all_patch <= sum_patch;
            all_odd <= sum_odd;
            all_field <= sum_field;

            entry_valid <= all_valid;
            entry_len <= all_len;
            entry_patch <= all_patch;
            entry_field <= all_field;
            entry_value <= placed == 16'd0 ? 16'hffff : placed;
        end
    end
endmodule
