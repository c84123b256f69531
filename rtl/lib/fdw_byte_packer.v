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
    // What has not made a whole beat yet: fill bytes, 0 above. flush: they are the packet's last.
    reg [127:0] held;
    reg [3:0]   fill;
    reg         flush;

    wire        out_free = !m_valid || m_ready;
    wire [5:0]  total = {2'b00, fill} + {1'b0, s_count};
    wire        completes = total >= 6'd16;

    assign s_ready = out_free && !flush;

    // The word, rotated so that its first byte comes to lane `fill`: what goes beyond lane 15 comes out at
    // the bottom, where the next beat begins.
    wire [127:0] turned;
    fdw_byte_rotate rotate (.data(s_data), .by(fill - s_offset), .rotated(turned));
    wire [15:0]  old = ~(16'hffff << fill);        // lanes of the beat that are held already
    wire [15:0]  upto = completes ? 16'hffff : ~(16'hffff << total[3:0]);
    wire [15:0]  over = completes ? ~(16'hffff << total[3:0]) : 16'h0000; // lanes of the next beat

    reg [127:0] joined;
    reg [127:0] rest;
    integer i;
    always @* begin
        for (i = 0; i < 16; i = i + 1) begin
            joined[8*i +: 8] = old[i] ? held[8*i +: 8] : turned[8*i +: 8] & {8{upto[i]}};
            rest[8*i +: 8] = turned[8*i +: 8] & {8{over[i]}};
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
                m_keep <= old;
                m_last <= 1'b1;
                held <= 128'd0;
                fill <= 4'd0;
                flush <= 1'b0;
            end else if (s_valid) begin
                m_valid <= completes || s_last;
                m_data <= joined;
                m_keep <= upto;
                m_last <= s_last && total <= 6'd16;
                flush <= s_last && total > 6'd16;
                held <= completes ? rest : s_last ? 128'd0 : joined;
                fill <= s_last && !completes ? 4'd0 : total[3:0];
            end
        end
    end

`ifdef FDW_BYTE_PACKER_FORMAL
    // Proof (make formal). Any one byte is followed from input to output: `ahead` bytes and `ends_ahead`
    // ends of packets go before it.
    (* anyseq *) reg       mark;
    (* anyseq *) reg [3:0] mark_lane;
    reg        started = 1'b0;
    reg        marked;
    reg  [7:0] watched;
    reg  [5:0] ahead;
    reg  [1:0] ends_ahead;
    reg  [5:0] inside; // bytes
    reg  [1:0] ends;   // ends of packets
    wire       push = s_valid && s_ready;
    wire       pop = m_valid && m_ready;
    integer    j;
    reg  [4:0] shown;
    always @* begin
        shown = 5'd0;
        for (j = 0; j < 16; j = j + 1) shown = shown + {4'd0, m_keep[j]};
    end
    wire [4:0] leaving = pop ? shown : 5'd0;
    wire [5:0] in_output = m_valid ? {1'b0, shown} : 6'd0;
    wire [5:0] in_held = in_output + {2'd0, fill};
    wire [5:0] lane_held = ahead - in_output;
    wire       ends_output = m_valid && m_last;

    function [15:0] keep_of;
        input [4:0] count;
        keep_of = ~(16'hffff << count);
    endfunction

    // The eight bits of a byte take the same way, so it is enough to look at one of them.
    localparam [127:0] OTHERS = {16{8'hfe}};

    initial assume (rst);
    always @* assume ((s_data & OTHERS) == 128'd0);
    always @* assume ({2'b00, s_offset} + {1'b0, s_count} <= 6'd16);
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            marked <= 1'b0;
            watched <= 8'd0;
            ahead <= 6'd0;
            ends_ahead <= 2'd0;
            inside <= 6'd0;
            ends <= 2'd0;
        end else begin
            inside <= inside + (push ? {1'b0, s_count} : 6'd0) - {1'b0, leaving};
            ends <= ends + {1'b0, push && s_last} - {1'b0, pop && m_last};
            if (!marked && mark && push && {1'b0, mark_lane} < s_count) begin
                marked <= 1'b1;
                watched <= s_data[8*({1'b0, s_offset} + {1'b0, mark_lane}) +: 8];
                ahead <= inside - {1'b0, leaving} + {2'd0, mark_lane};
                ends_ahead <= ends - {1'b0, pop && m_last};
            end else if (marked && pop) begin
                marked <= ahead >= {1'b0, shown};
                ahead <= ahead - {1'b0, shown};
                ends_ahead <= ends_ahead - {1'b0, m_last};
                if (ahead < {1'b0, shown}) begin
                    assert (m_data[8*ahead[3:0] +: 8] == watched); // in order, unchanged
                    assert (ends_ahead == 2'd0);                   // in its own packet
                end else begin
                    assert (!m_last || ends_ahead != 2'd0);        // which has not ended before it
                end
            end
            if (pop) assert (m_last ? ends != 2'd0 : shown == 5'd16); // whole beats but the last
            if (pop) assert (m_keep == keep_of(shown));
        end
        if (started && !$past(rst) && !rst && $past(m_valid && !m_ready))
            assert (m_valid && m_data == $past(m_data) && m_keep == $past(m_keep) && m_last == $past(m_last));
        cover (started && !rst && marked && pop && ahead == 6'd20);
        cover (started && !rst && pop && m_last && m_keep == 16'd0);
    end

    always @* if (started) begin
        assert (inside == in_held); // nothing lost, nothing twice
        assert (ends == {1'b0, ends_output} + {1'b0, flush});
        assert ((held & OTHERS) == 128'd0 && (m_data & OTHERS) == 128'd0);
        assert ((held >> {fill, 3'b000}) == 128'd0);
        assert (!m_valid || (m_keep == keep_of(shown) && (m_last || shown == 5'd16)));
        assert (!(ends_output && flush)); // a flush follows the packet's whole beat
        if (marked) begin
            assert (ahead < inside);
            if (ahead < in_output) assert (m_data[8*ahead[3:0] +: 8] == watched && ends_ahead == 2'd0);
            else assert (held[8*lane_held[3:0] +: 8] == watched && ends_ahead == {1'b0, ends_output});
        end
    end
`endif
endmodule
