// fdw_ring_fetch over a memory that may answer anything at any time: what it hands on was made available.
//
// Any one descriptor, number `k` since the start of the ring, and any one content are looked at. It may be handed on
// only if a beat with that content came for its slot, with the flags of its lap, after all before it had come so.
module ring_fetch_proof #(
    parameter MOST = 3 // ring size, at most
) (
    input clk
);
    localparam AW = 16;
    localparam BASE = 16'h1fe0; // two slots below a 4 KiB boundary
    localparam EVENT = 16'h3004;

    (* anyconst *) reg [1:0] size;
    (* anyconst *) reg [3:0] k;
    (* anyconst *) reg [3:0] content; // of the address field
    (* anyconst *) reg       event_idx;
    (* anyseq *) reg rst, enable, kick, settled, desc_ready, arready, rvalid, rlast, awready, wready, bvalid;
    (* anyseq *) reg [127:0] rdata;
    (* anyseq *) reg [1:0] rresp, bresp;

    wire error, busy, desc_valid, desc_first, desc_last, desc_indirect, arvalid, rready, awvalid, wvalid, wlast, bready;
    wire [63:0] desc_addr;
    wire [31:0] desc_len;
    wire [15:0] desc_id, desc_slots, wstrb;
    wire [AW-1:0] araddr, awaddr, address;
    wire [7:0] arlen, awlen;
    wire [2:0] arsize, awsize;
    wire [1:0] arburst, awburst, flying;
    wire [127:0] wdata;

    fdw_ring_fetch #(.ADDR_WIDTH(AW), .BURST(2), .FIRST(1), .DEPTH(4)) dut (
        .clk(clk), .rst(rst), .enable(enable), .ring_addr({48'd0, BASE}), .ring_size({14'd0, size}),
        .device_event_addr({48'd0, EVENT}), .kick(kick), .settled(settled), .event_idx(event_idx), .indirect(1'b0),
        .error(error), .busy(busy),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_addr(desc_addr), .desc_len(desc_len),
        .desc_id(desc_id), .desc_first(desc_first), .desc_last(desc_last), .desc_slots(desc_slots),
        .desc_indirect(desc_indirect),
        .m_axi_arvalid(arvalid), .m_axi_arready(arready), .m_axi_araddr(araddr), .m_axi_arlen(arlen),
        .m_axi_arsize(arsize), .m_axi_arburst(arburst), .m_axi_rvalid(rvalid), .m_axi_rready(rready),
        .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast),
        .m_axi_awvalid(awvalid), .m_axi_awready(awready), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen),
        .m_axi_awsize(awsize), .m_axi_awburst(awburst), .m_axi_wvalid(wvalid), .m_axi_wready(wready),
        .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_bvalid(bvalid),
        .m_axi_bready(bready), .m_axi_bresp(bresp)
    );

    axi_read_rules #(.ADDR_WIDTH(AW)) reads (
        .clk(clk), .rst(rst), .arvalid(arvalid), .arready(arready), .araddr(araddr), .arlen(arlen), .arsize(arsize),
        .arburst(arburst), .rvalid(rvalid), .rready(rready), .rlast(rlast), .flying(flying), .address(address)
    );
    axi_write_rules #(.ADDR_WIDTH(AW)) writes (
        .clk(clk), .rst(rst), .awvalid(awvalid), .awready(awready), .awaddr(awaddr), .awlen(awlen), .awsize(awsize),
        .awburst(awburst), .wvalid(wvalid), .wready(wready), .wdata(wdata), .wstrb(wstrb), .wlast(wlast),
        .bvalid(bvalid), .bready(bready)
    );

    reg       started = 1'b0;
    reg [1:0] old;      // bursts of an earlier life still in flight: they prove nothing
    reg [3:0] could;    // descriptors that have come available in order
    reg [1:0] slot;     // number `could` modulo the ring's size,
    reg       wrap;     // and its lap's wrap counter
    reg [3:0] given;
    reg       seen;
    reg [1:0] k_slot;   // of number k, worked out as `could` passes it
    reg       k_wrap;
    reg       k_known;
    wire [AW-1:0] beat_offset = address - BASE;
    wire [1:0] beat_slot = beat_offset[5:4];
    wire       avail = rdata[119];
    wire       used = rdata[127];
    wire       beat = rvalid && rready && old == 2'd0 && !rresp[1] && enable;
    wire       in_turn = beat && beat_slot == slot && avail == wrap && used != wrap;
    wire       is_k = in_turn && could == k;
    // Number k may be read again later; then it is still the one whose flags must be right.
    wire       again_k = beat && k_known && beat_slot == k_slot && avail == k_wrap && used != k_wrap;
    wire       ends = rvalid && rready && rlast;

    initial assume (rst);
    always @* begin
        assume (size != 2'd0 && size <= MOST);
        assume (k < 4'd8 && could < 4'd14);
        assume (rdata[63:4] == 60'd0 && rdata[96 +: 16] == 16'd0); // contents that differ in four bits are enough
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst || !enable) begin
            could <= 4'd0;
            slot <= 2'd0;
            wrap <= 1'b1;
            given <= 4'd0;
            seen <= 1'b0;
            k_known <= 1'b0;
            k_slot <= 2'd0;
            k_wrap <= 1'b0;
            old <= rst ? 2'd0 : flying + {1'b0, arvalid} - {1'b0, ends};
        end else begin
            if (ends && old != 2'd0) old <= old - 2'd1;
            if (in_turn) begin
                could <= could + 4'd1;
                slot <= slot + 2'd1 == size ? 2'd0 : slot + 2'd1;
                wrap <= wrap ^ (slot + 2'd1 == size);
            end
            if (is_k) begin
                k_known <= 1'b1;
                k_slot <= slot;
                k_wrap <= wrap;
            end
            if ((is_k || again_k) && rdata[3:0] == content) seen <= 1'b1;
            if (desc_valid && desc_ready) given <= given + 4'd1;
        end
        if (started && !rst) begin
            if (desc_valid && enable) begin
                assert (given < could); // nothing that was not available, nothing twice
                if (given == k && desc_addr[3:0] == content) assert (seen); // what was there, after those before it
                assert (desc_len != 32'd0 && !desc_indirect);
            end
            // Reads stay in the ring, writes in the event structure.
            if (arvalid) assert (araddr >= BASE && {1'b0, araddr} + (({9'd0, arlen} + 17'd1) << 4) <= BASE + {size, 4'd0});
            if (awvalid) assert (awaddr == EVENT && awlen == 8'd0);
            if (wvalid) assert (wstrb == 16'h00f0);
        end
        cover (started && !rst && desc_valid && desc_ready && given == 4'd2 && size == 2'd2);
        cover (started && !rst && awvalid && event_idx);
    end
endmodule
