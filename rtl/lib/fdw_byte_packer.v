// Byte packer: pieces of 128-bit words in, one stream without gaps out.
//
// In: each word carries s_count bytes (0..16) from byte lane s_offset on; s_offset + s_count <= 16.
// s_last ends a packet. Out: the bytes of a packet one after the other, 16 a beat, m_keep all ones but
// on the beat with m_last; lanes without a byte are 0. Both sides valid/ready as AXI4-Stream.
// One word a cycle in, one beat a cycle out; a packet whose last word does not fit into the beat that
// it completes costs one cycle more.
// m_last always comes: if a packet's last word adds nothing to a beat that has already left (or the
// packet has no bytes at all) it comes on a beat with m_keep = 0.
module fdw_byte_packer (
    input              clk,
    input              rst,
    input              s_valid,
    output             s_ready,
    input      [127:0] s_data,
    input      [3:0]   s_offset,
    input      [4:0]   s_count,
    input              s_last,
    output reg         m_valid,
    input              m_ready,
    output reg [127:0] m_data,
    output reg [15:0]  m_keep,
    output reg         m_last
);
    // The word, moved down to lane 0.
    reg         a_valid;
    reg [127:0] a_data;
    reg [4:0]   a_count;
    reg         a_last;

    // What has not made a whole beat yet: fill bytes, 0 above. flush: they are the packet's last.
    reg [127:0] held;
    reg [3:0]   fill;
    reg         flush;

    wire         out_free = !m_valid || m_ready;
    wire         a_taken = a_valid && out_free && !flush;
    wire [5:0]   total = {2'b00, fill} + {1'b0, a_count};
    wire [255:0] joined = {128'd0, held} | ({128'd0, a_data} << {fill, 3'b000});

    assign s_ready = !a_valid || a_taken;

    function [15:0] keep_of;
        input [4:0] count;
        keep_of = ~(16'hffff << count);
    endfunction

    function [127:0] mask_of;
        input [4:0] count;
        mask_of = ~({128{1'b1}} << {count, 3'b000});
    endfunction

    always @(posedge clk) begin
        if (rst) begin
            a_valid <= 1'b0;
            a_data <= 128'd0;
            a_count <= 5'd0;
            a_last <= 1'b0;
        end else if (s_ready) begin
            a_valid <= s_valid;
            a_data <= (s_data >> {s_offset, 3'b000}) & mask_of(s_count);
            a_count <= s_count;
            a_last <= s_last;
        end
    end

    always @(posedge clk) begin
        if (rst) begin
            held <= 128'd0;
            fill <= 4'd0;
            flush <= 1'b0;
            m_valid <= 1'b0;
            m_data <= 128'd0;
            m_keep <= 16'd0;
            m_last <= 1'b0;
        end else if (out_free) begin
            m_valid <= 1'b0;
            if (flush) begin
                m_valid <= 1'b1;
                m_data <= held;
                m_keep <= keep_of({1'b0, fill});
                m_last <= 1'b1;
                held <= 128'd0;
                fill <= 4'd0;
                flush <= 1'b0;
            end else if (a_valid) begin
                m_data <= joined[127:0];
                if (total >= 6'd16) begin
                    m_valid <= 1'b1;
                    m_keep <= 16'hffff;
                    m_last <= a_last && total == 6'd16;
                    held <= joined[255:128];
                    fill <= total[3:0];
                    flush <= a_last && total != 6'd16;
                end else if (a_last) begin
                    m_valid <= 1'b1;
                    m_keep <= keep_of(total[4:0]);
                    m_last <= 1'b1;
                    held <= 128'd0;
                    fill <= 4'd0;
                end else begin
                    held <= joined[127:0];
                    fill <= total[3:0];
                end
            end
        end
    end
endmodule
