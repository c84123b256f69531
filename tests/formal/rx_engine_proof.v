// The whole of fdw_rx_engine between any stream of frames, any chains and any DMA: each chain is used once, in its order,
// and only when the DMA has said that all that was placed in it is acknowledged; places lie inside buffers that
// were posted and are not used yet; of a frame each buffer gets one place, and one more for a header corrected.
//
// Assumed of the neighbours, where it is shown: frames as fdw_rx_fifo gives them (tested: test_rx_path); descriptors in any
// order, whole chains or not (ring-fetch, ring-indirect); the DMA asks for a place only while it has bytes without one,
// ends a packet when it has all or is cut, says `done` once for each packet that was the last of its frame
// (dma-write). Buffer number i lies at 64 * i: no two overlap. One life of the queue is looked at.
module rx_engine_proof (
    input clk
);
    localparam AW = 9;

    (* anyconst *) reg [39:0] lens;       // of the first eight buffers, 5 bits each
    (* anyconst *) reg [7:0]  lasts;      // which of them end their chain
    (* anyconst *) reg [2:0]  x;          // the chain that is looked at
    (* anyconst *) reg [2:0]  k;          // the buffer that is looked at
    (* anyconst *) reg        mergeable, checks;
    (* anyconst *) reg [1:0]  ring_size;
    (* anyseq *) reg rst, s_valid, s_last, s_bad, s_whole, s_good, desc_valid, m_ready, ended, req_ready, done, used_ready;
    (* anyseq *) reg [4:0]  s_count;      // bytes of the beat
    (* anyseq *) reg [15:0] s_len, junk;

    reg  [2:0] posted; // buffers taken from the ring
    reg  [2:0] posted_chains;
    wire [4:0] desc_len = lens[5 * posted +: 5];
    wire       desc_last = lasts[posted];

    wire s_ready, desc_ready, m_valid, m_last, m_more, m_cut, req_valid, used_valid, used_write, hold, release_now, truncated;
    wire [127:0] unused_data;
    wire [15:0] m_keep, used_id, used_count;
    wire [31:0] used_len;
    wire [AW-1:0] req_addr;
    wire [16:0] req_len;

    fdw_rx_engine #(.ADDR_WIDTH(AW), .FRAME_CHAINS(2), .DESCRIPTORS(4), .CHAINS(4)) dut (
        .clk(clk), .rst(rst), .enable(1'b1), .mergeable(mergeable), .checks(checks), .ring_size({14'd0, ring_size}),
        .truncated(truncated), .s_valid(s_valid), .s_ready(s_ready), .s_data(128'd0), .s_keep(~(16'hffff << s_count)),
        .s_last(s_last), .s_bad(s_bad), .s_whole(s_whole), .s_len(s_len), .s_good(s_good),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_addr({55'd0, posted, 6'd0}),
        .desc_len({27'd0, desc_len}), .desc_id(desc_last ? {13'd0, posted_chains} : junk), .desc_slots(16'd1),
        .desc_last(desc_last), .m_valid(m_valid), .m_ready(m_ready), .m_data(unused_data), .m_keep(m_keep),
        .m_last(m_last), .m_more(m_more), .m_cut(m_cut), .m_ended(ended), .req_valid(req_valid), .req_ready(req_ready),
        .req_addr(req_addr), .req_len(req_len), .done(done), .used_valid(used_valid), .used_ready(used_ready),
        .used_id(used_id), .used_len(used_len), .used_write(used_write), .used_count(used_count), .used_hold(hold),
        .used_release(release_now)
    );

    reg        started = 1'b0;
    // The stream of frames.
    reg        inside;           // a beat of the present frame has been taken
    reg        was_whole;
    reg [15:0] frame_len;        // s_len while s_whole
    reg [15:0] frame_bytes;      // taken
    wire       beat = s_valid && s_ready;
    // The DMA.
    reg        in_packet, all_come, was_cut;
    reg [6:0]  come, placed;     // bytes of the packet
    reg [3:0]  finals, dones;
    wire       push = m_valid && m_ready;
    wire       take = req_valid && req_ready;
    wire [4:0] count = m_keep[15] ? 5'd16 : m_keep == 16'h0fff ? 5'd12 : m_keep == 16'h00ff ? 5'd8 : 5'd1;
    // What the buffers went through.
    reg [2:0]  chain_of [0:7];
    reg [2:0]  chains_used;      // chains the driver has, or will have with the release, back
    reg [1:0]  held;             // chains of the frame being used, 0: none is held
    reg [6:0]  x_capacity;
    reg        x_placed;
    reg [3:0]  x_final;          // number of its frame among those that were good
    reg        k_placed;         // in the present packet
    reg        k_over;           // a good frame that had it is over
    wire [2:0] at = req_addr[8:6];
    wire       enter = used_valid && used_ready && !hold;
    wire [2:0] entered = release_now ? chains_used : chains_used + {1'b0, held};
    integer    i;

    initial assume (rst);
    always @* begin
        for (i = 0; i < 8; i = i + 1) assume (lens[5*i +: 5] != 5'd0);
        assume (ring_size != 2'd0);
        assume (!desc_valid || posted != 3'd7);
        // fdw_rx_fifo
        assume (s_count == 5'd16 || (s_last && (s_count == 5'd1 || s_count == 5'd8)));
        if (s_last) assume (s_whole || s_bad);
        if (s_bad) assume (s_last && inside && !was_whole && !s_whole);
        if (was_whole) assume (s_whole && s_valid && s_len == frame_len);
        if (s_whole) assume (s_len <= 16'd48 && s_len > frame_bytes);
        if (s_whole) assume (s_last == (frame_bytes + {11'd0, s_count} >= s_len));
        if (s_whole && s_last) assume (frame_bytes + {11'd0, s_count} == s_len);
        assume (frame_bytes <= 16'd32);
        // fdw_dma_write
        if (req_ready) assume (in_packet && !was_cut && placed < come);
        if (ended) assume (in_packet && (was_cut || (all_come && placed >= come)));
        if (done) assume (dones != finals);
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            posted <= 3'd0;
            posted_chains <= 3'd0;
            inside <= 1'b0;
            was_whole <= 1'b0;
            frame_len <= 16'd0;
            frame_bytes <= 16'd0;
            in_packet <= 1'b0;
            all_come <= 1'b0;
            was_cut <= 1'b0;
            come <= 7'd0;
            placed <= 7'd0;
            finals <= 4'd0;
            dones <= 4'd0;
            chains_used <= 3'd0;
            held <= 2'd0;
            x_capacity <= 7'd0;
            x_placed <= 1'b0;
            x_final <= 4'd0;
            k_placed <= 1'b0;
            k_over <= 1'b0;
        end else begin
            if (desc_valid && desc_ready) begin
                posted <= posted + 3'd1;
                posted_chains <= posted_chains + {2'd0, desc_last};
                chain_of[posted] <= posted_chains;
                if (posted_chains == x) x_capacity <= x_capacity + {2'd0, desc_len};
            end
            if (beat) begin
                inside <= !s_last;
                frame_bytes <= s_last ? 16'd0 : frame_bytes + {11'd0, s_count};
            end
            was_whole <= s_valid && s_whole && !(beat && s_last);
            frame_len <= s_len;
            in_packet <= push || (in_packet && !ended);
            if (ended) begin
                was_cut <= 1'b0;
                all_come <= push && m_last;
                come <= push ? {2'd0, count} : 7'd0;
                placed <= 7'd0;
                finals <= finals + {3'd0, !m_more};
                k_placed <= 1'b0;
                if (!m_more) k_over <= k_over || k_placed;
            end else begin
                was_cut <= was_cut || m_cut;
                if (push) come <= come + {2'd0, count};
                if (push && m_last) all_come <= 1'b1;
                if (take) placed <= placed + req_len[6:0];
                if (take && at == k) k_placed <= 1'b1;
            end
            dones <= dones + {3'd0, done};
            if (take && chain_of[at] == x) begin
                x_placed <= 1'b1;
                x_final <= finals;
            end
            if (used_valid && used_ready) begin
                if (hold) held <= 2'd1;
                else if (release_now) begin
                    held <= 2'd0;
                    chains_used <= chains_used + {1'b0, held};
                end else if (held != 2'd0) held <= held + 2'd1;
                else chains_used <= chains_used + 3'd1;
            end
        end
        if (started && !rst) begin
            // What dma-write assumes in turn.
            if (m_cut) assert (in_packet && !was_cut && !ended && !take);
            if (m_valid) assert (!in_packet || (!all_come && !was_cut));
            if (take) begin
                assert (at < posted && req_addr[5:0] == 6'd0 && req_len != 17'd0);     // a buffer that was posted,
                assert (req_len <= {12'd0, lens[5 * at +: 5]});                         // nothing beside it,
                assert (chain_of[at] >= chains_used + {1'b0, held});                    // and it is not used yet
                if (at == k) assert (!k_placed && !k_over);                             // once in a packet, in one frame
            end
            if (used_valid && used_ready) begin
                assert (used_write && {release_now, hold} != 2'b11);
                assert (release_now ? held > 2'd1 : !hold || held == 2'd0);
                assert (used_count == {15'd0, !release_now});
            end
            if (enter) begin
                assert (used_id == {13'd0, entered} && entered < posted_chains);        // each chain once, in order
                if (entered == x) begin
                    if (x_placed) assert (dones + {3'd0, done} > x_final);              // payload before used
                    assert (used_len <= {25'd0, x_capacity});
                end
            end
        end
        cover (started && !rst && enter && entered == x && x == 3'd1 && x_placed);
        cover (started && !rst && enter && release_now);
        cover (started && !rst && enter && k_over && $past(beat && s_bad, 5));
    end
endmodule
