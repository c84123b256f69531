// fdw_dma_write over a memory that takes and answers at any time: the packet's bytes go to their places, nothing else
// is written, nothing after a packet's `done` or an abort, and `done` comes when all of it is acknowledged.
//
// Any one of a few addresses is looked at, and any one byte of the stream, number `k` of packet `n`. Places and
// pieces have a few shapes (any shape is in the block's tests), and all timings. The eight bits of a byte take the
// same way, so one of them is enough.
module dma_write_proof (
    input clk
);
    localparam AW = 13;
    localparam [AW-1:0] BASE = 13'h0fe0; // 32 bytes below a 4 KiB boundary
    localparam [127:0] OTHERS = {16{8'hfe}};

    (* anyconst *) reg [5:0] spot; // the address that is looked at, above BASE
    (* anyconst *) reg [1:0] n;
    (* anyconst *) reg [5:0] k;
    (* anyconst *) reg       value;
    (* anyseq *) reg rst, s_valid, s_last, s_more, cut, req_valid, abort, awready, wready, bvalid;
    (* anyseq *) reg [127:0] s_data;
    (* anyseq *) reg [4:0]   s_count;
    (* anyseq *) reg [5:0]   at, len;
    (* anyseq *) reg [1:0]   bresp;

    wire s_ready, ended, req_ready, done, error, busy, awvalid, wvalid, wlast, bready;
    wire [AW-1:0] awaddr;
    wire [7:0] awlen;
    wire [2:0] awsize;
    wire [1:0] awburst;
    wire [3:0] unused_id;
    wire [127:0] wdata;
    wire [15:0] wstrb;

    fdw_dma_write #(.ADDR_WIDTH(AW), .MAX_BURST(2), .EARLY_BURST(1), .OUTSTANDING(3), .BUFFER_BEATS(2)) dut (
        .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready), .s_data(s_data),
        .s_keep(~(16'hffff << s_count)), .s_last(s_last), .s_more(s_more), .cut(cut), .ended(ended),
        .req_valid(req_valid), .req_ready(req_ready), .req_addr(BASE + {7'd0, at}), .req_len({11'd0, len}),
        .done(done), .error(error), .busy(busy), .abort(abort), .m_axi_awid(unused_id), .m_axi_awaddr(awaddr),
        .m_axi_awlen(awlen), .m_axi_awsize(awsize), .m_axi_awburst(awburst), .m_axi_awvalid(awvalid),
        .m_axi_awready(awready), .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid),
        .m_axi_wready(wready), .m_axi_bid(4'd0), .m_axi_bresp(bresp), .m_axi_bvalid(bvalid), .m_axi_bready(bready)
    );

    axi_write_rules #(.ADDR_WIDTH(AW)) writes (
        .clk(clk), .rst(rst), .awvalid(awvalid), .awready(awready), .awaddr(awaddr), .awlen(awlen), .awsize(awsize),
        .awburst(awburst), .wvalid(wvalid), .wready(wready), .wdata(wdata), .wstrb(wstrb), .wlast(wlast),
        .bvalid(bvalid), .bready(bready)
    );

    reg        started = 1'b0;
    // Since the last abort:
    reg [1:0]  packet;      // of the stream's next byte
    reg [5:0]  come;        // bytes of it that have come
    reg        in_packet;
    reg [1:0]  over;        // packets that have ended
    reg [1:0]  finals;      // those that ended with s_more low
    reg [1:0]  dones;
    reg [6:0]  placed;      // bytes of packet `over` that were given a place, or would be
    reg        failed;
    reg        k_came;      // byte k of packet n has come
    reg        n_cut;
    // The address that is looked at: it has a place, whose packet is not done.
    reg        open;
    reg [1:0]  open_packet, open_final;
    reg [6:0]  open_index;  // of its byte in the packet
    reg        written;
    reg [3:0]  written_in;  // which burst
    // Bursts in the order of their AW: W follows it.
    reg [AW-1:0] burst_addr [0:7];
    reg [2:0]  offered, sending;
    reg [3:0]  answered;    // B, of all times
    reg [3:0]  burst;       // number of that being sent, of all times
    reg        beat;        // of it
    reg        was_aw_held, was_w_held;
    reg        refused;     // an error response in this life
    wire       aw_new = awvalid && !was_aw_held;
    wire       w_new = wvalid && !was_w_held;

    wire       push = s_valid && s_ready;
    wire       take = req_valid && req_ready;
    wire [AW-1:0] spot_addr = BASE + {7'd0, spot};
    wire [5:0] inside = spot - at;
    wire       holds = spot >= at && inside < len;
    wire [5:0] to_k = k - come;
    wire       is_k = push && packet == n && k >= come && to_k < {1'b0, s_count};
    wire [AW-1:0] w_addr = burst_addr[sending] + {8'd0, beat, 4'd0};
    wire       hits = w_new && w_addr[AW-1:4] == spot_addr[AW-1:4] && wstrb[spot_addr[3:0]];
    wire       watched = open && open_packet == n && open_index == {1'b0, k};
    wire       b = bvalid && bready;

    initial assume (rst);
    always @* begin
        assume (at == 6'd0 || at == 6'd15 || at == 6'd29);
        assume (len == 6'd1 || len == 6'd17 || len == 6'd36);
        assume (spot == 6'd15 || spot == 6'd29 || spot == 6'd32);
        assume (s_count == 5'd16 || (s_last && (s_count == 5'd0 || s_count == 5'd3)));
        assume ((s_data & OTHERS) == 128'd0);
        if (is_k) assume (s_data[{to_k[3:0], 3'd0}] == value);
        assume (come < 6'd40 && placed < 7'd80 && packet != 2'd3);
        assume (!cut || ((in_packet || packet != over) && !ended)); // of a packet that has begun and not ended
        if (open && take) assume (!holds); // buffers do not overlap
    end

    always @(posedge clk) begin
        started <= 1'b1;
        was_aw_held <= !rst && awvalid && !awready;
        was_w_held <= !rst && wvalid && !wready;
        if (rst) begin
            offered <= 3'd0;
            sending <= 3'd0;
            beat <= 1'b0;
            answered <= 4'd0;
            burst <= 4'd0;
        end else begin
            if (aw_new) begin
                burst_addr[offered] <= awaddr;
                offered <= offered + 3'd1;
            end
            if (w_new) begin
                beat <= !wlast;
                if (wlast) begin
                    sending <= sending + 3'd1;
                    burst <= burst + 4'd1;
                end
            end
            answered <= answered + {3'd0, b};
        end
        if (rst || abort) begin
            packet <= 2'd0;
            come <= 6'd0;
            in_packet <= 1'b0;
            over <= 2'd0;
            finals <= 2'd0;
            dones <= 2'd0;
            placed <= 7'd0;
            k_came <= 1'b0;
            n_cut <= 1'b0;
            open <= 1'b0;
            open_packet <= 2'd0;
            open_final <= 2'd0;
            open_index <= 7'd0;
            written <= 1'b0;
            written_in <= 4'd0;
        end else begin
            if (cut && in_packet) packet <= packet + 2'd1;
            else if (push && s_last) packet <= packet + 2'd1;
            if (cut || (push && s_last)) come <= 6'd0;
            else if (push) come <= come + {1'b0, s_count};
            in_packet <= !cut && (push ? !s_last : in_packet);
            if (is_k) k_came <= 1'b1;
            if (cut && over == n) n_cut <= 1'b1;
            if (ended) begin
                over <= over + 2'd1;
                finals <= finals + {1'b0, !s_more};
                placed <= 7'd0;
            end
            dones <= dones + {1'b0, done};
            if (take) placed <= placed + {1'b0, len};
            if (take && holds) begin
                open <= 1'b1;
                open_packet <= over;
                open_final <= finals;
                open_index <= placed + {1'b0, inside};
                written <= 1'b0;
            end else if (done && dones == open_final) begin
                open <= 1'b0;
            end
            if (hits) begin
                written <= 1'b1;
                written_in <= burst;
            end
        end
        if (started && !rst) begin
            assert (!cut || !s_ready);
            if (w_new) assert (sending != offered); // W after its AW
            if (w_new && beat) assert (wlast);
            if (hits) begin
                assert (open && !written);           // in a place, once, not after done or an abort
                if (watched) assert (k_came && wdata[{spot_addr[3:0], 3'd0}] == value);
            end
            if (take) assert (over != packet || in_packet); // of a packet that is here
            if (ended) assert (over != packet);
            if (done && !abort) begin
                assert (dones != finals);            // one for each packet
                if (open && open_final == dones) begin
                    if (watched && k_came && !n_cut) assert (written);
                    if (written) assert (answered + {3'd0, b} > written_in); // and not before it is acknowledged
                end
            end
            if (awvalid || wvalid || answered != burst) assert (busy);
        end
        cover (started && !rst && done && watched && written && k == 6'd17);
        cover (started && !rst && abort && awvalid && !awready);
    end
endmodule
