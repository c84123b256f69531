// fdw_dma_read over a memory that answers at any time: each requested byte comes out once, in order, on the right
// side, in its packet; nothing else is read; an abort at any time leaves nothing behind.
//
// Requests have a few shapes (any shape is in the block's tests), and all timings. The byte at one address is looked
// at, wherever requests cover it. Its eight bits take the same way, so one of them is enough. The packer at the
// output is proven by itself: here its input is looked at (byte_packer_open.v).
module dma_read_proof (
    input clk
);
    localparam AW = 19;
    localparam [AW-1:0] BASE = 19'h00fe0; // 32 bytes below a 4 KiB boundary
    localparam [127:0] OTHERS = {16{8'hfe}};

    (* anyconst *) reg [5:0] place; // of the byte that is looked at, above BASE
    (* anyconst *) reg       value;
    (* anyconst *) reg [2:0] unit;  // of 16 bytes above BASE: read only if a request covers it
    (* anyseq *) reg rst, req_valid, req_last, head_ready, m_ready, abort, arready, rvalid, rlast;
    (* anyseq *) reg [5:0]   at, len;
    (* anyseq *) reg [3:0]   req_head;
    (* anyseq *) reg [127:0] rdata;
    (* anyseq *) reg [1:0]   rresp;

    wire req_ready, head_valid, m_valid, m_last, error, busy, arvalid, rready;
    wire [127:0] head_data, m_data;
    wire [15:0]  m_keep;
    wire [3:0]   head_offset, head_count, unused_id;
    wire [AW-1:0] req_addr = BASE + {13'd0, at};
    wire [AW-1:0] araddr, address;
    wire [7:0] arlen;
    wire [2:0] arsize;
    wire [1:0] arburst, flying;

    fdw_dma_read #(.ADDR_WIDTH(AW), .MAX_BURST(2), .OUTSTANDING(2), .BUFFER_BEATS(3), .REQUESTS(2)) dut (
        .clk(clk), .rst(rst), .req_valid(req_valid), .req_ready(req_ready), .req_addr(req_addr),
        .req_len({11'd0, len}), .req_head(req_head), .req_last(req_last), .head_valid(head_valid),
        .head_ready(head_ready), .head_data(head_data), .head_offset(head_offset), .head_count(head_count),
        .m_valid(m_valid), .m_ready(m_ready), .m_data(m_data), .m_keep(m_keep), .m_last(m_last), .error(error),
        .busy(busy), .abort(abort), .m_axi_arid(unused_id), .m_axi_araddr(araddr), .m_axi_arlen(arlen),
        .m_axi_arsize(arsize), .m_axi_arburst(arburst), .m_axi_arvalid(arvalid), .m_axi_arready(arready),
        .m_axi_rid(4'd0), .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid),
        .m_axi_rready(rready)
    );

    axi_read_rules #(.ADDR_WIDTH(AW)) reads (
        .clk(clk), .rst(rst), .arvalid(arvalid), .arready(arready), .araddr(araddr), .arlen(arlen), .arsize(arsize),
        .arburst(arburst), .rvalid(rvalid), .rready(rready), .rlast(rlast), .flying(flying), .address(address)
    );

    reg        started = 1'b0;
    // Requests whose bytes have not all come out, the oldest first: at, len, head, last.
    reg [16:0] asked [0:1];
    reg [1:0]  waiting;
    reg [5:0]  come;      // bytes of the oldest that have come out
    reg        covered;   // `unit` was requested
    reg        burst_bad;
    reg        draining;  // what was in flight at an abort has not all come
    reg [4:0]  shown;
    reg [3:0]  first_lane;
    integer    i;

    wire       take = req_valid && req_ready;
    wire       step = m_valid && m_ready && !abort;
    wire [5:0] now_at = asked[0][16:11];
    wire [5:0] now_len = asked[0][10:5];
    wire [3:0] now_head = asked[0][4:1];
    wire       now_last = asked[0][0];
    wire [4:0] heads = head_valid ? {1'b0, head_count} : 5'd0;
    wire [6:0] come_next = {1'b0, come} + {2'd0, heads} + {2'd0, shown};
    wire       over = step && come_next == {1'b0, now_len};
    wire [1:0] left = waiting - {1'b0, over};
    wire [5:0] head_ahead = place - (now_at + come);
    wire [5:0] ahead = head_ahead - {1'b0, heads};
    wire       head_shows = head_ahead < {1'b0, heads};
    wire       shows = !head_shows && ahead < {1'b0, shown};
    wire [3:0] head_lane = head_offset + head_ahead[3:0];
    wire [3:0] lane = first_lane + ahead[3:0];
    wire [AW-1:0] last_byte = req_addr + {13'd0, len} - 19'd1;
    wire [AW-1:0] unit_addr = BASE + {12'd0, unit, 4'd0};
    wire       covers = len != 6'd0 && req_addr[AW-1:4] <= unit_addr[AW-1:4] && unit_addr[AW-1:4] <= last_byte[AW-1:4];
    wire       reads_unit = araddr <= unit_addr && unit_addr <= araddr + {7'd0, arlen, 4'd0};
    wire [AW-1:0] place_addr = BASE + {13'd0, place};
    wire       beat = rvalid && rready;

    always @* begin
        shown = 5'd0;
        first_lane = 4'd0;
        for (i = 15; i >= 0; i = i - 1) begin
            shown = shown + {4'd0, m_keep[i]};
            if (m_keep[i]) first_lane = i;
        end
    end

    initial assume (rst);
    always @* begin
        assume (at == 6'd0 || at == 6'd15 || at == 6'd29);
        assume (len == 6'd0 || len == 6'd1 || len == 6'd17 || len == 6'd40);
        assume (req_head == 4'd0 || req_head == 4'd2 || req_head == 4'd12);
        assume (place == 6'd15 || place == 6'd29 || place == 6'd32);
        assume ((rdata & OTHERS) == 128'd0);
        if (beat && address[AW-1:4] == place_addr[AW-1:4]) assume (rdata[{place_addr[3:0], 3'd0}] == value);
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            covered <= 1'b0;
            burst_bad <= 1'b0;
            draining <= 1'b0;
        end else begin
            draining <= abort || (draining && (arvalid || flying != 2'd0));
            if (take && covers) covered <= 1'b1;
            if (beat) burst_bad <= (burst_bad || rresp[1]) && !rlast;
        end
        if (rst || abort) begin
            waiting <= 2'd0;
            come <= 6'd0;
        end else begin
            waiting <= left + {1'b0, take};
            if (over) asked[0] <= asked[1];
            if (take) asked[left[0]] <= {at, len, req_head, req_last};
            if (step) come <= over ? 6'd0 : come_next[5:0];
        end
        if (started && !rst) begin
            if (step) begin
                assert (waiting != 2'd0 && come_next <= {1'b0, now_len}); // nothing twice, nothing from before an abort
                assert (m_last == (now_last && come_next == {1'b0, now_len})); // in its packet
                if (now_len != 6'd0) assert (come_next > {1'b0, come});
                // The first `now_head` bytes go to the head, all others do not.
                assert (heads == 5'd0 || {1'b0, come} + {2'd0, heads} <= {3'd0, now_head});
                assert (shown == 5'd0 || {1'b0, come} + {2'd0, heads} >= {3'd0, now_head});
                if (shows) assert (m_data[{lane, 3'd0}] == value);
            end
            if (head_valid && !abort) begin
                assert (head_count != 4'd0 && {1'b0, head_offset} + {1'b0, head_count} <= 5'd16);
                if (head_shows) assert (head_data[{head_lane, 3'd0}] == value);
            end
            if (step && heads != 5'd0) assert (head_ready); // no head is passed over
            if (head_valid && head_ready && !abort) assert (step);
            assert (rready); // never blocked
            if (draining) assert (!req_ready);
            if (arvalid && reads_unit) assert (covered);
            if (flying != 2'd0 || arvalid) assert (busy);
            if (!$past(rst)) assert (error == $past(beat && rresp[1] && !burst_bad && !abort && !draining));
        end
        cover (started && !rst && step && shows && ahead == 6'd13 && heads == 5'd2 && now_last);
        cover (started && !rst && step && over && waiting == 2'd2 && !now_last && now_len == 6'd40);
    end
endmodule
