// fdw_ring_used: each chain's used entry goes to the slot that follows from the chains before it, once, with the wrap
// counter of its lap; nothing else is written; interrupts only after a look at the driver's event structure.
module ring_used_proof (
    input clk
);
    localparam AW = 16;
    localparam BASE = 16'h1fe0;
    localparam EVENT = 16'h3008;

    (* anyconst *) reg [1:0] size;
    (* anyconst *) reg [2:0] n; // the entry that is looked at
    (* anyconst *) reg       event_idx;
    (* anyseq *) reg rst, enable, used_valid, used_write, awready, wready, bvalid, arready, rvalid;
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
        .used_write(used_write), .used_count({14'd0, count}), .used_hold(1'b0), .used_release(1'b0),
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
    wire [2:0] next = slot + {1'b0, count};
    wire       take = used_valid && used_ready;

    initial assume (rst);
    always @* begin
        assume (size != 2'd0 && count != 2'd0 && count <= size);
        assume (taken < 4'd14);
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
        end else begin
            was_enabled <= was_enabled || enable;
            if (take) begin
                taken <= taken + 4'd1;
                slot <= next >= {1'b0, size} ? next - {1'b0, size} : next;
                wrap <= wrap ^ (next >= {1'b0, size});
                if (taken == {1'b0, n}) begin
                    known <= 1'b1;
                    n_slot <= slot;
                    n_flags <= (wrap ? 16'h8080 : 16'h0000) | (used_write ? 16'h0002 : 16'h0000);
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
            if (arvalid) assert (araddr == EVENT && arlen == 8'd0);
            if (interrupt) assert (looked || rvalid);
        end
        cover (started && !rst && wvalid && wready && sent == 4'd3 && size == 2'd2);
        cover (started && !rst && interrupt && event_idx);
    end
endmodule
