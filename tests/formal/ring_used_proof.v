// fdw_ring_used: each chain's used entry goes to the slot that follows from the chains before it, once, with the wrap
// counter of its lap; nothing else is written; interrupts only after a look at the driver's event structure. A frame in
// several chains: its first entry is written last, when all others are acknowledged, and till then none is looked for.
module ring_used_proof (
    input clk
);
    localparam AW = 16;
    localparam BASE = 16'h1fe0;
    localparam EVENT = 16'h3008;

    (* anyconst *) reg [1:0] size;
    (* anyconst *) reg [2:0] n; // the entry that is looked at
    (* anyconst *) reg       event_idx;
    (* anyseq *) reg rst, enable, used_valid, used_write, hold, release_now, awready, wready, bvalid, arready, rvalid;
    (* anyseq *) reg [3:0]   id, len;
    (* anyseq *) reg [1:0]   count, bresp, rresp;
    (* anyseq *) reg [127:0] rdata;

    wire interrupt, error, busy, used_ready, awvalid, wvalid, wlast, bready, arvalid, rready;
    wire [AW-1:0] awaddr, araddr, unused_address;
    wire [7:0] awlen, arlen;
    wire [2:0] awsize, arsize;
    wire [1:0] awburst, arburst, flying;
    wire [127:0] wdata;
    wire [15:0] wstrb;

    fdw_ring_used #(.ADDR_WIDTH(AW), .OUTSTANDING(3)) dut (
        .clk(clk), .rst(rst), .enable(enable), .ring_addr({48'd0, BASE}), .ring_size({14'd0, size}),
        .driver_event_addr({48'd0, EVENT}), .event_idx(event_idx), .interrupt(interrupt), .error(error), .busy(busy),
        .used_valid(used_valid), .used_ready(used_ready), .used_id({12'd0, id}), .used_len({28'd0, len}),
        .used_write(used_write), .used_count(release_now ? 16'd0 : {14'd0, count}), .used_hold(hold), .used_release(release_now),
        .m_axi_awvalid(awvalid), .m_axi_awready(awready), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen),
        .m_axi_awsize(awsize), .m_axi_awburst(awburst), .m_axi_wvalid(wvalid), .m_axi_wready(wready),
        .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_bvalid(bvalid), .m_axi_bready(bready),
        .m_axi_bresp(bresp), .m_axi_arvalid(arvalid), .m_axi_arready(arready), .m_axi_araddr(araddr),
        .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst), .m_axi_rvalid(rvalid),
        .m_axi_rready(rready), .m_axi_rdata(rdata), .m_axi_rresp(rresp)
    );

    axi_read_rules #(.ADDR_WIDTH(AW)) reads (
        .clk(clk), .rst(rst), .arvalid(arvalid), .arready(arready), .araddr(araddr), .arlen(arlen), .arsize(arsize),
        .arburst(arburst), .rvalid(rvalid), .rready(rready), .rlast(1'b1), .flying(flying), .address(unused_address)
    );
    axi_write_rules #(.ADDR_WIDTH(AW)) writes (
        .clk(clk), .rst(rst), .awvalid(awvalid), .awready(awready), .awaddr(awaddr), .awlen(awlen), .awsize(awsize),
        .awburst(awburst), .wvalid(wvalid), .wready(wready), .wdata(wdata), .wstrb(wstrb), .wlast(wlast),
        .bvalid(bvalid), .bready(bready)
    );

    reg        started = 1'b0;
    reg [3:0]  taken;   // chains of this life
    reg [2:0]  slot;    // where the next one goes
    reg        wrap;
    reg        known;   // number n has been taken:
    reg [2:0]  n_slot;
    reg [15:0] n_flags;
    reg [3:0]  n_id, n_len;
    reg [3:0]  asked, sent; // AW and W of this life
    reg        looked;  // the event structure was read and no interrupt has come of it
    reg        was_enabled;
    reg        holding;      // an entry is held back:
    reg [2:0]  held_slot;    // for this slot
    reg        held_wrap;
    reg [3:0]  answered;     // B of this life
    reg [15:0] shows;        // by entry: with its B response slots count as passed
    reg        due;          // some did since the last look at the event structure began
    wire       acknowledged = bvalid && bready && !bresp[1] && shows[answered];
    wire [2:0] next = slot + {1'b0, count};
    wire       take = used_valid && used_ready;
    wire       enter = take && !hold;
    wire [2:0] to_slot = release_now ? held_slot : slot;
    wire       to_wrap = release_now ? held_wrap : wrap;

    initial assume (rst);
    always @* begin
        assume (size != 2'd0 && count != 2'd0 && count <= size);
        assume (taken < 4'd14);
        // The engine's order: what is held is released after others, and nothing is held beside it.
        assume (!(hold && (release_now || holding)));
        assume (!release_now || holding);
        // One life is looked at: a second begins like the first (its entries wait until `busy` has fallen).
        if (started && was_enabled) assume (enable || rst);
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            taken <= 4'd0;
            slot <= 3'd0;
            wrap <= 1'b1;
            known <= 1'b0;
            asked <= 4'd0;
            sent <= 4'd0;
            looked <= 1'b0;
            was_enabled <= 1'b0;
            holding <= 1'b0;
            held_slot <= 3'd0;
            held_wrap <= 1'b1;
            answered <= 4'd0;
            shows <= 16'd0;
            due <= 1'b0;
        end else begin
            was_enabled <= was_enabled || enable;
            if (take && !release_now) begin
                slot <= next >= {1'b0, size} ? next - {1'b0, size} : next;
                wrap <= wrap ^ (next >= {1'b0, size});
            end
            if (take) begin
                holding <= hold || (holding && !release_now);
                if (hold) begin
                    held_slot <= slot;
                    held_wrap <= wrap;
                end
            end
            due <= acknowledged || (due && !(arvalid && !$past(arvalid)));
            answered <= answered + {3'd0, bvalid && bready};
            if (enter) begin
                taken <= taken + 4'd1;
                shows[taken] <= !holding || release_now;
                if (taken == {1'b0, n}) begin
                    known <= 1'b1;
                    n_slot <= to_slot;
                    n_flags <= (to_wrap ? 16'h8080 : 16'h0000) | (used_write ? 16'h0002 : 16'h0000);
                    n_id <= id;
                    n_len <= len;
                end
            end
            if (awvalid && awready) asked <= asked + 4'd1;
            if (wvalid && wready) sent <= sent + 4'd1;
            looked <= (rvalid && rready) || (looked && !interrupt);
        end
        if (started && !rst) begin
            assert (asked + {3'd0, awvalid} <= taken && sent + {3'd0, wvalid} <= taken); // one entry a chain
            if (awvalid) assert (awlen == 8'd0 && awsize == 3'd4);
            if (awvalid && asked == {1'b0, n}) assert (known && awaddr == BASE + {n_slot, 4'd0});
            if (wvalid) assert (wstrb == 16'hffff && wlast);
            if (wvalid && sent == {1'b0, n})
                assert (known && wdata == {n_flags, 12'd0, n_id, 28'd0, n_len, 64'd0});
            // The first of several is asked for when all before it are in memory.
            if (enter && release_now) assert (answered == taken);
            // The driver's wish is read only for what it can see: frames that are whole in memory.
            if (arvalid && !$past(arvalid)) assert (due);
            if (arvalid) assert (araddr == EVENT && arlen == 8'd0);
            if (interrupt) assert (looked || rvalid);
        end
        cover (started && !rst && wvalid && wready && sent == 4'd3 && size == 2'd2);
        cover (started && !rst && interrupt && event_idx);
        cover (started && !rst && enter && release_now && taken == 4'd1);
    end
endmodule
