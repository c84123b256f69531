// fdw_axi_write_mux with three masters: any one request, beat and answer of any one master are followed, and the data
// of any one burst comes from the master whose address it follows. A master's data carry its number.
module axi_write_mux_proof (
    input clk
);
    localparam N = 3;
    localparam AW = 4;
    localparam DW = 8;
    localparam P = AW + 8 + 3 + 2;

    (* anyconst *) reg [1:0] me;
    (* anyconst *) reg [2:0] n;
    (* anyseq *) reg rst, awready, wready, bvalid;
    (* anyseq *) reg [N*AW-1:0] s_awaddr;
    (* anyseq *) reg [N*8-1:0] s_awlen;
    (* anyseq *) reg [N*3-1:0] s_awsize;
    (* anyseq *) reg [N*2-1:0] s_awburst;
    (* anyseq *) reg [N*DW-1:0] s_wdata;
    (* anyseq *) reg [N-1:0] s_wstrb, s_wlast, s_awvalid, s_wvalid, s_bready;
    (* anyseq *) reg [1:0] bid, bresp;

    wire [N-1:0] s_awready, s_wready, s_bvalid;
    wire [1:0] s_bresp, awid, awburst;
    wire awvalid, wvalid, wlast, bready;
    wire [AW-1:0] awaddr;
    wire [7:0] awlen;
    wire [2:0] awsize;
    wire [DW-1:0] wdata;
    wire wstrb;

    fdw_axi_write_mux #(.N(N), .ADDR_WIDTH(AW), .DATA_WIDTH(DW), .AXI_ID_WIDTH(2), .ORDER_DEPTH(2)) dut (
        .clk(clk), .rst(rst), .s_axi_awaddr(s_awaddr), .s_axi_awlen(s_awlen), .s_axi_awsize(s_awsize),
        .s_axi_awburst(s_awburst), .s_axi_awvalid(s_awvalid), .s_axi_awready(s_awready), .s_axi_wdata(s_wdata),
        .s_axi_wstrb(s_wstrb), .s_axi_wlast(s_wlast), .s_axi_wvalid(s_wvalid), .s_axi_wready(s_wready),
        .s_axi_bresp(s_bresp), .s_axi_bvalid(s_bvalid), .s_axi_bready(s_bready), .m_axi_awid(awid),
        .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(awsize), .m_axi_awburst(awburst),
        .m_axi_awvalid(awvalid), .m_axi_awready(awready), .m_axi_wdata(wdata), .m_axi_wstrb(wstrb),
        .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(wready), .m_axi_bid(bid), .m_axi_bresp(bresp),
        .m_axi_bvalid(bvalid), .m_axi_bready(bready)
    );

    reg started = 1'b0;
    reg [3:0] asked, passed, sent, went, came, given; // of `me`: AW in, out; W in, out; B in, out
    reg [3:0] bursts_asked, bursts_sent;              // of all, at the output
    reg ask_known, beat_known, answer_known, owner_known;
    reg [P-1:0] request;
    reg [DW+1:0] data;
    reg [1:0] answer, owner;
    wire [P-1:0] mine = {s_awaddr[me*AW +: AW], s_awlen[me*8 +: 8], s_awsize[me*3 +: 3], s_awburst[me*2 +: 2]};
    wire [P-1:0] out = {awaddr, awlen, awsize, awburst};
    wire [DW+1:0] my_data = {s_wdata[me*DW +: DW], s_wstrb[me], s_wlast[me]};
    wire [DW+1:0] out_data = {wdata, wstrb, wlast};
    wire mine_out = wdata[1:0] == me;
    integer i;

    initial assume (rst);
    always @* begin
        assume (me < N);
        assume (asked != 4'd15 && sent != 4'd15 && came != 4'd15 && bursts_asked != 4'd15);
        for (i = 0; i < N; i = i + 1) assume (s_wdata[i*DW +: 2] == i);
    end
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            {asked, passed, sent, went, came, given, bursts_asked, bursts_sent} <= 32'd0;
            {ask_known, beat_known, answer_known, owner_known} <= 4'd0;
        end else begin
            asked <= asked + {3'd0, s_awvalid[me] && s_awready[me]};
            passed <= passed + {3'd0, awvalid && awready && awid == me};
            sent <= sent + {3'd0, s_wvalid[me] && s_wready[me]};
            went <= went + {3'd0, wvalid && wready && mine_out};
            came <= came + {3'd0, bvalid && bready && bid == me};
            given <= given + {3'd0, s_bvalid[me] && s_bready[me]};
            bursts_asked <= bursts_asked + {3'd0, awvalid && awready};
            bursts_sent <= bursts_sent + {3'd0, wvalid && wready && wlast};
            if (s_awvalid[me] && s_awready[me] && asked == {1'b0, n}) {ask_known, request} <= {1'b1, mine};
            if (s_wvalid[me] && s_wready[me] && sent == {1'b0, n}) {beat_known, data} <= {1'b1, my_data};
            if (bvalid && bready && bid == me && came == {1'b0, n}) {answer_known, answer} <= {1'b1, bresp};
            if (awvalid && awready && bursts_asked == {1'b0, n}) {owner_known, owner} <= {1'b1, awid};
        end
        if (started && !rst) begin
            assert (passed + {3'd0, awvalid && awid == me} <= asked);
            if (awvalid && awid == me && passed == {1'b0, n}) assert (ask_known && out == request);
            assert (went + {3'd0, wvalid && mine_out} <= sent);
            if (wvalid && mine_out && went == {1'b0, n}) assert (beat_known && out_data == data);
            if (wvalid && bursts_sent == {1'b0, n} && owner_known) assert (wdata[1:0] == owner); // A5.2
            assert (given + {3'd0, s_bvalid[me]} <= came);
            assert ((s_bvalid & (s_bvalid - 1'b1)) == {N{1'b0}});
            if (s_bvalid[me] && given == {1'b0, n}) assert (answer_known && s_bresp == answer);
            if (!$past(rst)) begin
                if ($past(awvalid && !awready)) assert (awvalid && awid == $past(awid) && out == $past(out));
                if ($past(wvalid && !wready)) assert (wvalid && out_data == $past(out_data));
                if ($past(s_bvalid[me] && !s_bready[me])) assert (s_bvalid[me] && s_bresp == $past(s_bresp));
            end
        end
        cover (started && !rst && wvalid && wready && wlast && bursts_sent == 4'd2 && owner_known && n == 3'd2);
        cover (started && !rst && s_bvalid[me] && s_bready[me] && given == 4'd1);
    end
endmodule
